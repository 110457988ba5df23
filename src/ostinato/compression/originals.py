"""The bytes of a file as sequences and what is left: line ends, a byte order mark, the head of a sound file."""

from __future__ import annotations

import base64
import re
import struct
import zlib
from abc import ABC, abstractmethod
from pathlib import Path
from typing import Any, final

import numpy as np
from numpy.typing import NDArray

from ostinato.data.alphabet import Alphabet
from ostinato.data.amplitude import Amplitude
from ostinato.errors import ConfigError, DataError
from ostinato.model import SequenceModel
from ostinato.numbers import counted

Values = NDArray[np.int64]
_BOM = "\N{ZERO WIDTH NO-BREAK SPACE}"
_ENDS = re.compile("\r\n|\r|\n")
_LETTERS = {"\n": "n", "\r\n": "w", "\r": "r"}


class Originals(ABC):
    """How the files of one kind of model are taken apart and put together again."""

    @abstractmethod
    def apart(self, raw: bytes, where: str) -> tuple[list[Values], list[int], list[Any]]:
        """Return the sequences (T, D) of a file, what the lanes need beside each, and what is left, as JSON.

        Raises:
            DataError: The file cannot be restored to the bit from what the model reads, or is not of its kind.
        """

    @abstractmethod
    def shape(self, left: list[Any]) -> tuple[list[int], list[int]]:
        """Return the lengths of the sequences of a file, and what the lanes need beside each."""

    @abstractmethod
    def together(self, sequences: list[Values], left: list[Any]) -> bytes:
        """Return the bytes of a file."""


@final
class TextOriginals(Originals):
    """Text, as one sequence or one for each line."""

    def __init__(self, alphabet: Alphabet) -> None:
        self._alphabet = alphabet

    def apart(self, raw: bytes, where: str) -> tuple[list[Values], list[int], list[Any]]:
        """Return the sequences of a text. What is left: lines or length, the ends of lines, the byte order mark."""
        try:
            text = raw.decode()
        except UnicodeDecodeError as error:
            raise DataError(
                f"the byte {raw[error.start]:#04x} is not valid UTF-8",
                where=f"{where}, byte {error.start + 1}",
                fix="compress text in UTF-8",
            ) from error
        marked = text.startswith(_BOM)
        text = text[marked:]
        found = [_LETTERS[end] for end in _ENDS.findall(text)]
        kinds = "".join(found[:1]) if len(set(found)) <= 1 else _packed("".join(found).encode())
        lines = _ENDS.split(text) if self._alphabet.terminated else [_ENDS.sub("\n", text)]
        last = bool(self._alphabet.terminated and lines[-1])
        if self._alphabet.terminated and not last:
            lines.pop()
        rows = [self._points(line) for line in lines]
        count = len(rows) if self._alphabet.terminated else len(rows[0])
        return rows, [0] * len(rows), [count, kinds, int(last) + 2 * int(marked)]

    def shape(self, left: list[Any]) -> tuple[list[int], list[int]]:
        """Return the lengths of the sequences; those of lines end by themselves."""
        return ([0] * left[0], [0] * left[0]) if self._alphabet.terminated else ([left[0]], [0])

    def together(self, sequences: list[Values], left: list[Any]) -> bytes:
        """Return the bytes of a text."""
        _, kinds, flags = left
        texts = [self._text(row[:, 0]) for row in sequences]
        text = "\n".join(texts) + ("\n" if self._alphabet.terminated and texts and not flags & 1 else "")
        back = {letter: end for end, letter in _LETTERS.items()}
        pieces = text.split("\n")
        letters = kinds * (len(pieces) - 1) if len(kinds) <= 1 else _unpacked(kinds).decode()
        ends = [back[letter] for letter in letters]
        whole = "".join(piece + end for piece, end in zip(pieces, [*ends, ""], strict=True))
        return ((_BOM if flags & 2 else "") + whole).encode()

    def _points(self, line: str) -> Values:
        """Return the points of a line, (T, 1), and -1 at its end if that is an event."""
        points = self._alphabet.spelling.points(line).astype(np.int64)
        return (np.append(points, -1) if self._alphabet.terminated else points).reshape(-1, 1)

    def _text(self, points: Values) -> str:
        return self._alphabet.spelling.text([int(p) for p in points if p >= 0])


@final
class SoundOriginals(Originals):
    """Sound files of whole numbers in the format WAV."""

    def __init__(self, amplitude: Amplitude, channels: int, rate: int | None) -> None:
        self._bits, self._channels, self._rate = amplitude.bits, channels, rate

    def apart(self, raw: bytes, where: str) -> tuple[list[Values], list[int], list[Any]]:
        """Return the samples of a WAV file. What is left: frames, bits, step, and the head and the tail of the file."""
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
        if used > self._bits:
            raise DataError(
                f"the file has {used} bits, and the model has {self._bits}", where=where, fix="use a model of more bits"
            )
        frames = size // (channels * width)
        size = frames * channels * width
        samples = _numbers(raw[start : start + size], width).reshape(-1, channels) << (self._bits - used)
        step = int(np.gcd.reduce(samples, axis=None)) if samples.size else 1
        step = max(1, step & -step) if step else 1
        head, tail = raw[:start], raw[start + size :]
        usual = head == _head(frames, channels, rate, width) and not tail
        left = [frames, width, step, *([] if usual else [_packed(head), _packed(tail)])]
        return [samples], [step], left if rate == self._rate else [*left, rate]

    def shape(self, left: list[Any]) -> tuple[list[int], list[int]]:
        """Return the frames and the step of a file."""
        return [left[0]], [left[2]]

    def together(self, sequences: list[Values], left: list[Any]) -> bytes:
        """Return the bytes of a WAV file."""
        frames, width, _, *kept = left
        rate = int(kept.pop()) if kept and isinstance(kept[-1], int) else int(self._rate or 0)
        body = _bytes(sequences[0] >> (self._bits - 8 * width), width)
        if not kept:
            return _head(frames, self._channels, rate, width) + body
        return _unpacked(kept[0]) + body + _unpacked(kept[1])


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


def read_bytes(path: Path) -> bytes:
    """Return the bytes of a file.

    Raises:
        DataError: It cannot be read.
    """
    try:
        return path.read_bytes()
    except OSError as error:
        raise DataError(
            f"cannot read the file: {error.strerror or error}", where=str(path), fix="check the path"
        ) from error


def _packed(raw: bytes) -> str:
    return base64.b85encode(zlib.compress(raw, 9)).decode()


def _unpacked(text: str) -> bytes:
    return zlib.decompress(base64.b85decode(text))


def _places(raw: bytes, where: str) -> tuple[int, int, int, int, int, int]:
    """Return the start and the size of the samples of a WAV file, channels, rate, bytes of a sample, and bits.

    Raises:
        DataError: The file is no WAV file of whole numbers.
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
