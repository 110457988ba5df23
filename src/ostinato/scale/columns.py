"""The columns of the results of a panel in parts, with types that do not depend on the rows of a part."""

from __future__ import annotations

from typing import Any

import numpy as np
import polars as pl

from ostinato.data.ids import META, dtype_of
from ostinato.data.sequences import SequenceSet
from ostinato.forecasting.table import ds_column, ends


def forecast_schema(data: SequenceSet, level: tuple[float, ...]) -> dict[str, Any]:
    """Return the types of the columns of a forecast."""
    channel = {"channel": pl.String()} if len(data.channels) > 1 else {}
    names = {"unique_id": dtype_of(data.meta.get(META)), "ds": time_type(data), **channel}
    return {**names, **dict.fromkeys(("ostinato", *ends("ostinato", level)), pl.Float64())}


def time_type(data: SequenceSet) -> pl.DataType:
    """Return the type of the column of times: whole numbers if the series have no times."""
    nothing = np.zeros(0, dtype=np.int64) if data.times is None else data.times[:0]
    return ds_column(data, nothing).dtype
