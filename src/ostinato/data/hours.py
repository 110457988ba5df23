"""Hours in a column of their own: 0 to 23, or 1 to 24 as exchanges and power grids count them, and H01."""

from __future__ import annotations

import polars as pl

from ostinato.data.origin import Origin
from ostinato.data.time_names import PARTS
from ostinato.errors import DataError

#: The hours of a table that counts them from 1.
TO_24 = (1, 24)
#: A column, and its whole numbers.
Found = tuple[str, pl.Series]


def check_hours(frame: pl.DataFrame, free: dict[str, str], origin: Origin) -> None:
    """Raise DataError if hours are counted from 1 to 25: in local time, the day on which summer ends has 25."""
    for name in (free[n] for n in PARTS["hour"].names if n in free):
        if span_of(frame[name]) != (TO_24[0], TO_24[1] + 1):
            continue
        hours = whole_hours(frame[name])
        if int((hours == TO_24[1] + 1).sum()) < int((hours == TO_24[1]).sum()):  # 25 steps of each series are no day
            raise DataError(
                f"column {name!r} has the hour 25, of a day on which the clock goes back, expected 0 to 23 or 1 to 24",
                where=origin.at(int((hours > TO_24[1]).arg_max() or 0)),
                fix="write the times in one column, with their offset, as 2024-10-27T02:00+01:00, or in UTC",
            )


def span_of(column: pl.Series) -> tuple[int, int] | None:
    """Return the first and the last hour of a column of whole hours; None for others."""
    hours = whole_hours(column)
    return (int(hours.min()), int(hours.max())) if between(hours, 0, 25) else None  # type: ignore[arg-type]


def whole_hours(column: pl.Series) -> pl.Series:
    """Return hours such as 7 and H07 as numbers; other columns as they are."""
    if column.dtype != pl.String:
        return column
    return column.str.extract(r"^\s*[Hh]?(\d{1,2})\s*$").cast(pl.Int64)


def hours_to_24(frame: pl.DataFrame, free: dict[str, str]) -> Found | None:
    """Return the column of hours that are counted from 1 to 24, and its numbers; None if there is none."""
    names = (free[n] for n in PARTS["hour"].names if n in free)
    found = next((c for c in names if span_of(frame[c]) == TO_24), None)
    return None if found is None else (found, whole_hours(frame[found]).cast(pl.Int64))


def between(column: pl.Series, low: int, high: int) -> bool:
    """Return whether all cells of a column are whole numbers of a range."""
    if column.dtype.is_float() and not bool((column == column.floor()).fill_null(value=False).all()):
        return False
    if not column.dtype.is_numeric() or column.null_count() or not len(column):
        return False
    return bool(column.is_between(low, high).all())
