"""Arrays, frames and strings in memory, brought into one form for the reader."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from ostinato.data.join import SeriesRows, join
from ostinato.data.origin import FileRows, Origin
from ostinato.data.sequences import SequenceSet
from ostinato.errors import DataError


def as_frame(source: Any) -> pl.DataFrame | None:
    """Return a polars or pandas frame, or a pandas series with times, as a polars frame; None for anything else."""
    if isinstance(source, pl.DataFrame):
        return source
    if isinstance(source, pl.LazyFrame):
        return source.collect()
    pandas = sys.modules.get("pandas")  # a caller with a pandas frame has already imported pandas
    if pandas is None or not isinstance(source, pandas.DataFrame | pandas.Series):
        return None
    times = isinstance(source.index, pandas.DatetimeIndex | pandas.PeriodIndex)
    if isinstance(source, pandas.Series):
        if not times:
            return None
        source = source.to_frame(source.name if source.name is not None else "y")
    if isinstance(source.index, pandas.PeriodIndex):
        source = source.set_axis(source.index.to_timestamp())
    named = all(name is not None for name in source.index.names)
    whole = source.reset_index(names=None if named else "ds") if times or named else source
    frame: pl.DataFrame = pl.from_pandas(whole)
    return frame


def as_texts(source: Any) -> list[tuple[str, str]] | None:
    """Return a list or a mapping of strings as pairs (id, text); None for anything else."""
    if isinstance(source, Mapping):
        pairs = [(str(k), v) for k, v in source.items()]
    elif isinstance(source, list | tuple):
        pairs = [(str(i + 1), v) for i, v in enumerate(source)]
    else:
        return None
    return pairs if pairs and all(isinstance(v, str) for _, v in pairs) else None


def from_arrays(data: Any, kind: str | None) -> SequenceSet:
    """Return arrays as a SequenceSet.

    Args:
        data: An array (T,) or (T, D), a list of arrays, or a mapping from ids to arrays.
        kind: "series" or "prices"; found from the values if None.

    Returns:
        One sequence for each array.

    Raises:
        DataError: An array does not hold numbers or has more than two axes, or the arrays differ in D.
    """
    rows = {name: _array(x, name) for name, x in _named(data).items()}
    widths = {x.shape[1] for x in rows.values() if len(x)} or {1}
    if len(widths) > 1:
        raise DataError(
            f"the arrays have different numbers of channels: {sorted(widths)}",
            where="the arrays",
            fix="give arrays (T, D) with the same D",
        )
    width = widths.pop()
    channels = ("y",) if width == 1 else tuple(f"channel_{d + 1}" for d in range(width))
    starts = np.cumsum([0, *map(len, rows.values())])
    series = [
        SeriesRows(n, x.reshape(-1, width), None, start + np.arange(len(x)))
        for (n, x), start in zip(rows.items(), starts[:-1], strict=True)
    ]
    parts = tuple(FileRows(f"sequence {n!r}", len(x), unit="step") for n, x in rows.items())
    return join(series, channels, kind, Origin("the arrays", parts), {})


def _named(data: Any) -> dict[str, Any]:
    if isinstance(data, Mapping):
        return {str(k): v for k, v in data.items()}
    if hasattr(data, "__array__"):
        return {"y": data}
    if isinstance(data, Sequence) and not isinstance(data, str | bytes):
        scalars = bool(data) and all(np.isscalar(x) or x is None for x in data)
        return {"y": data} if scalars else {str(i): x for i, x in enumerate(data)}
    raise DataError(
        f"cannot read sequences from a {type(data).__name__}",
        fix="give a path, a frame, an array, or a list or a dict of arrays",
    )


def _array(data: Any, name: str) -> NDArray[np.float64]:
    """Return anything like an array as (T, D)."""
    try:
        x = np.asarray(data, dtype=np.float64)
    except (TypeError, ValueError) as error:
        where = f"sequence {name!r}"
        raise DataError("the array does not hold numbers", where=where, fix="for text, use kind='text'") from error
    if x.ndim not in (1, 2):
        raise DataError(
            f"the array has {x.ndim} axes, expected 1 or 2",
            where=f"sequence {name!r}",
            fix="give an array (T,) or (T, D), or a list of arrays for several sequences",
        )
    return x.reshape(len(x), -1) if x.size else x.reshape(0, 1)
