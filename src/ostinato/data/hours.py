"""Hours in a column of their own: 0 to 23, or 1 to 24 as exchanges and power grids count them, and H01."""

from __future__ import annotations

import numpy as np
import polars as pl

from ostinato.data import local_hours
from ostinato.data.origin import Origin
from ostinato.data.time_names import PARTS
from ostinato.errors import DataError
from ostinato.wording import option

#: The hours of a table that counts them from 1.
TO_24 = (1, 24)
#: A column, and its whole numbers.
Found = tuple[str, pl.Series]


def check_hours(frame: pl.DataFrame, free: dict[str, str], origin: Origin, zone: str | None) -> None:
    """Raise DataError if hours are counted from 1 to 25, or have letters: the day on which summer ends has 25.

    Args:
        frame: The table, of which no column of hours was read by the zone.
        free: The columns that may be hours, by their plain names.
        origin: The origin of the rows, for the error.
        zone: The zone of the times, if given.
    """
    for name in hour_columns(frame, free):
        numbers, letters = local_hours.split(frame[name]) or ([], [])
        odd = np.flatnonzero((np.asarray(numbers) > TO_24[1]) | (np.asarray(letters) != ""))
        if len(odd):
            hour = f"{numbers[odd[0]]}{letters[odd[0]]}"
            why = f", and the day of this row has no such hour by the clock of {zone}, or its date has two meanings"
            fix = f"name the zone of the times, such as {option('--zone', 'Europe/Berlin')}"
            if zone:
                order = f"{option('--day-first')} or {option('--month-first')}"
                fix = f"correct the hour or {option('--zone')}, say {order}"
            raise DataError(
                f"column {name!r} has the hour {hour} of a day on which the clock goes back, expected 0 to 23 or 1 to "
                f"24{why if zone else ''}",
                where=origin.at(int(odd[0])),
                fix=f"{fix}, or write the times in one column, with their offset, as 2024-10-27T02:00+01:00, or in UTC",
            )


def hour_columns(frame: pl.DataFrame, free: dict[str, str]) -> list[str]:
    """Return the columns with the name of an hour that hold hours of a day of 25: up to 25, or with A and B.

    Args:
        frame: The table.
        free: The columns that may be hours, by their plain names.
    """
    found = []
    for name in (free[n] for n in PARTS["hour"].names if n in free):
        parts = local_hours.split(frame[name])
        if parts is None:
            continue
        numbers, letters = parts
        most, last = int((letters == "").sum()), int((numbers == TO_24[1]).sum())
        # 25 steps of each series are no day, and neither are codes of which most have a letter
        to_25 = numbers.min() == TO_24[0] and numbers.max() == TO_24[1] + 1 and (numbers > TO_24[1]).sum() < last
        if to_25 or (most < len(numbers) < 2 * most and numbers.max() <= TO_24[1]):
            found.append(name)
    return found


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
