"""Dates in numbers with a year of two digits, such as 31/12/23, 12.31.23 and 23-12-31, as dates with the whole year.

The whole column decides where the year stands. A place is possible if all cells are dates with their year there. If
both ends are possible, it is the one whose days follow one another more regularly by far, in the bits that describe
them (``detect``); if neither is, the column is refused. Day or month first is then decided as for whole years. Points
stand between day, month and year, and between month, day and year only if no cell can be the former.

The century is that of ``century``: a year from 30 to 68 has none that is certain.
"""

from __future__ import annotations

import math
import re
from dataclasses import replace

import numpy as np
import polars as pl
from numpy.typing import NDArray

from ostinato.data.century import century, century_note
from ostinato.data.detect import description_length, own_calendar
from ostinato.data.listed_calendars import Months
from ostinato.data.rewritten import Rewritten, with_pattern
from ostinato.data.time_form import Stamps
from ostinato.shapes import Times

_GAP = r"\s?[-/.]\s?"
LOOK = rf"^\d{{1,2}}{_GAP}\d{{1,2}}{_GAP}\d\d\.?(?:$|[ T,])"
_PARTS = r"^(?P<a>\d{1,2})\s?(?P<g>[-/.])\s?(?P<b>\d{1,2})\s?(?P<h>[-/.])\s?(?P<c>\d\d)\.?(?P<rest>$|[ T,].*$)"
#: The places of the year, the month and the day among three numbers.
_ORDERS = {"day/month/year": "cba", "month/day/year": "cab", "year/month/day": "abc"}
_YEAR_FIRST = "year/month/day"
#: The bits by which one place of the year has to be more regular than the other, and a month in front of a day between
#: points than the other way round.
_SURE, _LIKELY = 24.0, 8.0
#: The days of a month on which years begin or end.
_ENDS = ("1", "28", "29", "30", "31", "end", "business end", "business 1")

Numbers = dict[str, NDArray[np.int64]]


def rewritten(column: pl.Series, day_first: bool | None = None) -> Rewritten | None:
    """Return the dates with whole years; None unless every cell is such a date, and the place of the year is certain.

    Args:
        column: The words, (N,).
        day_first: Whether the day is in front of the month, if that is known. The year is then at the end if it can be.
    """
    given = column.str.strip_chars()
    parts = given.str.extract_groups(_PARTS).struct.unnest()
    if parts["a"].null_count() or (parts["g"] != parts["h"]).any():
        return None
    numbers = {name: parts[name].cast(pl.Int64).to_numpy() for name in "abc"}
    found = {order: days for order in _ORDERS if (days := _days(numbers, order)) is not None}
    if (parts["a"].str.len_chars() == 1).any():
        found.pop(_YEAR_FIRST, None)  # 5.1.24 does not begin with a year
    first = _year_is_first(found, day_first)
    if first is None:
        return None
    front, middle = parts["a"].str.zfill(2), parts["b"].str.zfill(2)
    years = century(numbers["a" if first else "c"])
    assert years is not None
    whole = pl.Series(years).cast(pl.String)
    gap = "/" if parts["g"][0] == "." and _month_is_first(found) else parts["g"][0]
    words = whole + "-" + middle + "-" + parts["c"] if first else front + gap + middle + gap + whole
    return Rewritten((words + parts["rest"]).alias(column.name), _Applied(given, parts["g"][0], int(years[0])))


def look(cell: str) -> bool:
    """Return whether a cell may be such a date."""
    return re.match(LOOK, cell.strip()) is not None


def meanings(cell: str) -> str | None:
    """Return which dates a cell may be, as in "2024-02-01 or 2024-01-02"; None if it is not such a date."""
    match = re.match(_PARTS, cell.strip())
    if match is None:
        return None
    numbers = {name: np.array([int(match[name])]) for name in "abc"}
    days = [one for order in _ORDERS if (one := _days(numbers, order)) is not None]
    return " or ".join(dict.fromkeys(str(one[0]) for one in days)) or None


class _Applied:
    """The times of dates with whole years, with the form of the words that had short ones."""

    def __init__(self, given: pl.Series, gap: str, year: int) -> None:
        self._given, self._gap, self._note = given, gap, century_note(str(given[0]), year)

    def __call__(self, found: Stamps) -> Stamps:
        other = None if found.other is None else self(found.other)
        one = replace(found, notes=(*found.notes, self._note), other=None)
        pattern = one.form.pattern
        if one.form.dtype is None or pattern is None:
            one = one.without_pattern()  # a file that is written has the whole year, so that nobody has to guess it
        else:
            short = pattern.replace("%Y", "%y")
            date = re.sub("[-/]", self._gap, short[:8]) + short[8:]
            one = with_pattern(replace(one, form=replace(one.form, pattern=date)), self._given, date)
        return replace(one, other=other)


def _days(numbers: Numbers, order: str) -> Times | None:
    """Return the days of three numbers each, (N,), in an order; None if one is not a date or has no certain century."""
    year, month, day = (numbers[name] for name in _ORDERS[order])
    if month.min() < 1 or month.max() > 12 or day.min() < 1 or (years := century(year)) is None:
        return None
    months = ((years - 1970) * 12 + month - 1).astype("datetime64[M]")
    days = months.astype("datetime64[D]") + (day - 1).astype("timedelta64[D]")
    return days if bool((days.astype("datetime64[M]") == months).all()) else None


def _year_is_first(found: dict[str, Times], day_first: bool | None) -> bool | None:
    """Return whether the year is in front, by the days of each order that is possible; None if that is not certain."""
    last = {order: days for order, days in found.items() if order != _YEAR_FIRST}
    if day_first is not None:
        wanted = "day/month/year" if day_first else "month/day/year"
        return False if wanted in last else True if _YEAR_FIRST in found and not last else None
    bits = {order: _bits(days) for order, days in found.items()}
    front = bits.get(_YEAR_FIRST, math.inf)
    end = min((bits[order] for order in last), default=math.inf)
    if not math.isfinite(min(front, end)) or abs(front - end) < _SURE:
        return None
    return front < end


def _month_is_first(found: dict[str, Times]) -> bool:
    """Return whether the month is in front of the day between points, where the day is far more usual."""
    days, months = (found.get(order) for order in ("day/month/year", "month/day/year"))
    return days is None or (months is not None and _bits(months) + _LIKELY < _bits(days))


def _bits(days: Times) -> float:
    """Return the bits that describe days, (N,); some more for one day of each year that no office of statistics has."""
    times = np.unique(days).astype("datetime64[us]")
    calendar = own_calendar(times) if len(times) > 1 else None
    odd = isinstance(calendar, Months) and calendar.every % 12 == 0 and calendar.days[0] not in _ENDS
    return description_length([times]) + _SURE * odd
