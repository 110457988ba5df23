"""Frames of pandas, column by column, as frames of polars, which know fewer types."""

from __future__ import annotations

from collections import Counter
from decimal import Decimal, InvalidOperation
from typing import TYPE_CHECKING, Any

import polars as pl

from ostinato.data.parts import may_be_parts
from ostinato.data.stamps import parse_times
from ostinato.data.time_names import TIMES, says_when
from ostinato.errors import DataError
from ostinato.forked import require_polars
from ostinato.numbers import counted

if TYPE_CHECKING:
    import pandas


#: The types of times of which polars has a column.
_TIMES = ("date", "time", "datetime", "Timestamp", "timedelta", "Timedelta")


def frame_of(source: pandas.DataFrame | pandas.Series[Any]) -> tuple[pl.DataFrame, tuple[str, ...]]:
    """Return a frame or a series of pandas as a frame of polars.

    A named index becomes a column. An index without a name becomes the column "ds" if it holds times.

    Args:
        source: The frame or series.

    Returns:
        The frame and notes on what was left out. A column of a type that polars does not know holds Python objects,
        which are read or refused when the column is used.

    Raises:
        DataError: Two columns have the same name.
        ConfigError: polars cannot compute in this process (see ``forked``).
    """
    require_polars()
    import pandas as pd

    notes: list[str] = []
    frame = (
        source.to_frame(source.name if source.name is not None else "y") if isinstance(source, pd.Series) else source
    )
    names = _names(frame, notes)
    _check_halves(names, "the names of the columns")
    columns = {name: frame.iloc[:, i] for i, name in enumerate(names)}
    index = _index(frame, notes)
    double = sorted(set(index) & set(columns))
    names = [*(n for n in index if n not in double), *names]
    if double:
        notes.append(f"the index {double[0]!r} is left out, because a column has the same name")
    name, times = Counter(names).most_common(1)[0] if names else ("", 1)
    if times > 1:
        raise DataError(
            f"{counted(times, 'column')} have the name {name!r}", where="the frame", fix="give each column its own name"
        )
    whole = {**index, **columns}  # a column comes before an index of its name
    converted = [column_of(whole[name], name) for name in names]
    return pl.DataFrame(converted), tuple(notes)


def _names(frame: pandas.DataFrame, notes: list[str]) -> list[str]:
    """Return the names of the columns as words. Levels that are the same for all columns are left out."""
    if frame.columns.nlevels == 1:
        return [str(c) for c in frame.columns]
    rows = [[str(x) for x in frame.columns.get_level_values(i)] for i in range(frame.columns.nlevels)]
    kept = [row for row in rows if len(set(row)) > 1] or rows[:1]
    names = [" ".join(word for word in words if word) for words in zip(*kept, strict=True)]
    notes.append(f"the columns have {len(rows)} levels, which are joined: {', '.join(map(repr, names[:3]))}")
    return names


def _index(frame: pandas.DataFrame, notes: list[str]) -> dict[str, Any]:
    """Return the levels of the index that hold something, by their names."""
    import pandas as pd

    levels = [frame.index.get_level_values(i).to_series(index=frame.index) for i in range(frame.index.nlevels)]
    if frame.index.nlevels == 1 and frame.index.name is None:
        if isinstance(frame.index, pd.RangeIndex) and frame.index.step > 0:
            return {}
        column = column_of(levels[0], "ds")
        timed = isinstance(frame.index, pd.DatetimeIndex | pd.PeriodIndex)
        if timed or (not column.dtype.is_numeric() and column.dtype != pl.Object and parse_times(column) is not None):
            return {"ds": levels[0]}
        if column.dtype.is_integer():
            notes.extend(_order_notes(column) if _has_no_times(frame) else ())
        else:
            notes.append("the index of the frame has no name and holds no times, so it is left out")
        return {}
    named = {str(n): level for n, level in zip(frame.index.names, levels, strict=True) if n is not None}
    unnamed = [level for n, level in zip(frame.index.names, levels, strict=True) if n is None]
    if 0 < len(unnamed) <= 2:
        # an id and a time, as the index of a frame of several series has them
        times = [level for level in unnamed if parse_times(column_of(level, "ds")) is not None and not _counts(level)]
        ids = [level for level in unnamed if not any(level is time for time in times)]
        taken = {*map(str, frame.columns), *named}
        if len(times) == 1 and len(ids) <= 1 and not taken & {"ds", *(["unique_id"] * len(ids))}:
            return {**named, **({"unique_id": ids[0]} if ids else {}), "ds": times[0]}
    if unnamed:
        notes.append(f"{len(unnamed)} levels of the index have no name and are left out")
    return named


