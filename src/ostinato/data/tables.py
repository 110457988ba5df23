"""Tables: CSV, TSV and Parquet, plain or gzip'd; long, wide, or a series a row."""

from __future__ import annotations

import gzip
import io
from pathlib import Path

import numpy as np
import polars as pl

from ostinato.data.columns import Roles, find
from ostinato.data.frames import from_columns
from ostinato.data.sequences import SequenceSet
from ostinato.errors import DataError

ENDINGS = (".csv", ".tsv", ".parquet", ".txt")


def contents(path: Path) -> bytes:
    """The bytes of a file, unpacked where they are gzip'd. Raises DataError where it cannot be read."""
    try:
        raw = path.read_bytes()
        return gzip.decompress(raw) if raw[:2] == b"\x1f\x8b" else raw
    except FileNotFoundError as error:
        raise DataError("there is no such file", where=str(path), fix="check the path") from error
    except (OSError, EOFError) as error:
        raise DataError(
            f"the file cannot be read: {error}", where=str(path), fix="check it, and its permissions"
        ) from error


def parse(raw: bytes, where: str) -> pl.DataFrame:
    """A table from the bytes of a file.

    Raises DataError for what is empty, binary, not UTF-8, or not a table, with the row.
    """
    if raw[:4] == b"PAR1":
        try:
            return pl.read_parquet(io.BytesIO(raw))
        except pl.exceptions.PolarsError as error:
            raise DataError("the Parquet file is damaged", where=where, fix="write it again") from error
    if not raw.strip():
        raise DataError("the file is empty", where=where, fix="give a file with data in it")
    if b"\0" in raw[:100_000]:
        raise DataError("the file is binary, not a table of text", where=where, fix="give CSV, TSV or Parquet")
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = raw[: error.start].count(b"\n") + 1
        raise DataError(
            f"not UTF-8: byte {raw[error.start]:#04x}", where=f"{where}, row {line}", fix="save the file as UTF-8"
        ) from error
    lines = text.splitlines()
    separator = max(",;\t", key=lines[0].count)
    header = not all(_number(cell) for cell in lines[0].split(separator))
    try:
        frame = pl.read_csv(
            io.StringIO(text),
            separator=separator,
            has_header=header,
            infer_schema_length=None,
            null_values=["", "NA", "NaN", "nan", "null", "None", "."],
            truncate_ragged_lines=False,
        )
    except pl.exceptions.PolarsError as error:
        width = lines[0].count(separator)
        bad = next((i for i, line in enumerate(lines) if line.count(separator) != width), 0)
        raise DataError(
            "the rows have different numbers of cells",
            where=f"{where}, row {bad + 1}: {lines[bad][:60]!r}",
            fix="quote cells that hold a comma, or mend the row",
        ) from error
    if not header:
        frame.columns = [f"channel_{i + 1}" for i in range(frame.width)] if frame.width > 1 else ["y"]
    if not len(frame):
        raise DataError("the table has a header and no rows", where=where, fix="give a file with data in it")
    return frame


def looks_like_table(raw: bytes) -> bool:
    """Whether text is a table: several lines of the same number of separated cells, some of them numbers."""
    lines = raw[:20_000].decode("utf-8", errors="ignore").splitlines()[:50]
    lines = lines[:-1] if len(lines) > 2 else lines
    for separator in ",\t;":
        cells = [line.split(separator) for line in lines]
        if len(lines) > 1 and len({len(c) for c in cells}) == 1 and len(cells[0]) > 1:
            return sum(_number(x) for x in cells[1]) > 0
    return len(lines) > 1 and all(_number(line) for line in lines[1:])


def from_frame(
    frame: pl.DataFrame,
    where: str,
    *,
    kind: str | None,
    id_col: str | None,
    time_col: str | None,
    target: list[str] | None,
) -> SequenceSet:
    """A table as a SequenceSet, its layout found: a series a row, or long or wide with a step a row."""
    if id_col is None and time_col is None and target is None and _rows_are_series(frame):
        return _by_row(frame, where, kind)
    roles: Roles = find(frame, where, id_col, time_col, target)
    return from_columns(frame, roles, where, kind)


def _rows_are_series(frame: pl.DataFrame) -> bool:
    """A name, and then many unnamed columns of numbers, as the M competitions' files are."""
    rest = frame.columns[1:]
    return (
        len(rest) >= 10
        and frame[frame.columns[0]].dtype == pl.String
        and all(frame[c].dtype.is_numeric() or frame[c].null_count() == len(frame) for c in rest)
        and sum(c.lstrip("Vvxt_").isdigit() for c in rest) > 0.9 * len(rest)
    )


def _by_row(frame: pl.DataFrame, where: str, kind: str | None) -> SequenceSet:
    names = frame[frame.columns[0]].cast(pl.String).to_list()
    table = frame.select(pl.col(frame.columns[1:]).cast(pl.Float64)).to_numpy()
    rows = []
    for row in table:
        seen = np.flatnonzero(~np.isnan(row))
        rows.append(row[: seen[-1] + 1 if len(seen) else 0])
    long = pl.DataFrame(
        {"unique_id": [n for n, row in zip(names, rows, strict=True) for _ in row], "y": np.concatenate(rows)}
    )
    out = from_columns(long, Roles("unique_id", None, ("y",), ("a series a row",)), where, kind)
    return out


def _number(cell: str) -> bool:
    try:
        float(cell)
    except ValueError:
        return False
    return True
