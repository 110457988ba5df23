"""Dates with years of the Buddhist calendar, such as 2567-01-15 and 15 ม.ค. 2567, as dates of the Gregorian one.

Since 1941 the calendar of Thailand is the Gregorian one with years that are 543 larger, so 2567-02-29 is a day. A
column is read so if all of its years are from 2500 to 2600, which are 1957 to 2057.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import polars as pl
from numpy.typing import NDArray

from ostinato.data.rewritten import Rewritten
from ostinato.data.time_form import Stamps

#: The years by which the Buddhist calendar is ahead, and the first and the last year that are taken for its own.
_AHEAD, _FIRST, _LAST = 543, 2500, 2600
YEARS = (_FIRST, _LAST)
_ERA = r"(?:(?:พ\.?\s?ศ\.?|B\.?E\.?)\s*)?"
LOOK = r"(?:^|[^\d:.]|^\s*\d{1,2}\.\s?\d{1,2}\.\s?)(?:25\d\d|2600)(?:$|[^\d:])"
_YEAR = rf"(?P<before>^|^\d{{1,2}}\.\s?\d{{1,2}}\.\s?|.*?[^\d:.]){_ERA}(?P<year>25\d\d|2600)(?P<after>$|[^\d:].*$)"
#: The months in Thai, short and long, in order.
_SHORT = "ม.ค.|ก.พ.|มี.ค.|เม.ย.|พ.ค.|มิ.ย.|ก.ค.|ส.ค.|ก.ย.|ต.ค.|พ.ย.|ธ.ค."
_LONG = "มกราคม|กุมภาพันธ์|มีนาคม|เมษายน|พฤษภาคม|มิถุนายน|กรกฎาคม|สิงหาคม|กันยายน|ตุลาคม|พฤศจิกายน|ธันวาคม"
_ENGLISH = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_MONTHS = dict(zip((*_LONG.split("|"), *_SHORT.split("|")), _ENGLISH * 2, strict=True))


def rewritten(column: pl.Series, _zone: str | None) -> Rewritten | None:
    """Return the words with years of the Gregorian calendar; None unless every cell has a year of the Buddhist one.

    Args:
        column: The words, (N,).
    """
    given = column.str.strip_chars()
    parts = given.str.extract_groups(_YEAR).struct.unnest()
    if parts["year"].null_count():
        return None
    years = (parts["year"].cast(pl.Int64) - _AHEAD).cast(pl.String)
    words = parts["before"].fill_null("") + years + parts["after"].fill_null("")
    words = words.str.replace_many(list(_MONTHS), list(_MONTHS.values())).alias(column.name)
    return Rewritten(words, _applied(str(given[0])))


def _applied(word: str) -> Callable[[Stamps], Stamps]:
    def applied(found: Stamps) -> Stamps:
        other = None if found.other is None else applied(replace(found.other, other=None))
        one = replace(found, notes=(*found.notes, note(word, found.times[0])), other=other)
        # a file that is written has the Gregorian year, as all dates of the package
        return one.without_pattern() if one.form.dtype is None else one

    return applied


def note(word: str, time: np.datetime64) -> str:
    """Return the note on years of the Buddhist calendar, with the first cell and its time."""
    first = str(time.astype("datetime64[s]")).removesuffix("T00:00:00")
    return f"years from {_FIRST} to {_LAST} are read as those of the Buddhist calendar: {word!r} is {first}"


def years(whole: NDArray[np.int64]) -> NDArray[np.int64] | None:
    """Return years with those of the Gregorian calendar, (N,); None if they are not all of the Buddhist one.

    Args:
        whole: The years, (N,).
    """
    if not len(whole) or whole.min() < _FIRST or whole.max() > _LAST:
        return None
    return whole - _AHEAD


def gregorian(whole: NDArray[np.int64]) -> NDArray[np.int64] | None:
    """Return numbers such as 25670131 with Gregorian years, (N,); None if they are not dates of the Buddhist calendar.

    Args:
        whole: The numbers, (N,).
    """
    if not len(whole) or whole.min() < _FIRST * 10_000 + 101 or whole.max() > _LAST * 10_000 + 1231:
        return None
    return whole - _AHEAD * 10_000
