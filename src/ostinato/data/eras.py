"""Years that are counted from another event than those of the Gregorian calendar."""

from __future__ import annotations

import re
from calendar import monthrange

import numpy as np
from numpy.typing import NDArray

from ostinato.shapes import Times

#: Years that are unlikely in the Gregorian calendar, and the calendars in which they are the present ones.
_ERAS = (
    (1300, 1500, "the Persian or the Islamic calendar", "their months have other lengths"),
    (2440, 2640, "the Buddhist calendar", "its years are 543 larger and its leap years differ"),
    (5600, 5900, "the Hebrew calendar", "its months have other lengths"),
)
#: The years of the calendar of Taiwan from 1989 to 2060.
_TAIWAN = (78, 149)
_OF_TAIWAN = re.compile(r"(?:(?:\u4e2d\u83ef)?\u6c11[\u570b\u56fd]\s*\d{1,3}|1[0-4]\d(?=[-/.\u5e74])).*")
_OF_JAPAN = re.compile(
    r"(?:[RHSTM](?=\d)|\u4ee4\u548c|\u5e73\u6210|\u662d\u548c|\u5927\u6b63|\u660e\u6cbb|[\u32ff\u337b-\u337e])\s*"
    r"(?:\d{1,2}|\u5143)(?:\s*[-/.\u5e74].*)?"
)


#: A day between signs, with its year in front or behind, or a month whose year is in front.
_DAY = re.compile(
    r"(?:(?P<y>\d{4})[-/.](?P<m>\d{1,2})(?:[-/.](?P<d>\d{1,2}))?|(?P<e>\d{1,2})[-/.](?P<n>\d{1,2})[-/.](?P<z>\d{4}))"
    r"(?:[ T].*)?"
)


def note_on_years(times: Times) -> list[str]:
    """Return a note on days or months whose years are those of another calendar, if there are any.

    Years alone may be of the past: rings of trees begin before the year 1300.

    Args:
        times: The times, (N,), as datetime64 or whole numbers.
    """
    if times.dtype.kind != "M" or not len(times):
        return []
    first, last = (int(t.astype("datetime64[Y]").astype(np.int64)) + 1970 for t in (times.min(), times.max()))
    for low, high, calendar, why in _ERAS:
        if low <= first and last <= high and (times.astype("datetime64[Y]").astype(times.dtype) != times).any():
            return [
                f"the years {first} to {last} are read as those of the Gregorian calendar; if they are of {calendar}, "
                f"write the dates in the Gregorian one, because {why}"
            ]
    return []


def calendar_of(word: str) -> str | None:
    """Return why a word that cannot be read as a time may be a date of another calendar, or None.

    Args:
        word: The word, or the digits of a number, as the table has it.
    """
    word = word.strip()
    if _OF_TAIWAN.fullmatch(word) or (word.isdigit() and len(word) == 7 and are_dates_of_eras(np.array([int(word)]))):
        return "it may be of the calendar of Taiwan, whose year 1 is 1912"
    if _OF_JAPAN.fullmatch(word):
        return "its year may be of an era of Japan: R1 is 2019, H1 is 1989 and S1 is 1926"
    if word.isdigit() and len(word) == 8 and are_dates_of_eras(np.array([int(word)])):
        name = next(calendar for low, high, calendar, _ in _ERAS if low <= int(word[:4]) <= high)
        return f"it may be a date of {name}"
    return _without_such_day(word)


def _without_such_day(word: str) -> str | None:
    """Return which calendars have the day of a word, if the Gregorian one has none; None for all other words."""
    parts = _DAY.fullmatch(word)
    if parts is None:
        return None
    year, month, day = (int(parts[a] or parts[b] or 1) for a, b in (("y", "z"), ("m", "n"), ("d", "e")))
    if month == 13 and year % 100 == 12 and parts["y"] and not parts["d"]:
        return f"it is the year {word} only if every cell is a year and the next one"
    if month == 13 and day <= 6:  # days that end the year
        return "it has a 13th month, as in the Ethiopian and the Coptic calendar"
    if not 1 <= month <= 12 or not 28 < day <= 31 or not 1000 <= year <= 2200:
        return None
    if day <= monthrange(year, month)[1]:
        return None
    others = "the Ethiopian one and climate models have months of 30 days, and the Indian one (Saka) has some of 31"
    return f"the Gregorian calendar has no such day: {others}"


def are_dates_of_eras(whole: NDArray[np.int64]) -> bool:
    """Return whether all numbers may be dates such as 14030131 or 1130131, of another calendar than the Gregorian one.

    Args:
        whole: The numbers, (N,).
    """
    years, month, day = whole // 10_000, whole // 100 % 100, whole % 100
    if not len(whole) or month.min() < 1 or month.max() > 13 or day.min() < 1 or day.max() > 32:
        return False
    spans = [_TAIWAN, *(era[:2] for era in _ERAS)]
    return any(low <= years.min() and years.max() <= high for low, high in spans) and bool(years.min() >= 100)
