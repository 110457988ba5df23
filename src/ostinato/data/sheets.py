"""Spreadsheets of Excel and OpenDocument, read through fastexcel."""

from __future__ import annotations

import re
from importlib.util import find_spec
from typing import Any

import polars as pl

from ostinato.choices import advice
from ostinato.data.dialect import is_number
from ostinato.data.extras import is_failure, missing
from ostinato.data.sheet_clocks import with_clocks, with_durations
from ostinato.data.sheet_marks import check_solved, marks_of, spread
from ostinato.data.written import Written
from ostinato.errors import DataError
from ostinato.wording import option

#: The first bytes of a spreadsheet: a zip archive, or the older container of Excel.
MAGIC = (b"PK\x03\x04", b"\xd0\xcf\x11\xe0")
#: A sheet of at most so many rows, no column of which has more than so many numbers, is a note on other sheets.
_NOTES, _FEW = 40, 2
#: A number, perhaps with a sign, a currency or a percent sign; a date, perhaps with a clock.
_FIGURE = r"^\s*\(?[-+\u2212]?\s*\p{Sc}?\s*[-+]?\d[\d.,'\s]*(?:[eE][-+]?\d+)?\s*[%\p{Sc}]?\)?\s*$"
_DATE = r"^\s*\d{1,4}[-/.]\d{1,2}[-/.]\d{1,4}(?:[ T][\d:.]+)?\s*$"


def written(raw: bytes, where: str, sheet: str | None) -> Written:
    """Return one sheet as text.

    Args:
        raw: The bytes of the file.
        where: The name of the file.
        sheet: The name of the sheet. If None, it is the first one that is shown and holds a table.

    Raises:
        DataError: The file is damaged, or there is no such sheet.
        ConfigError: The package fastexcel is not installed.
    """
    try:
        import fastexcel
    except ImportError:
        raise missing("reading spreadsheets", "fastexcel", "excel") from None
    try:
        book = fastexcel.read_excel(with_clocks(raw))
        names = list(book.sheet_names)
        chosen = _chosen(book, names, where, sheet)
        words, exact = _load(book, chosen, "string"), _load(book, chosen, "float")
        above = _rows_above(book, chosen, len(words))
        told = _with_errors(book, chosen, words)
        words, unseen = (words, bool(words.width and sum(words.null_count().row(0)))) if told is None else (told, False)
        words = with_durations(book, chosen, words, above)
        marks = marks_of(raw, chosen)
        check_solved(marks, where)
        words, said = spread(words, marks)
    except DataError:
        raise
    except BaseException as error:
        if not is_failure(error):
            raise
        said = str(error).splitlines()[:1] or [type(error).__name__]
        raise DataError(
            f"cannot read the file as a spreadsheet: it is damaged or has another format ({said[0][:120]})",
            where=where,
            fix="save the sheet again, as .xlsx or as CSV",
        ) from error
    notes = (
        [f"the sheet {chosen!r} of {', '.join(names)} is read (use {option('--sheet')} to choose)"]
        if len(names) > 1
        else []
    )
    notes = [] if sheet else notes
    if unseen:
        notes.append(_UNSEEN)
    notes += said
    columns = [_shown(words.to_series(i), exact.to_series(i)) for i in range(words.width)]
    lines = list(range(1 + above, len(words) + 1 + above))
    return Written.of(pl.DataFrame(columns), f"{where}, sheet {chosen!r}", lines, tuple(notes))


def _chosen(book: Any, names: list[str], where: str, sheet: str | None) -> str:
    """Return the name of the sheet to read."""
    chosen = sheet if sheet is not None else _first(book, names)
    if chosen is None:
        raise DataError("every sheet is empty", where=where, fix="give a file that has data")
    if chosen not in names:
        fix = advice(chosen, names, f"use one of the sheets {', '.join(map(repr, names))}")
        raise DataError(f"there is no sheet {chosen!r}", where=where, fix=fix)
    if not _load(book, chosen, "string").width:
        raise DataError(f"the sheet {chosen!r} is empty", where=where, fix="choose another sheet")
    return chosen


