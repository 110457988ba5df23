"""Sound files, read through libsndfile as whole numbers, and samples written as a WAV file."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import numpy as np
import soundfile
from numpy.typing import NDArray

from ostinato.data.files import contents
from ostinato.data.sequences import SequenceSet
from ostinato.errors import DataError

#: The number of frames that are read at a time.
_BLOCK = 1 << 20
#: The bits of a sample in each format. Lossy and companded formats decode to 16 bits; floating point is read as 24.
_BITS = {"PCM_S8": 8, "PCM_U8": 8, "PCM_24": 24, "PCM_32": 32, "FLOAT": 24, "DOUBLE": 24}


def from_files(paths: list[Path], *, channel: int | None = None) -> SequenceSet:
    """Read each sound file as one sequence of whole numbers.

    Args:
        paths: The files.
        channel: The channel to read, from 0; None for files with one channel.

    Returns:
        The sequences, with as many bits as the file with the most bits has.

    Raises:
        DataError: A file is not sound, is cut short, or has several channels, or the files differ in sample rate.
    """
    rows, widths = [], []
    rates: dict[int, Path] = {}
    for path in paths:
        data, bits, rate = _decode(path)
        rows.append(data[:, _channel(path, data.shape[1], channel)])
        rates.setdefault(rate, path)
        widths.append(bits)
    if len(rates) > 1:
        several = ", ".join(f"{rate:,} Hz ({path.name})" for rate, path in sorted(rates.items()))
        raise DataError(
            f"the files have different sample rates: {several}",
            where=f"{paths[0].parent}",
            fix="resample the files to one rate, or give only the files of one rate",
        )
    bits = max(widths)
    samples = [row << (bits - own) for row, own in zip(rows, widths, strict=True)]
    if not sum(map(len, samples)):
        raise DataError("the sound file holds no samples", where=str(paths[0]), fix="give a file that has samples")
    step = [max(1, int(np.gcd.reduce(s))) if len(s) else 1 for s in samples]
    coarse = [1 << ((s & -s).bit_length() - 1) for s in step]
    names = [p.stem for p in paths] if len({p.stem for p in paths}) == len(paths) else [str(p) for p in paths]
    odd = sum(c > 1 for c in coarse)
    notes = (f"{odd:,} of {len(paths):,} files use fewer bits than their format has",) if odd else ()
    return SequenceSet(
        "sound",
        np.concatenate(samples).astype(np.int32).reshape(-1, 1),
        np.cumsum([0, *map(len, samples)], dtype=np.int64),
        tuple(names),
        ("amplitude",),
        step=np.array(coarse, dtype=np.float64),
        meta={"sample_rate": next(iter(rates)), "bits": bits, "channel": channel},
        notes=notes,
    )


def as_wav(samples: NDArray[Any], meta: dict[str, Any]) -> bytes:
    """Return samples as a WAV file.

    Args:
        samples: The samples as whole numbers, (T, 1).
        meta: The sample rate and the bits, as in ``SequenceSet.meta``.

    Returns:
        The bytes of the file.
    """
    buffer = io.BytesIO()
    bits = int(meta.get("bits", 16))
    wide = (samples.astype(np.int64) << (32 - bits)).astype(np.int32)
    subtype = {8: "PCM_U8", 16: "PCM_16", 24: "PCM_24"}.get(bits, "PCM_32")
    soundfile.write(buffer, wide, int(meta.get("sample_rate", 8000)), subtype=subtype, format="WAV")
    return buffer.getvalue()


def _decode(path: Path) -> tuple[NDArray[np.int64], int, int]:
    """Return the samples (T, D) as whole numbers, their bits, and the sample rate in Hz."""
    raw = contents(path)
    if not raw:
        raise DataError("the file is empty", where=str(path), fix="give a WAV, FLAC or OGG file")
    try:
        with soundfile.SoundFile(io.BytesIO(raw)) as file:
            rate, promised = int(file.samplerate), int(file.frames)
            bits = _BITS.get(file.subtype, 16)
            real = file.subtype in ("FLOAT", "DOUBLE")
            dtype = "float64" if real else "int16" if bits == 16 else "int32"
            # a damaged header may promise more frames than fit in memory, so the blocks are small
            blocks: list[NDArray[Any]] = [file.read(0, dtype=dtype, always_2d=True)]
            while len(block := file.read(_BLOCK, dtype=dtype, always_2d=True)):
                blocks.append(block)
            data = np.concatenate(blocks)
    except (soundfile.LibsndfileError, RuntimeError, TypeError) as error:
        raise DataError(
            "cannot read the file as sound: it is damaged or has another format",
            where=str(path),
            fix="give a WAV, FLAC or OGG file",
        ) from error
    missing = _missing_bytes(raw)
    if len(data) < promised or missing:
        raise DataError(
            f"the sound file is cut short: {missing:,} bytes are missing" if missing else "the sound file is cut short",
            where=str(path),
            fix="copy or download the file again",
        )
    if real:
        full = 2.0 ** (bits - 1)
        return np.clip(np.rint(data * full), -full, full - 1).astype(np.int64), bits, rate
    return data.astype(np.int64) >> (0 if bits == 16 else 32 - bits), bits, rate


def _missing_bytes(raw: bytes) -> int:
    """Return how many bytes of its data a WAV file lacks, according to its header. libsndfile does not report this."""
    at = 12
    while raw[:4] == b"RIFF" and at + 8 <= len(raw):
        size = int.from_bytes(raw[at + 4 : at + 8], "little")
        if raw[at : at + 4] == b"data":
            # a program that writes to a pipe does not know the size, and writes the largest one
            return max(0, at + 8 + size - len(raw)) if size < 0xFFFF_FF00 else 0
        at += 8 + size + size % 2
    return 0


def _channel(path: Path, channels: int, wanted: int | None) -> int:
    if wanted is None and channels > 1:
        choices = " or ".join(f"--channel {c}" for c in range(min(channels, 3)))
        raise DataError(f"the sound has {channels} channels, expected 1", where=str(path), fix=f"use {choices}")
    if wanted is not None and not 0 <= wanted < channels:
        what = f"there is no channel {wanted}: the file has {channels} channel{'s' * (channels != 1)}, counted from 0"
        raise DataError(what, where=str(path), fix=f"use a channel from 0 to {channels - 1}")
    return wanted or 0
