"""Parts of a time in the first columns of a table without names: year and month, or a day and a clock in digits.

So are the files of SILSO (year, month, the year with decimals, the number of sunspots), of NOAA and of many exchanges.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import polars as pl

from ostinato.data.time_names import UNNAMED

#: The fewest rows that show that numbers are months or days that follow each other: more than a year of months.
_FEWEST = 13


def unnamed_parts(frame: pl.DataFrame, columns: Sequence[str]) -> dict[str, str]:
    """Return the columns of the parts of a time by the names of the parts; none unless the rows show that they are.

    The months (or days) of all rows follow each other without a gap, or dates and clocks rise from row to row.

    Args:
        frame: The table.
        columns: The columns that may be parts.
    """
    first = list(columns[:3])
    if len(frame) < _FEWEST or len(columns) < 3 or not all(UNNAMED.fullmatch(c) for c in columns):
        return {}
    whole = [c for c in first if frame[c].dtype.is_integer() and not frame[c].null_count()]
    if whole[:2] != first[:2]:
        return {}
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


def _follow(parts: pl.DataFrame) -> bool:
    """Return whether years, months and days, (N, 3), are days that follow each other."""
    words = parts.select(pl.concat_str(pl.all().cast(pl.String).str.zfill(2), separator="-")).to_series()
    days = words.str.to_date("%Y-%m-%d", strict=False)
    return not days.null_count() and bool((days.cast(pl.Int32).diff().drop_nulls() == 1).all())
