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
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ostinato.data.calendar import DAY, WEEKDAYS, Calendar, Days, Every, Months, Steps, Week
from ostinato.data.zones import wall
from ostinato.shapes import Array

Times = NDArray[Any]
Floats = Array

#: The least share of steps that are one step of the calendar. Below it, the times have no regular calendar.
LEAST = 0.3
#: The share of the times of a calendar with a row from which no finer look at a series is needed.
FULL = 0.95
#: The most series whose calendar is found from their own times; further ones take one of the calendars found so far.
MOST = 500
#: The number of series that are looked at together, and the most calendars that are compared for all series.
_BATCH, _KEPT = 24, 32
#: The share of equal steps that makes them the usual step of times that lie on no calendar.
_USUAL = 0.6
#: The most days of a month that a calendar has, and the most times of a week for each row of a series.
_MANY = 6


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
    for calendar in _candidates(times, wall(times, zone) if times.dtype.kind == "M" else times, zone):
        bits = calendar.bits + _own_bits(calendar, times)
        if bits < least:
            best, least = calendar, bits
    return best or _usual_step(times, zone)


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


def _candidates(times: Times, walls: Times, zone: str | None) -> Iterator[Calendar]:
    """Yield the calendars that may have all times of a series."""
    steps = np.diff(times).astype(np.int64)
    if not len(steps) or steps.min() <= 0:
        return
    common = int(np.gcd.reduce(steps))
    if times.dtype.kind != "M":
        yield Steps(common)
        return
    days = walls.astype("datetime64[D]")
    clocks = (walls - days).astype(np.int64)
    clock = clocks[0] if (clocks == clocks[0]).all() else _usual_clock(days, clocks, zone)
    if clock is None:
        if (common := int(common)) < DAY or common % DAY:
            yield Every(common)
        yield from _weeks(days, clocks, common, zone)
        return
    number = days.astype(np.int64)
    yield Days(int(np.gcd.reduce(np.diff(number))) or 1, int(clock), zone)
    if len(times) > 3:
        weekdays = _weekdays(days)
        if 1 < len(weekdays) < 7:
            yield Week(tuple(d * DAY + int(clock) for d in weekdays), zone)
    yield from _months(days, int(clock), zone)


def _usual_clock(days: Times, clocks: NDArray[np.int64], zone: str | None) -> int | None:
    """Return the time of day of one row a day, if only clock changes move it; None if the time of day varies."""
    if zone is None or len(np.unique(days)) < len(days):
        return None
    value, count = Counter(clocks.tolist()).most_common(1)[0]
    return int(value) if count > 0.9 * len(clocks) else None


