"""Batches of ragged sequences: bucketed by length for full BPTT, aligned rows for truncated BPTT."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from ostinato.data.encoded import Encoded, is_observed

#: The number of steps that warm up the state before a training piece that begins within a sequence.
WARM = 64


class Piece(NamedTuple):
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


#: What stands in a row without a piece.
_IDLE = Piece(-1, 0, 0, 0)


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

    def tensors(self) -> list[Tensor]:
        """Return the tensors of the batch, in a fixed order."""
        return [self.x, self.weight, self.reset, self.unit, self.low, self.high]

    def with_tensors(self, tensors: list[Tensor]) -> Batch:
        """Return the batch with other tensors, in the order of ``tensors``."""
        x, weight, reset, unit, low, high = tensors
        return Batch(x, weight, reset, unit, low, high, self.rows, self.starts)

    def to(self, device: torch.device) -> Batch:
        """Return the batch on a device."""
        if self.x.device == device:
            return self
        return self.with_tensors([t.to(device, non_blocking=True) for t in self.tensors()])

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


def apart(
    spans: list[tuple[int, int, int]], others: list[tuple[int, int, int]]
) -> tuple[list[tuple[int, int, int]], list[tuple[int, int, int]]]:
    """Return the stretches of spans that lie outside of other spans, and those that lie inside, in their order.

    Args:
        spans: Triples (row, first, stop): the steps from ``first`` up to ``stop`` of one sequence.
        others: Such triples, which do not overlap one another.
    """
    of_row: dict[int, list[tuple[int, int]]] = {}
    for row, a, z in sorted(others):
        of_row.setdefault(row, []).append((a, z))
    outside, inside = [], []
    for row, first, stop in spans:
        at = first
        for a, z in of_row.get(row, []):
            begin, end = max(a, at), min(z, stop)
            if begin < end:
                outside.append((row, at, begin))
                inside.append((row, begin, end))
                at = end
        outside.append((row, at, stop))
    return [s for s in outside if s[1] < s[2]], inside


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
    # the longest piece of a batch is its last one, so that a batch ends where one piece more would be too many steps
    rising, cuts = lengths[order], [0]
    while cuts[-1] < len(order):
        ahead = rising[cuts[-1] : cuts[-1] + max(1, steps // max(int(rising[cuts[-1]]), 1))]
        fits = ahead * np.arange(1, len(ahead) + 1) <= np.maximum(steps, ahead)
        cuts.append(cuts[-1] + (len(ahead) if fits.all() else int(fits.argmin())))
    batches = [[items[i] for i in order[a:z].tolist()] for a, z in itertools.pairwise(cuts)]
    if rng is not None:
        rng.shuffle(batches)
    return batches


def whole(data: Encoded, items: list[Piece]) -> Batch:
    """Return one batch of whole pieces, for full BPTT."""
    return _pad(data, items, torch.ones(len(items), dtype=torch.bool))


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
            queue.append(piece._replace(first=max(piece.first, at - warm), counted=max(piece.counted, at)))
        active = going[:rows]
        active += [None] * min(rows - len(active), max(len(queue) - active.count(None), 0))
        reset = torch.zeros(len(active), dtype=torch.bool)
        for r, row in enumerate(active):
            if row is None and queue:
                active[r] = (queue[-1], queue.pop().first)
                reset[r] = True
        if not any(active):
            return
        yield _pad(
            data,
            [Piece(at[0].row, at[1], at[0].counted, min(at[1] + width, at[0].stop)) if at else _IDLE for at in active],
            reset,
        )
        active = [at and (at[0], at[1] + width) for at in active]


def _pad(data: Encoded, items: list[Piece], reset: Tensor) -> Batch:
    """Return a batch of pieces, each from its first step on."""
    numbers = np.fromiter(itertools.chain.from_iterable(items), dtype=np.int64, count=4 * len(items))
    rows, starts, counted, stops = numbers.reshape(-1, 4).T
    # all rows at once: a loop over them took longer than the gradient step of a small network
    step = starts + np.arange((stops - starts).max(initial=0))[:, None]  # (T, B)
    inside = step < stops
    index = np.maximum(rows, 0)
    offsets = torch.as_tensor(np.where(inside, data.offsets[index] + step, 0))
    here = torch.from_numpy(inside)[..., None]
    values = data.values[offsets]
    x = torch.where(here, values, 0)
    weight = is_observed(x) & torch.from_numpy(inside & (step >= counted))[..., None]
    of_row = torch.from_numpy(index)
    unit, low, high = (part[of_row] for part in (data.unit, data.low, data.high))
    return Batch(x, weight, reset, unit, low, high, rows.tolist(), starts.tolist())
