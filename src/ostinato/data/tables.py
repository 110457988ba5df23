"""Tables in files of all formats, as frames with the line of every row."""

from __future__ import annotations

import csv
import io
from collections import Counter
from dataclasses import replace
from pathlib import Path

import polars as pl

from ostinato.data import columns, records, sheets, stored
from ostinato.data.columns import IDS, holds_numbers
from ostinato.data.dialect import Dialect, is_number, sniff
from ostinato.data.drawn import with_tabs
from ostinato.data.files import as_utf8, contents, ending, names_of
from ostinato.data.lines import decode, lines_of
from ostinato.data.margins import Margins, without_margins
from ostinato.data.numerals import Numerals
from ostinato.data.origin import FileRows, Origin
from ostinato.data.preambles import is_logger_file
from ostinato.data.rows import numerals_of, tidied, without_odd_rows
from ostinato.errors import DataError
from ostinato.numbers import counted


def from_files(
    paths: list[Path],
    source: str,
    *,
    id_col: str | None = None,
    words: bool = False,
    decimal: str | None = None,
    sheet: str | None = None,
) -> tuple[pl.DataFrame, Origin]:
    """Read files as one table.

    Args:
        paths: The files.
        source: The name of the whole source, for an error.
        id_col: The column of ids, if given. If there is none, each of several files is one series.
        words: Whether to read every cell as it is written, and not as a number.
        decimal: The decimal sign where the cells leave it open: "." or ","; None to find it.
        sheet: The name of the sheet of a spreadsheet, if given.

    Returns:
        The table, and the origin of its rows.

    Raises:
        DataError: A file is not a table, or the tables have different columns.
    """
    raws = [as_utf8(contents(p)) for p in paths]
    stored.check([(raw, str(p), ending(p)) for raw, p in zip(raws, paths, strict=True)])
    pairs = zip(raws, paths, strict=True)
    tables = [parse(raw, str(p), id_col=id_col, words=words, decimal=decimal, sheet=sheet) for raw, p in pairs]
    first = tables[0][0]
    for (frame, _), path in zip(tables, paths, strict=True):
        if set(frame.columns) != set(first.columns):
            odd = sorted(set(frame.columns) ^ set(first.columns))
            raise DataError(
                f"the tables have different columns: {', '.join(odd)}",
                where=f"{paths[0]} and {path}",
                fix="read the files one by one, or give them the same columns",
            )
    frames = [frame.select(first.columns) for frame, _ in tables]
    single = len(frames) == 1 or id_col is not None or any(c.lower() in IDS for c in first.columns)
    if not single and not words:
        named_frames = zip(frames, names_of(paths), strict=True)
        frames = [f.with_columns(pl.lit(name).alias("unique_id")) for f, name in named_frames]
    whole = pl.concat(frames, how="vertical_relaxed")
    whole = _whole_ids(whole, id_col) if single and not words else whole
    return whole, Origin.joined(source, [origin for _, origin in tables])


def parse(
    raw: bytes,
    where: str,
    *,
    id_col: str | None = None,
    words: bool = False,
    decimal: str | None = None,
    sheet: str | None = None,
) -> tuple[pl.DataFrame, Origin]:
    """Parse the bytes of a file as a table.

    Args:
        raw: The bytes.
        where: The name of the file.
        id_col: The column of ids, if given; its cells are not read as numbers.
        words: Whether to read every cell as it is written, and not as a number.
        decimal: The decimal sign where the cells leave it open: "." or ","; None to find it.
        sheet: The name of the sheet of a spreadsheet, if given.

    Returns:
        The table, and the origin of its rows.

    Raises:
        DataError: The file is empty, binary, damaged or not UTF-8, or its rows differ in length.
    """
    frame = stored.frame_of(raw, where, ending(Path(where)))
    if frame is not None:
        origin = Origin.frame(len(frame), where)
    else:
        table = records.written(raw, where, ending(Path(where)), sheet)
        text, where = (decode(raw, where), where) if table is None else (table.text, table.where)
        eye = with_tabs(text) if table is None and not words else None
        text, said = (text, ()) if eye is None else (eye[0], eye[1:])
        if not text.strip():
            raise DataError("the file is empty", where=where, fix="give a file that has data")
        body, skipped = text.strip("\n"), len(text) - len(text.lstrip("\n"))
        margins = Margins(body, skipped) if words else without_margins(body, skipped)
        margins = replace(margins, notes=(*said, *margins.notes))
        cells = _TextTable(margins, where, id_col, decimal, named=table is not None and table.named)
        frame, origin = cells.words() if words else cells.numbers()
        origin = origin if table is None else table.located(origin)
    if not len(frame):
        raise DataError("the table has a header but no rows", where=where, fix="give a file that has data")
    return frame, origin


