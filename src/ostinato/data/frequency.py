"""The calendar of a frequency in words, such as "1h" or "1mo"."""

from __future__ import annotations

import re
from functools import lru_cache

import numpy as np

from ostinato.data.calendar import Calendar, Days, Every, Steps
from ostinato.data.calendar_candidates import month_sizes
from ostinato.data.calendar_units import DAY, weekday_of
from ostinato.data.listed_calendars import Months, Week
from ostinato.data.zones import wall
from ostinato.shapes import Times


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
        weekdays = sorted(set(weekday_of(days).tolist()))
        return Week(tuple(d * DAY + clock for d in (weekdays if len(days) > 7 else range(5))), zone)
    months = days.astype("datetime64[M]")
    number, size = months.astype(np.int64) + 1970 * 12, month_sizes(months)
    day = (days - months.astype("datetime64[D]")).astype(np.int64) + 1
    rule = "end" if (day == size).all() and len(np.unique(day)) > 1 else str(int(day.max()))
    return Months(usual.every, int(number[-1] % usual.every), (rule,), clock, zone)
