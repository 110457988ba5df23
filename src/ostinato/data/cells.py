"""The cells of one column as numbers, whatever type they have, with notes on what is lost on the way."""

from __future__ import annotations

import datetime
import math
import re
from collections.abc import Iterable
from decimal import Decimal
from numbers import Real
from typing import Any, NamedTuple

import numpy as np
import polars as pl

from ostinato.data.held import held_by
from ostinato.data.numerals import as_numbers, unit_of
from ostinato.data.origin import Origin
from ostinato.errors import DataError
from ostinato.numbers import counted
from ostinato.shapes import Array
from ostinato.spread import ROUNDING
from ostinato.wording import option

#: The largest whole number up to which every whole number is a float.
EXACT = 2**53
#: The ratio of the range of values to their usual change from which float32 rounds that change away.
_FLOAT32 = 2.0**22
#: Codes of surveys for no answer, the least and the greatest end of a scale, and the end below which 8 is no answer.
_NO_ANSWER, _SCALE, _SHORT = {8.0, 9.0, 66.0, 77.0, 88.0, 96.0, 97.0, 98.0, 99.0, 997.0, 998.0, 999.0}, (2, 11), 6
#: Codes of surveys for a missing value that a measurement may be too, so that they are named only if they come again.
_REPEATED = (-99.0, -88.0)
_FIX = "correct the cell, leave it empty if the value is missing, or choose another {target}"
#: A dash alone, or behind a currency.
_DASH = r"^\D{0,4}[-\u2012-\u2015\u2212]+\s*$"
_DASH_FIX = "write 0 if the dash means 0, as in accounts, or leave the cell empty if the value is missing"
#: The looks of cells for which there is more to say, and what.
_FIXES = (
    (_DASH, _DASH_FIX),
    (r"\s*[<>\u2264\u2265]", "write a number in its place, such as 0 or half of the bound, or leave the cell empty"),
    (r"\s*[-+]?\d+:\d\d", "write a duration as a number, such as its minutes or seconds, or choose another {target}"),
    (r"\s*[-+]?\d+(?: \d+)?/\d+\s*$", "write a fraction as a decimal, 0.5 for 1/2, or choose another {target}"),
    (r"\s*T\s*$", "write 0 if T means a trace, too little to measure, or leave the cell empty"),
)


class Cells(NamedTuple):
    """The numbers of a column.

    Attributes:
        values: The numbers, (N,), NaN where a value is missing.
        notes: What was converted or rounded, in words.
    """

    values: Array
    notes: tuple[str, ...] = ()


def read_cells(column: pl.Series, origin: Origin) -> Cells:
    """Return a column as numbers.

    Args:
        column: The column, of numbers, of durations, or of words or objects that can be read as numbers.
        origin: The origin of its rows, for an error.

    Raises:
        DataError: A cell cannot be read as a number. The error names the column, the row and the type.
    """
    dtype = column.dtype
    if dtype.is_integer():
        values = column.cast(pl.Float64)
        return Cells(values.to_numpy(), _rounded_integers(column, values))
    if dtype.is_decimal():
        values = column.cast(pl.Float64)
        lost = (values.cast(dtype, strict=False) != column).fill_null(value=False)
        return Cells(values.to_numpy(), _lost(column, values, lost))
    if dtype.is_numeric() or dtype in (pl.Null, pl.Boolean):
        return Cells(column.cast(pl.Float64).to_numpy())
    if isinstance(dtype, pl.Duration):
        micros = column.cast(pl.Duration("ns") if dtype.time_unit == "ns" else pl.Duration("us")).cast(pl.Int64)
        seconds = micros.cast(pl.Float64) / (1e9 if dtype.time_unit == "ns" else 1e6)
        return Cells(seconds.to_numpy(), ("durations are read as numbers of seconds",))
    if dtype == pl.Object:
        return _of_objects(column, origin)
    if dtype in (pl.String, pl.Categorical, pl.Enum):
        return _of_words(column.cast(pl.String), origin)
    raise _refused(column, origin)


def _refused(column: pl.Series, origin: Origin) -> DataError:
    """Return the error for a column whose type has no meaning as a number."""
    seen = column.is_not_null()
    row = int(seen.arg_max() or 0) if seen.any() else 0
    value = str(column.slice(row, 1).to_list()[0])[:40] if len(column) else ""
    return DataError(
        f"column {column.name!r} has the type {type_in_words(column)}, such as {value!r}, expected numbers",
        where=origin.at(row) if len(column) else origin.name,
        fix=f"convert the column to numbers, or choose another {option('--target')}",
    )


