"""The formats of dates and date-times, and words read by the one of them that reads the most."""

from __future__ import annotations

import re
from functools import cache

import polars as pl

from ostinato.data.remembered import remembered

#: The first words of a long column, of which a format has to read all.
_FIRST = 40
#: The two readings of dates such as 01/02/2024. Only one of each pair is tried first; see ``Stamps.other``.
MONTH_FIRST, DAY_FIRST = ("%m/%d/%Y", "%m-%d-%Y"), ("%d/%m/%Y", "%d-%m-%Y")
_DATES = ("%Y-%m-%d", "%Y/%m/%d", "%d.%m.%Y", *MONTH_FIRST, *DAY_FIRST)
_MORE_DATES = ("%Y.%m.%d", "%Y%m%d", "%Y년 %m월 %d일", "%Y. %m. %d.", "%Y. %m. %d")
#: Months, which are read as their first days; offices of statistics write 2024M01, and Stata 2024m1. ``month_names``
#: reads their names.
_MONTHS = ("%Y-%m", "%Y/%m", "%m/%Y", "%YM%m", "%Ym%m", "%Y년 %m월")
_CLOCKS = ("%H:%M:%S%.f", "%H:%M", "%I:%M:%S %p", "%I:%M %p", "%H:%M:%S%.f%z", "%H:%M%z")
_FORMATS = (
    *_DATES,
    *_MORE_DATES,
    *_MONTHS,
    *(f"{date}{gap}{clock}" for date in _DATES for gap in (" ", "T") for clock in _CLOCKS),
    "%Y%m%dT%H%M%S%.f",
    "%Y%m%dT%H%M",
    "%Y%m%dT%H%M%S%z",
    "%Y%m%d %H%M",
    "%Y%m%d %H%M%S",
    "%Y%m%d %H:%M",
    "%Y%m%d %H:%M:%S",
    "%G-W%V-%u",
    "%GW%V%u",
    *(f"{date} {clock}%z" for date in _DATES for clock in ("%I:%M:%S %p", "%I:%M %p")),
)
#: Words without blanks and Z at their ends, and whether one may have a leap second.
_CLEANED = (
    pl.col("").str.strip_chars().str.replace(r"Z$", "").alias("words"),
    pl.col("").str.contains(":60", literal=True).any().alias("leap"),
)


def formats_of(day_first: bool | None) -> tuple[str, ...]:
    """Return the formats to try, of which some are left out if it is known whether the day is in front of the month."""
    if day_first is None:
        return _FORMATS
    away = MONTH_FIRST if day_first else DAY_FIRST
    return tuple(form for form in _FORMATS if not form.startswith(away))


@remembered
def parse_words(column: pl.Series, formats: tuple[str, ...]) -> tuple[pl.Series, str]:
    """Return words as date-times by the format that reads the most of them, with null for the others.

    A format that does not read the first words does not read all words, so that few formats are tried on a long column.
    """
    if len(column) > 2 * _FIRST:
        first = _cleaned(column.head(_FIRST))
        likely = tuple(form for form in _possible(first, formats) if not _parsed(first, form).null_count())
        best = _best(_cleaned(column), likely)
        if best is not None and not best[0].null_count():
            return best
    words = _cleaned(column)
    best = _best(words, _possible(words, formats))
    assert best is not None
    return best


@cache
def _signs(form: str) -> frozenset[str]:
    """Return the characters that stand as they are in all that a format reads, such as the colon of a clock."""
    return frozenset(re.sub(r"%\.?\w|\s", "", form))


def _possible(words: pl.Series, formats: tuple[str, ...]) -> tuple[str, ...]:
    """Return the formats whose signs all occur in the words; the first one if there is none.

    One query for all signs rules out most of the hundred formats, each of which would take a query of its own.
    """
    signs = sorted(frozenset[str]().union(*map(_signs, formats)))
    looks = words.to_frame("").select(pl.col("").str.contains(sign, literal=True).any().alias(sign) for sign in signs)
    found = {sign for sign in signs if looks[sign][0]}
    return tuple(form for form in formats if _signs(form) <= found) or formats[:1]


def _cleaned(column: pl.Series) -> pl.Series:
    """Return words without blanks and Z at their ends, and null for leap seconds, which would be the second after."""
    looks = column.to_frame("").select(_CLEANED)
    words = looks["words"].alias(column.name)
    return words.set(words.str.contains(r":\d\d:60"), None) if looks["leap"].any() else words


def _best(words: pl.Series, formats: tuple[str, ...]) -> tuple[pl.Series, str] | None:
    """Return the words as date-times by the first of the formats that reads the most; None without formats."""
    best: tuple[pl.Series, str] | None = None
    for form in formats:
        parsed = _parsed(words, form)
        if best is None or parsed.null_count() < best[0].null_count():
            best = parsed, form
        if not parsed.null_count():
            break
    return best


def _parsed(words: pl.Series, form: str) -> pl.Series:
    """Return words as date-times by a format, with null for the words that it does not read."""
    # polars reads a month without its day only in the spelling that it would write itself
    word = pl.col("")
    given, full = ("1 " + word, f"%d {form}") if form in _MONTHS else (word, form)
    parsed = given.str.to_datetime(full, strict=False, time_unit="us")
    if "%z" in form:
        parsed = parsed.dt.convert_time_zone("UTC").dt.replace_time_zone(None)
    # "07.02.06" would be a day of the year 6
    kept = pl.when(parsed.dt.year() >= 1000).then(parsed)
    return words.to_frame("").select(kept.alias(words.name)).to_series()
