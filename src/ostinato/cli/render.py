"""Forecasts and samples as files that other programs read."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import polars as pl
import polars.selectors as cs
from numpy.typing import NDArray


def as_csv(drawn: list[NDArray[Any]], channels: list[str]) -> bytes:
    """Sequences (T, D) as CSV: unique_id, ds (the step), and a column a channel."""
    frames = [
        pl.DataFrame({"unique_id": [f"sample-{i + 1}"] * len(x), "ds": range(1, len(x) + 1)}).hstack(
            pl.DataFrame({name: x[:, d] for d, name in enumerate(channels)})
        )
        for i, x in enumerate(drawn)
    ]
    return pl.concat(frames).write_csv(float_precision=6).encode()


def as_table(frame: pl.DataFrame) -> str:
    """A forecast as CSV; times as short as they are, 2024-01-31 where they are days."""
    times, form = frame.select(cs.temporal()), "%Y-%m-%d %H:%M:%S%.f"
    if all(bool((ds.dt.truncate("1d") == ds).all()) for ds in times):
        form = "%Y-%m-%d"
    return frame.write_csv(float_precision=6, datetime_format=form)


def as_bytes(frame: pl.DataFrame, path: Path) -> bytes:
    """A frame as Parquet where the path says so, else as CSV."""
    if path.suffix != ".parquet":
        return as_table(frame).encode()
    buffer = io.BytesIO()
    frame.write_parquet(buffer)
    return buffer.getvalue()
