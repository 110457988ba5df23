"""Forecasts and samples as files that other programs read."""

from __future__ import annotations

from typing import Any

import polars as pl
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
    ds, form = frame["ds"], "%Y-%m-%d %H:%M:%S%.f"
    if ds.dtype.is_temporal() and bool((ds.dt.truncate("1d") == ds).all()):
        form = "%Y-%m-%d"
    return frame.write_csv(float_precision=6, datetime_format=form)
