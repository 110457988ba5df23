"""Arrays and strings in memory, brought into one form for the reader."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from ostinato.data import ids
from ostinato.data.any_frame import as_frame, column_of_array, has_own_index
from ostinato.data.cells import read_cells
from ostinato.data.from_pandas import column_of
from ostinato.data.join import Provenance, join
from ostinato.data.origin import FileRows, Origin
from ostinato.data.sequences import SequenceSet
from ostinato.data.series_rows import SeriesRows
from ostinato.data.unread_objects import check_no_columns, no_data, what_to_do
from ostinato.errors import DataError
from ostinato.numbers import counted
from ostinato.shapes import Array

#: An array with at most so many steps, and more channels than that, may have time along its other axis.
_FEW = 4


def as_texts(source: Any) -> list[tuple[str, str]] | None:
    """Return a list, an array, a column or a mapping of strings as pairs (id, text); None for anything else.

    Raises:
        DataError: Some of the values are strings, and others are not.
    """
    if isinstance(source, Mapping):
        pairs = [(str(k), v) for k, v in source.items()]
    elif isinstance(source, list | tuple) or (hasattr(source, "__array__") and as_frame(source) is None):
        pairs = [(str(i + 1), v) for i, v in enumerate(source if np.ndim(source) else ())]
    else:
        return None
    other = next(((k, v) for k, v in pairs if not isinstance(v, str)), None)
    if other is None:
        return pairs or None
    if not any(isinstance(v, str | bytes) for _, v in pairs):
        return None
    what = f"{str(other[1])[:40]!r} has the type {type(other[1]).__name__}, expected a string"
    fix = "give strings alone: remove it, or give '' for no text"
    fix = "decode the bytes: value.decode('utf-8')" if isinstance(other[1], bytes) else fix
    raise DataError(what, where=f"the strings, {other[0]!r}", fix=fix)


def from_arrays(data: Any, kind: str | None) -> SequenceSet:
    """Return arrays as a SequenceSet.

    Args:
        data: An array (T,) or (T, D), a list of arrays, or a mapping from ids to arrays.
        kind: "series" or "prices"; found from the values if None.

    Returns:
        One sequence for each array.

    Raises:
        DataError: The values of an array are not numbers, it has more than two axes, or the arrays differ in D.
    """
    named, meta = _named(data)
    notes: dict[str, None] = {}
    indexed = [name for name, x in named.items() if has_own_index(x)]
    if indexed:
        many = counted(len(indexed), "sequence")
        notes[f"the index is left out, and the rows are steps in their order, in {many} ({indexed[0]} ...)"] = None
    rows = {name: _array(x, name, notes) for name, x in named.items()}
    notes.update(dict.fromkeys(_unsure_axes(data, rows)))
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
    return join(series, channels, kind, Provenance(Origin("the arrays", parts), meta, tuple(notes)))


def _unsure_axes(data: Any, rows: Mapping[str, Array]) -> Iterator[str]:
    """Yield a note if steps may have been taken for series or for channels, because arrays have so few steps."""
    lengths = {len(x) for x in rows.values()}
    if not isinstance(data, Mapping) and len(lengths) == 1 and 1 < max(lengths) <= _FEW < len(rows):
        yield (
            f"the list is read as {counted(len(rows), 'sequence')} of {counted(max(lengths), 'step')} (if it is one "
            f"sequence of {counted(max(lengths), 'channel')}, give np.array(...) of it)"
        )
    for name, x in rows.items():
        if 0 < len(x) <= _FEW < x.shape[1]:
            yield (
                f"sequence {name!r} is read as {counted(len(x), 'step')} of {counted(x.shape[1], 'channel')}: each row "
                "of an array is a step (if its rows are channels, transpose it)"
            )
            return


def _named(data: Any) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return arrays by their ids in words, and the type of the ids for ``SequenceSet.meta``."""
    if isinstance(data, Mapping):
        keys = list(data)
        check_no_columns(keys)
        one_type = len({type(k) for k in keys}) == 1
        column = column_of_array(np.array([*keys, None], dtype=object)[:-1], "the mapping")
        words = ids.as_words(column, Origin.frame(len(keys), "the keys of the mapping")) if one_type else map(str, keys)
        named = dict(zip(words, data.values(), strict=True))
        if len(named) < len(keys):
            lost = [k for k in keys if sum(str(k) == str(other) for other in keys) > 1]
            raise DataError(
                f"two series have the same id: {lost[0]!r} and {lost[1]!r} are both {str(lost[0])!r}",
                where="the keys of the mapping",
                fix="give each series its own id",
            )
        return named, {ids.META: ids.type_of(column)} if one_type else {}
    if hasattr(data, "__array__") or _is_tensor(data):
        return {"y": data}, {}
    if isinstance(data, Sequence) and not isinstance(data, str | bytes | bytearray | memoryview):
        scalars = bool(data) and all(_is_scalar(x) for x in data)
        return ({"y": [*map(_item, data)]} if scalars else {str(i): x for i, x in enumerate(data)}), {}
    raise no_data(data)


