"""The text of one table as a frame: its cells, the names of its columns, and the decimal sign of its numbers."""

from __future__ import annotations

import io
import re
from collections import Counter
from dataclasses import replace

import polars as pl

from ostinato.data import columns
from ostinato.data.codes import padded
from ostinato.data.columns import IDS, holds_numbers
from ostinato.data.dialect import Dialect, sniff
from ostinato.data.margins import Margins
from ostinato.data.number import MISSING
from ostinato.data.numerals import Numerals
from ostinato.data.open_points import Point, may_be_of_either, may_be_open, point_of
from ostinato.data.origin import FileRows, Origin
from ostinato.data.rows import numerals_of, tidied, without_odd_rows
from ostinato.data.written import Written
from ostinato.errors import DataError
from ostinato.numbers import counted
from ostinato.wording import option

#: The rows from which it is seen that a point is a decimal sign, before all rows are looked at.
_SAMPLE = 500
#: A number with a zero at the end of three decimals, which a spreadsheet and JSON hold as text alone.
_TYPED = r"\b[1-9]\d{0,2}\.\d\d0\b"
#: A name in angle brackets.
_BRACKETED = re.compile(r"<[^<>]+>")


class TextTable:
    """The text of one table, which may be parsed more than once until its decimal sign is known."""

    def __init__(
        self, margins: Margins, where: str, id_col: str | None, decimal: str | None, table: Written | None = None
    ) -> None:
        self._where, self._decimal = where, decimal
        self._margins, self._text = margins, margins.text
        self._dialect = sniff(self._text, where, self._margins.skipped, decimal)
        if table is not None and table.named:
            self._dialect = replace(self._dialect, header=True, note="")
        # spreadsheets and JSON hold numbers, which have no zeros at their ends, and words
        self._typed = table is not None
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
        points = {} if comma or self._decimal else self._points(frame)
        decimals = self._decimal is None and not comma and any(t.is_float() for t in frame.dtypes)
        if Point.THOUSANDS in points.values() or (decimals and signs == {","}):
            # 1.234 in another column is more than a thousand
            frame, origin = self._parsed(comma=True)
            found, comma, points = self._numerals(frame, comma=True), True, {}
        else:
            origin = self._noting(points, frame, origin)
        frame, origin = self._noting_zeros(*tidied(frame, found, origin))
        sure = any(
            t.is_float() and c not in points and c not in found
            for c, t in zip(frame.columns, frame.dtypes, strict=True)
        )
        signs = {one.decimal for one in found.values()} - {None} | ({"," if comma else "."} if sure else set())
        left_open = bool(points) or any(one.open for one in found.values())
        sign = signs.pop() if len(signs) == 1 else "?" if left_open and not signs else ""
        return frame, replace(origin, decimal=sign or "")

    def _points(self, frame: pl.DataFrame) -> dict[str, Point]:
        """Return what the points in columns of decimals are that may be between thousands."""
        names = [c for c in frame.columns if frame[c].dtype.is_float() and may_be_open(frame[c])]
        points: dict[str, Point] = {}
        for rows in (_SAMPLE, None):
            if names:
                words = self._as_written(rows)
                names = may_be_of_either(words, names)
                bare = {c: words[c].str.strip_chars() for c in names}
                points = {c: point_of(one.set(one.is_in(list(MISSING)), None)) for c, one in bare.items()}
                names = [c for c in names if points[c] is not Point.AS_READ]
        # a table between semicolons comes from where the decimal sign is a comma, if no column shows a point
        sure = any(frame[c].dtype.is_float() and c not in names for c in frame.columns)
        german = self._dialect.separator == ";" and not self._typed and not sure
        zeros = Point.THOUSANDS if german else Point.DOUBTFUL
        return {c: zeros if points[c] is Point.ZEROS else points[c] for c in names}

    def _as_written(self, rows: int | None) -> pl.DataFrame:
        """Return the cells of the first rows, or of all, as they are written."""
        dialect = self._dialect
        words = pl.read_csv(
            io.StringIO(self._text),
            separator=dialect.separator,
            quote_char='"' if dialect.quoted else None,
            has_header=dialect.header,
            infer_schema=False,
            n_rows=rows,
        )
        return _named(words, self._text, dialect, self._where)

    def _noting(self, points: dict[str, Point], frame: pl.DataFrame, origin: Origin) -> Origin:
        """Return the origin with a note on each column whose points were read as decimal signs and may be none."""
        sure = any(t.is_float() and c not in points for c, t in zip(frame.columns, frame.dtypes, strict=True))
        for name, point in points.items():
            if point is Point.DOUBTFUL or not (sure or self._typed or self._dialect.separator == ","):
                value = float(frame[name].drop_nulls().filter(frame[name].drop_nulls() % 1 != 0).head(1).sum())
                said = f"the decimal sign is open, so {value:.3f} is read as {value:.15g}"
                origin = origin.noting(
                    f"{said} (use {option('--decimal')} if the decimal sign is a comma)", column=name
                )
        return self._noting_text(points, frame, origin) if self._typed else origin

    def _noting_text(self, points: dict[str, Point], frame: pl.DataFrame, origin: Origin) -> Origin:
        """Return the origin with a note on each column in which 1.200 was typed as text among other numbers."""
        if self._decimal or not re.search(_TYPED, self._text):
            return origin
        words = self._as_written(None)
        for name in (c for c in frame.columns if frame[c].dtype.is_float() and c not in points and c in words.columns):
            seen = words[name].str.strip_chars()
            typed = seen.drop_nulls().filter(seen.drop_nulls().str.contains(f"^[-+]?{_TYPED}$"))
            if len(typed) and seen.str.extract(r"\.(\d+)$").str.len_chars().fill_null(0).n_unique() > 1:
                note = (
                    f"the cell {typed[0]!r} is text and is read as {float(typed[0]):.15g}; a cell in which the point "
                )
                origin = origin.noting(note + "stands between thousands is to be a number in the table", column=name)
        return origin

    def _noting_zeros(self, frame: pl.DataFrame, origin: Origin) -> tuple[pl.DataFrame, Origin]:
        """Return the frame and its origin with a note on each column of whole numbers with zeros in front."""
        if not re.search(rf'(?m)(?:^|{re.escape(self._dialect.separator)})"?0\d\d', self._text):
            return frame, origin
        words = self._as_written(None)
        for name in (c for c in frame.columns if frame[c].dtype.is_integer() and c in words.columns):
            if (zeros := padded(words[name])) is not None:
                origin = origin.noting(zeros, column=name)
        return frame, origin

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
    widths = Counter(len(cells) for _, cells in dialect.records(text) if cells)
    for line, cells in dialect.records(text):
        width = width or len(cells)
        if cells and len(cells) != width:
            fix = f"put quotes around a cell that contains {dialect.separator!r}, or correct the row"
            if width != widths.most_common(1)[0][0]:
                fix = f"delete the lines above the names of the columns, if they are no part of the table; or {fix}"
            elif len(cells) > 1 and not re.search(r"\d", "".join(cells)):
                fix = f"if another table begins here, write it to a file of its own; or {fix}"
            raise DataError(
                f"the row has {counted(len(cells), 'cell')}, expected {width} as in the first row",
                where=f"{where}, line {line}: {dialect.separator.join(cells)[:60]!r}",
                fix=fix,
            )


