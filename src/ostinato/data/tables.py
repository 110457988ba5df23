"""Tables: CSV, TSV and Parquet, plain or gzip'd, as frames whose every row knows its line."""

from __future__ import annotations

import csv
import io
from collections import Counter
from pathlib import Path

import polars as pl

from ostinato.data.columns import IDS, holds_numbers, named
from ostinato.data.dialect import Dialect, is_number, sniff
from ostinato.data.files import contents, decode
from ostinato.data.origin import FileRows, Origin
from ostinato.errors import DataError

#: What stands for a missing value in a column of numbers.
MISSING = ["", "NA", "N/A", "#N/A", "NaN", "nan", "null", "NULL", "None", "."]


def from_files(
    paths: list[Path], source: str, *, id_col: str | None = None, words: bool = False
) -> tuple[pl.DataFrame, Origin]:
    """One table of all the rows; with words, every cell as it is written. Without a column of ids, a file is a series.

    Raises DataError for what is no table, with file and line, and for tables of different columns.
    """
    tables = [parse(contents(p), str(p), id_col=id_col, words=words) for p in paths]
    first = tables[0][0]
    for (frame, _), path in zip(tables, paths, strict=True):
        if set(frame.columns) != set(first.columns):
            odd = sorted(set(frame.columns) ^ set(first.columns))
            raise DataError(
                f"the tables have different columns: {', '.join(odd)}",
                where=f"{paths[0]} and {path}",
                fix="read them one by one, or give them the same columns",
            )
    frames = [frame.select(first.columns) for frame, _ in tables]
    if len(frames) > 1 and id_col is None and not words and not any(c.lower() in IDS for c in first.columns):
        pairs = zip(frames, paths, strict=True)
        frames = [f.with_columns(pl.lit(p.name.split(".")[0]).alias("unique_id")) for f, p in pairs]
    return pl.concat(frames, how="vertical_relaxed"), Origin.joined(source, [origin for _, origin in tables])


def parse(raw: bytes, where: str, *, id_col: str | None = None, words: bool = False) -> tuple[pl.DataFrame, Origin]:
    """A table from the bytes of a file, and where its rows are.

    Raises DataError for what is empty, binary, not UTF-8, damaged or ragged, with the line.
    """
    if raw[:4] == b"PAR1" or where.endswith(".parquet"):
        try:
            frame = pl.read_parquet(io.BytesIO(raw))
        except (pl.exceptions.PolarsError, pl.exceptions.PanicException, OSError) as error:
            raise DataError("the Parquet file is damaged, or none", where=where, fix="write it again") from error
        origin = Origin.frame(len(frame), where)
    else:
        text = decode(raw, where).replace("\r\n", "\n").replace("\r", "\n")
        if not text.strip():
            raise DataError("the file is empty", where=where, fix="give a file with data in it")
        frame, origin = _parse_text(text.strip("\n"), where, id_col, words, len(text) - len(text.lstrip("\n")))
    if not len(frame):
        raise DataError("the table has a header and no rows", where=where, fix="give a file with data in it")
    return frame, origin


def _parse_text(text: str, where: str, id_col: str | None, words: bool, skipped: int) -> tuple[pl.DataFrame, Origin]:
    dialect = sniff(text, where, skipped)
    _, header = next(dialect.records(text)) if dialect.header else (1, [])
    # an id is what is written: 007 is not 7
    key = id_col or named(header, IDS)
    try:
        frame = pl.read_csv(
            io.StringIO(text),
            separator=dialect.separator,
            quote_char='"' if dialect.quoted else None,
            has_header=dialect.header,
            schema_overrides={key: pl.String} if key in header else None,
            infer_schema=not words,
            infer_schema_length=None,
            null_values=None if words else [""],
            decimal_comma=dialect.comma,
        )
    except pl.exceptions.PolarsError as error:
        _check_widths(text, dialect, where)
        raise DataError(
            f"the table cannot be read: {str(error).splitlines()[0]}", where=where, fix="check its cells and quotes"
        ) from error
    lines = _Lines(text, dialect)
    if dialect.quoted and len(frame) != lines.count():
        raise DataError("the quotes do not pair", where=where, fix='close every ", or write "" for one in a cell')
    last = frame[frame.columns[-1]]
    if frame.width > 1 and last.null_count():
        _check_widths(text, dialect, where)
        frame = frame.filter(~pl.Series(lines.blank(len(frame))))
    frame = _named(frame, text, dialect, where)
    if not words:
        frame = frame.with_columns(
            column.str.strip_chars() if column.name == key else _tidy(column, dialect)
            for column in frame.iter_columns()
            if column.dtype == pl.String
        )
    return frame, Origin(where, (FileRows(where, len(frame), lines),))


