"""Sound files through libsndfile, as whole numbers at their real resolution."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import soundfile

from ostinato.data.sequences import SequenceSet
from ostinato.errors import DataError

ENDINGS = (".wav", ".flac", ".ogg")
_BITS = {"PCM_S8": 8, "PCM_U8": 8, "PCM_16": 16, "PCM_24": 24, "VORBIS": 16, "OPUS": 16}


def from_files(paths: list[Path], *, channel: int | None = None) -> SequenceSet:
    """Sound files -> one sequence each, of the samples as whole numbers of the most bits any has.

    Raises DataError for a file that is no sound, has several channels, or another rate than the others.
    """
    rows, rates, bits = [], set(), 8
    for path in paths:
        try:
            with soundfile.SoundFile(io.BytesIO(path.read_bytes())) as file:
                rates.add(file.samplerate)
                bits = max(bits, _BITS.get(file.subtype, 24))
                data = file.read(dtype="int32", always_2d=True)
        except (soundfile.LibsndfileError, RuntimeError, TypeError) as error:
            raise DataError(
                "the file is no sound that can be read", where=str(path), fix="give WAV, FLAC or OGG"
            ) from error
        rows.append(data[:, _channel(path, data.shape[1], channel)])
    if len(rates) > 1:
        raise DataError(
            f"the files have different sample rates: {', '.join(map(str, sorted(rates)))}",
            where=f"{paths[0].parent}",
            fix="resample them to one rate",
        )
    samples = [row >> (32 - bits) for row in rows]
    if not sum(map(len, samples)):
        raise DataError("there is no sound in it", where=str(paths[0]), fix="give a file with samples in it")
    step = [max(1, int(np.gcd.reduce(s))) if len(s) else 1 for s in samples]
    coarse = [1 << ((s & -s).bit_length() - 1) for s in step]
    names = [p.stem for p in paths] if len({p.stem for p in paths}) == len(paths) else [str(p) for p in paths]
    odd = sum(c > 1 for c in coarse)
    notes = (f"{odd:,} of {len(paths):,} files are of fewer bits than they are stored in",) if odd else ()
    return SequenceSet(
        "sound",
        np.concatenate(samples).reshape(-1, 1),
        np.cumsum([0, *map(len, samples)], dtype=np.int64),
        tuple(names),
        ("amplitude",),
        step=np.array(coarse, dtype=np.float64),
        meta={"sample_rate": rates.pop(), "bits": bits, "channel": channel},
        notes=notes,
    )


def _channel(path: Path, channels: int, wanted: int | None) -> int:
    if wanted is None and channels > 1:
        raise DataError(f"the sound has {channels} channels", where=str(path), fix="choose one: --channel 0")
    if wanted is not None and not 0 <= wanted < channels:
        raise DataError(f"there is no channel {wanted}", where=str(path), fix=f"0 to {channels - 1}")
    return wanted or 0
