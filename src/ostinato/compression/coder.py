"""The arithmetic coder: the engine's range coder, block by block, with digests of the probabilities.

It writes the bits of the range coder of the package constriction, which the first files were written by.
"""

from __future__ import annotations

import math
import zlib
from array import array
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, final

import numpy as np
from numpy.typing import NDArray

from ostinato.compression.refusals import other_probabilities
from ostinato.data.corpus import forget, scratch
from ostinato.ops.engine import coding
from ostinato.shapes import Array

#: The coded symbols of a block: after each the decoder checks that its probabilities are those of the encoder.
BLOCK = 1 << 16
#: The bytes of a segment that is kept on disk.
LARGE = 1 << 20
#: The blocks after which the coder begins anew, so that no coder holds more.
SEGMENT = 256


@dataclass(frozen=True)
class Coded:
    """What an encoder wrote.

    Attributes:
        segments: The bytes of each segment.
        digests: The digests of the blocks, of which the last covers the original bytes too.
        size: The bytes of a digest.
        last: The bytes of the last digest; None for as many as the others.
    """

    segments: Sequence[bytes | memoryview]
    digests: list[int]
    size: int
    last: int | None = None


class Coder:
    """What an encoder and a decoder share: the digests of the probabilities, block by block.

    Probabilities reach the coder only as numbers that both ends compute to the same bits. If they do not, because the
    other machine adds up in another order, the digest of the block differs, and the file is refused, not misread.
    """

    def __init__(self) -> None:
        self.digests: list[int] = []
        self._digest, self._count, self._coded = 0, 0, 0

    def portions(self, count: int) -> Iterator[slice]:
        """Split this number of symbols at the borders of segments, yield each part, and begin each segment."""
        first = 0
        while first < count:
            place = self._coded % (SEGMENT * BLOCK)
            if not place and self._coded:
                self.next_segment()
            stop = min(count, first + SEGMENT * BLOCK - place)
            yield slice(first, stop)
            self._coded, first = self._coded + stop - first, stop

    def seen(self, probabilities: NDArray[Any]) -> None:
        """Take probabilities (n, V) into the digest of the block."""
        at = 0
        while at < len(probabilities):  # a block ends at the same symbol however many come at a time
            part = np.ascontiguousarray(probabilities[at : at + BLOCK - self._count])
            at += len(part)
            self._digest = zlib.crc32(part.tobytes(), self._digest)
            self._count += len(part)
            if self._count >= BLOCK:
                self._close_block()

    def _close_block(self) -> None:
        self.ended(self._digest)
        self._digest, self._count = 0, 0

    def finish(self, original: bytes | None) -> None:
        """End the last block.

        Args:
            original: A digest of the original bytes, which that of the last block covers too; None in version 1.
        """
        if original is not None:
            self._digest = zlib.crc32(original, self._digest)
        if original is not None or self._count:
            self._close_block()

    def _place(self, *, decodes: bool) -> tuple[bool, int, int, int, int, int]:
        """Return where the coder is, as the engine takes it."""
        return decodes, BLOCK, SEGMENT * BLOCK, self._digest, self._count, self._coded

    def next_segment(self) -> None:
        """Begin a segment."""

    def ended(self, digest: int) -> None:
        """Keep the digest of a block."""
        self.digests.append(digest)


@final
class Encoder(Coder):
    """An encoder of symbols."""

    def __init__(self) -> None:
        super().__init__()
        self._coder = coding.RangeEncoder()
        self._segments: list[bytes | memoryview] = []

    def symbols(self, probabilities: Array, symbols: NDArray[np.int64] | None) -> NDArray[np.int64]:
        """Code one symbol of each row and return them.

        Args:
            probabilities: Positive numbers that are proportional to the probabilities, (n, V).
            symbols: The symbols, (n,).
        """
        assert symbols is not None
        for part in self.portions(len(symbols)):
            self.seen(probabilities[part])
            p, own = _rows(probabilities[part]), np.ascontiguousarray(symbols[part], dtype=np.int64)
            self._coder.encode(len(p), p.shape[1], p.ctypes.data, own.ctypes.data)
        return symbols

    def number(self, size: int, value: int | None) -> int:
        """Code a number from 0 to size - 1, each as likely as the others, and return it."""
        assert value is not None
        self._coder.number(size, value)
        return value

    def choice(self, weights: Array, value: int | None) -> int:
        """Code one of some choices and return it.

        Args:
            weights: Numbers that are proportional to the probabilities of the choices, (n,).
            value: The choice.
        """
        assert value is not None
        p, own = _rows(weights[None]), np.array([value], dtype=np.int64)
        self._coder.encode(1, p.shape[1], p.ctypes.data, own.ctypes.data)
        return value

    def bytes_so_far(self) -> float:
        """Return the bytes that all choices since the segment began take, to fractions of a bit."""
        words, _, width = self._coder.place()
        return 4 * words + (64 - math.log2(width)) / 8

    def next_segment(self) -> None:
        """Keep what was coded, and begin a segment."""
        self._segments.append(_kept(shortest(self._coder)))
        self._coder = coding.RangeEncoder()

    def lend(self) -> coding.SoundCoder:
        """Return the engine's coder of samples, which goes on from here until ``take`` is called with it."""
        return coding.SoundCoder(self._place(decodes=False), self._coder, coding.RangeDecoder([]), [])

    def passed(self, samples: coding.SoundCoder) -> None:
        """Keep the blocks and segments that the engine's coder of samples has ended."""
        digests, finished = samples.ended()
        self._segments += [_kept(shortest(segment)) for segment in finished]
        self.digests += digests

    def take(self, samples: coding.SoundCoder) -> None:
        """Go on from where the engine's coder of samples has come to."""
        self.passed(samples)
        self._digest, self._count, self._coded, self._coder, _ = samples.place()

    def coded(self, original: bytes) -> Coded:
        """Return what was coded.

        Args:
            original: A digest of the original bytes.
        """
        self.finish(original)
        self.next_segment()
        return Coded(self._segments, self.digests, 4)