def _tidy(column: pl.Series, dialect: Dialect) -> pl.Series:
    """A column that came as words, as numbers where it is of numbers and of what stands for a missing one.

    In a column of words only an empty cell is missing: a series may be called NA.
    """
    column = column.str.strip_chars()
    if dialect.comma:
        column = column.str.replace(r"^([-+]?\d+),(\d+)$", "$1.$2")
    seen = column.set(column.is_in(MISSING), None)
    numbers = seen.cast(pl.Float64, strict=False)
    if numbers.null_count() == seen.null_count():
        return numbers
    # mostly numbers: a column with a stray word in it, which is named when the column is used
    return seen if holds_numbers(seen) else column.set(column == "", None)


class _Lines:
    """The line of each row of a frame, found only when one is asked for."""

    def __init__(self, text: str, dialect: Dialect) -> None:
        self._text, self._dialect = text, dialect

    def __call__(self, row: int) -> int:
        """Row from 0 -> line from 1; blank lines are rows only in a table of one column, as missing values."""
        found = [line for line, cells in self._rows() if cells or self._narrow]
        return found[row]

    def count(self) -> int:
        """Rows, blank ones too: what the frame has, or else some quote was understood in two ways."""
        return len(self._rows())

    def blank(self, rows: int) -> list[bool]:
        """Which of the frame's rows are blank lines."""
        return [not cells for _, cells in self._rows()][:rows]

    def _rows(self) -> list[tuple[int, list[str]]]:
        records = list(self._dialect.records(self._text))
        self._narrow = len(records[0][1]) == 1
        return records[self._dialect.header :]


def _check_widths(text: str, dialect: Dialect, where: str) -> None:
    """Raise DataError with the first row that has more or fewer cells than the first one."""
    width = 0
    for line, cells in dialect.records(text):
        width = width or len(cells)
        if cells and len(cells) != width:
            raise DataError(
                f"the row has {len(cells)} cell{'s' * (len(cells) != 1)}, and the first has {width}",
                where=f"{where}, line {line}: {dialect.separator.join(cells)[:60]!r}",
                fix=f"quote cells that hold a {dialect.separator!r}, or mend the row",
            )


def _named(frame: pl.DataFrame, text: str, dialect: Dialect, where: str) -> pl.DataFrame:
    """The frame with plain column names. Raises DataError where two columns have one name."""
    if not dialect.header:
        names = [f"channel_{i + 1}" for i in range(frame.width)] if frame.width > 1 else ["y"]
    else:
        line, cells = next(dialect.records(text))
        names = [c.strip() for c in cells]
        names = [n or ("" if i == 0 else f"column_{i + 1}") for i, n in enumerate(names)]
        name, times = Counter(names).most_common(1)[0]
        if times > 1:
            raise DataError(
                f"{times} columns are called {name!r}", where=f"{where}, line {line}", fix="give each its own name"
            )
    if len(names) != frame.width:
        raise DataError("the header cannot be read", where=f"{where}, line {line}", fix="check its cells and quotes")
    frame.columns = names
    # a separator at the end of every line makes a column of nothing
    if dialect.header and frame.width > 1 and not cells[-1].strip() and frame[names[-1]].null_count() == len(frame):
        frame = frame.drop(names[-1])
    return frame


def is_words(frame: pl.DataFrame, target: list[str] | None) -> bool:
    """Whether the one column that is asked for holds words."""
    if target is None or len(target) != 1 or target[0] not in frame.columns:
        return False
    return frame[target[0]].dtype == pl.String and not holds_numbers(frame[target[0]])


def looks_like_table(raw: bytes) -> bool:
    """Whether text is a table: several lines of the same number of separated cells, some of them numbers."""
    text = raw[:20_000].decode("utf-8-sig", errors="ignore")
    lines = text.replace("\r\n", "\n").replace("\r", "\n").removesuffix("\n").split("\n")[:50]
    lines = lines[:-1] if len(lines) > 2 else lines
    if len(lines) < 2:
        return False
    try:
        for separator in "\t;,":
            cells = [c for _, c in Dialect(separator).records("\n".join(lines))]
            if len({len(c) for c in cells}) == 1 and len(cells[0]) > 1:
                return any(is_number(c.replace(",", ".") if separator == ";" else c) for c in cells[1])
    except csv.Error:
        return False
    return all(is_number(line) for line in lines[1:])
