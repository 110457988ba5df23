"""Checks of values and times, row by row, so that an error can name the row."""

from __future__ import annotations

from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from ostinato.data.calendar import FIXED, parse_times, unreadable
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
    if column.dtype.is_numeric() or column.dtype in (pl.Null, pl.Boolean):
        return column.cast(pl.Float64).fill_null(np.nan).to_numpy()
    text = column.cast(pl.String, strict=False)
    parsed = text.str.strip_chars().cast(pl.Float64, strict=False)
    bad = (parsed.is_null() & text.is_not_null()).arg_true()
    if len(bad):
        row = int(bad[0])
        raise DataError(
            f"cannot read {text[row]!r} in column {column.name!r} as a number",
            where=origin.at(row),
            fix="correct the cell, leave it empty if the value is missing, or choose another --target",
        )
    return parsed.fill_null(np.nan).to_numpy()


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
    for what, bad, fix in (
        (
            "the time {} occurs twice",
            steps == zero,
            "keep one row for each time, or name the column of series ids with --id-col",
        ),
        ("the times are out of order: {} comes after {}", steps < zero, "sort the rows by time within each series"),
    ):
        if bad.any():
            at = int(np.flatnonzero(bad)[0]) + 1
            where = origin.at(int(rows[at]), name)
            raise DataError(what.format(stamp(t[at]), stamp(t[at - 1])), where=where, fix=fix)


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
