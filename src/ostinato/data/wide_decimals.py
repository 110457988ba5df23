"""Parquet and Arrow files with decimals of more than 38 digits (decimal256), which polars does not have.

pyarrow reads them. They become decimals of 38 digits where their values fit, and Python's decimals where they do not.
"""

from __future__ import annotations

import io
from typing import Any

import polars as pl

#: What polars says of such a type: in Parquet, and in Arrow.
SAYS = ("precision must be between 1 and 38", "Int256")
#: The digits of a decimal in polars.
_DIGITS = 38


def read(raw: io.BytesIO, *, parquet: bool) -> pl.DataFrame:
    """Return the table of a file.

    Args:
        raw: The bytes of the file.
        parquet: Whether it is a Parquet file; if not, it is an Arrow file.

    Raises:
        ImportError: pyarrow is not installed.
    """
    from pyarrow import feather
    from pyarrow import parquet as pq

    table = pq.read_table(raw) if parquet else feather.read_table(raw)
    return pl.DataFrame([column_of(name, table.column(i)) for i, name in enumerate(table.column_names)])


def column_of(name: str, column: Any) -> pl.Series:
    """Return a column of pyarrow; of decimals with more than 38 digits polars would panic."""
    import pyarrow as pa

    if pa.types.is_decimal256(column.type) and column.type.precision > _DIGITS:
        try:
            column = column.cast(pa.decimal128(_DIGITS, min(column.type.scale, _DIGITS)))
        except pa.ArrowInvalid:
            return pl.Series(name, column.to_pylist(), dtype=pl.Object)
    return pl.Series(name, pl.from_arrow(column))
