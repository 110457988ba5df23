"""What values and times must be, checked row by row, so that an error can name its row."""

from __future__ import annotations

from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from ostinato.data.calendar import FIXED, parse_times, unreadable
from ostinato.data.origin import Origin
from ostinato.errors import DataError

#: Beyond this the square of a value is no floating-point number.
LARGEST = 1e150
#: So many equal steps in a row are a frequency.
RUN = 4


def numbers(column: pl.Series, origin: Origin) -> NDArray[np.float64]:
    """A column as float64 (N,), NaN where it is missing. Raises DataError for a word among the numbers."""
    if column.dtype.is_numeric() or column.dtype in (pl.Null, pl.Boolean):
        return column.cast(pl.Float64).fill_null(np.nan).to_numpy()
    text = column.cast(pl.String, strict=False)
    parsed = text.str.strip_chars().cast(pl.Float64, strict=False)
    bad = (parsed.is_null() & text.is_not_null()).arg_true()
    if len(bad):
        row = int(bad[0])
        raise DataError(
            f"{text[row]!r} in column {column.name!r} is no number",
            where=origin.at(row),
            fix="mend the cell, leave it empty if it is missing, or choose another --target",
        )
    return parsed.fill_null(np.nan).to_numpy()


def times(column: pl.Series, origin: Origin) -> NDArray[Any]:
    """A column as times (N,). Raises DataError with the first row that cannot be read as one."""
    found = parse_times(column)
    if found is None:
        bad = unreadable(column)
        raise DataError(
            f"{column[bad]!r} in column {column.name!r} is no time" if column[bad] is not None else "a time is missing",
            where=origin.at(bad),
            fix="write times as 2024-01-31 or 2024-01-31 13:00, or choose another --time-col",
        )
    return found


def check_values(x: NDArray[np.float64], rows: NDArray[np.int64], names: tuple[str, ...], name: str, o: Origin) -> None:
    """Raise DataError for an infinite or too large value among x (T, D), or a channel with nothing observed."""
    for d, column in enumerate(names):
        large = np.flatnonzero(np.abs(x[:, d]) > LARGEST)
        if len(large):
            value, infinite = x[large[0], d], np.isinf(x[large[0], d])
            what = "an infinite value" if infinite else f"a value too large to compute with ({value:g})"
            raise DataError(
                f"{what} in column {column!r}",
                where=o.at(int(rows[large[0]]), name),
                fix="leave the cell empty if the value is missing" if infinite else "use a larger unit",
            )
        if len(x) and np.isnan(x[:, d]).all():
            raise DataError(
                f"nothing is observed in column {column!r}: every value is missing",
                where=f"{o.name}, series {name!r}",
                fix="leave the series out, or choose another --target",
            )


def check_times(t: NDArray[Any], rows: NDArray[np.int64], name: str, origin: Origin) -> None:
    """Raise DataError for times (T,) that come twice or are out of order."""
    steps = np.diff(t)
    zero = np.zeros((), dtype=steps.dtype)
    for what, bad, fix in (
        ("a time comes twice", steps == zero, "keep one row for each time, or name the --id-col"),
        ("the times are out of order", steps < zero, "sort the file by time within each series"),
    ):
        if bad.any():
            at = int(np.flatnonzero(bad)[0]) + 1
            raise DataError(f"{what}: {stamp(t[at])}", where=origin.at(int(rows[at]), name), fix=fix)


def check_frequency(t: NDArray[Any] | None, frequency: str, rows: NDArray[np.int64], name: str, origin: Origin) -> None:
    """Raise DataError where times (T,) come at one frequency, and from some step on at another."""
    if t is None or len(t) < 2 * RUN + 1:
        return
    steps = np.diff(t).astype(np.int64)
    # months and business days are of unequal length, and a step that was left out changes none but its own
    changed = np.flatnonzero(steps[RUN:] != steps[:-RUN]) + RUN
    for at in changed.tolist() if frequency in FIXED or frequency == "step" else ():
        before, after = steps[at - RUN : at], steps[at : at + RUN]
        if len(after) == RUN and (before == before[0]).all() and (after == after[0]).all() and before[0] != after[0]:
            one, other = _length(t, before[0]), _length(t, after[0])
            raise DataError(
                f"the frequency changes: steps of {one}, and of {other} after {stamp(t[at])}",
                where=origin.at(int(rows[at + 1]), name),
                fix="bring the series to one frequency, or give its parts names of their own",
            )


def _length(t: NDArray[Any], step: int) -> str:
    if t.dtype.kind != "M":
        return str(step)
    return next((name for name, micros in FIXED.items() if micros == step), f"{step / 1e6:g}s")


def check_prices(x: NDArray[np.float64], rows: NDArray[np.int64], name: str, origin: Origin) -> None:
    """Raise DataError for a price in x (T, D) that is not above 0."""
    bad = np.flatnonzero((x <= 0).any(axis=1))
    if len(bad):
        price = float(x[bad[0]].min())
        where = origin.at(int(rows[bad[0]]), name)
        raise DataError(f"a price that is not above 0: {price:g}", where=where, fix="mend it, or use --kind series")


def stamp(time: Any) -> str:
    """A time as a person writes it: without a clock at midnight, without empty fractions of a second."""
    text = str(time)
    return text.removesuffix(".000000").replace("T00:00:00", "") if "T" in text else text