def _kept(segment: bytes) -> bytes | memoryview:
    """Return the bytes of a segment, on disk if there will be many of them."""
    if len(segment) < LARGE:
        return segment
    out = scratch(len(segment), np.uint8)
    out[:] = np.frombuffer(segment, dtype=np.uint8)
    forget(out)
    return out.data


def _rows(probabilities: Array) -> Array:
    return np.ascontiguousarray(probabilities, dtype=np.float64)


def shortest(coder: coding.RangeEncoder) -> bytes:
    """Return what a range encoder wrote as bytes, the first one first, without the zeros at the end.

    The last word may be any in the interval that the encoder has come to: the one with the most zeros is taken.
    """
    words = np.array(coder.words(), dtype=np.uint32)
    place, low, width = coder.place()
    if len(words) == place + 1 and int(words[-1]) << 32 >= low:
        for bits in (64, 56, 48, 40):
            value = -(-low >> bits) << bits
            if value < min(low + width, 1 << 64):
                words[-1] = value >> 32
                break
    raw: bytes = words.astype(">u4").tobytes()
    return raw.rstrip(b"\0")


@final
class Decoder(Coder):
    """A decoder of what an encoder wrote.

    Args:
        coded: What the encoder wrote.
        where: The name of the file, for an error.
    """

    def __init__(self, coded: Coded, where: str) -> None:
        super().__init__()
        self._left = iter(coded.segments)
        self._coder = coding.RangeDecoder([])
        self.next_segment()
        self._held, self._where = coded, where

    def next_segment(self) -> None:
        """Begin a segment, if there is one: version 1 has one for all symbols."""
        following = next(self._left, None)
        if following is not None:
            self._coder = coding.RangeDecoder(_words(following))

    def symbols(self, probabilities: Array, symbols: NDArray[np.int64] | None) -> NDArray[np.int64]:
        """Return the next symbol of each row; arguments are those of ``Encoder.symbols``, without symbols."""
        found = np.zeros(len(probabilities), dtype=np.int64)
        for part in self.portions(len(probabilities)):
            self.seen(probabilities[part])
            p, own = _rows(probabilities[part]), found[part]
            self._coder.decode(len(p), p.shape[1], p.ctypes.data, own.ctypes.data)
        return found

    def number(self, size: int, value: int | None) -> int:
        """Return the next number from 0 to size - 1."""
        return self._coder.number(size)

    def lend(self) -> coding.SoundCoder:
        """Return the engine's coder of samples, which goes on from here to the end of the segments."""
        left = [_words(segment) for segment in self._left]
        return coding.SoundCoder(self._place(decodes=True), coding.RangeEncoder(), self._coder, left)

    def passed(self, samples: coding.SoundCoder) -> None:
        """Check the blocks that the engine's coder of samples has ended (see ``ended``)."""
        for digest in samples.ended()[0]:
            self.ended(digest)

    def take(self, samples: coding.SoundCoder) -> None:
        """Go on from where the engine's coder of samples has come to."""
        self.passed(samples)
        self._digest, self._count, self._coded, _, self._coder = samples.place()

    def choice(self, weights: Array, value: int | None) -> int:
        """Return the next choice; arguments are those of ``Encoder.choice``, without a value."""
        p, own = _rows(weights[None]), np.zeros(1, dtype=np.int64)
        self._coder.decode(1, p.shape[1], p.ctypes.data, own.ctypes.data)
        return int(own[0])

    def ended(self, digest: int) -> None:
        """Check the digest of a block, and of the last one that the original bytes are restored.

        Raises:
            DataError: The model gives other probabilities here than where the file was written.
        """
        super().ended(digest)
        held, count = self._held, len(self.digests)
        size = held.last if held.last is not None and count == len(held.digests) else held.size
        if held.digests[count - 1 : count] != [digest & (1 << 8 * size) - 1]:
            raise other_probabilities(self._where)


def _words(segment: bytes | memoryview) -> array[int]:
    """Return the words of a segment, whose zeros at the end were left out.

    They are an array and no list, which takes ten times the memory, because a decoder of samples holds all segments.
    """
    raw = bytes(segment)
    return array("I", np.frombuffer(raw + bytes(-len(raw) % 4), dtype=">u4").astype("=u4").tobytes())