def _named(frame: pl.DataFrame, text: str, dialect: Dialect, where: str) -> pl.DataFrame:
    """Return the frame with its column names. Raise DataError if two columns have the same name."""
    if not dialect.header:
        names = [f"channel_{i + 1}" for i in range(frame.width)] if frame.width > 1 else ["y"]
    else:
        line, cells = next(dialect.records(text))
        names = [c.strip() for c in cells]
        if all(_BRACKETED.fullmatch(n) for n in names):
            names = [n[1:-1] for n in names]  # as programs of traders write them: <DATE>
        names = [n or ("" if i == 0 else f"column_{i + 1}") for i, n in enumerate(names)]
        names = _apart(names, frame)
        name, times = Counter(names).most_common(1)[0]
        if times > 1:
            raise DataError(
                f"{counted(times, 'column')} have the name {name!r}",
                where=f"{where}, line {line}",
                fix="give each column its own name; if two lines hold the names, join them into one",
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


def _apart(names: list[str], frame: pl.DataFrame) -> list[str]:
    """Return names of which those that occur again have a number behind them, if their columns hold no numbers."""
    again = {name for name, times in Counter(names).items() if times > 1}
    if len(names) != frame.width:
        return names
    numbers = {n for n, c in zip(names, frame.columns, strict=True) if n in again and holds_numbers(frame[c])}
    seen: Counter[str] = Counter()
    out = []
    for name in names:
        seen[name] += 1
        out.append(f"{name} ({seen[name]})" if name in again - numbers and seen[name] > 1 else name)
    return out
