"""Whole numbers whose digits are a date that no other reader takes: 31012024, 2024031 (a day of a year), 240131."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import polars as pl
from numpy.typing import NDArray

from ostinato.data import buddhist, short_dates
from ostinato.data.detect import description_length
from ostinato.data.time_form import Stamps, TimeForm, micros
from ostinato.data.time_names import says_date

#: The bits by which numbers are more regular as dates than as steps, and the fewest rows that are worth a note.
_SURE, _FEW = 24.0, 4


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
    thai = buddhist.gregorian(whole)
    if thai is not None and (days := _read(thai, dtype, name, "%Y%m%d", "dates")) is not None:
        return replace(days, form=TimeForm(), notes=(buddhist.note(str(whole[0]), days.times[0]),))
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


def from_short_digits(whole: NDArray[np.int64], dtype: pl.DataType, name: str, day_first: bool | None) -> Stamps | None:
    """Return whole numbers of six digits as dates with a year of two, such as 240131; None if that is not certain.

    Args:
        whole: The numbers, (N,). A zero in front is lost: 10224 is the first of February.
        dtype: The type that they have in their table.
        name: The name of the column: one of dates, or one in which steps may be counted.
        day_first: Whether the day is in front of the month; None keeps both readings if there are two.
    """
    short = short_dates.rewritten(pl.Series(name, _apart(whole)), day_first) if _six(whole) else None
    if short is None:
        return None
    by_year = short.words[0][4] == "-"
    orders = ("%Y-%m-%d",) if by_year else ("%d-%m-%Y",) if day_first else ("%m-%d-%Y", "%d-%m-%Y")
    found = []
    for order in orders[:1] if day_first is False else orders:
        days = short.words.str.to_date(order, strict=False)
        if not days.null_count():
            pattern = order.replace("%Y", "%y").replace("-", "")
            note = f"whole numbers such as {whole[0]} in column {name!r} are read as dates: {days[0]}"
            found.append(Stamps(micros(days), TimeForm(dtype, pattern), (note,)))
    counts = description_length([np.unique(whole)])
    if not says_date(name) and min(description_length([np.unique(one.times)]) for one in found) + _SURE > counts:
        return None
    return replace(found[0], other=found[1]) if len(found) > 1 else found[0]


def note_on_short_dates(whole: NDArray[np.int64], name: str) -> tuple[str, ...]:
    """Return a note on whole numbers, (N,), that are read as steps and may be dates with a year of two digits."""
    if len(whole) < _FEW or not _six(whole) or short_dates.meanings(_apart(whole)[0]) is None:
        return ()
    words = pl.Series(name, _apart(whole)).str.to_date("%y-%m-%d", strict=False)
    if words.null_count():
        return ()
    note = f"whole numbers such as {whole[0]} in column {name!r} are read as steps; if they are dates, write 2024-01-31"
    return (note,)


def note_on_clocks(whole: NDArray[np.int64], name: str) -> tuple[str, ...]:
    """Return a note on whole numbers, (N,), that are read as steps and may be clocks such as 000000 and 013000."""
    if len(whole) < _FEW or whole.min() < 0 or not 10_000 <= whole.max() < 240_000:
        return ()
    minutes, seconds = whole // 100 % 100, whole % 100
    if minutes.max() >= 60 or seconds.max() >= 60:
        return ()
    note = (
        f"whole numbers such as {whole.max()} in column {name!r} are read as steps; if they are clocks, write 13:30:00"
    )
    return (note,)


def _six(whole: NDArray[np.int64]) -> bool:
    return bool(whole.min() >= 10_100 and whole.max() <= 991_231)


def _apart(whole: NDArray[np.int64]) -> list[str]:
    words = (f"{number:06d}" for number in whole.tolist())
    return [f"{word[:2]}-{word[2:4]}-{word[4:]}" for word in words]


def dates_of_digits(whole: NDArray[np.int64], dtype: pl.DataType, name: str, day_first: bool | None) -> Stamps | None:
    """Return whole numbers as dates by their digits, with a whole year or one of two digits; None if they are none."""
    found = from_digits(whole, dtype, name, day_first)
    return from_short_digits(whole, dtype, name, day_first) if found is None else found


def are_short_dates(whole: NDArray[np.int64]) -> bool:
    """Return whether all numbers are a year of two digits, a month and a day, such as 240131."""
    if whole.min() < 10_101 or whole.max() > 991_231:
        return False
    return not pl.Series(whole).cast(pl.String).str.zfill(6).str.to_date("%y%m%d", strict=False).null_count()
