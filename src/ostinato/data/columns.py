"""Which column of a table is what: the id, the time, and the values."""

from __future__ import annotations

import difflib
from dataclasses import dataclass

import numpy as np
import polars as pl

from ostinato.data.calendar import parse_times
from ostinato.errors import DataError

IDS = ("unique_id", "id", "series_id", "series", "ticker", "symbol", "item_id", "item", "store")
TIMES = ("ds", "date", "time", "timestamp", "datetime", "year", "month", "day")
TARGETS = ("y", "value", "target", "close", "price")
PRICES = ("adj close", "adj_close", "adjclose", "close", "price", "last")
#: Row numbers that other programs write into a table.
_NUMBERS = ("", "rownames", "index", "unnamed: 0", "column_1")


@dataclass(frozen=True)
class Roles:
    """The columns of a table by what they hold; notes say what was guessed."""

    id: str | None
    time: str | None
    values: tuple[str, ...]
    notes: tuple[str, ...] = ()


def find(
    frame: pl.DataFrame,
    where: str,
    id_col: str | None,
    time_col: str | None,
    target: list[str] | None,
    beside: tuple[str, ...] = (),
) -> Roles:
    """The roles of frame's columns: as asked, else by name, else by content; those in beside are covariates.

    Raises DataError for a column that is not there, or where none holds numbers.
    """
    asked = (id_col, time_col, *(target or ()), *beside)
    check_names(frame, where, asked)
    left = [c for c in frame.columns if c not in asked]
    if id_col is None:
        id_col = named(left, IDS)
    left = [c for c in left if c != id_col]
    time_col = time_col or _time(frame, left, id_col)
    if target:
        return Roles(id_col, time_col, tuple(target))
    left = [c for c in left if c != time_col and not (c.lower() in _NUMBERS and _is_count(frame[c]))]
    numbers = [c for c in left if holds_numbers(frame[c])]
    price = [c for name in PRICES for c in numbers if c.lower() == name]
    if price:
        note = f"modelled: {price[0]!r} of {', '.join(numbers)} (--target to choose)" if len(numbers) > 1 else ""
        return Roles(id_col, time_col, (price[0],), (note,) if note else ())
    found = named(left, TARGETS)
    if found:
        return Roles(id_col, time_col, (found,))
    if not numbers:
        words = [c for c in left if frame[c].dtype == pl.String]
        hint = f"; to model words: --target {words[-1]!r}" if words else ""
        columns = f"the columns are {', '.join(frame.columns)}"
        raise DataError("there is no column of numbers to model", where=where, fix=f"{columns}{hint}")
    note = f"{len(numbers)} channels: {', '.join(numbers)} (--target to choose)" if len(numbers) > 1 else ""
    return Roles(id_col, time_col, tuple(numbers), (note,) if note else ())


def check_names(frame: pl.DataFrame, where: str, names: tuple[str | None, ...]) -> None:
    """Raise DataError for a column that is not there, with the one that was perhaps meant."""
    for asked in names:
        if asked is not None and asked not in frame.columns:
            close = difflib.get_close_matches(asked.lower(), [c.lower() for c in frame.columns], 1, 0.5)
            meant = next((c for c in frame.columns if [c.lower()] == close), None)
            raise DataError(
                f"there is no column {asked!r}",
                where=where,
                fix=(f"did you mean {meant!r}? " if meant else "") + f"the columns are {', '.join(frame.columns)}",
            )


def holds_numbers(column: pl.Series) -> bool:
    """Whether a column is of numbers: all of it, or most, so that a stray word in it is found and not passed over."""
    if column.dtype.is_numeric() or column.null_count() == len(column):
        return True
    if column.dtype != pl.String:
        return False
    seen = column.drop_nulls()
    return 2 * seen.str.strip_chars().cast(pl.Float64, strict=False).count() > len(seen)


def named(columns: list[str], names: tuple[str, ...]) -> str | None:
    """The column that has one of the names, in any case; of several, the first of the names."""
    by_name = {c.lower(): c for c in reversed(columns)}
    return next((by_name[n] for n in names if n in by_name), None)


def _time(frame: pl.DataFrame, columns: list[str], id_col: str | None) -> str | None:
    """The column of times, by its name; of several, the one that tells all rows of a series apart. Else by content."""
    by_name = {c.lower(): c for c in reversed(columns)}
    named = [by_name[n] for n in TIMES if n in by_name]
    if len(named) > 1:
        series = [id_col] if id_col else []
        unique = [c for c in named if not frame.select(c, *series).is_duplicated().any()]
        named = [c for c in unique if parse_times(frame[c]) is not None] or named
    if named:
        return named[0]
    for c in columns:
        words = frame[c].dtype == pl.String and not holds_numbers(frame[c])
        if (words or frame[c].dtype in (pl.Date, pl.Datetime)) and parse_times(frame[c].head(50)) is not None:
            return c
    return None


def _is_count(column: pl.Series) -> bool:
    if not column.dtype.is_integer() or column.null_count():
        return False
    values = column.to_numpy()
    return bool((np.diff(values) == 1).all())
