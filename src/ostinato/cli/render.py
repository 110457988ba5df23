"""The file formats of forecasts and samples."""

from __future__ import annotations

import io
from datetime import time
from pathlib import Path
from typing import Any

import polars as pl
import polars.selectors as cs
from numpy.typing import NDArray

from ostinato.data.stamps import TimeForm


def as_csv(drawn: list[NDArray[Any]], channels: list[str]) -> bytes:
    """Return sequences (T, D) as CSV with the columns unique_id, ds (the step) and one for each channel."""
    frames = [
        pl.DataFrame({"unique_id": [f"sample-{i + 1}"] * len(x), "ds": range(1, len(x) + 1)}).hstack(
            pl.DataFrame({name: x[:, d] for d, name in enumerate(channels)})
        )
        for i, x in enumerate(drawn)
    ]
    return pl.concat(frames).write_csv(float_precision=6).encode()


def as_table(frame: pl.DataFrame, times: TimeForm | None = None) -> str:
    """Return a forecast as CSV.

    Args:
        frame: The forecast.
        times: The form of its times. Times that were words are written as they came in; of others, times without an
            hour are written as dates: 2024-01-31.
    """
    if times is not None:
        frame = frame.with_columns(times.written(column) for column in frame.select(cs.temporal()))
    stamps, form = frame.select(cs.temporal()), "%Y-%m-%d %H:%M:%S%.f"
    if all(column.dtype == pl.Date or bool((column.dt.time() == time()).all()) for column in stamps):
        form = "%Y-%m-%d"
    elif any(getattr(column.dtype, "time_zone", None) for column in stamps):
        form += "%:z"
    return frame.write_csv(float_precision=6, datetime_format=form)


def as_bytes(frame: pl.DataFrame, path: Path, times: TimeForm | None = None) -> bytes:
    """Return a frame as Parquet if the path ends in .parquet, otherwise as CSV."""
    if path.suffix != ".parquet":
        return as_table(frame, times).encode()
    buffer = io.BytesIO()
    frame.write_parquet(buffer)
    return buffer.getvalue()