def _weeks(days: Times, clocks: NDArray[np.int64], step: int, zone: str | None) -> Iterator[Calendar]:
    """Yield the same hours of all weekdays that occur, and the hours that occur on each weekday."""
    weekdays = (days.astype(np.int64) + 3) % 7
    slots = np.unique(weekdays * DAY + clocks)
    hours, seen = np.unique(clocks), np.array(_weekdays(days))
    if 2 * len(hours) > len(days) or len(hours) > max(2, DAY // step) or len(np.unique(days)) < 2:
        return
    yield Week(tuple((seen[:, None] * DAY + hours).reshape(-1).tolist()), zone)
    if len(np.unique(weekdays)) == len(seen) and 2 * len(slots) <= len(days) and len(slots) < len(seen) * len(hours):
        yield Week(tuple(slots.tolist()), zone)


def _weekdays(days: Times) -> list[int]:
    """Return the weekdays that a series may have: those that occur, and those between no two of its days.

    A weekday that the series does not reach is taken for a day like the others. If the others are business days, that
    holds for business days only.
    """
    number = days.astype(np.int64)
    seen = set(((number + 3) % 7).tolist())
    reached = set(((np.arange(number[0], min(number[-1], number[0] + 6) + 1) + 3) % 7).tolist())
    like = range(5) if max(seen) < 5 else range(7)
    return sorted(seen | (set(like) - reached))


def _months(days: Times, clock: int, zone: str | None) -> Iterator[Calendar]:
    """Yield the calendars of days of the month that may have all days (T,)."""
    months = days.astype("datetime64[M]")
    number = months.astype(np.int64) + 1970 * 12
    different = np.unique(number)
    every = int(np.gcd.reduce(np.diff(different))) if len(different) > 1 else 0
    if not every:
        return
    phase = int(number[0] % every)
    first, size = months.astype("datetime64[D]"), _size(months)
    day = (days - first).astype(np.int64) + 1
    if len(different) < len(number):
        if len(number) < 3 * len(different) + 2 * _MANY:
            yield from (Months(every, phase, r, clock, zone) for r in _several(day, size))
        return
    yield from (Months(every, phase, (r,), clock, zone) for r in _rules(days, first, day, size))


def _several(day: NDArray[np.int64], size: NDArray[np.int64]) -> Iterator[tuple[str, ...]]:
    """Yield sets of several days of a month: as they are numbered, and with the last day for the days at the end."""
    last = day == size
    plain = np.unique(day)
    if len(plain) <= _MANY and plain.max() <= 28:
        yield tuple(str(d) for d in plain.tolist())
    inner = np.unique(day[~last])
    if last.any() and len(inner) < _MANY:
        yield (*(str(d) for d in inner.tolist()), "end")
        most = int(day.max())
        if most < 31 and len(inner) and inner.max() < most and ((day == most) | last | np.isin(day, inner)).all():
            yield (*(str(d) for d in inner.tolist()), str(most))


def _rules(days: Times, first: Times, day: NDArray[np.int64], size: NDArray[np.int64]) -> Iterator[str]:
    """Yield the single days of a month, as in ``Months.days``, that all days (T,) may be; ``places`` decides."""
    most = int(day.max())
    if (day == np.minimum(most, size)).all():
        yield str(most)
    if (day == size).all():
        yield "end"
    if (size - day < 3).all():
        yield "business end"
    weekday = (days.astype(np.int64) + 3) % 7
    if (weekday < 5).all():
        # the number of weekdays from the first day of the month to this day
        business = np.busday_count(first, days + 1)
        if (business == business[0]).all():
            yield f"business {int(business[0])}"
    if (weekday == weekday[0]).all():
        name, nth = WEEKDAYS[int(weekday[0])], (day - 1) // 7 + 1
        if (nth == nth[0]).all() and nth[0] <= 4:
            yield f"{int(nth[0])} {name}"
        if (day + 7 > size).all():
            yield f"last {name}"


def _size(months: Times) -> NDArray[np.int64]:
    """Return the number of days of each month."""
    return np.asarray(((months + 1).astype("datetime64[D]") - months.astype("datetime64[D]")).astype(np.int64))


def _usual_step(times: Times, zone: str | None) -> Calendar | None:
    """Return steps of the most common length, if most steps have it."""
    steps = np.diff(times).astype(np.int64)
    usual, seen = Counter(steps.tolist()).most_common(1)[0]
    if usual <= 0 or seen < _USUAL * len(steps):
        return None
    if times.dtype.kind != "M":
        return Steps(usual)
    if usual % DAY:
        return Every(usual)
    walls = wall(times, zone)
    clocks = (walls - walls.astype("datetime64[D]")).astype(np.int64)
    return Days(usual // DAY, int(Counter(clocks.tolist()).most_common(1)[0][0]), zone)


@lru_cache(maxsize=64)
def named(frequency: str) -> Calendar | None:
    """Return the calendar of a frequency such as "1h", "1mo" or "1bd", with its usual days; None for other words."""
    if frequency == "step":
        return Steps(1)
    if frequency == "1bd":
        return Week(tuple(d * DAY for d in range(5)))
    found = re.fullmatch(r"(\d+)(mo|y|w|d|h|m|s|ms|us)", frequency)
    if not found:
        return None
    count, unit = int(found[1]), found[2]
    if unit in ("mo", "y"):
        return Months(count * (12 if unit == "y" else 1))
    if unit in ("w", "d"):
        return Days(count * (7 if unit == "w" else 1))
    length = {"h": 3_600_000_000, "m": 60_000_000, "s": 1_000_000, "ms": 1000, "us": 1}[unit] * count
    return Days(length // DAY) if length % DAY == 0 else Every(length)


def of_frequency(frequency: str | None, times: Times, zone: str | None = None) -> Calendar | None:
    """Return the calendar with a given frequency that has the times of a series.

    Models of earlier versions name only the frequency, so the days of the month come from the times.

    Args:
        frequency: The frequency, such as "1mo".
        times: The times of the series, (T,).
        zone: The zone by whose clock days are counted.
    """
    if frequency is None or not len(times) or (times.dtype.kind == "M") == (frequency == "step"):
        return None
    usual = named(frequency)
    walls = wall(times, zone) if times.dtype.kind == "M" else times
    if isinstance(usual, Steps | Every) or usual is None:
        return usual
    days = walls.astype("datetime64[D]")
    clock = int((walls[-1] - days[-1]).astype(np.int64))
    if isinstance(usual, Days):
        return Days(usual.days, clock, zone)
    if isinstance(usual, Week):
        weekdays = sorted(set(((days.astype(np.int64) + 3) % 7).tolist()))
        return Week(tuple(d * DAY + clock for d in (weekdays if len(days) > 7 else range(5))), zone)
    months = days.astype("datetime64[M]")
    number, size = months.astype(np.int64) + 1970 * 12, _size(months)
    day = (days - months.astype("datetime64[D]")).astype(np.int64) + 1
    rule = "end" if (day == size).all() and len(np.unique(day)) > 1 else str(int(day.max()))
    return Months(usual.every, int(number[-1] % usual.every), (rule,), clock, zone)
