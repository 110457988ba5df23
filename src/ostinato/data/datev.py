"""Files of DATEV, the accounting of German firms: a line about the file, a line of names, and one row for each booking.

The dates of bookings have no year (``0503`` is 5 March), and the first line has the days from which to which they are.

Source: the description of the DATEV format, "Header" and "Buchungsstapel", at developer.datev.de.
"""

from __future__ import annotations

import csv
import io
from datetime import date

from ostinato.errors import DataError

#: The first cells of such files, from other programs and from DATEV itself.
MARKS = ("EXTF", "DTVF")
#: The column of dates without a year.
_DATE = "Belegdatum"
#: The cells of the first line with the first day of the fiscal year, and with the first and the last day of bookings.
_YEAR, _FIRST, _LAST = 12, 14, 15
#: The digits of a day and a month, of which the day may have one digit.
_DIGITS = (3, 4)


def is_datev(text: str) -> bool:
    """Return whether a text begins as a file of DATEV does."""
    return text.lstrip('"')[:5].rstrip('";') in MARKS and ";" in text[:10]


def without_head(text: str, skipped: int) -> tuple[str, int, tuple[str, ...]]:
    """Set aside the first line of a file of DATEV, and write the year into its dates.

    Args:
        text: The text of the file.
        skipped: The number of lines before the text.

    Returns:
        The text, the number of lines before it, and notes.

    Raises:
        DataError: A date is none of the days that the first line says.
    """
    first, _, rest = text.partition("\n")
    head = next(csv.reader([first], delimiter=";"), [])
    rows = list(csv.reader(io.StringIO(rest, newline=""), delimiter=";"))
    note = f"the file is of DATEV: line {1 + skipped} above the names is left out ({first[:60]})"
    if not rows or _DATE not in rows[0]:
        return rest, skipped + 1, (note,)
    at = rows[0].index(_DATE)
    days = [_day(head[i]) if i < len(head) else None for i in (_YEAR, _FIRST, _LAST)]
    for number, row in enumerate(rows[1:], 3 + skipped):
        if len(row) > at and row[at].strip():
            row[at] = _dated(row[at].strip(), days, f"line {number}")
    out = io.StringIO()
    csv.writer(out, delimiter=";", lineterminator="\n").writerows(rows)
    said = f"the years of {_DATE!r} are those of the days in line {1 + skipped}"
    return out.getvalue(), skipped + 1, (note, said)


def _day(cell: str) -> date | None:
    try:
        return date.fromisoformat(cell.strip())
    except ValueError:
        return None


def _dated(cell: str, days: list[date | None], where: str) -> str:
    """Return a day and a month with the year in which it lies between the days of the first line."""
    year, first, last = days
    if first is None or last is None:
        first, last = (year, None if year is None else _next(year)) if first is None else (first, _next(first))
    found = []
    if first is not None and last is not None and cell.isdigit() and len(cell) in _DIGITS:
        for number in range(first.year, last.year + 1):
            day = _day(f"{number}{cell[-2:]}{cell[:-2]:0>2}")
            found += [day] if day is not None and first <= day <= last else []
    if len(found) != 1:
        raise DataError(
            f"the date {cell!r} in column {_DATE!r} has no year, and the first line of the file does not decide it",
            where=where,
            fix=f"write the dates of {_DATE!r} as 2024-03-05, and remove the first line of the file",
        )
    return found[0].isoformat()


def _next(day: date) -> date:
    """Return the last day of the year that begins with a day."""
    return date.fromordinal(day.replace(year=day.year + 1, day=min(day.day, 28)).toordinal() - 1)