def _first(book: Any, names: list[str]) -> str | None:
    """Return the first sheet that is shown and holds a table; else the first with rows, or with anything in it.

    A sheet before the data often holds a few lines about them, such as their source. It has hardly any figures.
    """
    filled = {name: cells for name in names if (cells := _load(book, name, "string")).width}
    shown = [name for name in filled if book.load_sheet(name, n_rows=0).visible == "visible"] or list(filled)
    long = [name for name in shown if len(filled[name]) > 1]
    tables = (name for name in long if filled[name].height > _NOTES or _holds_figures(filled[name]))
    return next(tables, next(iter([*long, *shown]), None))


def _holds_figures(cells: pl.DataFrame) -> bool:
    """Return whether more than a few numbers are below each other, or two rows hold several numbers or dates."""
    numbers = cells.select(pl.all().str.contains(_FIGURE).fill_null(value=False))
    dates = cells.select(pl.all().str.contains(_DATE).fill_null(value=False))
    beside = (numbers.sum_horizontal() + dates.sum_horizontal() > 1).sum()
    return max(numbers.sum().row(0), default=0) > _FEW or beside > 1


def _load(book: Any, name: str, dtype: str) -> pl.DataFrame:
    frame: pl.DataFrame = book.load_sheet(name, header_row=None, schema_sample_rows=None, dtypes=dtype).to_polars()
    return frame


def _rows_above(book: Any, name: str, rows: int) -> int:
    """Return the number of empty rows above the first filled row of a sheet, which fastexcel leaves out."""
    whole = book.load_sheet(name, header_row=None, skip_rows=0, n_rows=1, schema_sample_rows=1, dtypes="string")
    return max(int(whole.total_height) - rows, 0)


#: The errors of formulas, by the names that fastexcel gives them.
_ERRORS = {
    "Div0": "#DIV/0!",
    "NA": "#N/A",
    "Ref": "#REF!",
    "Value": "#VALUE!",
    "Name": "#NAME?",
    "Num": "#NUM!",
    "Null": "#NULL!",
    "GettingData": "#N/A",
}


#: The note on a sheet with empty cells whose reader does not distinguish them from errors of formulas.
_UNSEEN = (
    "an empty cell may be an error of a formula, such as #DIV/0!: without pyarrow both look alike (to have errors "
    "counted, pip install pyarrow)"
)


def _with_errors(book: Any, name: str, words: pl.DataFrame) -> pl.DataFrame | None:
    """Return a sheet with the errors of formulas as words, which fastexcel leaves empty; None without pyarrow."""
    if find_spec("pyarrow") is None:  # fastexcel only finds that out within, with an error of its own
        return None
    sheet = book.load_sheet(name, header_row=None, schema_sample_rows=None, dtypes="string")
    try:
        _, found = sheet.to_arrow_with_errors()
    except (ImportError, AttributeError):  # an earlier version of fastexcel does not tell the errors
        return None
    columns: dict[int, dict[int, str]] = {}
    for error in found.errors if found is not None else ():
        kind = re.search(r"Error\((\w+)\)", error.detail)
        row, column = error.offset_position
        if kind is not None:
            columns.setdefault(column, {})[row] = _ERRORS.get(kind[1], "#N/A")
    for at, cells in columns.items():
        words = words.with_columns(words.to_series(at).scatter(list(cells), list(cells.values())))
    return words


def _shown(words: pl.Series, exact: pl.Series) -> pl.Series:
    """Return a column with all digits of its numbers: as words, fastexcel writes them with nine decimals."""
    out, midnight = [], " 00:00:00"
    clocked = words.filter(words.str.contains(r"^(?:19|20)\d\d-\d\d-\d\d \d\d:\d\d:\d\d"))
    # days are written without a clock, and hours with it at midnight too
    days = bool(clocked.str.ends_with(midnight).all())
    for word, x in zip(words.to_list(), exact.to_list(), strict=True):
        rounded = word is not None and x is not None and is_number(word) and float(word) != x
        # a time of day alone has the day on which Excel counts from
        clock = word and re.sub(r"^1899-12-3[01] (?=\d\d:)", "", word)
        out.append(
            repr(x) if rounded else clock if clock != word else word and word.removesuffix(midnight if days else "")
        )
    return pl.Series(words.name, out, pl.String)
