"""Ragged sequences into batches: bucketed by length for full BPTT, aligned rows for truncated BPTT."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor

from ostinato.data.encoded import Encoded

#: Steps before a piece that begins in mid-sequence, in training: they warm its state.
WARM = 64


@dataclass(frozen=True)
class Piece:
    """Steps first..stop of one sequence; those before ``counted`` only warm the state and carry no loss."""

    row: int
    first: int
    counted: int
    stop: int


@dataclass(frozen=True)
class Batch:
    """Padded pieces, time-major.

    x (T, B, D) with 0 beyond a row's end; weight (T, B, D) bool: what is scored; reset (B,) bool: the row starts a
    piece here; unit, low, high (B, D); rows (B,): the sequence of each row, -1 where idle; starts (B,): its first step.
    """

    x: Tensor
    weight: Tensor
    reset: Tensor
    unit: Tensor
    low: Tensor
    high: Tensor
    rows: list[int]
    starts: list[int]

    def steps(self, first: int, count: int) -> Batch:
        """These steps alone."""
        span = slice(first, first + count)
        return replace(self, x=self.x[span], weight=self.weight[span])


def pieces(spans: list[tuple[int, int, int]], longest: int, warm: int) -> list[Piece]:
    """Cut spans (row, first, stop) into pieces of at most ``longest`` counted steps.

    A piece that begins in mid-sequence is given up to ``warm`` steps before it, so that its state is not a stranger's.
    """
    out = []
    for row, first, stop in spans:
        count = max(1, -(-(stop - first) // longest))
        edges = [first + (stop - first) * i // count for i in range(count + 1)]
        out += [Piece(row, max(0, a - warm), a, z) for a, z in itertools.pairwise(edges) if z > a]
    return out


def bucketed(items: list[Piece], steps: int, rng: np.random.Generator | None) -> list[list[Piece]]:
    """Batches of pieces of like length, of at most ``steps`` padded steps each; in random order given an rng."""
    lengths = np.array([p.stop - p.first for p in items])
    # ties in random order, so that a batch's company changes from epoch to epoch
    order = np.lexsort((np.arange(len(items)) if rng is None else rng.random(len(items)), lengths))
    batches: list[list[Piece]] = []
    for i in order:
        piece, length = items[i], int(lengths[i])
        if not batches or (len(batches[-1]) + 1) * length > max(steps, length):
            batches.append([])
        batches[-1].append(piece)
    if rng is not None:
        rng.shuffle(batches)
    return batches


def whole(data: Encoded, items: list[Piece]) -> Batch:
    """One batch of whole pieces, for full BPTT."""
    return _pad(data, [(p, p.first, p.stop) for p in items], torch.ones(len(items), dtype=torch.bool))


def aligned(
    data: Encoded, items: list[Piece], steps: int, window: int | Callable[[int], int], warm: int = 0
) -> Iterator[Batch]:
    """Chunks of ``window`` steps, or the i-th of window(i), in which row r goes on where the one before stopped.

    As many rows as fill ``steps``: a longer window must not make the optimiser's steps fewer. Where it grows, the last
    rows stop, and go on later as pieces of their own, warmed by up to ``warm`` steps. window(i) is asked when the chunk
    is, so that it may follow from what was done with those before.

    A row whose piece has ended takes the next one at the next chunk, with ``reset`` set; the last, partial chunk of a
    piece is a chunk like any other, padded.
    """
    queue = list(reversed(items))
    active: list[tuple[Piece, int] | None] = []
    for i in itertools.count():
        width = window(i) if callable(window) else window
        rows = max(1, steps // width)
        going = [at if at and at[1] < at[0].stop else None for at in active]
        for piece, at in filter(None, going[rows:]):
            queue.append(replace(piece, first=max(piece.first, at - warm), counted=max(piece.counted, at)))
        active = going[:rows]
        active += [None] * min(rows - len(active), max(len(queue) - active.count(None), 0))
        reset = torch.zeros(len(active), dtype=torch.bool)
        for r, row in enumerate(active):
            if row is None and queue:
                active[r] = (queue[-1], queue.pop().first)
                reset[r] = True
        if not any(active):
            return
        yield _pad(data, [at and (at[0], at[1], min(at[1] + width, at[0].stop)) for at in active], reset)
        active = [at and (at[0], at[1] + width) for at in active]


def _pad(data: Encoded, spans: list[tuple[Piece, int, int] | None], reset: Tensor) -> Batch:
    width = max(z - a for _, a, z in filter(None, spans))
    channels = data.values.shape[1]
    x = torch.zeros(width, len(spans), channels, dtype=data.values.dtype)
    weight = torch.zeros(width, len(spans), channels, dtype=torch.bool)
    rows, starts = [], []
    for b, span in enumerate(spans):
        rows.append(-1 if span is None else span[0].row)
        starts.append(0 if span is None else span[1])
        if span is None:
            continue
        piece, a, z = span
        at = int(data.offsets[piece.row])
        x[: z - a, b] = data.values[at + a : at + z]
        weight[: z - a, b] = _seen(x[: z - a, b])
        weight[: max(0, min(z, piece.counted) - a), b] = False
    index = torch.tensor([max(r, 0) for r in rows])
    return Batch(x, weight, reset, data.unit[index], data.low[index], data.high[index], rows, starts)


def _seen(x: Tensor) -> Tensor:
    return x >= 0 if x.dtype == torch.int64 else ~torch.isnan(x)
