"""Dates with years of the eras of Japan, such as 令和6年1月, 令和元年5月1日 and ㍻31年4月, as Gregorian ones.

Since 1873 the calendar of Japan is the Gregorian one, and its years are counted from the first year of an era. Months
and days before are of a calendar of the moon, and are not read. Of the years only the last of an era and the first of
the next one are the same. Eras by their letter, such as R6, are not read: they may be something else.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import polars as pl

from ostinato.data.rewritten import Rewritten
from ostinato.data.time_form import Stamps

#: The year before the first one of each era, and the last year of it.
_ERAS = {"明治": (1867, 45), "大正": (1911, 15), "昭和": (1925, 64), "平成": (1988, 31), "令和": (2018, 99)}
#: The first year whose months and days are those of the Gregorian calendar.
_GREGORIAN = 1873
#: The signs that hold a whole era.
_SIGNS = {"㍾": "明治", "㍽": "大正", "㍼": "昭和", "㍻": "平成", "㋿": "令和"}
LOOK = rf"^\s*(?:{'|'.join((*_ERAS, *_SIGNS))})"
_DATE = (
    rf"^(?P<era>{'|'.join((*_ERAS, *_SIGNS))})\s*(?P<year>\d{{1,2}}|元)\s*年(?:\s*(?P<month>\d{{1,2}})\s*月"
    r"(?:\s*(?P<day>\d{1,2})\s*日)?)?$"
)


def rewritten(column: pl.Series, _zone: str | None) -> Rewritten | None:
    """Return the words as 2024-01-31, 2024-01 or 2024-01-01; None unless every cell is of one such form.

    Args:
        column: The words, (N,).
    """
    given = column.str.strip_chars().str.normalize("NFC")
    parts = given.str.extract_groups(_DATE).struct.unnest()
    longest = "day" if parts["day"].count() else "month" if parts["month"].count() else "year"
    if parts["era"].null_count() or parts[longest].null_count():
        return None
    era = parts["era"].replace(_SIGNS)
    number = parts["year"].replace({"元": "1"}).cast(pl.Int64)
    last = era.replace_strict({name: end for name, (_, end) in _ERAS.items()}, return_dtype=pl.Int64)
    if bool((number > last).any()) or bool((number < 1).any()):
        return None
    years = number + era.replace_strict({name: before for name, (before, _) in _ERAS.items()}, return_dtype=pl.Int64)
    if longest != "year" and bool((years < _GREGORIAN).any()):
        return None
    words = years.cast(pl.String)
    for part in ("month", "day")[: {"year": 1, "month": 1, "day": 2}[longest]]:
        words = words + "-" + parts[part].str.zfill(2).fill_null("01")
    return Rewritten(words.alias(column.name), _applied(str(given[0])))


def _applied(word: str) -> Callable[[Stamps], Stamps]:
    def applied(found: Stamps) -> Stamps:
        first = np.datetime_as_string(found.times[0], unit="D")
        note = f"years are read as those of the eras of Japan: {word!r} is {first}"
        one = replace(found, notes=(*found.notes, note))
        # a file that is written has the Gregorian year, as all dates of the package
        return one.without_pattern() if one.form.dtype is None else one

    return applied
