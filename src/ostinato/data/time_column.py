"""The column of times of a table, by its name or by its content."""

from __future__ import annotations

import re

import numpy as np
import polars as pl

from ostinato.data import short_dates, two_years
from ostinato.data.buddhist import YEARS as BUDDHIST
from ostinato.data.keys import key_of
from ostinato.data.month_names import uncertain
from ostinato.data.numerals import as_numbers
from ostinato.data.stamps import odd_time, parse_times
from ostinato.data.time_names import (
    MAY_BE_PARTS,
    MORE_TIMES,
    TIMES,
    UNNAMED,
    says_clock,
    says_date,
    says_day,
    says_month,
    says_quarter,
    says_time,
    says_week,
    says_when,
    says_year,
)
from ostinato.data.time_numbers import have_lost_zeros, months_and_years, years_and_months, years_and_quarters
from ostinato.errors import DataError
from ostinato.wording import option

#: What stands for a column of times if the rows are steps in their order, whatever the columns are called.
NO_TIME = "none"

#: The fewest different numbers that are times without a name that says so.
_FEWEST = 4
#: The fewest steps that show that decimals without a name are times.
_EVEN = 12


def time_of(frame: pl.DataFrame, columns: list[str], id_col: str | None) -> str | None:
    """Return the column of times: one with a usual name (if possible without repeated times), or one with times.

    Args:
        frame: The table.
        columns: The columns that may be the one.
        id_col: The column of ids, or None.
    """
    by_name = {c.lower(): c for c in reversed(columns)}
    named = [by_name[n] for n in TIMES if n in by_name]
    series = [id_col] if id_col else []
    if len(named) > 1:
        unique = [c for c in named if not frame.select(c, *series).is_duplicated().any()]
        named = [c for c in unique if parse_times(frame[c]) is not None] or named
    # a season such as 2022/23 often stands beside the dates in it
    finest = sorted(columns, key=lambda c: _are_words(frame[c]) and two_years.are_years(frame[c].drop_nulls().head(50)))
    dates = (c for c in finest if _may_be_dates(frame[c]) and parse_times(frame[c].head(50)) is not None)
    if named and named[0].lower() in MAY_BE_PARTS and frame.select(named[0], *series).is_duplicated().any():
        # the year or month in addition to a date of another name, which distinguishes the rows
        finer = next((c for c in dates if not frame.select(c, *series).is_duplicated().any()), None)
        return finer or named[0]
    if named:
        return named[0]
    if (date := next(dates, None)) is not None:
        return date
    whole = _whole_times(frame, columns, id_col)
    if whole is not None:
        return whole
    texts = [c for c in columns if _are_words(frame[c]) and 2 * _with_digits(frame[c]) > frame[c].count()]
    told = (c for c in texts if c.lower() in MORE_TIMES or (says_when(c) and odd_time(frame[c].head(50)) is not None))
    # words that are not times in such a column are an error that names them; so are months with a year of two digits
    return next(told, None) or _months_and_years(frame, columns)


def uncertain_dates(frame: pl.DataFrame, columns: list[str]) -> list[str]:
    """Return a note on a column that may hold dates without a certain year, and whose name says nothing of time.

    Args:
        frame: The table.
        columns: The columns that have no role.
    """
    for c in columns:
        cells = frame[c].head(50).to_list() if _are_words(frame[c]) else []
        odd = odd_time(frame[c].head(50)) if cells else None
        if odd is not None:
            why = "a cell is empty" if cells[odd] is None else f"{cells[odd]!r} cannot be read as a time"
            return [
                f"column {c!r} is not read as the time, because {why}; most of its cells are times. The rows are read "
                f"as steps in their order (correct the cell, or name the column with {option('--time-col')})"
            ]
        reason = uncertain(cells[0]) if cells and cells[0] is not None else None
        if reason and all(cell is not None and re.search(r"\d", cell) and uncertain(cell) for cell in cells):
            return [
                f"column {c!r} is not read as the time: if cells such as {cells[0]!r} are dates, {reason}. The rows "
                "are read as steps in their order (write the whole year, or name the column of times with "
                f"{option('--time-col')})"
            ]
    return []


def refuse_yearless(frame: pl.DataFrame, columns: list[str], where: str) -> None:
    """Raise DataError if a column named as dates holds whole numbers of a day and a month alone, such as 0503.

    Args:
        frame: The table.
        columns: The columns that have no role.
        where: The name of the table, for the error.
    """
    for c in columns:
        if not frame[c].dtype.is_integer() or frame[c].null_count() or not says_date(c) or c.lower() == "data":
            continue
        pair = frame[c] // 100, frame[c] % 100
        if any((day.is_between(1, 31) & month.is_between(1, 12)).all() for day, month in (pair, pair[::-1])):
            raise DataError(
                f"the dates in column {c!r}, such as {frame[c][0]:04d}, have no year",
                where=where,
                fix=f"write them as 2024-03-05, or use {option('--time-col', 'none')} if the rows are steps in their "
                "order",
            )