def _has_no_times(frame: pandas.DataFrame) -> bool:
    """Return whether no column of a frame can hold the times of its rows, so that these are steps in their order."""
    numbers = all(getattr(dtype, "kind", "O") in "iufb" for dtype in frame.dtypes)
    names = [str(name) for name in frame.columns]
    return numbers and not any(name.lower() in TIMES or says_when(name) for name in names) and not may_be_parts(names)


def _order_notes(index: pl.Series) -> list[str]:
    """Return a note if an index of whole numbers shows rows that were left out or moved, as by dropna, sort_values."""
    steps = index.diff().drop_nulls()
    if not len(steps) or (steps[0] > 0 and bool((steps == steps[0]).all())):
        return []
    shown = ", ".join(map(str, index.head(3).to_list()))
    how = "with gaps" if bool((steps > 0).all()) else "in another order"
    return [
        f"the index of the frame numbers the rows {how} ({shown} ...); they are read as consecutive steps (if the "
        "index counts the steps, name it ds)"
    ]


def _counts(level: pandas.Series[Any]) -> bool:
    """Return whether a level of an index holds numbers, which may count the rows."""
    return level.dtype.kind in "iuf"


def column_of(column: pandas.Series[Any], name: str) -> pl.Series:
    """Return a column of pandas as a column of polars; as Python objects if polars has no such type."""
    import pandas as pd

    dtype = column.dtype
    if isinstance(dtype, pd.PeriodDtype):
        column = column.dt.to_timestamp()
    elif isinstance(dtype, pd.SparseDtype):
        column = pd.Series(column.to_numpy(), dtype=dtype.subtype)
    elif isinstance(dtype, pd.CategoricalDtype):
        return _categories(column, name)
    elif isinstance(dtype, pd.IntervalDtype) or column.dtype.kind == "c":
        return _objects(column, name)
    if column.dtype == object:
        return _of_objects(column, name)
    if str(column.dtype) in ("float16", "float128", "longdouble"):
        column = column.astype("float64")
    try:
        return pl.from_pandas(column).alias(name)
    except Exception:  # whatever an added type raises: its cells are looked at one by one
        return _of_objects(column, name)


def _categories(column: pandas.Series[Any], name: str) -> pl.Series:
    words = column.cat.categories
    if all(isinstance(word, str) for word in words):
        return pl.Series(name, [None if x != x else x for x in column.tolist()], dtype=pl.Categorical)  # noqa: PLR0124
    return column_of(column.astype(words.dtype if not column.isna().any() or words.dtype.kind == "M" else object), name)


def _of_objects(column: pandas.Series[Any], name: str) -> pl.Series:
    """Return Python objects as words, numbers or times if all have one such type, and otherwise as they are."""
    missing = _missing(column)
    cells = [None if gone else cell for cell, gone in zip(column.tolist(), missing, strict=True)]
    types = {type(cell) for cell in cells} - {type(None)}
    if types <= {str} or types <= {bytes} or types <= {bool} or types <= {int} or types <= {float, int}:
        _check_halves(cells, name)
        try:
            return pl.Series(name, cells, dtype=pl.Float64 if float in types and int not in types else None)
        except (pl.exceptions.PolarsError, TypeError, OverflowError):
            return _objects(column, name)
    if len(types) == 1 and next(iter(types)).__name__ in _TIMES:
        if len({getattr(cell, "tzinfo", None) is None for cell in cells if cell is not None}) > 1:
            # as words, so that the error names a time with a zone and one without
            return pl.Series(name, [None if cell is None else cell.isoformat(sep=" ") for cell in cells])
        try:
            return pl.Series(name, cells)
        except (pl.exceptions.PolarsError, TypeError, OverflowError):
            return _objects(column, name)
    return pl.Series(name, cells, dtype=pl.Object)


def _missing(column: pandas.Series[Any]) -> Any:
    """Return whether each cell is missing, (N,). The isna of pandas fails at a signaling NaN of the decimal module."""
    try:
        return column.isna().to_numpy()
    except InvalidOperation:
        quiet = [Decimal("NaN") if isinstance(c, Decimal) and c.is_snan() else c for c in column.tolist()]
        return type(column)(quiet, dtype=object).isna().to_numpy()


def _check_halves(cells: list[Any], name: str) -> None:
    """Raise DataError if a word has a lone surrogate, which no text in UTF-8 can have."""
    for row, cell in enumerate(cells):
        if isinstance(cell, str) and not cell.isascii() and any("\ud800" <= sign <= "\udfff" for sign in cell):
            what = f"{cell[:40]!r} in column {name!r} has a lone surrogate, which is half a character"
            fix = "remove the character, or decode the text as UTF-8 again"
            raise DataError(what, where=f"row {row} (from 0)", fix=fix)


def _objects(column: pandas.Series[Any], name: str) -> pl.Series:
    missing = _missing(column)
    cells = [None if gone else cell for cell, gone in zip(column.tolist(), missing, strict=True)]
    return pl.Series(name, cells, dtype=pl.Object)
