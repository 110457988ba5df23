"""The calendars that the times of one series may lie on; ``detect`` chooses between them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from ostinato.data.calendar import Calendar, Days, Every, Steps
from ostinato.data.calendar_units import DAY, WEEKDAYS, weekday_of
from ostinato.data.listed_calendars import Months, Week
from ostinato.data.zones import wall
from ostinato.shapes import Times

#: The share of equal steps that makes them the usual step of times that lie on no calendar.
_USUAL = 0.6
#: The most days of a month that a calendar has, and the most times of a week for each row of a series.
_MANY = 6


def candidates(times: Times, walls: Times, zone: str | None) -> Iterator[Calendar]:
    """Yield the calendars that may have all times of a series.

    Args:
        times: The times, (T,), in order.
        walls: The same by the clock on the wall of the zone.
        zone: The zone by whose clock days are counted.
    """
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
    weekdays = weekday_of(days)
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
    seen = set(weekday_of(days).tolist())
    reached = set(weekday_of(np.arange(number[0], min(number[-1], number[0] + 6) + 1)).tolist())
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
    first, size = months.astype("datetime64[D]"), month_sizes(months)
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
    weekday = weekday_of(days)
    if (weekday < 5).all():
        # the number of weekdays from the first day of the month to this day
        business = np.busday_count(first, days + np.timedelta64(1, "D"))
        if (business == business[0]).all():
            yield f"business {int(business[0])}"
    if (weekday == weekday[0]).all():
        name, nth = WEEKDAYS[int(weekday[0])], (day - 1) // 7 + 1
        if (nth == nth[0]).all() and nth[0] <= 4:
            yield f"{int(nth[0])} {name}"
        if (day + 7 > size).all():
            yield f"last {name}"


def month_sizes(months: Times) -> NDArray[np.int64]:
    """Return the number of days of each month."""
    after = months + np.timedelta64(1, "M")
    return np.asarray((after.astype("datetime64[D]") - months.astype("datetime64[D]")).astype(np.int64))


def usual_step(times: Times, zone: str | None) -> Calendar | None:
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
