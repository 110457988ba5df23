"""The container of a compressed file.

head (2) | first byte of the digest of the model (1) | what the coder wrote: facts and symbols |
digest of the probabilities and the original bytes (2) | digest of the model and of all before it (3)

The head is the letter O and a byte: its bit 7 is 1, bits 3 to 6 hold the version, and bit 0 says whether there are
several blocks. If so, three things are added: after the model the number of blocks before the last, that of segments
before the last, and the bytes of each of these; and after what the coder wrote the digests of these blocks (3 each).

Damage, or another model, goes unnoticed with a chance of 2^-24 before anything is decoded, and of 2^-40 after it; a
machine that computes other probabilities, with one of 2^-16. A file without a name is restored under the name of the
container. A model that goes on learning learns the sequences of all files in their order, and never anew.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ostinato.compression import earlier
from ostinato.compression.coder import Coded, Decoder
from ostinato.compression.facts import Facts, Remembered
from ostinato.compression.refusals import damaged, newer
from ostinato.data.corpus import forget
from ostinato.errors import DataError, ModelFileError

VERSION = 5
#: The versions before that have the same layout, and other probabilities of names and lengths.
_OTHER_FACTS = {3: earlier.facts_3, 4: earlier.facts_4}
_MAGIC, _VERSIONED, _SEVERAL = b"O", 0x80, 1
#: The bytes of the digest of a block, of that of the last one, and of the container.
BLOCK_DIGEST, LAST_DIGEST, CHECK = 3, 2, 3


@dataclass(frozen=True)
class Container:
    """What a compressed file holds.

    Attributes:
        model: The digest of the model, 8 bytes.
        coded: What the coder wrote.
        files: What versions 1 and 2 say of the files: a list for each. The coder holds it since (None).
        original: The digest of the files' bytes in version 1; None if the digest of the last block covers them.
        version: The version, which says how the facts are coded.
        facts_bytes: The bytes of names, lengths and the rest, of a container that is written.
    """

    model: bytes
    coded: Coded
    files: list[Any] | None = None
    original: bytes | None = None
    version: int = VERSION
    facts_bytes: float = 0.0

    @property
    def overhead(self) -> int:
        """The bytes of a written container besides symbols: names, lengths, checksums and sizes of parts."""
        blocks, segments = len(self.coded.digests), self.coded.segments
        several = len(b"".join(map(_varint, (blocks, len(segments), *map(len, segments[:-1]))))) if blocks > 1 else 0
        return math.ceil(self.facts_bytes) + 3 + several + BLOCK_DIGEST * (blocks - 1) + LAST_DIGEST + CHECK

    def facts(self, coder: Decoder, usual: list[int | None], remembered: Remembered) -> list[Any]:
        """Return what the container says of the files: a list for each (see ``Facts``).

        Args:
            coder: The decoder, before the first symbol.
            usual: The usual number of each field.
            remembered: What the model remembers of other files.
        """
        if self.files is not None:
            return self.files
        if self.version in _OTHER_FACTS:
            return _OTHER_FACTS[self.version](coder, usual).files(None)
        return Facts(coder, usual, remembered).files(None)

    def parts(self) -> Iterator[bytes]:
        """Yield the container as bytes, in parts."""
        *blocks, last = self.coded.digests
        *sizes, _ = map(len, self.coded.segments)
        head = _MAGIC + bytes([_VERSIONED | self.version << 3 | (_SEVERAL if blocks else 0)]) + self.model[:1]
        if blocks:
            head += b"".join(map(_varint, (len(blocks), len(sizes), *sizes)))
        digests = b"".join(_low_bytes(d, BLOCK_DIGEST) for d in blocks) + _low_bytes(last, LAST_DIGEST)
        digest = hashlib.blake2b(digest_size=CHECK, key=self.model)
        for part in (head, *self.coded.segments, digests):
            digest.update(part)
            yield bytes(part)
        yield digest.digest()

    @staticmethod
    def from_bytes(raw: bytes | NDArray[np.uint8], where: str, model: bytes) -> Container:
        """Return the container that bytes hold.

        Args:
            raw: The bytes of the file, or the mapped file.
            where: The name of the file, for an error.
            model: The digest of the model that shall restore it, 8 bytes.

        Raises:
            DataError: The bytes are not a container, or the container has a newer version or is damaged.
            ModelFileError: Another model compressed the files.
        """
        view = memoryview(raw if isinstance(raw, bytes) else raw.data)
        if bytes(view[:2]) == earlier.MAGIC_2 or bytes(view[:4]) == earlier.MAGIC_1:
            named, files, coded, original = earlier.read(view, where)
            if named != model[: len(named)]:
                raise _other_model(named, where)
            return Container(model, coded, files, original, version=2 if original is None else 1)
        if bytes(view[:1]) != _MAGIC or len(view) < 2 or not view[1] & _VERSIONED:
            raise DataError(
                "the file was not written by ostinato compress",
                where=where,
                fix="give a file that ostinato compress wrote",
            )
        version = view[1] >> 3 & 15
        if version != VERSION and version not in _OTHER_FACTS:
            raise newer(version, where)
        body = view[: max(0, len(view) - CHECK)]
        digest = hashlib.blake2b(body, digest_size=CHECK, key=model).digest()
        forget(raw)
        if len(body) < 3 + LAST_DIGEST or digest != bytes(view[-CHECK:]):
            raise _other_model(bytes(view[2:3]), where) if view[2:3] not in (b"", model[:1]) else damaged(where)
        return Container(model, _coded(body, bool(view[1] & _SEVERAL), where), version=version)


def _coded(body: memoryview, several: bool, where: str) -> Coded:
    """Return what the coder wrote, from the bytes before the digest of the container."""
    at, blocks, sizes = 3, 0, list[int]()
    if several:
        blocks, at = _number(body, at, where)
        count, at = _number(body, at, where)
        for _ in range(min(count, len(body))):
            size, at = _number(body, at, where)
            sizes.append(size)
    end = len(body) - LAST_DIGEST - BLOCK_DIGEST * blocks
    if at + sum(sizes) > end:
        raise damaged(where)
    edges = [at, *(at + np.cumsum(sizes, dtype=np.int64)).tolist(), end]
    segments = [body[a:z] for a, z in pairwise(edges)]
    digests = [
        int.from_bytes(body[i : i + BLOCK_DIGEST], "little") for i in range(end, len(body) - LAST_DIGEST, BLOCK_DIGEST)
    ]
    return Coded(segments, [*digests, int.from_bytes(body[-LAST_DIGEST:], "little")], BLOCK_DIGEST, LAST_DIGEST)


def _low_bytes(digest: int, size: int) -> bytes:
    """Return the low bytes of a digest."""
    return digest.to_bytes(4, "little")[:size]


def _varint(value: int) -> bytes:
    """Return a number as bytes of 7 bits, the last ones first; the highest bit says that more follow."""
    out = bytearray()
    while value >= 0x80:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*out, value])


def _number(raw: memoryview, at: int, where: str) -> tuple[int, int]:
    """Return the number that begins at a place in some bytes, and the place after it."""
    value, shift = 0, 0
    while at < len(raw) and shift < 63:
        value, at, shift = value | (raw[at] & 0x7F) << shift, at + 1, shift + 7
        if raw[at - 1] < 0x80:
            return value, at
    raise damaged(where)


def _other_model(digest: bytes, where: str) -> ModelFileError:
    return ModelFileError(
        f"the file was compressed by another model, whose digest begins with {digest.hex()}",
        where=where,
        fix="give the model that compressed it",
    )
