"""What a spreadsheet file stores about its cells besides their values: merged cells, hidden rows, missing results.

fastexcel gives the values alone, so the XML of the sheet is searched (ECMA-376, part 1, 18.3.1). Files of the older
Excel and of OpenDocument have no such XML, and no marks.
"""

from __future__ import annotations

import io
import re
import zipfile
from dataclasses import dataclass
from html import unescape

import polars as pl

from ostinato.data.dialect import is_number
from ostinato.errors import DataError
from ostinato.numbers import counted

_SHEET = re.compile(r'<(?:\w+:)?sheet\s[^>]*?name="([^"]*)"[^>]*?\s\w+:id="([^"]+)"')
_PART = re.compile(r"<Relationship\s([^>]*)>")
_MERGED = re.compile(rb'<(?:\w+:)?mergeCell\s+ref="([A-Z]+)(\d+):([A-Z]+)(\d+)"')
_HIDDEN = re.compile(rb'<(?:\w+:)?row\s[^>]*?\bhidden="(?:1|true)"')
#: A cell that is not empty.
_FILLED = re.compile(rb'<(?:\w+:)?c\s+r="([A-Z]+)(\d+)"[^>]*[^/]>')
#: A cell with a formula and without a result. Libraries that do not compute formulas write such cells.
_UNSOLVED = re.compile(
    rb'<(?:\w+:)?c\s+r="([A-Z]+)(\d+)"[^>]*>\s*<(?:\w+:)?f(?:\s[^>]*)?>[^<]*</(?:\w+:)?f>\s*'
    rb"(?:<(?:\w+:)?v\s*/>|<(?:\w+:)?v></(?:\w+:)?v>)?\s*</(?:\w+:)?c>"
)
#: The number of formulas of one column that may be sums below the table.
_SUMS = 2


@dataclass(frozen=True)
class Marks:
    """The marks of the cells of a sheet.

    Attributes:
        merged: The merged cells that span rows of one column: the column, and the first and the last row, from 0
            at the first ones that are not empty.
        hidden: The number of hidden rows.
        unsolved: The names of the cells whose formula has no result, such as B2.
    """

    merged: tuple[tuple[int, int, int], ...] = ()
    hidden: int = 0
    unsolved: tuple[str, ...] = ()


def marks_of(raw: bytes, sheet: str) -> Marks:
    """Return the marks of a sheet; none if the file is not one of Excel's XML.

    Args:
        raw: The bytes of a file that fastexcel reads.
        sheet: The name of the sheet.
    """
    if not zipfile.is_zipfile(io.BytesIO(raw)):
        return Marks()
    with zipfile.ZipFile(io.BytesIO(raw)) as book:
        part = _part_of(book, sheet)
        if part is None:
            return Marks()
        xml = book.read(part)
    merged = [(_column(a), int(b) - 1, int(d) - 1) for a, b, c, d in _MERGED.findall(xml) if a == c and b != d]
    if merged:
        # the frame of fastexcel begins at the first row and at the first column that have a cell with something in it
        cells = [(_column(letters), int(row) - 1) for letters, row in _FILLED.findall(xml)]
        left, top = min((c for c, _ in cells), default=0), min((r for _, r in cells), default=0)
        merged = [(column - left, first - top, last - top) for column, first, last in merged]
    unsolved = [f"{a.decode()}{b.decode()}" for a, b in _UNSOLVED.findall(xml)] if b"<f" in xml or b":f" in xml else []
    return Marks(tuple(merged), len(_HIDDEN.findall(xml)), tuple(unsolved))


def check_solved(marks: Marks, where: str) -> None:
    """Raise DataError if a column has formulas without results, more than those of sums below a table."""
    for column in dict.fromkeys(name.rstrip("0123456789") for name in marks.unsolved):
        cells = [name for name in marks.unsolved if name.rstrip("0123456789") == column]
        if len(cells) > _SUMS:
            raise DataError(
                f"{counted(len(cells), 'cell')} of column {column}, such as {cells[0]}, have a formula without a "
                "result: the program that wrote the file did not compute it",
                where=where,
                fix="open the file in a spreadsheet program and save it again, or write values in place of formulas",
            )


def spread(words: pl.DataFrame, marks: Marks) -> tuple[pl.DataFrame, list[str]]:
    """Put the words of merged cells into all rows that they span, and return notes on these and other marks.

    A number stays in the first row, because it may be the value of each row or their sum. A single merged word stays as
    well, because it may be the name of a column in a header of two lines.

    Args:
        words: The cells of the sheet, (rows, columns), as words.
        marks: The marks of the sheet.
    """
    notes = []
    inside = [m for m in marks.merged if 0 <= m[0] < words.width and m[1] >= 0 and m[2] < len(words)]
    for at in sorted({m[0] for m in inside}):
        column = words.to_series(at)
        # below a merged cell, some programs keep the values that the cells had before
        mine = [
            (a, b)
            for where, a, b in inside
            if where == at and column[a : b + 1].is_not_null().arg_true().to_list() == [0]
        ]
        texts = [(first, last) for first, last in mine if not is_number(column[first])]
        if len(texts) > 1:
            rows = [row for first, last in texts for row in range(first + 1, last + 1)]
            cells = [column[first] for first, last in texts for _ in range(first + 1, last + 1)]
            words = words.with_columns(column.scatter(rows, cells))
            notes.append(f"the words of {counted(len(texts), 'merged cell')}, such as {cells[0]!r}, stand in each row")
        numbers = [one for one in mine if one not in texts]
        if numbers:
            first, last = numbers[0]
            what = f"{column[first]!r} of lines {first + 1} to {last + 1}"
            notes.append(
                f"the number of {counted(len(numbers), 'merged cell')}, such as {what}, is read in the first line; in "
                "the other lines it is missing"
            )
    if marks.hidden:
        notes.append(f"hidden rows, such as those that a filter hides, are read too: {marks.hidden:,}")
    if marks.unsolved:
        notes.append(f"formulas without a result are read as empty cells: {', '.join(marks.unsolved[:3])}")
    return words, notes


def _part_of(book: zipfile.ZipFile, sheet: str) -> str | None:
    """Return the file of a sheet within the archive."""
    names = set(book.namelist())
    index = "xl/_rels/workbook.xml.rels"
    if "xl/workbook.xml" not in names or index not in names:
        return None
    ids = {unescape(name): key for name, key in _SHEET.findall(book.read("xl/workbook.xml").decode("utf-8", "replace"))}
    targets = {}
    for relation in _PART.findall(book.read(index).decode("utf-8", "replace")):
        key, target = (re.search(rf'\b{name}="([^"]*)"', relation) for name in ("Id", "Target"))
        if key and target:
            targets[key[1]] = target[1]
    path = targets.get(ids.get(sheet, ""), "")
    part = path.removeprefix("/") if path.startswith("/") else f"xl/{path}"
    return part if part in names else None


def _column(letters: bytes) -> int:
    """Return the number of a column, from 0: A is 0 and AA is 26."""
    number = 0
    for letter in letters:
        number = number * 26 + letter - 64
    return number - 1
