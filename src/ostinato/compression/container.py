"""The container of a compressed file.

magic (4) | version (1) | digest of the model (8) | length of the facts (4) | facts, JSON that may be deflated |
digests of the blocks, 4 each | what the coder wrote | digest of the original bytes (4) | digest of all before it (8)

A model that goes on learning learns the sequences of all files in the order of the facts, and never starts anew.
"""

from __future__ import annotations

import hashlib
import json
import struct
import zlib
from dataclasses import dataclass
from typing import Any

from ostinato.errors import DataError

MAGIC, VERSION = b"OSTZ", 1
_HEAD = struct.Struct("<4sB8sI")
_CHECK, _ORIGINAL = 8, 4


@dataclass(frozen=True)
class Container:
    """What a compressed file holds.

    Attributes:
        model: The digest of the model, 8 bytes.
        facts: What the files are and what the model does not see of them, as JSON.
        digests: The digests of the coder's blocks.
        coded: What the coder wrote.
        original: The digest of the files' bytes, 4 bytes.
    """

    model: bytes
    facts: list[Any]
    digests: list[int]
    coded: bytes
    original: bytes

    def to_bytes(self) -> bytes:
        """Return the container as bytes."""
        plain = json.dumps([len(self.digests), self.facts], ensure_ascii=False, separators=(",", ":")).encode()
        packed = min(b"\0" + plain, b"\1" + zlib.compress(plain, 9), key=len)
        blocks = struct.pack(f"<{len(self.digests)}I", *self.digests)
        head = _HEAD.pack(MAGIC, VERSION, self.model, len(packed))
        body = head + packed + blocks + self.coded + self.original
        return body + digest_of(body)

    @staticmethod
    def from_bytes(raw: bytes, where: str) -> Container:
        """Return the container that bytes hold.

        Args:
            raw: The bytes of the file.
            where: The name of the file, for an error.

        Raises:
            DataError: The bytes are no container, one of a newer version, or a damaged one.
        """
        if raw[:4] != MAGIC:
            raise DataError("the file is not one that ostinato compress wrote", where=where, fix="give such a file")
        if len(raw) > 4 and raw[4] != VERSION:
            raise DataError(
                f"the file has version {raw[4]}, expected {VERSION}",
                where=where,
                fix="use the version of ostinato that wrote the file, or another copy if it is damaged",
            )
        body, check = raw[:-_CHECK], raw[-_CHECK:]
        if len(body) < _HEAD.size + _ORIGINAL or digest_of(body) != check:
            raise DataError("the file was cut short or altered", where=where, fix="use another copy of it")
        _, _, model, size = _HEAD.unpack(body[: _HEAD.size])
        packed, rest = body[_HEAD.size : _HEAD.size + size], body[_HEAD.size + size : -_ORIGINAL]
        plain = zlib.decompress(packed[1:]) if packed[:1] == b"\1" else packed[1:]
        blocks, facts = json.loads(plain)
        digests = list(struct.unpack(f"<{blocks}I", rest[: 4 * blocks]))
        return Container(model, facts, digests, rest[4 * blocks :], body[-_ORIGINAL:])


def digest_of(raw: bytes) -> bytes:
    """Return a digest of bytes, 8 bytes."""
    return hashlib.blake2b(raw, digest_size=_CHECK).digest()
