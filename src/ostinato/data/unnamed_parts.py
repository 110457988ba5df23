"""Parts of a time in the first columns of a table without names: year and month, or a day and a clock in digits.

So are the files of SILSO (year, month, the year with decimals, the number of sunspots), of NOAA and of many exchanges.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

import numpy as np
import polars as pl

from ostinato.data.month_names import number_of_part
from ostinato.data.time_names import UNNAMED

#: The fewest rows that show that numbers are months or days that follow each other: more than a year of months.
_FEWEST = 13
#: The names that columns without names get.
_BLANK = re.compile(r"|(?:channel|column)_\d+")


def unnamed_parts(frame: pl.DataFrame, columns: Sequence[str]) -> dict[str, str]:
    """Return the columns of the parts of a time by the names of the parts; none unless the rows show that they are.

    The months (or days) of all rows follow each other without a gap, or dates and clocks rise from row to row. A year
    beside a month or a quarter in words needs no more.

    Args:
        frame: The table.
        columns: The columns that may be parts.
    """
    if (words := _in_words(frame, columns[:2])) is not None:
        return words
    return _in_numbers(frame, columns)


def _in_numbers(frame: pl.DataFrame, columns: Sequence[str]) -> dict[str, str]:
    """Return the columns of whole numbers that are parts of a time, from all columns; none unless the rows follow."""
    first = list(columns[:3])
    if len(frame) < _FEWEST or len(columns) < 3 or not all(UNNAMED.fullmatch(c) for c in columns):
        return {}
    if _are_days_and_hours(frame.select(first[:2])):
        return dict(zip(("date", "hour"), first, strict=False))
    whole = [c for c in first if frame[c].dtype.is_integer() and not frame[c].null_count()]
    return _of_digits(frame, first, whole) if whole[:2] == first[:2] else {}


def _of_digits(frame: pl.DataFrame, first: list[str], whole: list[str]) -> dict[str, str]:
    """Return the parts among the first three columns, of which the first two hold whole numbers."""
    a, b = (frame[c].cast(pl.Int64).to_numpy() for c in first[:2])
    if bool((a >= 1500).all() and (a <= 2200).all() and (b >= 1).all() and (b <= 12).all()):
        months = a * 12 + b
        if bool((np.diff(months) == 1).all()):
            return dict(zip(("year", "month"), first, strict=False))
        if len(whole) == len(first) and _follow(frame.select(first)):
            return dict(zip(("year", "month", "day"), first, strict=True))
    elif bool((a >= 17_000_101).all() and (a <= 21_001_231).all() and b.max() >= 10_000):
        clocks = bool((b >= 0).all() and (b < 240_000).all() and (b % 100 < 60).all() and (b // 100 % 100 < 60).all())
        if clocks and bool((np.diff(a * 1_000_000 + b) > 0).all()) and bool((np.diff(a) == 0).any()):
            return dict(zip(("date", "time"), first, strict=False))
    return {}


def _are_days_and_hours(first: pl.DataFrame) -> bool:
    """Return whether two columns hold dates as 2024-01-31 and hours from 0 to 23 that follow each other."""
    dates, hours = first.iter_columns()
    if dates.dtype != pl.String or not hours.dtype.is_integer() or hours.null_count():
        return False
    days = dates.str.to_date("%Y-%m-%d", strict=False)
    at = days.cast(pl.Int32).cast(pl.Int64) * 24 + hours.cast(pl.Int64)
    return not days.null_count() and bool(hours.is_between(0, 23).all()) and bool((at.diff().drop_nulls() == 1).all())


def _in_words(frame: pl.DataFrame, first: Sequence[str]) -> dict[str, str] | None:
    """Return the columns of years and of months or quarters in words, as GENESIS writes them; None for others."""
    if len(first) < 2 or not all(_BLANK.fullmatch(c) for c in first):
        return None
    years, words = (frame[c] for c in first)
    if not years.dtype.is_integer() or words.dtype != pl.String or years.null_count() or words.null_count():
        return None
    if not bool(years.is_between(1500, 2200).all()):
        return None
    kinds = words.unique().to_list()
    part = next((p for p in ("month", "quarter") if kinds and all(number_of_part(w, p) for w in kinds)), None)
    return None if part is None else dict(zip(("year", part), first, strict=True))


def _follow(parts: pl.DataFrame) -> bool:
    """Return whether years, months and days, (N, 3), are days that follow each other."""
    words = parts.select(pl.concat_str(pl.all().cast(pl.String).str.zfill(2), separator="-")).to_series()
    days = words.str.to_date("%Y-%m-%d", strict=False)
    return not days.null_count() and bool((days.cast(pl.Int32).diff().drop_nulls() == 1).all())
