"""Checks of values and times, row by row, so that an error can name the row."""

from __future__ import annotations

from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from ostinato.data.calendar import FIXED, parse_times, unreadable
from ostinato.data.cells import read_cells, type_in_words
from ostinato.data.number import LARGEST
from ostinato.data.origin import Origin
from ostinato.errors import DataError

#: The number of equal steps in a row that show a frequency.
RUN = 4


def numbers(column: pl.Series, origin: Origin) -> NDArray[np.float64]:
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


def times(column: pl.Series, origin: Origin) -> NDArray[Any]:
    """Return a column as times.

    Args:
        column: The column, of dates, date-times, years or whole numbers.
        origin: The origin of its rows, for an error.

    Returns:
        The times (N,), as datetime64[us] or int64.

    Raises:
        DataError: A cell is empty or cannot be read as a time.
    """
    if column.dtype == pl.Object:
        column = _of_objects(column)
    if column.dtype == pl.Object or column.dtype.is_nested() or column.dtype in (pl.Binary, pl.Boolean):
        raise DataError(
            f"column {column.name!r} has the type {type_in_words(column)}, expected times",
            where=origin.at(0) if len(column) else origin.name,
            fix="convert the column to dates or date-times, or choose another --time-col",
        )
    parsed = parse_times(column)
    if parsed is None:
        row = unreadable(column)
        missing = column[row] is None
        raise DataError(
            f"the time in column {column.name!r} is missing"
            if missing
            else f"cannot read {column[row]!r} in column {column.name!r} as a time",
            where=origin.at(row),
            fix="write times as 2024-01-31 or 2024-01-31 13:00, or choose another --time-col",
        )
    return parsed


def _of_objects(column: pl.Series) -> pl.Series:
    """Return periods of pandas as the times at which they begin; other objects as they are."""
    cells = column.to_list()
    if not cells or not all(hasattr(cell, "to_timestamp") for cell in cells):
        return column
    return pl.Series(column.name, [cell.to_timestamp().to_pydatetime() for cell in cells])


def check_values(x: NDArray[np.float64], rows: NDArray[np.int64], names: tuple[str, ...], name: str, o: Origin) -> None:
    """Raise DataError if x (T, D) has an infinite or too large value, or a channel without any observed value."""
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
                fix="correct the value, or leave the cell empty if it is missing" if infinite else "use a larger unit",
            )
        if len(x) and np.isnan(x[:, d]).all():
            raise DataError(
                f"every value in column {column!r} is missing",
                where=f"{o.name}, series {name!r}",
                fix="remove the series, or choose another --target",
            )


def check_times(t: NDArray[Any], rows: NDArray[np.int64], name: str, origin: Origin) -> None:
    """Raise DataError if a time among t (T,) occurs twice or the times are out of order."""
    steps = np.diff(t)
    zero = np.zeros((), dtype=steps.dtype)
    twice = np.flatnonzero(steps == zero)
    if len(twice):
        at = int(twice[0]) + 1
        raise DataError(
            f"the time {stamp(t[at])} occurs twice, with different values",
            where=f"{origin.at(int(rows[at]), name)}; the other is {origin.place(int(rows[at - 1]))}",
            fix="keep one row for each time, or name the column of series ids with --id-col",
        )
    back = np.flatnonzero(steps < zero)
    if len(back):
        at = int(back[0]) + 1
        raise DataError(
            f"the times are out of order: {stamp(t[at])} comes after {stamp(t[at - 1])}",
            where=origin.at(int(rows[at]), name),
            fix="sort the rows by time within each series",
        )


def check_frequency(t: NDArray[Any] | None, frequency: str, rows: NDArray[np.int64], name: str, origin: Origin) -> None:
    """Raise DataError if the times t (T,) change from one frequency to another."""
    if t is None or len(t) < 2 * RUN + 1:
        return
    steps = np.diff(t).astype(np.int64)
    # months and business days differ in length; a missing step makes only one step longer, so the frequency is the same
    changed = np.flatnonzero(steps[RUN:] != steps[:-RUN]) + RUN
    for at in changed.tolist() if frequency in FIXED or frequency == "step" else ():
        before, after = steps[at - RUN : at], steps[at : at + RUN]
        if len(after) == RUN and (before == before[0]).all() and (after == after[0]).all() and before[0] != after[0]:
            one, other = _length(t, before[0]), _length(t, after[0])
            raise DataError(
                f"the frequency changes at {stamp(t[at])}: steps of {one} before, steps of {other} after",
                where=origin.at(int(rows[at + 1]), name),
                fix="resample the series to one frequency, or give its parts different ids",
            )


def _length(t: NDArray[Any], step: int) -> str:
    if t.dtype.kind != "M":
        return str(step)
    return next((name for name, micros in FIXED.items() if micros == step), f"{step / 1e6:g}s")


def check_prices(x: NDArray[np.float64], rows: NDArray[np.int64], name: str, origin: Origin) -> None:
    """Raise DataError if a price in x (T, D) is not above 0."""
    bad = np.flatnonzero((x <= 0).any(axis=1))
    if len(bad):
        price = float(x[bad[0]].min())
        where = origin.at(int(rows[bad[0]]), name)
        fix = "correct the price, or use --kind series"
        raise DataError(f"the price is {price:g}, expected a number above 0", where=where, fix=fix)


def stamp(time: Any) -> str:
    """Return a time in words, without the clock at midnight and without zero fractions of a second."""
    text = str(time)
    return text.removesuffix(".000000").replace("T00:00:00", "") if "T" in text else text
