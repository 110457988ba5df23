"""Tables in forms that are not read here, which would pass for text: prints of R, dumps of SQL, long prefaces.

They are refused with the way to a table, because a model of their characters is hardly what is wanted.
"""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path

from ostinato.data.dialect import DATE, is_number
from ostinato.data.files import as_utf8, contents, is_packed, part_of
from ostinato.errors import DataError

#: The beginning of a time series as R prints it.
_PRINTED = re.compile(r"\s*Time Series:\s*\n\s*Start = ")
#: A line of SQL that inserts a row, or a row of such a statement.
_INSERT = re.compile(r"(?m)^\s*(?:INSERT\s+INTO\b|\(\s*(?:'[^'\n]*'|[-+.\d]+|NULL)\s*,.*\)\s*[,;]\s*$)", re.IGNORECASE)
#: The bytes that are looked at in each of three places of a file, and the fewest rows that are a table.
_PART, _ROWS = 50_000, 8
#: The share of the lines that are rows of a table, and the share of these rows that have the same number of cells.
_SHARE, _EQUAL = 1 / 3, 0.8


def refuse_unread_table(path: Path) -> None:
    """Raise DataError if a file that would be read as text holds a table in a form that is not read.

    Args:
        path: The file. Its beginning, its middle and its end are looked at.

    Raises:
        DataError: The file holds such a table, or cannot be read.
    """
    text = _sample(path)
    if _PRINTED.match(text):
        how = "write it in R by write.csv(data.frame(ds = as.numeric(time(x)), y = as.numeric(x)), row.names = FALSE)"
        raise _refused(path, "the file is the print of a time series of R, which is not read", how)
    lines = [line for line in text.replace("\r", "\n").split("\n") if line.strip()]
    inserts = len(_INSERT.findall(text))
    if inserts > len(lines) / 2 and re.search(r"(?mi)^\s*INSERT\s+INTO\b", text):
        how = "load it into a database and read that (--query), or export the table as CSV"
        raise _refused(path, "the file holds SQL that inserts rows, which is not read", how)
    widths = Counter(width for line in lines if (width := _width(line)))
    rows = widths.total()
    if rows >= max(_ROWS, _SHARE * len(lines)) and max(widths.values()) >= _EQUAL * rows:
        line = next(i for i, line in enumerate(text.split("\n"), 1) if _width(line))
        how = "delete the lines that are not part of the table and write one line of names above it, or save it as CSV"
        raise _refused(path, f"the file holds rows of numbers, from line {line}, in no form of table that is read", how)


def _sample(path: Path) -> str:
    """Return the beginning, the middle and the end of a file as one text; all of a short file."""
    whole = path.stat().st_size <= 3 * _PART or is_packed(path)
    raw = as_utf8(contents(path)) if whole else b""
    size = len(raw) if whole else path.stat().st_size
    if whole and size <= 3 * _PART:
        return raw.decode("utf-8-sig", errors="ignore")
    places = (0, size // 2, size - _PART)
    parts = (raw[at : at + _PART] if whole else part_of(path, at, _PART) for at in places)
    return "\n".join(part.decode("utf-8-sig", errors="ignore") for part in parts)


def _refused(path: Path, what: str, how: str) -> DataError:
    return DataError(what, where=str(path), fix=f"{how}; to read its characters as text, use --kind text")


def _width(line: str) -> int:
    """Return the number of cells of a line if at least half of them, and two, are numbers or dates; 0 for others."""
    cells = [cell for cell in re.split(r"[\s,;|]+", line[:2_000]) if cell]
    numbers = sum(is_number(cell) for cell in cells)
    figures = numbers + sum(DATE.fullmatch(cell) is not None and not is_number(cell) for cell in cells)
    return len(cells) if numbers and figures > 1 and 2 * figures >= len(cells) else 0
