"""Objects in memory that are not read as they are, and what to give in their place."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from ostinato.data import files
from ostinato.errors import DataError

#: The columns that every table of series has by custom. A dict with both holds columns, and not two sequences.
_COLUMNS = ("ds", "y")
_FRAME = "make a frame of it: polars.DataFrame(data)"


def no_data(source: Any) -> DataError:
    """Return the error about an object that holds no sequences.

    Args:
        source: Anything but a path, a frame, an array, and a list or a mapping.
    """
    kind, fix = type(source).__name__, "give a path, a frame, an array, or a list or a dict of arrays"
    once = hasattr(source, "__next__") and not hasattr(source, "read")
    if hasattr(source, "read"):
        fix = "give the path of the file, or make a frame of what it holds: polars.read_csv(file)"
    elif kind.endswith("GroupBy"):
        fix = "give the frame that was grouped, and the column of the groups as the id: read(frame, id_col=...)"
    elif hasattr(source, "likelihood"):
        fix = "give the data here, and the fitted model as the argument for it"
    elif hasattr(source, "__iter__") and not isinstance(source, str | bytes | bytearray | set | frozenset):
        fix = "make a list of it with list(...)"
    article = "an" if kind[:1].lower() in "aeiou" else "a"
    return DataError(
        f"cannot read sequences from {article} {kind}" + (", which can be read only once" if once else ""), fix=fix
    )


def check_no_columns(keys: Iterable[Any]) -> None:
    """Raise DataError if the keys of a mapping, which are ids of sequences, are the columns of a table."""
    if set(_COLUMNS) <= {key for key in keys if isinstance(key, str)}:
        raise DataError(
            "the keys of a dict are ids of sequences, and these are columns of a table: ds and y",
            where="the keys of the dict",
            fix=_FRAME,
        )


def what_to_do(values: Any) -> str:
    """Return what to do about a sequence whose values are not numbers.

    Args:
        values: The sequence as it was given.
    """
    if hasattr(values, "columns"):
        return "join the frames into one, with a column of ids: polars.concat or pandas.concat"
    first = next(iter(values), None) if hasattr(values, "__iter__") and not isinstance(values, Mapping) else None
    if isinstance(first, Path) or (isinstance(first, str) and files.family([Path(first)]) is not None):
        return "a list holds arrays, and no paths: give the folder of the files, or a pattern such as 'data/*.csv'"
    if isinstance(first, dt.date | np.datetime64):
        return f"if these are the times of values, {_FRAME}"
    return "correct the value, or give None if it is missing; for text, use read(..., kind='text')"
