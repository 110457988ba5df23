"""The picture of data: series over time, the wave of a recording, or how often each symbol of a text occurs."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ostinato.data.ahead import walls_of
from ostinato.data.corpus import blocks
from ostinato.data.drawing import MOST, PICTURE, stacked_panels, tidy
from ostinato.data.sequences import SequenceSet
from ostinato.data.spelling import spelling_of
from ostinato.shapes import Array

if TYPE_CHECKING:
    from matplotlib.figure import Figure

#: The greatest number of pieces of a line. The least and the greatest value of each piece are drawn.
_PIECES = 2000


def figure(data: SequenceSet) -> Figure:
    """Return the picture of the first sequences and channels, at most six panels; of a text, one for all of it.

    Args:
        data: Sequences of any kind.

    Raises:
        ConfigError: matplotlib is not installed.
    """
    if not data.traits.numeric:
        return _symbols(data)
    panels = [(b, d) for b in range(len(data)) for d in range(len(data.channels))][:MOST]
    drawn = stacked_panels(len(panels))
    for axes, (b, d) in zip(drawn.axes, panels, strict=True):
        axes.plot(*thinned(_along(data, b), np.asarray(data[b][:, d], dtype=float)), color=PICTURE.ink, linewidth=1)
        name = data.ids[b] if len(data.channels) == 1 else f"{data.ids[b]}, {data.channels[d]}"
        axes.set_title(name, loc="left", color=PICTURE.ink, fontsize=11, parse_math=False)
        if data.kind == "sound":
            axes.set_xlabel("seconds" if data.meta.get("sample_rate") else "samples")
        elif data.times is None:
            axes.set_xlabel("steps")
        tidy(axes)
    return drawn


def thinned(x: NDArray[Any], y: Array) -> tuple[NDArray[Any], Array]:
    """Return the points of a line that are drawn: of a long one, the least and the greatest of each piece.

    Args:
        x: The places, (T,).
        y: The values, (T,), NaN where one is missing.
    """
    if len(y) <= 2 * _PIECES:
        return x, y
    ends = np.linspace(0, len(y), _PIECES + 1).astype(int)
    kept: list[int] = []
    for start, end in pairwise(ends):
        piece = y[start:end]
        if np.isnan(piece).all():
            kept.append(start)  # so that the line has a gap there
        else:
            kept += sorted({start + int(np.nanargmin(piece)), start + int(np.nanargmax(piece))})
    return x[kept], y[kept]


def _along(data: SequenceSet, b: int) -> NDArray[Any]:
    """Return the places of the steps of a sequence along the axis: times, seconds of sound, or numbers from 1."""
    times, count = data.times_of(b), int(data.lengths[b])
    if times is not None:
        return walls_of(data, times)
    if data.kind == "sound" and data.meta.get("sample_rate"):
        return np.arange(count) / float(data.meta["sample_rate"])
    return np.arange(1, count + 1)


def _symbols(data: SequenceSet) -> Figure:
    """Return how often each symbol of a text occurs, the most frequent first."""
    points, counts = np.zeros(0, dtype=np.int64), np.zeros(0, dtype=np.int64)
    for block in blocks(data.values):
        found, often = np.unique(np.asarray(block), return_counts=True)
        points, places = np.unique(np.concatenate([points, found]), return_inverse=True)
        counts = np.bincount(places, weights=np.concatenate([counts, often])).astype(np.int64)
    drawn = stacked_panels(1)
    (axes,) = drawn.axes
    axes.plot(np.arange(1, len(counts) + 1), np.sort(counts)[::-1], "o-", color=PICTURE.ink, markersize=3, linewidth=1)
    if len(counts):
        axes.set_xscale("log")
        axes.set_yscale("log")
        axes.minorticks_off()
    what = spelling_of(data.meta).plural
    axes.set_title(f"How often the {len(counts):,} different {what} occur", loc="left", color=PICTURE.ink, fontsize=11)
    axes.set_xlabel("rank, the most frequent first")
    tidy(axes)
    return drawn
