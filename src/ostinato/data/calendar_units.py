"""Units of calendars: lengths of time in microseconds and in words, weekdays, and seasons in steps."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ostinato.shapes import Times

#: The place of each time on a calendar, (N,), and whether the time is on it, (N,).
Places = tuple[NDArray[np.int64], NDArray[np.bool_]]

SECOND = 1_000_000
MINUTE, HOUR, DAY = 60 * SECOND, 3_600 * SECOND, 86_400 * SECOND
WEEK = 7 * DAY
#: A mean year of the Gregorian calendar.
YEAR = int(365.2425 * DAY)
#: The Monday from which weeks are counted, in days from 1970-01-01.
MONDAY = -3
WEEKDAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_UNITS = (("w", WEEK), ("d", DAY), ("h", HOUR), ("m", MINUTE), ("s", SECOND), ("ms", 1000), ("us", 1))


def duration(micros: int) -> str:
    """Return a length of time in words such as "4h", "90s" or "500ms"."""
    if micros % WEEK and micros % DAY == 0:
        return f"{micros // DAY}d"
    return next(f"{micros // length}{name}" for name, length in _UNITS if micros % length == 0)


def more_than_one(*seasons: int) -> tuple[int, ...]:
    """Return the lengths of seasons in steps, without a repetition and without those of one step."""
    return tuple(dict.fromkeys(one for one in seasons if one > 1))


def weekday_of(days: Times) -> NDArray[np.int64]:
    """Return the weekday of each day, from Monday = 0."""
    return np.asarray((days.astype(np.int64) - MONDAY) % 7)
