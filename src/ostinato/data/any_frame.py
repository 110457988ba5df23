"""Frames of any library and arrays with named fields, brought into one form for the reader."""

from __future__ import annotations

import sys
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from ostinato.data.from_pandas import column_of, frame_of
from ostinato.data.wide_decimals import column_of as arrow_column
from ostinato.errors import DataError
from ostinato.forked import require_polars
from ostinato.numbers import counted

#: The units of times of NumPy that polars has too.
_UNITS = ("D", "ms", "us", "ns")


def as_frame(source: Any) -> tuple[pl.DataFrame, tuple[str, ...]] | None:  # noqa: PLR0911 - one for each type
    """Return anything with named columns as a polars frame with notes; None for anything else.

    Args:
        source: A frame of polars, pandas or pyarrow, an array with named fields, a labelled array that has the method
            ``to_dataframe`` as in xarray, or a pandas series with an index other than row numbers.

    Raises:
        DataError: The columns of a frame cannot be read.
    """
    if isinstance(source, pl.DataFrame):
        return _without_objects(source), ()
    if isinstance(source, pl.LazyFrame):
        require_polars()
        return _without_objects(source.collect()), ()
    pandas = sys.modules.get("pandas")  # a caller with a pandas frame has already imported pandas
    if pandas is not None and (isinstance(source, pandas.DataFrame) or has_own_index(source)):
        return frame_of(source)
    if isinstance(source, np.ndarray) and source.dtype.names:
        return pl.DataFrame([column_of_array(np.atleast_1d(source[name]), name) for name in source.dtype.names]), ()
    if hasattr(source, "to_dataframe") and hasattr(source, "dims"):
        named = getattr(source, "name", "") is None
        return frame_of(source.to_dataframe(name="y") if named else source.to_dataframe())
    if hasattr(source, "__arrow_c_stream__") and hasattr(source, "column_names"):
        return _from_arrow(source), ()
    return None


def _without_objects(frame: pl.DataFrame) -> pl.DataFrame:
    """Return a frame of polars whose columns of Python objects have the type of the objects, if that is one type."""
    names = [c.name for c in frame.iter_columns() if c.dtype == pl.Object]
    return frame.with_columns(column_of_array(np.array([*frame[n], None], dtype=object)[:-1], n) for n in names)


def has_own_index(source: Any) -> bool:
    """Return whether a source is a pandas series whose index is more than a count of its rows, such as its times."""
    pandas = sys.modules.get("pandas")
    return pandas is not None and isinstance(source, pandas.Series) and not _is_numbered(source.index, pandas)


def _is_numbered(index: Any, pandas: Any) -> bool:
    """Return whether an index only counts the rows, one by one: after a sort or a filter it does not."""
    if index.nlevels > 1 or not (isinstance(index, pandas.RangeIndex) or (index.name is None and _are_numbers(index))):
        return False
    return bool((np.diff(index.to_numpy()) == 1).all())


def _are_numbers(index: Any) -> bool:
    return getattr(index.dtype, "kind", "") in ("i", "u", "f")


def _from_arrow(table: Any) -> pl.DataFrame:
    """Return an Arrow table column by column, with Python objects for the types that polars does not know."""
    names = [str(name) for name in table.column_names]
    if len(set(names)) < len(names):
        twice = next(n for n in names if names.count(n) > 1)
        what = f"{counted(names.count(twice), 'column')} have the name {twice!r}"
        raise DataError(what, where="the table", fix="give each column its own name")
    columns = []
    for i, name in enumerate(names):
        try:
            column = arrow_column(name, table.column(i))
        except Exception:  # a type that polars does not have: its cells are looked at one by one
            column = pl.Series(name, table.column(i).to_pylist(), dtype=pl.Object)
        columns.append(column)
    return pl.DataFrame(columns)


def column_of_array(x: NDArray[Any], name: str) -> pl.Series:
    """Return an array (T,) as a column, with Python objects if polars has no such type."""
    kind = x.dtype.kind
    if kind in "OUS":
        import pandas as pd

        return column_of(pd.Series(x, dtype=object), name)
    if kind == "f" and x.dtype.itemsize != 4:
        x = x.astype(np.float64)
    if kind == "M" and np.datetime_data(x.dtype)[0] not in _UNITS:
        x = x.astype("datetime64[ms]")
    if kind in "fiubMm":
        try:
            return pl.Series(name, x)
        except (pl.exceptions.PolarsError, TypeError, ValueError):
            pass
    return pl.Series(name, x.tolist(), dtype=pl.Object)