class _TextTable:
    """The text of one table, which may be parsed more than once until its decimal sign is known."""

    def __init__(
        self, margins: Margins, where: str, id_col: str | None, decimal: str | None, *, named: bool = False
    ) -> None:
        self._where, self._decimal = where, decimal
        self._margins, self._text = margins, margins.text
        self._dialect = sniff(self._text, where, self._margins.skipped)
        if named:
            self._dialect = replace(self._dialect, header=True, note="")
        _, header = next(self._dialect.records(self._text)) if self._dialect.header else (1, [])
        # an id stays as it is written: 007 is not 7
        self._key = id_col or columns.named(header, IDS)
        self._keyed = self._key in header

    def words(self) -> tuple[pl.DataFrame, Origin]:
        """Return the table with every cell as it is written."""
        return self._parsed(comma=False, infer=False, empty=False)

    def numbers(self) -> tuple[pl.DataFrame, Origin]:
        """Return the table with every column of numbers as numbers, all by one decimal sign if there is one."""
        comma = self._dialect.comma if self._decimal is None else self._decimal == ","
        frame, origin = self._parsed(comma=comma)
        found = self._numerals(frame, comma=comma)
        signs = {one.decimal for one in found.values()} - {None}
        if self._decimal is None and not comma and signs == {","} and any(t.is_float() for t in frame.dtypes):
            # 1.234 in another column is more than a thousand
            frame, origin = self._parsed(comma=True)
            found = self._numerals(frame, comma=True)
        return tidied(frame, found, origin)

    def _numerals(self, frame: pl.DataFrame, *, comma: bool) -> dict[str, Numerals]:
        points = any(t.is_float() for t in frame.dtypes)
        usual = "," if comma or (self._dialect.separator == ";" and not points) else None
        return numerals_of(frame, self._key, self._decimal, usual)

    def _parsed(self, *, comma: bool, infer: bool = True, empty: bool = True) -> tuple[pl.DataFrame, Origin]:
        """Return the table as polars reads it, without odd rows, and the origin of its rows."""
        text, dialect, where = self._text, self._dialect, self._where
        # with a comma as separator a decimal comma is inside quotes, which polars does not read
        infer = infer and not (comma and dialect.separator == ",")
        try:
            frame = pl.read_csv(
                io.StringIO(text),
                separator=dialect.separator,
                quote_char='"' if dialect.quoted else None,
                has_header=dialect.header,
                schema_overrides={self._key: pl.String} if self._keyed and self._key else None,
                infer_schema=infer,
                infer_schema_length=None,
                null_values=[""] if empty else None,
                decimal_comma=comma and infer,
            )
        except pl.exceptions.PolarsError as error:
            if infer:  # polars takes digits of other scripts for numbers, and then does not read them
                return self._parsed(comma=comma, infer=False, empty=empty)
            _check_widths(text, dialect, where)
            raise DataError(
                f"cannot read the table: {str(error).splitlines()[0]}",
                where=where,
                fix="check the cells and the quotes of the file",
            ) from error
        lines = _Lines(text, dialect)
        if dialect.quoted and len(frame) != lines.count():
            what = "the double quotes do not come in pairs"
            raise DataError(what, where=where, fix='close every ", and write "" for a quote inside a cell')
        last = frame[frame.columns[-1]]
        if frame.width > 1 and last.null_count():
            _check_widths(text, dialect, where)
            frame = frame.filter(~pl.Series(lines.blank(len(frame))))
        frame = _named(frame, text, dialect, where)
        notes = (*self._margins.notes, *([dialect.note] if dialect.note else []))
        origin = Origin(where, (FileRows(where, len(frame), lines),), notes=notes)
        return without_odd_rows(frame, origin) if empty else (frame, origin)


