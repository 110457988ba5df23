"""The bytes of a file as sequences and what is left: line ends, a byte order mark, the head of a sound file."""

from __future__ import annotations

import base64
import codecs
import re
import struct
import zlib
from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Sequence
from itertools import chain
from pathlib import Path
from typing import Any, TypeAlias, final

import numpy as np
from numpy.typing import NDArray

from ostinato.data.alphabet import Alphabet
from ostinato.data.amplitude import Amplitude
from ostinato.data.corpus import LARGE, blocks, forget, scratch
from ostinato.data.spelled import characters, in_paragraphs
from ostinato.errors import ConfigError, DataError
from ostinato.model import SequenceModel
from ostinato.numbers import counted

#: Whole numbers: those of a large text are of 4 bytes and mapped.
Values: TypeAlias = NDArray[Any]
#: The bytes of a file, or a mapped file.
Raw: TypeAlias = bytes | NDArray[np.uint8]
_BOM = "\N{ZERO WIDTH NO-BREAK SPACE}"
_ENDS = re.compile("\r\n|\r|\n")
_LETTERS = {"\n": "n", "\r\n": "w", "\r": "r"}
#: The letters of texts whose lines all end in the same way, by their number.
_KINDS = ("", "n", "w", "r")


class Originals(ABC):
    """How the files of one kind of model are taken apart and put together again.

    Attributes:
        usual: What is left of a usual file: numbers, and None for one that differs from file to file.
        suffix: The end of the name of a usual file.
        kept: The name of each field among what the description of a model remembers of files; "" for none.
    """

    usual: list[int | None]
    suffix: str
    kept: tuple[str, ...]

    @abstractmethod
    def apart(self, raw: Raw, where: str) -> tuple[list[Values], list[int], list[Any]]:
        """Return the sequences (T, D) of a file, what the lanes need with each, and the rest, as ``facts``.

        Raises:
            DataError: The file cannot be restored to the bit from what the model reads, or is not of its kind.
        """

    @abstractmethod
    def shape(self, left: list[Any]) -> tuple[list[int], list[int]]:
        """Return the lengths of the sequences of a file, and what the lanes need with each."""

    @abstractmethod
    def together(self, sequences: list[Values], left: list[Any]) -> Iterator[bytes]:
        """Yield the bytes of a file."""


@final
class TextOriginals(Originals):
    """Text, as one sequence or one for each line."""

    suffix, kept = ".txt", ("lengths",)

    def __init__(self, alphabet: Alphabet) -> None:
        self._alphabet, self.usual = alphabet, [None, 4 * _KINDS.index("n")]

    def apart(self, raw: Raw, where: str) -> tuple[list[Values], list[int], list[Any]]:
        """Return the sequences of a text. What is left: lines or length, the ends of lines, the byte order mark.

        The points of a mapped file are mapped too.
        """
        ends, marked = _Ends(), False
        if self._alphabet.terminated:
            text = "".join(_decoded(raw, where))
            marked = text.startswith(_BOM)
            *lines, last = "".join(ends.plain([text[marked:]])).split("\n")
            rows = [self._points(line) for line in [*lines, *([last] if last else [])]]
            return rows, [0] * len(rows), [len(rows), int(bool(last)) + 2 * int(marked) + 4 * ends.kind, *ends.each]
        texts = _decoded(raw, where)
        first = next(texts, "")
        marked = first.startswith(_BOM)
        spelling, size = self._alphabet.spelling, len(raw)
        # no spelling has more points than a text has bytes
        points = np.zeros(size, dtype=np.int32) if isinstance(raw, bytes) else scratch(size, np.int32)
        count = 0
        for text in in_paragraphs(ends.plain(chain([first[marked:]], texts))):
            part = spelling.points(text)
            points[count : count + len(part)] = part
            count += len(part)
            forget(points)
        return [points[:count, None]], [0], [count, 2 * int(marked) + 4 * ends.kind, *ends.each]

    def shape(self, left: list[Any]) -> tuple[list[int], list[int]]:
        """Return the lengths of the sequences; those of lines end by themselves."""
        return ([0] * left[0], [0] * left[0]) if self._alphabet.terminated else ([left[0]], [0])

    def together(self, sequences: list[Values], left: list[Any]) -> Iterator[bytes]:
        """Yield the bytes of a text."""
        _, flags, *each = left
        if isinstance(flags, str):  # version 1: the ends of lines, and then the flags
            each, flags = [flags] if len(flags) > 1 else [], _kind(flags, each[0])
        if flags & 2:
            yield _BOM.encode()
        ends = _Ends(flags >> 2, each)
        for text in ends.restored(self._texts(sequences, flags)):
            yield text.encode()

    def _texts(self, sequences: list[Values], flags: int) -> Iterator[str]:
        r"""Yield a text whose lines end in "\n"."""
        if self._alphabet.terminated:
            texts = [self._alphabet.spelling.text(row[row >= 0].tolist()) for row in sequences]
            yield "\n".join(texts) + ("\n" if texts and not flags & 1 else "")
            return
        for row in sequences:
            yield from characters(self._alphabet.spelling, row[:, 0])

    def _points(self, line: str) -> Values:
        """Return the points of a line, (T, 1), and -1 at its end, which is an event."""
        return np.append(self._alphabet.spelling.points(line), -1).reshape(-1, 1)


