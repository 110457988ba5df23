"""The file formats of forecasts and samples, and their look on the screen."""

from __future__ import annotations

import io
import json
import math
from collections.abc import Sequence
from datetime import date, time
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import polars.selectors as cs
from numpy.typing import NDArray

from ostinato.cli import screen
from ostinato.data.time_form import TimeForm
from ostinato.errors import DataError
from ostinato.numbers import shown


def as_csv(drawn: list[NDArray[Any]], channels: Sequence[str]) -> pl.DataFrame:
    """Return sequences (T, D) as a table with the columns unique_id, ds (the step) and one for each channel."""
    frames = [
        pl.DataFrame({"unique_id": [f"sample-{i + 1}"] * len(x), "ds": range(1, len(x) + 1)}).hstack(
            pl.DataFrame({name: x[:, d] for d, name in enumerate(channels)})
        )
        for i, x in enumerate(drawn)
    ]
    return pl.concat(frames)


def as_table(frame: pl.DataFrame, times: TimeForm | None = None, *, header: bool = True) -> str:
    """Return a table as CSV.

    Numbers have the shortest form that reads back to the same number; a missing one is an empty cell.

    Args:
        frame: The table.
        times: The form of its times. Times that were words are written as they came in; of others, times without an
            hour are written as dates: 2024-01-31.
        header: Whether the first line names the columns, as in all but the later parts of a table.

    Raises:
        DataError: A number is infinite, which a reader of CSV may take for a word or refuse.
    """
    for column in frame.select(cs.float()):
        if column.is_infinite().any():
            raise DataError(
                f"the column {column.name} has an infinite value: the numbers are too large to compute with",
                fix="divide the values by a power of ten",
            )
    if times is not None:
        frame = frame.with_columns(times.written(column) for column in frame.select(cs.temporal()))
    stamps, form = frame.select(cs.temporal()), "%Y-%m-%d %H:%M:%S%.f"
    if all(column.dtype == pl.Date or bool((column.dt.time() == time()).all()) for column in stamps):
        form = "%Y-%m-%d"
    elif any(getattr(column.dtype, "time_zone", None) for column in stamps):
        form += "%:z"
    return frame.with_columns(cs.float().fill_nan(None)).write_csv(datetime_format=form, include_header=header)


def answer(document: dict[str, Any]) -> None:
    """Print a result as JSON for a program: a number that is not finite is null, a time has the form of ISO 8601."""
    print(json.dumps(_plain(document), ensure_ascii=False, indent=1, allow_nan=False))


def _plain(value: Any) -> Any:
    """Return a value in the types of JSON."""
    if isinstance(value, pl.DataFrame):
        value = value.to_dicts()
    elif isinstance(value, np.ndarray | np.generic):
        value = value.tolist()
    match value:
        case dict():
            return {str(key): _plain(one) for key, one in value.items()}
        case list() | tuple():
            return [_plain(one) for one in value]
        case date():
            return value.isoformat()
        case float() if not math.isfinite(value):
            return None
    return value


def printed(frame: pl.DataFrame, times: TimeForm | None = None, *, header: bool = True) -> None:
    """Print a table as CSV (see ``as_table``): exactly to a file or a pipe, with significant digits on a screen."""
    if screen.read_by_person():
        frame = frame.with_columns(cs.float().map_elements(shown, pl.String, skip_nulls=True))
    print(as_table(frame, times, header=header), end="")


def as_bytes(frame: pl.DataFrame, path: Path, times: TimeForm | None = None) -> bytes:
    """Return a frame as Parquet if the path ends in .parquet, otherwise as CSV."""
    if path.suffix != ".parquet":
        return as_table(frame, times).encode()
    buffer = io.BytesIO()
    frame.write_parquet(buffer)
    return buffer.getvalue()