def type_in_words(column: pl.Series) -> str:
    """Return the type of the cells of a column, for a person to read."""
    if column.dtype != pl.Object:
        return str(column.dtype)
    seen = {type(v).__name__: None for v in column.to_list() if v is not None}
    return ", ".join(seen) or "object"


def _rounded_integers(column: pl.Series, values: pl.Series) -> tuple[str, ...]:
    wide = column.dtype in (pl.Int64, pl.UInt64, pl.Int128) or "128" in str(column.dtype)
    if not wide or not len(column):
        return ()
    low, high = values.min(), values.max()
    if low is None or max(-low, high) < EXACT:  # type: ignore[operator,type-var]
        return ()
    large = (values.abs() >= EXACT).fill_null(value=False)
    pairs = zip(column.filter(large).to_list(), values.filter(large).to_list(), strict=True)
    lost = [(x, y) for x, y in pairs if int(y) != x]
    if not lost:
        return ()
    return (
        f"{len(lost):,} whole numbers beyond 2^53 are rounded to 53 bits: {lost[0][0]} is read as {int(lost[0][1])}",
    )


def _lost(column: pl.Series, values: pl.Series, lost: pl.Series) -> tuple[str, ...]:
    if not lost.any():
        return ()
    at = int(lost.arg_max() or 0)
    return (f"{int(lost.sum()):,} decimals have more digits than a float: {column[at]} is read as {values[at]!r}",)


def _of_objects(column: pl.Series, origin: Origin) -> Cells:
    """Read Python objects one by one."""
    out, notes = np.full(len(column), np.nan), dict[str, None]()
    for row, cell in enumerate(column.to_list()):
        if cell is None:
            continue
        value = number_of(cell)
        if value is None:
            raise DataError(
                f"cannot read {str(cell)[:40]!r} in column {column.name!r} as a number: it has the type "
                f"{type(cell).__name__}",
                where=origin.at(row),
                fix=_FIX.format(target=option("--target")),
            )
        out[row] = value
        if isinstance(cell, datetime.timedelta | np.timedelta64):
            notes.setdefault("durations are read as numbers of seconds")
        elif _digits_lost(cell, value) and not any("digits" in note for note in notes):
            notes.setdefault(f"some numbers have more digits than a float: {cell} is read as {value!r}")
    return Cells(out, tuple(notes))


def number_of(cell: Any) -> float | None:  # noqa: PLR0911 - one for each type
    """Return a Python object as a number: None if it is none, NaN if it stands for a missing value."""
    if isinstance(cell, str):
        words = as_numbers(pl.Series([cell]))
        return (np.nan if words.values[0] is None else float(words.values[0])) if words.all else None
    if isinstance(cell, datetime.timedelta):
        return cell.total_seconds()
    if isinstance(cell, np.timedelta64):
        return float("nan") if np.isnat(cell) else float(cell / np.timedelta64(1, "s"))
    if type(cell).__name__ in ("NAType", "NaTType"):
        return float("nan")
    if isinstance(cell, Real | Decimal | np.bool_):
        try:
            return float(cell)
        except OverflowError:
            return float("inf") if str(cell)[:1] != "-" else float("-inf")
        except (TypeError, ValueError):
            return float("nan") if isinstance(cell, Decimal) and cell.is_nan() else None
    return None


def _digits_lost(cell: Any, value: float) -> bool:
    if not np.isfinite(value):
        return False
    if isinstance(cell, int):
        return int(value) != cell
    return isinstance(cell, Decimal) and Decimal(repr(value)) != cell


def _of_words(text: pl.Series, origin: Origin) -> Cells:
    found = as_numbers(text)
    if not found.all:
        row = int(found.bad.arg_max() or 0)
        unit = unit_of(text)
        if unit is not None and not found.most:
            raise DataError(
                f"cannot read {text[row]!r} in column {text.name!r} as a number: its cells hold the unit {unit!r}",
                where=origin.at(row),
                fix=f"remove {unit!r} from the cells, after bringing all of them to one unit",
            )
        held = held_by(text)
        if held is not None:
            what = f"cannot read {text[row]!r} in column {text.name!r} as a number: its cells hold {held[0]}"
            raise DataError(what, where=origin.at(row), fix=held[1])
        raise DataError(
            f"cannot read {text[row]!r} in column {text.name!r} as a number"
            + (f": {found.reason}" if found.reason else ""),
            where=origin.at(row),
            fix=next((fix for look, fix in _FIXES if re.match(look, text[row])), _FIX).format(
                target=option("--target")
            ),
        )
    return Cells(found.values.to_numpy(), found.notes)