def _item(x: Any) -> Any:
    """Return the number in an array or a tensor without axes, and anything else as it is."""
    if _is_tensor(x) or isinstance(x, np.ndarray):
        return _plain(x, "the list").item()
    return x


def _is_scalar(x: Any) -> bool:
    if getattr(x, "ndim", None) == 0:
        return True
    return (
        x is None or (not isinstance(x, Sequence | Mapping) and not hasattr(x, "__len__")) or isinstance(x, str | bytes)
    )


def _is_tensor(data: Any) -> bool:
    torch = sys.modules.get("torch")  # a caller with a tensor has already imported torch
    return torch is not None and isinstance(data, torch.Tensor)


def _array(data: Any, name: str, notes: dict[str, None]) -> Array:
    """Return anything like an array as (T, D), and add to the notes what was converted."""
    where = f"sequence {name!r}"
    if isinstance(data, Mapping):
        what = "it is a mapping, such as one row of a table, expected an array"
        raise DataError(what, where=where, fix="give a frame of all rows: pandas.DataFrame(rows)")
    x = _plain(data, where)
    if x.ndim not in (1, 2):
        raise DataError(
            f"the array has {x.ndim} axes, expected 1 or 2",
            where=where,
            fix="give an array (T,) or (T, D), or a list of arrays for several sequences",
        )
    if x.dtype.kind == "f" and x.dtype.itemsize <= 8:
        out = x.astype(np.float64)
    else:
        channels = []
        for column in x.reshape(len(x), -1).T if x.size else ():
            origin = Origin(where, (FileRows(where, len(x), unit="step"),))
            try:
                cells = read_cells(column_of_array(column, "y"), origin)
            except DataError as error:
                fix = what_to_do(data)
                raise DataError(error.what, where=error.where, fix=fix) from error
            notes.update(dict.fromkeys(f"{where}: {note}" for note in cells.notes))
            channels.append(cells.values)
        out = np.stack(channels, axis=1) if channels else np.zeros(x.shape)
    return out.reshape(len(out), -1) if out.size else out.reshape(0, 1)


def _plain(data: Any, where: str) -> NDArray[Any]:
    """Return anything like an array as an array of numpy, with NaN or None for what is masked."""
    if isinstance(data, np.ma.MaskedArray):
        numeric = data.dtype.kind in "fiub"
        plain: NDArray[Any] = np.asarray(np.ma.getdata(data), dtype=np.float64 if numeric else object).copy()
        plain[np.ma.getmaskarray(data)] = np.nan if numeric else None
        return plain
    if _is_tensor(data):
        return _from_tensor(data, where)
    pandas = sys.modules.get("pandas")
    if pandas is not None and isinstance(data, pandas.Series | pandas.Index | pandas.api.extensions.ExtensionArray):
        data = column_of(pandas.Series(data), "y")
    if isinstance(data, pl.Series):
        if data.dtype.is_nested():
            what = f"the series has the type {data.dtype}, expected numbers"
            raise DataError(what, where=where, fix="explode the lists, or give a list of arrays")
        exact = data.dtype.is_float() or data.dtype == pl.Null
        return data.cast(pl.Float64).to_numpy() if exact else np.array([*data.to_list(), None], dtype=object)[:-1]
    try:
        x = np.asarray(data)
    except Exception as error:  # whatever the object raises when it is made an array
        raise DataError(
            "the values of the array are not numbers", where=where, fix='for text, use read(..., kind="text")'
        ) from error
    if x.dtype.names or x.dtype.kind == "V":
        raise DataError(
            f"the array has the type {x.dtype}", where=where, fix="give an array with named fields alone, not in a list"
        )
    if x.dtype.kind in "US":
        return np.array([*np.asarray(data, dtype=object).reshape(-1), None], dtype=object)[:-1].reshape(x.shape)
    return x


def _from_tensor(data: Any, where: str) -> NDArray[Any]:
    """Return a tensor of torch in any type of numbers, on any device, with or without a gradient."""
    import torch

    x = data.detach()
    if x.is_complex():
        raise DataError(
            "the values of the tensor are complex numbers", where=where, fix="give real numbers: x.real, x.abs()"
        )
    try:
        if x.layout != torch.strided:
            x = x.to_dense()
        if x.is_quantized:
            x = x.dequantize()
        x = x.cpu().resolve_neg()
        return np.asarray((x if not x.is_floating_point() else x.double()).numpy())
    except Exception as error:  # a tensor without storage, or of a type that numpy does not have
        raise DataError(
            f"cannot read the tensor: {str(error).splitlines()[0]}", where=where, fix="give a dense tensor with values"
        ) from error
