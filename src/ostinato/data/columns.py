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


def find(frame: pl.DataFrame, where: str, id_col: str | None, time_col: str | None, target: list[str] | None) -> Roles:
    """The roles of frame's columns: as asked, else by name, else by content.

    Raises DataError for a column that is not there, or where none holds numbers.
    """
    for asked in (id_col, time_col, *(target or ())):
        if asked is not None and asked not in frame.columns:
            close = difflib.get_close_matches(asked, frame.columns, 1, 0.5)
            raise DataError(
                f"there is no column {asked!r}",
                where=where,
                fix=(f"did you mean {close[0]!r}? " if close else "") + f"the columns are {', '.join(frame.columns)}",
            )
    left = [c for c in frame.columns if c not in (id_col, time_col)]
    time_col = time_col or _named(left, TIMES) or _by_content(frame, left, target)
    left = [c for c in left if c != time_col and not (c.lower() in _NUMBERS and _is_count(frame[c]))]
    if id_col is None:
        named = _named(left, IDS)
        id_col = named if named not in (target or ()) else None
    left = [c for c in left if c != id_col]
    if target:
        return Roles(id_col, time_col, tuple(target))
    numbers = [c for c in left if frame[c].dtype.is_numeric()]
    price = [c for name in PRICES for c in numbers if c.lower() == name]
    if price:
        note = f"modelled: {price[0]!r} of {', '.join(numbers)} (--target to choose)" if len(numbers) > 1 else ""
        return Roles(id_col, time_col, (price[0],), (note,) if note else ())
    named = _named([c for c in left if c.lower() in TARGETS], TARGETS)
    if named:
        return Roles(id_col, time_col, (named,))
    if not numbers:
        if left:  # a column of numbers with a word in it is the likely case: the caller names the row
            return Roles(id_col, time_col, (left[-1],))
        raise DataError("there is no column of numbers", where=where, fix=f"the columns are {', '.join(frame.columns)}")
    note = f"{len(numbers)} channels: {', '.join(numbers)} (--target to choose)" if len(numbers) > 1 else ""
    return Roles(id_col, time_col, tuple(numbers), (note,) if note else ())


def _named(columns: list[str], names: tuple[str, ...]) -> str | None:
    by_name = {c.lower(): c for c in reversed(columns)}
    return next((by_name[n] for n in names if n in by_name), None)


def _by_content(frame: pl.DataFrame, columns: list[str], target: list[str] | None) -> str | None:
    """A column of text that reads as dates, where no name says which one holds the times."""
    for c in columns:
        if c not in (target or ()) and frame[c].dtype == pl.String and frame[c].null_count() < len(frame):
            times = parse_times(frame[c])
            if times is not None:
                return c
    return None


def _is_count(column: pl.Series) -> bool:
    if not column.dtype.is_integer() or column.null_count():
        return False
    values = column.to_numpy()
    return bool((np.diff(values) == 1).all())