def stand_in(x: Array) -> str | None:
    """Return a note if one of the values x (N,) is one that loggers write in place of a missing value, such as -999."""
    seen = x[np.isfinite(x)]
    if (codes := _codes_of_surveys(seen)) is not None:
        return codes
    for end in (float(seen.min()), float(seen.max())) if len(seen) else ():
        rest = seen[seen != end] if _is_stand_in(end) else seen[:0]
        if not len(rest):
            if len(seen) > 1 and end < 0 and _is_stand_in(end):
                return f"every value is {end:g}; if it stands for a missing value, leave the cells empty"
            continue
        if end in _REPEATED and len(seen) - len(rest) == 1:
            continue
        low, high = float(rest.min()), float(rest.max())
        if min(abs(end - low), abs(end - high)) > high - low:
            times = counted(len(seen) - len(rest), "time")
            return (
                f"the value {end:g} occurs {times}, far from all others; if it stands for a missing value, leave the "
                "cells empty"
            )
    return None


def _codes_of_surveys(seen: Array) -> str | None:
    """Return a note if whole numbers are a scale of answers from 0 or 1 up, and codes apart from it, such as 9 and 99.

    Args:
        seen: The values that are not missing, (N,).
    """
    kinds = np.unique(seen)
    if not 2 < len(kinds) <= _SCALE[1] + len(_NO_ANSWER) or kinds[0] not in (0, 1):
        return None
    gaps = np.flatnonzero(np.diff(kinds) != 1)
    top = float(kinds[gaps[0]]) if len(gaps) else math.inf
    codes = kinds[kinds > top]
    # 8 and 9 are codes only above a scale from 1 that has no number near them
    least = 8 if kinds[0] == 1 and top <= _SHORT else 66
    if not len(codes) or not _SCALE[0] <= top <= _SCALE[1] or codes[0] < least or not set(codes) <= _NO_ANSWER:
        return None
    times = int(np.isin(seen, codes).sum())
    if times < 2 or 2 * times > len(seen):
        return None
    named = " and ".join(f"{code:g}" for code in codes)
    return (
        f"the other values are the whole numbers from {kinds[0]:g} to {top:g}, and {named} may be codes for no answer; "
        "if so, leave these cells empty"
    )


def _is_stand_in(value: float) -> bool:
    """Return whether a number is written with three nines or more, or is one that a program has for a missing value."""
    digits = f"{abs(value):.10g}".replace(".", "")
    programs = (-9999.25, -32768, 32767, -2147483648, 1e20, 1e30, 1e35, 1e36)
    if abs(value) >= 9.9692e36 and f"{abs(value):.4e}" == "9.9692e+36":  # NetCDF
        return True
    return (len(digits) > 2 and set(digits) == {"9"}) or value in programs or value in _REPEATED


def small_changes(x: Array) -> str | None:
    """Return a note if float32, with which networks compute, rounds away the usual change of values x (N,)."""
    seen = x[np.isfinite(x)]
    if len(seen) < 3:
        return None
    spread = float(seen.max() / 2 - seen.min() / 2) * 2
    steps = np.abs(np.diff(seen))
    steps = steps[steps > 0]
    if not len(steps) or spread == 0 or not np.isfinite(spread):
        return None
    usual = float(np.median(steps))
    if usual * _FLOAT32 > spread:
        return None
    return (
        f"changes of the values are rounded: they are about {usual:.3g} within a range of {spread:.3g}, and models "
        "compute with about 7 digits"
    )


def lost_changes(ends: Iterable[tuple[str, Array, Array]]) -> list[str]:
    """Return a note on the series whose values differ by no more than rounding, and therefore count as equal.

    Args:
        ends: The name of each series, and the least and the greatest value of its channels, (D,) each.
    """
    lost = [
        (name, np.maximum(-low, high)[(low < high) & (high - low <= ROUNDING * np.maximum(-low, high))])
        for name, low, high in ends
    ]
    lost = [(name, size) for name, size in lost if len(size)]
    if not lost:
        return []
    name, size = lost[0][0], float(lost[0][1][0])
    return [
        f"the values of {counted(len(lost), 'series', 'series')} count as equal: they differ by no more than the "
        f"rounding error of 64-bit floats, such as {ROUNDING * size:.2g} for values of about {size:.3g} in {name} (if "
        "the differences matter, subtract a constant from the values before they are read)"
    ]
