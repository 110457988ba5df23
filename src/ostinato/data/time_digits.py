"""Whole numbers whose digits are a day, a month and a year, in an order that sorts them wrongly: 31012024, 2024031."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import polars as pl
from numpy.typing import NDArray

from ostinato.data.time_form import Stamps, TimeForm, micros


def from_digits(whole: NDArray[np.int64], dtype: pl.DataType, name: str, day_first: bool | None) -> Stamps | None:
    """Return whole numbers as dates if all of them are one with the year at the end, or a year and one of its days.

    Args:
        whole: The numbers, (N,). A zero in front is lost: 1022024 is the first of February.
        dtype: The type that they have in their table.
        name: The name of the column.
        day_first: Whether the day is in front of the month; None keeps both readings if there are two.

    Returns:
        The dates; None if some number is none.
    """
    if whole.min() >= 1_900_001 and whole.max() <= 2_100_366 and set((whole % 1000).tolist()) <= set(range(1, 367)):
        return _read(whole, dtype, name, "%Y%j", "a year and a day of the year")
    years = whole % 10_000
    if whole.min() < 1_011_800 or whole.max() > 31_122_200 or years.min() < 1800 or years.max() > 2200:
        return None
    months = None if day_first else _read(whole, dtype, name, "%m%d%Y", "month, day and year")
    days = None if day_first is False else _read(whole, dtype, name, "%d%m%Y", "day, month and year")
    if months is None or days is None or bool((months.times == days.times).all()):
        return months or days
    return replace(months, other=days)


def _read(whole: NDArray[np.int64], dtype: pl.DataType, name: str, pattern: str, what: str) -> Stamps | None:
    days = pl.Series(whole).cast(pl.String).str.zfill(7 if pattern == "%Y%j" else 8).str.to_date(pattern, strict=False)
    if days.null_count():
        return None
    note = f"whole numbers such as {whole[0]} in column {name!r} are read as {what}"
    return Stamps(micros(days), TimeForm(dtype, pattern), (note,))


def are_short_dates(whole: NDArray[np.int64]) -> bool:
    """Return whether all numbers are a year of two digits, a month and a day, such as 240131."""
    if whole.min() < 10_101 or whole.max() > 991_231:
        return False
    return not pl.Series(whole).cast(pl.String).str.zfill(6).str.to_date("%y%m%d", strict=False).null_count()
