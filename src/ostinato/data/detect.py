"""The calendar of every series of a panel, found from its times.

Of all calendars that have every time of a series, the one with the shortest description is taken: the bits that name
the calendar, and the bits that name the times on it without a row,

    bits(calendar) + G H(n / G),

for n rows on G times of the calendar between the first and the last; H is the entropy of a yes or no. A calendar that
explains other series of the panel costs fewer bits, so a short series takes the calendar of the panel if its own times
agree with it.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from ostinato.data.calendar import Calendar
from ostinato.data.calendar_candidates import candidates, usual_step
from ostinato.data.zones import wall
from ostinato.shapes import Array, Times

Floats = Array

#: The least share of steps that are one step of the calendar. Below it, the times have no regular calendar.
LEAST = 0.3
#: The share of the times of a calendar with a row from which no finer look at a series is needed.
FULL = 0.95
#: The most series whose calendar is found from their own times; further ones take one of the calendars found so far.
MOST = 500
#: The number of series that are looked at together, and the most calendars that are compared for all series.
_BATCH, _KEPT = 24, 32


def find_calendars(
    times: Sequence[Times], zone: str | None = None, known: Calendar | None = None
) -> list[Calendar | None]:
    """Return the calendar of each series.

    Args:
        times: The times of each series, (T,), in order, all of one type.
        zone: The zone by whose clock days are counted.
        known: A calendar that is expected, because a model or earlier rows have it.

    Returns:
        The calendars; None for a series without a regular calendar.
    """
    return _Panel(times, zone, known).calendars()


def description_length(times: Sequence[Times], zone: str | None = None) -> float:
    """Return the bits that the calendars of series and their times without a row take; smaller is more regular.

    Args:
        times: The times of each series, (T,), in order.
        zone: The zone by whose clock days are counted.
    """
    panel = _Panel(times, zone, None)
    found = panel.calendars()
    bits = sum(c.bits for c in set(found) if c is not None)
    for calendar, series in zip(found, times, strict=True):
        if len(series) > 1:
            bits += 16.0 * len(series) if calendar is None else _own_bits(calendar, series)
    return bits


class _Panel:
    """The times of all series end to end, and what is known of their calendars."""

    def __init__(self, times: Sequence[Times], zone: str | None, known: Calendar | None) -> None:
        self.times, self.zone = times, zone
        self.lengths = np.array([len(t) for t in times], dtype=np.int64)
        self.weights: Counter[Calendar] = Counter()
        if known is not None:
            self.weights[known] = 1_000_000

    def calendars(self) -> list[Calendar | None]:
        found: list[Calendar | None] = [None] * len(self.times)
        todo = np.flatnonzero(self.lengths > 1)
        looked: dict[bytes, Calendar | None] = {}
        own: dict[int, Calendar | None] = {}
        # every batch is half the longest series, which show their calendar best, and half from all over the panel
        while len(todo) and len(looked) < MOST:
            by_length = todo[np.argsort(-self.lengths[todo], kind="stable")]
            spread = by_length[:: max(1, len(by_length) // (_BATCH // 2))]
            for s in dict.fromkeys([*by_length[: _BATCH // 2].tolist(), *spread.tolist()]):
                key = self.times[s].tobytes()
                if key not in looked:
                    looked[key] = own_calendar(self.times[s], self.zone)
                own[s] = looked[key]
                calendar = own[s]
                if calendar is not None:
                    self.weights[calendar] += int(self.lengths[s])
            todo = np.array([s for s in todo.tolist() if s not in own], dtype=np.int64)
            best, full = self._best(todo)
            for s, shared, enough in zip(todo.tolist(), best, full.tolist(), strict=True):
                if enough and shared is not None:
                    found[s] = shared
                    self.weights[shared] += int(self.lengths[s])
            todo = np.array([s for s in todo.tolist() if found[s] is None], dtype=np.int64)
        # all weights are known now, so every series chooses once more
        rows = np.flatnonzero(self.lengths > 1)
        for s, shared in zip(rows.tolist(), self._best(rows)[0], strict=True):
            alone = own.get(s)
            better = shared is None or (alone is not None and self._cost(alone, s) < self._cost(shared, s))
            found[s] = alone if better else shared
        self._single(found)
        return found

    def _single(self, found: list[Calendar | None]) -> None:
        """Give series of one row the most common calendar that has their time."""
        common = [c for c, _ in self.weights.most_common(_KEPT)]
        for s in np.flatnonzero(self.lengths == 1).tolist():
            t = self.times[s]
            found[s] = next((c for c in common if c.places(t, t)[1].all()), common[0] if common else None)

    def _best(self, rows: NDArray[np.int64]) -> tuple[list[Calendar | None], NDArray[np.bool_]]:
        """Return the calendar of the panel that suits each of the series best, and whether it is nearly full."""
        if not len(rows):
            return [], np.zeros(0, dtype=bool)
        common = [c for c, _ in self.weights.most_common(_KEPT)]
        lengths = self.lengths[rows]
        flat = np.concatenate([self.times[s] for s in rows.tolist()])
        starts = np.concatenate([[0], np.cumsum(lengths)[:-1]])
        firsts = np.repeat(flat[starts], lengths)
        cost, full = np.full((len(common) + 1, len(rows)), np.inf), np.zeros((len(common) + 1, len(rows)), dtype=bool)
        for i, calendar in enumerate(common):
            place, on = calendar.places(flat, firsts)
            grid = place[starts + lengths - 1] - place[starts] + 1
            all_on = np.logical_and.reduceat(on, starts)
            if not all_on.any():
                continue
            steps = np.append(np.diff(place) == 1, False)
            steps[starts + lengths - 1] = False
            share = np.add.reduceat(steps.astype(np.int64), starts) / (lengths - 1)
            good = all_on & ((share >= LEAST) | (lengths < 3))
            cost[i, good] = _gaps(lengths[good], grid[good]) + self._price(calendar)
            full[i] = good & (lengths >= FULL * grid)
        pick = cost.argmin(axis=0)
        pick[np.isinf(cost.min(axis=0))] = len(common)
        chosen = [common[i] if i < len(common) else None for i in pick.tolist()]
        return chosen, full[pick, np.arange(len(rows))]

    def _price(self, calendar: Calendar) -> float:
        """Return the bits that name a calendar: fewer the more rows of the panel have it."""
        total = sum(self.weights.values()) + 1.0
        return min(calendar.bits, math.log2(total / max(self.weights[calendar], 0.5)))

    def _cost(self, calendar: Calendar, s: int) -> float:
        return _own_bits(calendar, self.times[s]) + self._price(calendar)


def own_calendar(times: Times, zone: str | None = None) -> Calendar | None:
    """Return the calendar of one series by its own times.

    Args:
        times: The times, (T,), in order, at least two.
        zone: The zone by whose clock days are counted.

    Returns:
        The calendar. If the times lie on none, but most steps have the same length, steps of that length; None if not.
    """
    best: Calendar | None = None
    least = math.inf
    for calendar in candidates(times, wall(times, zone) if times.dtype.kind == "M" else times, zone):
        bits = calendar.bits + _own_bits(calendar, times)
        if bits < least:
            best, least = calendar, bits
    return best or usual_step(times, zone)


def _own_bits(calendar: Calendar, times: Times) -> float:
    """Return the bits that name the times without a row, or infinity if the calendar does not suit the times."""
    place, on = calendar.places(times, np.broadcast_to(times[0], times.shape))
    if not on.all():
        return math.inf
    steps = np.diff(place)
    if len(times) > 2 and (steps == 1).mean() < LEAST:
        return math.inf
    return float(_gaps(np.array([len(times)]), np.array([place[-1] - place[0] + 1]))[0])


def _gaps(rows: NDArray[np.int64], grid: NDArray[np.int64]) -> Floats:
    """Return G H(n / G) in bits for n rows on G times of a calendar."""
    n, G = rows.astype(np.float64), np.maximum(grid, rows).astype(np.float64)
    with np.errstate(divide="ignore", invalid="ignore"):
        missing = np.where(n < G, (G - n) * np.log2(G / (G - n)), 0.0)
        return np.asarray(n * np.log2(G / n) + missing)
