"""Times of day and durations of spreadsheets, in words such as 08:30:00 and 30:15:00.

As words, fastexcel leaves those of OpenDocument empty (its part 3, 19.382, office:time-value), and writes 30 hours of
Excel as a day in the year 1900.
"""

from __future__ import annotations

import io
import re
import zipfile
from decimal import Decimal
from typing import Any

import polars as pl

#: The attribute of a time, and the length of time that XML Schema calls a duration, without months.
_TIME = re.compile(rb'\boffice:time-value="([^"]*)"')
_LENGTH = re.compile(r"(-?)P(?:(\d+)D)?(?:T(?:(\d+)H)?(?:(\d+)M)?(?:(\d+(?:[.,]\d+)?)S)?)?")
#: A word that may be a duration of Excel: a day up to 1909 with a clock, or a clock on the day before the first.
_EARLY, _ANY = (rf"^{year}-\d\d-\d\d \d\d:" for year in (r"(?:1899|190\d)", r"\d{4}"))
_CONTENT = "content.xml"
#: The microseconds of a second.
_SECOND = 1_000_000


def with_clocks(raw: bytes) -> bytes:
    """Return the bytes of a file of OpenDocument whose times are words; other files as they are.

    Args:
        raw: The bytes of a spreadsheet.
    """
    if not zipfile.is_zipfile(io.BytesIO(raw)):
        return raw
    with zipfile.ZipFile(io.BytesIO(raw)) as book:
        xml = book.read(_CONTENT) if _CONTENT in book.namelist() else b""
        if _TIME.search(xml) is None:
            return raw
        out = io.BytesIO()
        with zipfile.ZipFile(out, "w") as changed:
            for name in book.namelist():
                changed.writestr(name, _TIME.sub(_in_words, xml) if name == _CONTENT else book.read(name))
    return out.getvalue()


def _in_words(found: re.Match[bytes]) -> bytes:
    word = found[1].decode("utf-8", "replace")
    parts = _LENGTH.fullmatch(word)
    if parts is not None:
        days, hours, minutes = (int(part or 0) for part in parts.groups()[1:4])
        seconds = ((days * 24 + hours) * 60 + minutes) * 60 + Decimal((parts[5] or "0").replace(",", "."))
        word = parts[1] + clock(round(seconds * _SECOND))
    return b'office:string-value="' + word.encode() + b'"'


def clock(micros: int) -> str:
    """Return a length of time in microseconds, from 0 up, as hours, minutes and seconds."""
    seconds, rest = divmod(micros, _SECOND)
    part = f".{rest:06d}".rstrip("0") if rest else ""
    return f"{seconds // 3600:02d}:{seconds // 60 % 60:02d}:{seconds % 60:02d}{part}"


def with_durations(book: Any, name: str, words: pl.DataFrame, above: int) -> pl.DataFrame:
    """Return a sheet of Excel whose cells of the form [h]:mm are hours, and not days of the year 1900.

    Args:
        book: The spreadsheet, as fastexcel has it.
        name: The name of the sheet.
        words: The cells of the sheet, (rows, columns), as words.
        above: The number of empty rows above the cells.
    """
    early = [column.str.contains(_EARLY).fill_null(value=False) for column in words]
    if not any(found.any() for found in early):
        return words
    whole: dict[str, Any] = {"header_row": None, "schema_sample_rows": None}
    lengths: pl.DataFrame = book.load_sheet(name, dtypes="duration", **whole).to_polars()
    for at, found in enumerate(early):
        if not found.any():
            continue
        # alone, the first of these cells has its own type, which dates do not share
        row = above + int(found.arg_max() or 0)
        one: pl.DataFrame = book.load_sheet(name, skip_rows=row, n_rows=1, **whole).to_polars()
        if one.width != words.width or not isinstance(one.dtypes[at], pl.Duration):
            continue
        micros = lengths.to_series(at).dt.total_microseconds().to_list()
        column = words.to_series(at)
        dated = column.str.contains(_ANY).fill_null(value=False)
        cells = [
            clock(length) if is_one and length is not None else word
            for word, length, is_one in zip(column, micros, dated, strict=True)
        ]
        words = words.with_columns(pl.Series(words.columns[at], cells, pl.String))
    return words