def _whole_ids(frame: pl.DataFrame, id_col: str | None) -> pl.DataFrame:
    """Return the ids as whole numbers if all are written as such, as other readers of the file return them."""
    key = id_col or columns.named(frame.columns, IDS)
    if key not in frame.columns or frame[key].dtype != pl.String or frame[key].null_count():
        return frame
    ids = frame[key].unique()
    if not ids.str.contains(r"^(0|-?[1-9][0-9]{0,17})$").all():
        return frame
    return frame.with_columns(pl.col(key).cast(pl.Int64))


class _Lines:
    """The line of each row of a frame, computed only if one is needed."""

    def __init__(self, text: str, dialect: Dialect) -> None:
        self._text, self._dialect = text, dialect

    def __call__(self, row: int) -> int:
        """Return the line (from 1) of a row (from 0); a blank line counts as a row in a table of one column."""
        lines = [line for line, cells in self._rows() if cells or self._narrow]
        return lines[row]

    def count(self) -> int:
        """Return the number of rows, with blank ones; the frame has another number if quotes are ambiguous."""
        return len(self._rows())

    def blank(self, rows: int) -> list[bool]:
        """Return whether each of the first rows is a blank line."""
        return [not cells for _, cells in self._rows()][:rows]

    def _rows(self) -> list[tuple[int, list[str]]]:
        records = list(self._dialect.records(self._text))
        self._narrow = len(records[0][1]) == 1
        return records[self._dialect.header :]


def _check_widths(text: str, dialect: Dialect, where: str) -> None:
    """Raise DataError if a row has more or fewer cells than the first row."""
    width = 0
    for line, cells in dialect.records(text):
        width = width or len(cells)
        if cells and len(cells) != width:
            raise DataError(
                f"the row has {counted(len(cells), 'cell')}, expected {width} as in the first row",
                where=f"{where}, line {line}: {dialect.separator.join(cells)[:60]!r}",
                fix=f"put quotes around a cell that contains {dialect.separator!r}, or correct the row",
            )


def _named(frame: pl.DataFrame, text: str, dialect: Dialect, where: str) -> pl.DataFrame:
    """Return the frame with its column names. Raise DataError if two columns have the same name."""
    if not dialect.header:
        names = [f"channel_{i + 1}" for i in range(frame.width)] if frame.width > 1 else ["y"]
    else:
        line, cells = next(dialect.records(text))
        names = [c.strip() for c in cells]
        names = [n or ("" if i == 0 else f"column_{i + 1}") for i, n in enumerate(names)]
        name, times = Counter(names).most_common(1)[0]
        if times > 1:
            raise DataError(
                f"{counted(times, 'column')} have the name {name!r}",
                where=f"{where}, line {line}",
                fix="give each column its own name",
            )
    if len(names) != frame.width:
        what = f"the header has {counted(len(names), 'cell')}, expected {frame.width}"
        raise DataError(what, where=f"{where}, line {line}", fix="check the cells and the quotes of the file")
    frame.columns = names
    # separators at the ends of all lines, or in front, make empty columns without names
    if dialect.header and frame.width > 1:
        empty = [n for n, c in zip(names, cells, strict=True) if not c.strip() and frame[n].null_count() == len(frame)]
        frame = frame.drop(empty) if len(empty) < frame.width else frame
    return frame


def is_words(frame: pl.DataFrame, target: list[str] | None) -> bool:
    """Return whether the target is one column that holds words."""
    if target is None or len(target) != 1 or target[0] not in frame.columns:
        return False
    return frame[target[0]].dtype == pl.String and not holds_numbers(frame[target[0]])


def looks_like_table(raw: bytes) -> bool:
    """Return whether text is a table: lines with the same number of separated cells, some of them numbers."""
    if raw.startswith(sheets.MAGIC) or stored.stored_format(raw, "") or records.looks_like_json(raw):
        return True
    text = raw[:20_000].decode("utf-8-sig", errors="ignore")
    if is_logger_file(text):
        return True
    lines = lines_of(text)[:50]
    lines = lines[:-1] if len(lines) > 2 else lines
    if len(lines) < 2 or with_tabs("\n".join(lines)) is not None:
        return len(lines) > 1
    try:
        for separator in "\t;,":
            cells = [c for _, c in Dialect(separator).records("\n".join(lines))]
            if len(cells) > 1 and len({len(c) for c in cells}) == 1 and len(cells[0]) > 1:
                return any(is_number(c.replace(",", ".") if separator == ";" else c) for c in cells[1])
    except csv.Error:
        return False
    return all(is_number(line) for line in lines[1:])
