"""Checks of values and times, row by row, so that an error can name the row."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from ostinato.data.calendar import Calendar, Days, Every, Steps
from ostinato.data.calendar_units import duration
from ostinato.data.cells import read_cells, type_in_words
from ostinato.data.eras import calendar_of
from ostinato.data.listed_calendars import Week
from ostinato.data.month_names import uncertain
from ostinato.data.number import LARGEST, SMALLEST
from ostinato.data.origin import Origin
from ostinato.data.short_dates import meanings
from ostinato.data.stamps import odd_zone, read_times, unreadable
from ostinato.data.time_form import Stamps
from ostinato.data.time_rewriting import why_not
from ostinato.data.zones import USUAL
from ostinato.errors import DataError
from ostinato.shapes import Array
from ostinato.wording import option

#: The number of equal steps in a row that show a frequency, and the bits that tell a change from rows left out.
RUN, _RARE = 4, 20.0


def numbers(column: pl.Series, origin: Origin) -> Array:
    """Return a column as numbers.

    Args:
        column: The column, of numbers or of words that can be read as numbers.
        origin: The origin of its rows, for an error.

    Returns:
        The numbers (N,), NaN where a value is missing.

    Raises:
        DataError: A cell cannot be read as a number.
    """
    return read_cells(column, origin).values


def times(
    column: pl.Series,
    origin: Origin,
    *,
    day_first: bool | None = None,
    zone: str | None = None,
    chosen: bool = False,
) -> Stamps:
    """Return a column as times.

    Args:
        column: The column, of dates, date-times, years or numbers.
        origin: The origin of its rows, for an error.
        day_first: Whether 01/02/2024 is the first of February; None if that is not known.
        zone: The zone of the times, if given.
        chosen: Whether the column was named as the one of times.

    Returns:
        The times and their form.

    Raises:
        DataError: A cell is empty or cannot be read as a time.
    """
    if column.dtype == pl.Object:
        column = _of_objects(column)
    if (
        column.dtype == pl.Object
        or column.dtype.is_nested()
        or column.dtype in (pl.Binary, pl.Boolean, pl.Time, pl.Duration)
    ):
        raise DataError(
            f"column {column.name!r} has the type {type_in_words(column)}, expected times",
            where=origin.at(0) if len(column) else origin.name,
            fix=f"convert the column to dates or date-times, or choose another {option('--time-col')}",
        )
    parsed = read_times(column, day_first=day_first, zone=zone, typed=origin.typed, chosen=chosen)
    if parsed is None:
        row = unreadable(column, day_first)
        cell = column[row]
        reason = uncertain(str(cell))
        if (several := None if cell is None else meanings(str(cell))) is not None:
            reason = f"a year of two digits has no certain meaning: it may be {several}, and the column leaves it open"
        zone_reason = odd_zone(column, row)
        told = None if cell is None else why_not(str(cell), zone)
        era = None if cell is None else calendar_of(str(cell))
        because = next((f", because {one}" for one in (reason, zone_reason, era, told) if one), "")
        whole = "write the whole year: months as 2024-01, days as 2024-01-31 (in Excel, format the cells as yyyy-mm-dd)"
        whole = f"say {option('--day-first')} or {option('--month-first')}, or {whole}" if several else whole
        usual = "write times as 2024-01-31 or 2024-01-31 13:00"
        usual = "write all times with their zone, or none" if zone_reason else usual
        usual = "write the dates in the Gregorian calendar, as 2024-01-31" if era else usual
        raise DataError(
            f"the time in column {column.name!r} is missing"
            if cell is None
            else f"cannot read {cell!r} in column {column.name!r} as a time{because}",
            where=origin.at(row),
            fix=f"{whole if reason else usual}, or choose another {option('--time-col')} "
            "(none if the rows are steps in their order)",
        )
    return parsed


def _of_objects(column: pl.Series) -> pl.Series:
    """Return periods of pandas as the times at which they begin; other objects as they are."""
    cells = column.to_list()
    if not cells or not all(hasattr(cell, "to_timestamp") for cell in cells):
        return column
    return pl.Series(column.name, [cell.to_timestamp().to_pydatetime() for cell in cells])


def check_values(x: Array, rows: NDArray[np.int64], names: tuple[str, ...], name: str, o: Origin) -> None:
    """Raise DataError if x (T, D) has an infinite or too large value, or a channel of missing or too small values."""
    for d, column in enumerate(names):
        large = np.flatnonzero(np.abs(x[:, d]) > LARGEST)
        if len(large):
            value, infinite = x[large[0], d], np.isinf(x[large[0], d])
            what = (
                f"the infinite value {value:g}"
                if infinite
                else f"the value {value:g}, which is too large to compute with"
            )
            expected = "a finite number" if infinite else f"at most {LARGEST:g} in absolute value"
            raise DataError(
                f"column {column!r} has {what}, expected {expected}",
                where=o.at(int(rows[large[0]]), name),
                fix="correct the value, or leave the cell empty if it is missing; a number too large for a float, as "
                "1e400, is infinite too"
                if infinite
                else "use a larger unit",
            )
        size = np.nanmax(np.abs(x[:, d]), initial=0.0)
        if 0 < size < SMALLEST:
            raise DataError(
                f"the values of column {column!r} are too small to compute with: at most {size:g} in absolute value, "
                f"expected one of at least {SMALLEST:g}",
                where=f"{o.name}, series {name!r}",
                fix="use a smaller unit",
            )
        if len(x) and np.isnan(x[:, d]).all():
            raise DataError(
                f"every value in column {column!r} is missing",
                where=f"{o.name}, series {name!r}",
                fix=f"remove the series, or choose another {option('--target')}",
            )


#: What to do about the hour that the clock shows twice when daylight saving ends.
_REPEATED_HOUR = (
    "write the times in UTC or with their offset, as 2024-10-27T02:00+01:00, if this is the hour that the clock shows "
    "twice when summer ends"
)


def _may_be_repeated(time: Any) -> bool:
    """Return whether a time without an offset may lie in an hour that the clock shows twice, in some usual zone."""
    if not isinstance(time, np.datetime64):
        return False
    import pandas as pd

    for zone in USUAL:
        local = [pd.Timestamp(time)]
        # of times in UTC that have a zone, both are the same instant, just before the clock goes back
        local.append(local[0].tz_localize("UTC").tz_convert(zone).tz_localize(None))
        for at in local:
            # pandas 2.2 raises an error of pytz for such an hour, so nothing is raised: its two readings are compared
            first, second = (at.tz_localize(zone, ambiguous=a, nonexistent="shift_forward") for a in (True, False))
            if first != second:
                return True
    return False


#: The farthest whole number that is a time. The difference of two such numbers does not overflow.
FARTHEST = 2**53


def check_whole_time(time: int, where: str | None = None) -> None:
    """Raise DataError if a whole number is too far from 0 to be a time."""
    if abs(time) > FARTHEST:
        raise DataError(
            f"the time {time} is too far from 0, expected a whole number of at most 2^53 in size",
            where=where,
            fix="correct the time, or subtract the first time from all of them",
        )


def check_times(t: NDArray[Any], rows: NDArray[np.int64], name: str, origin: Origin) -> None:
    """Raise DataError if a time among t (T,) occurs twice or is too large, or if the times are out of order."""
    far = np.flatnonzero((t > FARTHEST) | (t < -FARTHEST)) if t.dtype.kind == "i" else np.zeros(0, dtype=np.int64)
    if len(far):
        at = int(far[0])
        check_whole_time(int(t[at]), origin.at(int(rows[at]), name))
    steps = np.diff(t)
    zero = np.zeros((), dtype=steps.dtype)
    twice = np.flatnonzero(steps == zero)
    if len(twice):
        at = int(twice[0]) + 1
        raise DataError(
            f"the time {stamp(t[at])} occurs twice",
            where=f"{origin.at(int(rows[at]), name)}; the other is {origin.place(int(rows[at - 1]))}",
            fix=f"keep one row for each time, or name the column of series ids with {option('--id-col')}"
            + (f"; {_REPEATED_HOUR}" if _may_be_repeated(t[at]) else ""),
        )
    back = np.flatnonzero(steps < zero)
    if len(back):
        at = int(back[0]) + 1
        raise DataError(
            f"the times are out of order: {stamp(t[at])} comes after {stamp(t[at - 1])}",
            where=origin.at(int(rows[at]), name),
            fix="sort the rows by time within each series",
        )


def check_frequency(
    t: NDArray[Any] | None, calendar: Calendar | None, rows: NDArray[np.int64], name: str, origin: Origin
) -> None:
    """Raise DataError if the times t (T,) change from one frequency to another."""
    if t is None or len(t) < 2 * RUN + 1 or not isinstance(calendar, Steps | Every | Days | Week):
        return
    steps = np.diff(t).astype(np.int64)
    base, borders = int(steps.min()), np.flatnonzero(np.diff(steps) != 0) + 1
    if not len(borders) or base <= 0:
        return
    # the share of the steps of the calendar that have a row
    seen = min(len(steps) * base / int(steps.sum()), 1.0 - 1e-9)
    edges = [0, *borders.tolist(), len(steps)]
    for start, at, stop in zip(edges, edges[1:], edges[2:], strict=False):
        before, after = steps[start:at], steps[at:stop]
        if min(len(before), len(after)) < RUN:
            continue
        # rows that are left out here and there make a run of longer steps with this probability, in bits
        longer = before if before[0] > after[0] else after
        each = -math.log2(seen) - (int(longer[0]) // base - 1) * math.log2(1 - seen)
        if each * len(longer) > _RARE + math.log2(len(steps)):
            one, other = _length(t, before[0]), _length(t, after[0])
            raise DataError(
                f"the frequency changes at {stamp(t[at])}: steps of {one} before, steps of {other} after",
                where=origin.at(int(rows[at + 1]), name),
                fix="resample the series to one frequency, or give its parts different ids",
            )


def _length(t: NDArray[Any], step: int) -> str:
    return str(step) if t.dtype.kind != "M" else duration(int(step))


def check_prices(x: Array, rows: NDArray[np.int64], name: str, origin: Origin) -> None:
    """Raise DataError if a price in x (T, D) is not above 0."""
    bad = np.flatnonzero((x <= 0).any(axis=1))
    if len(bad):
        price = float(x[bad[0]].min())
        where = origin.at(int(rows[bad[0]]), name)
        fix = f"correct the price, or use {option('--kind', 'series')}"
        raise DataError(f"the price is {price:g}, expected a number above 0", where=where, fix=fix)


def stamp(time: Any) -> str:
    """Return a time in words, without the clock at midnight and without zero fractions of a second."""
    text = str(time)
    return text.removesuffix(".000000").replace("T00:00:00", "") if "T" in text else text
