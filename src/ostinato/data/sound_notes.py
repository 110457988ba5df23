"""The samples of a sound file, and what the notes say of what was rounded, cut off or left out."""

from __future__ import annotations

from collections.abc import Sized
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ostinato.numbers import counted

#: The bits of a sample that float32, in which networks compute, keeps apart.
_EXACT_BITS = 24


@dataclass(frozen=True)
class Recording:
    """The samples of one file.

    Attributes:
        samples: The samples as whole numbers, (T, D).
        bits: Their bits.
        rate: The number of samples a second of each channel.
        rounded: The number of samples that were between two whole numbers.
        beyond: The number of samples beyond full scale, which became full scale.
        peak: The greatest size of a sample; 1 is full scale.
        unfinished: Whether the header does not say how many samples there are.
        uncounted: The number of bytes behind the samples that the header gives no meaning to.
        more: The number of samples of each channel beyond those that the header counts, which are read.
        broken: The number of bytes of a last frame that is not whole.
        unused: How many bits of a sample the header calls unused, although they hold something.
    """

    samples: NDArray[np.int64]
    bits: int
    rate: int
    rounded: int = 0
    beyond: int = 0
    peak: float = 1.0
    unfinished: bool = False
    uncounted: int = 0
    more: int = 0
    broken: int = 0
    unused: int = 0


def notes_of(
    paths: list[Path], recordings: list[Recording], bits: int, coarse: list[int], mixed: int
) -> tuple[str, ...]:
    """Return what was rounded or cut off, in words with its numbers."""
    total = sum(r.samples.size for r in recordings)
    rounded, beyond = sum(r.rounded for r in recordings), sum(r.beyond for r in recordings)
    fine = sum(c < 1 << max(0, bits - _EXACT_BITS) for c in coarse)
    odd = sum(c > 1 for c in coarse)
    notes = _of_headers(paths, recordings)
    if odd:
        notes.append(f"{odd:,} of {counted(len(paths), 'file')} use{'s' * (odd == 1)} fewer bits than their format has")
    if rounded:
        notes.append(f"{rounded:,} of {counted(total, 'sample')} are rounded to {bits} bits")
    if beyond:
        peak = max(r.peak for r in recordings)
        notes.append(
            f"{beyond:,} of {counted(total, 'sample')} are beyond full scale, up to {peak:.4g} of it, and are cut off"
        )
    if mixed:
        notes.append(f"{counted(mixed, 'sample')} of the mix are rounded to {bits} bits")
    if fine:
        notes.append(
            f"{fine:,} of {counted(len(paths), 'file')} use{'s' * (fine == 1)} more than {_EXACT_BITS} bits, "
            f"which the models do not tell apart"
        )
    return tuple(notes)


def _of_headers(paths: list[Path], recordings: list[Recording]) -> list[str]:
    """Return where the headers and the bytes of files disagree."""
    notes = []
    if open_ended := [path for path, r in zip(paths, recordings, strict=True) if r.unfinished]:
        several = _others(open_ended, " and")
        notes.append(
            f"the header of {open_ended[0].name}{several} gives no length; the samples last to the end of the file"
        )
    if more := [(path, r.uncounted) for path, r in zip(paths, recordings, strict=True) if r.uncounted]:
        several = _others(more, ", and those in")
        notes.append(
            f"{counted(more[0][1], 'byte')} behind the samples that the header of {more[0][0].name} counts{several} "
            "are left out; if they are samples, too, repair the header"
        )
    if longer := [(path, r.more) for path, r in zip(paths, recordings, strict=True) if r.more]:
        several = _others(longer, ", as are those of")
        notes.append(
            f"{counted(longer[0][1], 'sample')} beyond those that the header of {longer[0][0].name} counts are read, "
            f"too{several}: their blocks are whole"
        )
    if part := [(path, r.broken) for path, r in zip(paths, recordings, strict=True) if r.broken]:
        several = _others(part, ", and those in")
        notes.append(
            f"the last {counted(part[0][1], 'byte')} of the samples of {part[0][0].name}{several} are left out: "
            "they are not a whole frame, which has a sample of each channel"
        )
    if held := [(path, r) for path, r in zip(paths, recordings, strict=True) if r.unused]:
        several = _others(held, " and")
        notes.append(
            f"all {held[0][1].bits} bits of a sample are read, although the header of {held[0][0].name}{several} calls "
            f"{held[0][1].unused} of them unused: these are not 0"
        )
    return notes


def _others(files: Sized, link: str) -> str:
    """Return the number of files behind the first of a note, after the words that link them, or nothing."""
    return f"{link} {len(files) - 1:,} more" if len(files) > 1 else ""
