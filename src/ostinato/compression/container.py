"""The container of a compressed file.

magic (2) | version (1) | digest of the model (2) | facts, which may be deflated | what the coder wrote |
digests of its blocks, 3 each | digest of all before it (3)

The digest of the last block covers the original bytes too. So damage, or a model that computes other numbers, goes
unnoticed with a chance of 2^-24 before anything is decoded, and of 2^-48 after it. A file without a name is called as
the container is. A model that goes on learning learns the sequences of all files in their order, and never anew.

Version 1 had a longer head, facts in JSON, and digests of 4 and 8 bytes. It is read and not written.
"""

from __future__ import annotations

import hashlib
import json
import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ostinato.compression import facts
from ostinato.compression.coder import Coded
from ostinato.data.corpus import forget
from ostinato.errors import DataError

MAGIC, VERSION = b"OZ", 2
#: The bytes of the digest of a model, of a block, and of the container.
MODEL, BLOCK, CHECK = 2, 3, 3
_DEFLATED = 0x80
#: What deflated facts may unpack to.
_MOST_FACTS = 1 << 26
_EARLIER, _EARLIER_HEAD = b"OSTZ", struct.Struct("<4sB8sI")


@dataclass(frozen=True)
class Container:
    """What a compressed file holds.

    Attributes:
        model: The first bytes of the digest of the model, 2 of them, or 8 in version 1.
        files: What the files are and what the model does not see of them: a list for each.
        coded: What the coder wrote.
        original: The digest of the files' bytes in version 1; None if the digest of the last block covers them.
    """

    model: bytes
    files: list[Any]
    coded: Coded
    original: bytes | None = None

    def parts(self) -> Iterator[bytes]:
        """Yield the container as bytes, in parts."""
        *sizes, _ = map(len, self.coded.segments)
        plain = facts.written([len(self.coded.digests), *sizes, *self.files])
        deflater = zlib.compressobj(9, wbits=-15)
        deflated = deflater.compress(plain) + deflater.flush()
        packed = min((bytes([VERSION]), plain), (bytes([VERSION | _DEFLATED]), deflated), key=lambda p: len(p[1]))
        digest = hashlib.blake2b(digest_size=CHECK)
        head = MAGIC + packed[0] + self.model + packed[1]
        blocks = b"".join(d.to_bytes(4, "little")[:BLOCK] for d in self.coded.digests)
        for part in (head, *self.coded.segments, blocks):
            digest.update(part)
            yield bytes(part)
        yield digest.digest()

    @staticmethod
    def from_bytes(raw: bytes | NDArray[np.uint8], where: str) -> Container:
        """Return the container that bytes hold.

        Args:
            raw: The bytes of the file, or the mapped file.
            where: The name of the file, for an error.

        Raises:
            DataError: The bytes are no container, one of a newer version, or a damaged one.
        """
        view = memoryview(raw if isinstance(raw, bytes) else raw.data)
        if bytes(view[:4]) == _EARLIER:
            return _earlier(bytes(view), where)
        if bytes(view[:2]) != MAGIC:
            raise DataError(
                "the file was not written by ostinato compress",
                where=where,
                fix="give a file that ostinato compress wrote",
            )
        if len(view) > 2 and view[2] & ~_DEFLATED != VERSION:
            raise _newer(view[2] & ~_DEFLATED, where)
        body, at = view[:-CHECK], 3 + MODEL
        digest = hashlib.blake2b(body, digest_size=CHECK).digest()
        forget(raw)
        if len(body) <= at or digest != bytes(view[-CHECK:]):
            raise _damaged(where)
        try:
            if view[2] & _DEFLATED:
                inflater = zlib.decompressobj(wbits=-15)
                (count, *rest), _ = facts.read(inflater.decompress(body[at:], _MOST_FACTS))
                at = len(body) - len(inflater.unused_data)
            else:
                (count, *rest), at = facts.read(body, at)
            sizes, files = [r for r in rest if isinstance(r, int)], [r for r in rest if isinstance(r, list)]
            edges, end = np.cumsum([at, *sizes]).tolist(), len(body) - BLOCK * count
        except (ValueError, TypeError, OverflowError, zlib.error) as error:
            raise _damaged(where) from error
        if edges[-1] > end:
            raise _damaged(where)
        segments = [body[a:z] for a, z in zip(edges, [*edges[1:], end], strict=True)]
        found = [int.from_bytes(body[i : i + BLOCK], "little") for i in range(end, len(body), BLOCK)]
        return Container(bytes(view[3:5]), files, Coded(segments, found, BLOCK))


def _earlier(raw: bytes, where: str) -> Container:
    """Return a container of version 1."""
    if len(raw) > 4 and raw[4] != 1:
        raise _newer(raw[4], where)
    body, check = raw[:-8], raw[-8:]
    if len(body) < _EARLIER_HEAD.size + 4 or hashlib.blake2b(body, digest_size=8).digest() != check:
        raise _damaged(where)
    _, _, model, size = _EARLIER_HEAD.unpack(body[: _EARLIER_HEAD.size])
    packed, rest = body[_EARLIER_HEAD.size : _EARLIER_HEAD.size + size], body[_EARLIER_HEAD.size + size : -4]
    plain = zlib.decompress(packed[1:]) if packed[:1] == b"\1" else packed[1:]
    blocks, files = json.loads(plain)
    digests = list(struct.unpack(f"<{blocks}I", rest[: 4 * blocks]))
    words = rest[4 * blocks :]
    turned = b"".join(words[i : i + 4][::-1] for i in range(0, len(words), 4))
    return Container(model, [[name, *left] for name, left in files], Coded([turned], digests, 4), body[-4:])


def _newer(version: int, where: str) -> DataError:
    return DataError(
        f"the file has version {version}, expected {VERSION} or 1",
        where=where,
        fix="use the version of ostinato that wrote the file, or another copy if it is damaged",
    )


def _damaged(where: str) -> DataError:
    return DataError("the file was cut short or altered", where=where, fix="use another copy of it")
