"""The names of columns of times, in the languages that tables have; every part of the reader takes them from here."""

from __future__ import annotations

import re
from typing import NamedTuple

#: English names of whole times, in the order in which a column is taken for the time.
_WHOLE = ("ds", "date", "time", "timestamp", "datetime", "_time", "time_period")
#: Names of dates, and of times of other languages. The word data, a date in Italian and Portuguese, is not certain.
_DATES = ("datum", "fecha", "날짜", "일자", "日付", "日期")
_MOMENTS = ("일시", "zeitpunkt", "zeitstempel")


class Part(NamedTuple):
    """The names of the columns of one part of a time, and the least and the largest number that it may have."""

    names: tuple[str, ...]
    low: int
    high: int


#: The parts of a time, from the longest to the shortest.
PARTS = {
    "year": Part(
        ("year", "yr", "yyyy", "jahr", "annee", "année", "año", "ano", "anno", "연도", "년도", "년", "年"), 1000, 2200
    ),
    "month": Part(("month", "mo", "mon", "mm", "mnth", "monat", "mois", "mes", "mês", "mese", "월", "月"), 1, 12),
    "quarter": Part(("quarter", "qtr", "quartal", "trimestre", "분기", "季度"), 1, 4),
    "week": Part(
        ("week", "wk", "ww", "isoweek", "iso_week", "week_of_year", "kw", "woche", "kalenderwoche", "semaine", "semana",
         "settimana", "주", "주차", "週", "周"), 1, 53),
    "day": Part(("day", "dd", "dy", "dom", "tag", "jour", "dia", "día", "giorno", "일", "日"), 1, 31),
    "hour": Part(
        ("hour", "hr", "hh", "he", "hour ending", "hour_ending", "hourending", "hour_of_day",
         "stunde", "heure", "hora", "ora", "시", "시간", "時", "时"), 0, 23),
    "minute": Part(("minute", "min", "minuto", "분", "分"), 0, 59),
}  # fmt: skip
#: The day of a year, from 1 to 366.
DAY_OF_YEAR = Part(
    ("doy", "day_of_year", "day of year", "dayofyear", "yday", "jday", "julian day", "julian_day"), 1, 366
)
#: The name of a column that may hold months or quarters in words, such as M01 and Q01.
PERIOD = "period"
#: The name of the column that the parts of a time are joined to.
JOINED = "ds"
#: The names of columns that are taken for the time by their name alone, in this order; the last three may be parts.
TIMES = (*_WHOLE, "year", "month", "day")
MAY_BE_PARTS = ("year", "month", "day")
#: Further names of columns of times. Words in them that are not times lead to an error, because the rows may have
#: gaps or another order than that of time.
MORE_TIMES = (*_DATES, *_MOMENTS, "quarter", "분기", "period", "week", "mois", "monat", "월")
#: The names of columns of days, of their times of day, and of complete times, which need no other columns.
DAYS = ("date", "day", "ds", *_DATES, "data")
CLOCKS = (
    "time", "hour", "clock", "start", "begin", "from", "anfang", "beginn", "von",
    "uhrzeit", "heure", "hora", "ora", "시간", "시각", "時刻", "时间",
)  # fmt: skip
_CLOCK = re.compile(rf"(^|[_ .-])({'|'.join(CLOCKS)})([_ (]|$)", re.IGNORECASE)
WHOLE_TIMES = (*_WHOLE, *_DATES, *_MOMENTS)
#: The names that the reader gives to the columns of a table without names: each of them may hold times.
UNNAMED = re.compile(r"channel_\d+")


def _said(anywhere: str, alone: str = "") -> re.Pattern[str]:
    """Return a pattern of names with one of some words in them, or with one of others as a word of its own."""
    own = rf"|(?<![^\W\d_])(?:{alone})(?![^\W\d_])" if alone else ""
    return re.compile(anywhere + own, re.IGNORECASE)


_YEAR = _said(r"year|jahr|annee|année|time_?period|연도|년|年|시점|時点|ปี|พ\.? ?ศ", "yr|anno|año|per[ií]odo")
_TIME = _said("time|date|stamp|epoch|unix|zeit|일시|시각|시간", "ds|ts|clock")
_MONTH = _said(
    "month$|monat$|yyyymm|year_?month|time_?period|년월|年月|시점|時点", "mm|mon|period|mois|mes|mese|mês|월|月"
)
_WEEK = _said("week|woche|semaine|semana|settimana", "(?:yyyy|y)?w(?:w|k)|yw|kw|주|주차|週|周")
_YEAR_AND_WEEK = re.compile(r"^(yyyy|year|y)_?w$", re.IGNORECASE)
_QUARTER = _said("quarter|quartal|trimestre|분기|季度", "qtr|period|(?:yyyy|y)q")
_YEAR_AND_QUARTER = re.compile(r"^(yyyy|year|y)_?q$", re.IGNORECASE)
_DATE = re.compile(r"(^|[^p])date$|^date|datum$|(^|_)fecha|^data$|날짜|일자|일시|日付|日期", re.IGNORECASE)
_DAY = re.compile(r"^(?:day|tag|jour|d[ií]a|giorno|일|日|period|periode|período)$", re.IGNORECASE)
_STAMP = re.compile(r"^ds$|timestamp|zeitstempel", re.IGNORECASE)


def plain_name(name: str) -> str:
    """Return a name in small letters, without the underscore that SPSS puts behind its parts of a time: YEAR_."""
    return name.lower().strip().removesuffix("_")


def says_year(name: str) -> bool:
    """Return whether whole numbers in a column of this name may be years."""
    return _YEAR.search(name) is not None


def says_time(name: str) -> bool:
    """Return whether whole numbers in a column of this name may be times since 1970."""
    return _TIME.search(name) is not None


def says_month(name: str) -> bool:
    """Return whether whole numbers in a column of this name may be months such as 202401."""
    return _MONTH.search(name) is not None


def says_week(name: str) -> bool:
    """Return whether whole numbers in a column of this name may be weeks such as 202453."""
    return _WEEK.search(name) is not None or _YEAR_AND_WEEK.search(name) is not None


def says_quarter(name: str) -> bool:
    """Return whether whole numbers in a column of this name may be quarters such as 20244."""
    return _QUARTER.search(name) is not None or _YEAR_AND_QUARTER.search(name) is not None


def says_date(name: str) -> bool:
    """Return whether numbers in a column of this name may be days as Excel counts them: 45292 is 2024-01-01."""
    return _DATE.search(name) is not None


def says_stamp(name: str) -> bool:
    """Return whether a column of this name holds times, which may be dates, clocks or steps."""
    return _STAMP.search(name) is not None


def says_day(name: str) -> bool:
    """Return whether numbers of this size in a column of this name may be days as Excel counts them, and are no steps.

    A column of weeks, months or quarters may hold the first day of each.
    """
    return bool(_DAY.search(name)) or any(says(name) for says in (says_stamp, says_week, says_month, says_quarter))


def says_clock(name: str) -> bool:
    """Return whether a column of this name may hold times of day, as time, Start Time and reading_time do."""
    return _CLOCK.search(name) is not None


def says_when(name: str) -> bool:
    """Return whether a column of this name may hold whole numbers that are times of some kind."""
    return any(says(name) for says in (says_time, says_date, says_month, says_week, says_quarter))
