"""WAV files taken apart into samples, and what is left: the head and the tail of the file."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator
from typing import Any, final

import numpy as np

from ostinato.compression.drive import Values
from ostinato.compression.originals import Originals, Raw, unpacked
from ostinato.data.amplitude import Amplitude
from ostinato.data.chunks import finished
from ostinato.data.wave_form import form_of
from ostinato.errors import DataError
from ostinato.numbers import counted
from ostinato.wording import option


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
        start, size, channels, rate, width = _places(raw, where)
        used = 8 * width
        if channels != self._channels:
            raise DataError(
                f"the file has {counted(channels, 'channel')}, and the model has {self._channels}",
                where=where,
                fix=f"use a model of as many channels, fitted without {option('--mix')} and {option('--channel')}",
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
        yield unpacked(kept[0]) if kept else _head(frames, self._channels, rate, width)
        yield body
        if kept:
            yield unpacked(kept[1])


def _places(raw: bytes, where: str) -> tuple[int, int, int, int, int]:
    """Return the start and the size of the samples of a WAV file, channels, rate, and bytes of a sample.

    Raises:
        DataError: The file is not a WAV file of whole numbers.
    """
    fix = "give a WAV file of 8, 16, 24 or 32 bits"
    plain, _ = finished(raw)
    behind = len(raw) - len(plain)
    if plain[:4] != b"RIFF" or plain[8:12] != b"WAVE":
        raise DataError("the file is not a WAV file", where=where, fix=fix)
    at, form = 12, form_of(plain)
    while at + 8 <= len(plain):
        name, size = plain[at : at + 4], int.from_bytes(plain[at + 4 : at + 8], "little")
        if name == b"data":
            if form is None or form.width not in (1, 2, 3, 4):
                raise DataError("the samples are not whole numbers of 8, 16, 24 or 32 bits", where=where, fix=fix)
            return behind + at + 8, min(size, len(plain) - at - 8), form.channels, form.rate, form.width
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