class _Ends:
    r"""The ends of the lines of a text, which a model reads as "\n".

    Args:
        kind: 0 for no line, 1 to 3 for ends that are all the same, and 4 for others.
        each: The letter of each end, packed, if they are not all the same.
    """

    def __init__(self, kind: int = 0, each: Sequence[bytes | str] = ()) -> None:
        self.kind, self.each = kind, list(each)

    def plain(self, texts: Iterable[str]) -> Iterator[str]:
        """Yield texts with plain ends, and find the kind of those that they have."""
        found, letters, held = bytearray(), set[str](), ""
        last: list[str | None] = [None]
        for text in chain(texts, last):
            whole = held + (text or "")
            # a line may end in the next part
            held = "\r" if text is not None and whole.endswith("\r") else ""
            whole = whole[: len(whole) - len(held)]
            own = [_LETTERS[end] for end in _ENDS.findall(whole)] if "\r" in whole else ["n"] * whole.count("\n")
            letters.update(own)
            found += "".join(own).encode()
            yield _ENDS.sub("\n", whole) if "\r" in whole else whole
        self.kind = _KINDS.index("".join(letters)) if len(letters) < 2 else len(_KINDS)
        self.each = [zlib.compress(bytes(found), 9)] if len(letters) > 1 else []

    def restored(self, texts: Iterable[str]) -> Iterator[str]:
        """Yield texts with the ends that they had."""
        back = {letter: end for end, letter in _LETTERS.items()}
        if not self.each:
            yield from (text.replace("\n", back.get(_KINDS[self.kind], "\n")) for text in texts)
            return
        letters = iter(_unpacked(self.each[0]).decode())
        for text in texts:
            yield re.sub("\n", lambda _: back[next(letters)], text)


def _decoded(raw: Raw, where: str) -> Iterator[str]:
    """Yield the text of bytes in UTF-8, in parts.

    Raises:
        DataError: The bytes are not UTF-8.
    """
    decoder, at = codecs.getincrementaldecoder("utf-8")(), 0
    parts: Iterable[bytes | NDArray[np.uint8]] = [raw] if isinstance(raw, bytes) else blocks(raw)
    for block in parts:
        last = at + len(block) >= len(raw)
        waiting = len(decoder.getstate()[0])
        try:
            yield decoder.decode(bytes(block), last)
        except UnicodeDecodeError as error:
            raise DataError(
                f"the byte {error.object[error.start]:#04x} is not valid UTF-8",
                where=f"{where}, byte {at - waiting + error.start + 1}",
                fix="compress text in UTF-8",
            ) from error
        at += len(block)


def _kind(ends: str, flags: int) -> int:
    """Return the flags of version 2, from the ends of lines and the flags of version 1."""
    return flags + 4 * (_KINDS.index(ends) if len(ends) < 2 else len(_KINDS))


