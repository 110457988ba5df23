"""Batches of ragged sequences: bucketed by length for full BPTT, aligned rows for truncated BPTT."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor

from ostinato.data.encoded import Encoded

#: The number of steps that warm up the state before a training piece that begins within a sequence.
WARM = 64


@dataclass(frozen=True)
class Piece:
    """The steps from ``first`` up to ``stop`` of one sequence.

    Attributes:
        row: The number of the sequence.
        first: The first step; the steps before ``counted`` warm up the state and carry no loss.
        counted: The first step with a loss.
        stop: The step after the last one.
    """

    row: int
    first: int
    counted: int
    stop: int


@dataclass(frozen=True)
class Batch:
    """Padded pieces, time-major.

    Attributes:
        x: The encoded values, (T, B, D), 0 after the end of a row.
        weight: Whether a value is scored, (T, B, D), bool.
        reset: Whether the row starts a new piece in this batch, (B,), bool.
        unit: The unit of each channel, (B, D), as in ``Encoded``.
        low: The smallest amplitude of each channel, (B, D), as in ``Encoded``.
        high: The largest amplitude of each channel, (B, D), as in ``Encoded``.
        rows: The number of the sequence in each row, B of them; -1 for an idle row.
        starts: The first step of each row within its sequence, B of them.
    """

    x: Tensor
    weight: Tensor
    reset: Tensor
    unit: Tensor
    low: Tensor
    high: Tensor
    rows: list[int]
    starts: list[int]

    def to(self, device: torch.device) -> Batch:
        """Return the batch on a device."""
        if self.x.device == device:
            return self
        tensors = ("x", "weight", "reset", "unit", "low", "high")
        return replace(self, **{name: getattr(self, name).to(device) for name in tensors})

    def steps(self, first: int, count: int) -> Batch:
        """Return the batch cut to ``count`` steps from ``first`` on."""
        span = slice(first, first + count)
        return replace(self, x=self.x[span], weight=self.weight[span])


def pieces(spans: list[tuple[int, int, int]], longest: int, warm: int) -> list[Piece]:
    """Cut spans into pieces of limited length.

    Args:
        spans: Triples (row, first, stop): the steps from ``first`` up to ``stop`` of one sequence.
        longest: The largest number of counted steps in a piece.
        warm: The number of steps before a piece that warm up its state, if the sequence has them.

    Returns:
        The pieces, in the order of the spans.
    """
    out = []
    for row, first, stop in spans:
        count = max(1, -(-(stop - first) // longest))
        edges = [first + (stop - first) * i // count for i in range(count + 1)]
        out += [Piece(row, max(0, a - warm), a, z) for a, z in itertools.pairwise(edges) if z > a]
    return out


def bucketed(items: list[Piece], steps: int, rng: np.random.Generator | None) -> list[list[Piece]]:
    """Return batches of pieces of similar length.

    Args:
        items: The pieces.
        steps: The largest number of padded steps in a batch; a longer piece is a batch of its own.
        rng: The generator for a random order of the batches; None for a fixed order.

    Returns:
        The pieces of each batch.
    """
    lengths = np.array([p.stop - p.first for p in items])
    # pieces of equal length come in random order, so that the batches differ from epoch to epoch
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
    """Return one batch of whole pieces, for full BPTT."""
    return _pad(data, [(p, p.first, p.stop) for p in items], torch.ones(len(items), dtype=torch.bool))


def aligned(
    data: Encoded, items: list[Piece], steps: int, window: int | Callable[[int], int], warm: int = 0
) -> Iterator[Batch]:
    """Yield chunks in which each row continues where it stopped in the chunk before, for truncated BPTT.

    A row whose piece has ended takes the next piece in the next chunk, with ``reset`` set. The last, partial chunk of a
    piece is padded. If the window grows, the number of rows shrinks: the last rows stop and continue later as pieces of
    their own.

    Args:
        data: The encoded sequences.
        items: The pieces.
        steps: The number of steps in a chunk; it sets the number of rows, so that a longer window does not lead to
            fewer steps of the optimiser.
        window: The number of time steps of a chunk, or a function of the chunk's number that is called just before
            the chunk is made.
        warm: The number of steps that warm up the state of a piece that continues later.

    Yields:
        The chunks.
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
    rows = [-1 if span is None else span[0].row for span in spans]
    starts = [0 if span is None else span[1] for span in spans]
    stops = [0 if span is None else span[2] for span in spans]
    counted = [0 if span is None else span[0].counted for span in spans]
    # all rows at once: a loop over them took longer than the gradient step of a small network
    step = np.array(starts) + np.arange(max(z - a for a, z in zip(starts, stops, strict=True)))[:, None]  # (T, B)
    inside = step < np.array(stops)
    index = np.maximum(rows, 0)
    at = torch.from_numpy(np.where(inside, data.offsets[index] + step, 0))
    here = torch.from_numpy(inside)[..., None]
    values = data.values[at]
    x = torch.where(here, values, torch.zeros_like(values))
    weight = _seen(x) & here & torch.from_numpy(step >= np.array(counted))[..., None]
    unit, low, high = (part[torch.from_numpy(index)] for part in (data.unit, data.low, data.high))
    return Batch(x, weight, reset, unit, low, high, rows, starts)


def _seen(x: Tensor) -> Tensor:
    return x >= 0 if x.dtype == torch.int64 else ~torch.isnan(x)