def refuse_lost_zeros(column: pl.Series, where: str) -> None:
    """Raise DataError if a column of times has 2019.1 to 2019.9, 2019.11 and 2019.12: October is 2019.1 as well.

    Args:
        column: The times, (N,).
        where: The name of the table, for the error.
    """
    x = column.to_numpy() if column.dtype.is_float() and len(column) and not column.null_count() else np.zeros(0)
    if len(x) and np.isfinite(x).all() and have_lost_zeros(x):
        raise DataError(
            f"the months in column {column.name!r} have no zero in front: January and October are both {int(x[0])}.1",
            where=where,
            fix="write them as 2019-01 to 2019-12",
        )


def _are_words(column: pl.Series) -> bool:
    """Return whether a column holds words that are not numbers."""
    return column.dtype == pl.String and bool(column.count()) and not as_numbers(column).most


def _with_digits(column: pl.Series) -> int:
    return int(column.str.contains(r"\d").sum())


def _may_be_dates(column: pl.Series) -> bool:
    """Return whether a column holds words that are not numbers, or has a type of times.

    Numbers of two digits, as in 1.10.12, are dates only if the name of their column says so: they may be versions.
    """
    if column.dtype in (pl.Date, pl.Datetime):
        return True
    return _are_words(column) and (says_when(column.name) or not short_dates.look(column.drop_nulls()[0]))


def _whole_times(frame: pl.DataFrame, columns: list[str], id_col: str | None) -> str | None:
    """Return the column of numbers that are times by its name and content, such as weeks 202401; or None."""
    filled = [c for c in columns if not frame[c].null_count()]
    whole = [c for c in filled if frame[c].dtype.is_integer()]
    unnamed = next((c for c in whole if UNNAMED.fullmatch(c) and _are_long_times(frame[c])), None)
    if unnamed is not None:
        return unnamed
    for c in columns[:1]:
        if UNNAMED.fullmatch(c) and c in filled and frame[c].dtype.is_float() and _are_decimal_times(frame[c]):
            return c
    for c in (*whole, *(c for c in filled if frame[c].dtype.is_float())):
        clock = says_clock(c) and frame[c].dtype.is_float()  # the days of a spreadsheet, with their parts
        if (says_when(c) or says_day(c) or clock) and bool((frame[c] >= 18_001).all()):
            times = parse_times(frame[c])
            # a week that its year does not have, such as 202353, is an error that names it
            if times.dtype.kind == "M" if times is not None else says_week(c):
                return c
    for c in whole:
        named = says_year(c) or (says_time(c) and _leave_none_out(frame[c]))
        if named and bool((frame[c].is_between(1800, 2100) | frame[c].is_between(*BUDDHIST)).all()):
            series = [id_col] if id_col else []
            others = [other for other in columns if other != c]
            if not frame.select(c, *series).is_duplicated().any() or (not series and _of_series(frame, others, c)):
                return c
    return None


def _are_long_times(column: pl.Series) -> bool:
    """Return whether numbers are dates such as 20240131, or rising times since 1970 in milliseconds or finer units."""
    low, high = int(column.min() or 0), int(column.max() or 0)  # type: ignore[arg-type]
    rising = high <= 21_001_231 or bool((column.diff().drop_nulls() > 0).all())
    if column.n_unique() < _FEWEST or low < 17_000_101 or not rising:
        return False
    times = parse_times(column)
    return times is not None and times.dtype.kind == "M"


def _are_decimal_times(column: pl.Series) -> bool:
    """Return whether decimals rise in even steps and are years with their months, or seconds since 1970."""
    steps = column.diff().drop_nulls()
    if len(steps) < _EVEN or not bool((steps > 0).all()) or not column.is_finite().all():
        return False
    times = parse_times(column)
    even = 2 * float(steps.max()) <= 3 * float(steps.median())  # type: ignore[arg-type]
    return even and times is not None and times.dtype.kind == "M"


def _leave_none_out(column: pl.Series) -> bool:
    """Return whether a column has every whole number from its least to its greatest, as years have."""
    kinds = column.unique()
    return len(kinds) > 2 and int(kinds.max() - kinds.min()) == len(kinds) - 1  # type: ignore[operator,arg-type]


def _of_series(frame: pl.DataFrame, columns: list[str], year: str) -> bool:
    """Return whether other columns tell the rows of one year apart, so that they are of several series."""
    try:
        return key_of(frame, columns, year, "") is not None
    except DataError:
        return True  # two columns do so together, which is an error that names them where the series are looked for


def _months_and_years(frame: pl.DataFrame, columns: list[str]) -> str | None:
    """Return a column named like months or quarters whose decimals are such, one after the other; or None.

    They are 11.21, 12.21, 1.22, or 2021.11, 2021.12, 2022.01; quarters are 2021.1 to 2021.4.
    """
    for c in columns:
        if not (says_month(c) or says_quarter(c)) or not frame[c].dtype.is_float() or not len(frame):
            continue
        if frame[c].null_count() or not frame[c].is_finite().all():
            continue
        x = frame[c].to_numpy()
        if years_and_quarters(x) is not None or have_lost_zeros(x):
            return c
        months = (months_and_years(x) if (x < 100).all() else years_and_months(x)) if says_month(c) else None
        if months is not None and len(months) > 2 and bool((np.diff(np.unique(months)) == 1).all()):
            return c
    return None