@final
class SoundOriginals(Originals):
    """Sound files of whole numbers in the format WAV."""

    suffix, kept = ".wav", ("lengths", "", "steps")

    def __init__(self, amplitude: Amplitude, channels: int, rate: int | None) -> None:
        self._bits, self._channels, self._rate = amplitude.bits, channels, rate
        self.usual = [None, amplitude.bits // 8, 1]

    def apart(self, raw: Raw, where: str) -> tuple[list[Values], list[int], list[Any]]:
        """Return the samples of a WAV file. What is left: frames, bits, step, and the head and the tail of the file.

        Raises:
            DataError: The file is not such a WAV file, or the model has other channels, another rate or fewer bits.
        """
        raw = bytes(raw)
        start, size, channels, rate, width, used = _places(raw, where)
        if channels != self._channels:
            raise DataError(
                f"the file has {counted(channels, 'channel')}, and the model has {self._channels}",
                where=where,
                fix="use a model of as many channels, fitted without --mix and --channel",
            )
        if self._rate is not None and rate != self._rate:
            raise DataError(
                f"the file has {counted(rate, 'sample')} a second, and the model has {self._rate:,}",
                where=where,
                fix="use a model of this sample rate",
            )
        frames = size // (channels * width)
        size = frames * channels * width
        samples = _numbers(raw[start : start + size], width).reshape(-1, channels)
        if used > self._bits and (samples & ((1 << (used - self._bits)) - 1)).any():
            raise DataError(
                f"the file has {used} bits, and the model has {self._bits}", where=where, fix="use a model of more bits"
            )
        samples = _shifted(samples, self._bits - used)
        step = int(np.gcd.reduce(samples, axis=None)) if samples.size else 1
        step = max(1, step & -step) if step else 1
        head, tail = raw[:start], raw[start + size :]
        usual = head == _head(frames, channels, rate, width) and not tail
        left = [frames, width, step, *([] if usual else [zlib.compress(head, 9), zlib.compress(tail, 9)])]
        return [samples], [step], left if rate == self._rate else [*left, rate]

    def shape(self, left: list[Any]) -> tuple[list[int], list[int]]:
        """Return the frames and the step of a file."""
        return [left[0]], [left[2]]

    def together(self, sequences: list[Values], left: list[Any]) -> Iterator[bytes]:
        """Yield the bytes of a WAV file."""
        frames, width, _, *kept = left
        rate = int(kept.pop()) if kept and isinstance(kept[-1], int) else int(self._rate or 0)
        body = _bytes(_shifted(sequences[0], 8 * width - self._bits), width)
        yield _unpacked(kept[0]) if kept else _head(frames, self._channels, rate, width)
        yield body
        if kept:
            yield _unpacked(kept[1])


def originals_of(model: SequenceModel) -> Originals:
    """Return how the files of a model are taken apart.

    Raises:
        ConfigError: The model is one of another kind of data.
    """
    match model.encoding:
        case Alphabet() as alphabet:
            return TextOriginals(alphabet)
        case Amplitude() as amplitude:
            return SoundOriginals(amplitude, model.channels, model.description.source.get("sample_rate"))
        case _:
            raise ConfigError(
                f"compress is for models of text and sound, and the model is one of {model.description.kind}",
                fix="give a model that was fitted to text or sound",
            )


def read_raw(path: Path) -> Raw:
    """Return the bytes of a file, which is mapped if it is large.

    Raises:
        DataError: It cannot be read.
    """
    try:
        large = path.is_file() and path.stat().st_size > LARGE
        return np.memmap(path, dtype=np.uint8, mode="r") if large else path.read_bytes()
    except OSError as error:
        raise DataError(
            f"cannot read the file: {error.strerror or error}", where=str(path), fix="check the path"
        ) from error


def _unpacked(packed: bytes | str) -> bytes:
    """Return what was packed, which is printed in version 1."""
    return zlib.decompress(base64.b85decode(packed) if isinstance(packed, str) else packed)


def _places(raw: bytes, where: str) -> tuple[int, int, int, int, int, int]:
    """Return the start and the size of the samples of a WAV file, channels, rate, bytes of a sample, and bits.

    Raises:
        DataError: The file is not a WAV file of whole numbers.
    """
    fix = "give a WAV file of 8, 16, 24 or 32 bits"
    if raw[:4] != b"RIFF" or raw[8:12] != b"WAVE":
        raise DataError("the file is not a WAV file", where=where, fix=fix)
    at, form = 12, None
    while at + 8 <= len(raw):
        name, size = raw[at : at + 4], int.from_bytes(raw[at + 4 : at + 8], "little")
        if name == b"fmt " and size >= 16:
            form = struct.unpack("<HHIIHH", raw[at + 8 : at + 24])
            if form[0] == 0xFFFE and size >= 26:
                form = (int.from_bytes(raw[at + 32 : at + 34], "little"), *form[1:])
        elif name == b"data" and form is not None:
            tag, channels, rate, _, _, bits = form
            if tag != 1 or bits not in (8, 16, 24, 32) or not channels:
                raise DataError("the samples are not whole numbers of 8, 16, 24 or 32 bits", where=where, fix=fix)
            return at + 8, min(size, len(raw) - at - 8), channels, rate, bits // 8, bits
        at += 8 + size + size % 2
    raise DataError("the WAV file has no samples", where=where, fix=fix)


def _head(frames: int, channels: int, rate: int, width: int) -> bytes:
    """Return the usual head of a WAV file, 44 bytes."""
    size = frames * channels * width
    form = struct.pack("<HHIIHH", 1, channels, rate, rate * channels * width, channels * width, 8 * width)
    return (
        b"RIFF"
        + struct.pack("<I", 36 + size)
        + b"WAVEfmt "
        + struct.pack("<I", 16)
        + form
        + b"data"
        + struct.pack("<I", size)
    )


def _shifted(samples: Values, bits: int) -> Values:
    """Return samples with some bits more, which are 0, or fewer."""
    return samples << bits if bits >= 0 else samples >> -bits


def _numbers(raw: bytes, width: int) -> Values:
    """Return the samples of some bytes: 8 bits are unsigned, more are signed, the least byte first."""
    if width == 1:
        return np.frombuffer(raw, dtype=np.uint8).astype(np.int64) - 128
    parts = np.frombuffer(raw, dtype=np.uint8).reshape(-1, width).astype(np.int64)
    value = sum((parts[:, i] << (8 * i) for i in range(width)), np.zeros(len(parts), dtype=np.int64))
    half = 1 << (8 * width - 1)
    return np.asarray((value ^ half) - half, dtype=np.int64)


def _bytes(samples: Values, width: int) -> bytes:
    """Return samples as bytes, the inverse of ``_numbers``."""
    flat = samples.ravel() + (128 if width == 1 else 0)
    return np.stack([(flat >> (8 * i)) & 0xFF for i in range(width)], -1).astype(np.uint8).tobytes()
