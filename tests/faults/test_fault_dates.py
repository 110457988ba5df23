"""Times that programs and people write with a weekday, a zone by name, a short year or a stretch: as others read them.

The right values are those of dateutil, email.utils, time.ctime, Babel, pandas.Period and the tz database. A column that
leaves a doubt is refused with its reason.
"""

from __future__ import annotations

import datetime
import email.utils
import zoneinfo
from collections.abc import Callable, Iterable
from functools import partial
from typing import Any, Literal

import numpy as np
import pandas as pd
import polars as pl
import pytest
from babel.dates import format_date, get_day_names
from dateutil import parser  # type: ignore[import-untyped]
from hypothesis import given, settings
from hypothesis import strategies as st
from rows import Row, rows_of
from test_fault_spelled_clocks import refused, right

import ostinato
from ostinato.data.month_names import folded
from ostinato.data.read import read
from ostinato.data.stamps import read_times
from ostinato.data.weekdays import WEEKDAYS
from ostinato.data.zone_names import OFFSETS, SEVERAL

DAYS = pd.Series(pd.date_range("2023-12-20", periods=40))
HOURS = pd.Series(pd.date_range("2024-01-31 20:00", periods=30, freq="h"))
MONTHS = pd.Series(pd.date_range("2023-10-01", periods=30, freq="MS"))
MONTHS_OF_ONE_YEAR = MONTHS.iloc[3:15].reset_index(drop=True)
FOUR, QUARTERS = (MONTHS_OF_ONE_YEAR[rows].reset_index(drop=True) for rows in (slice(3, 7), slice(2, None, 3)))
WEEKS = pd.Series(pd.date_range("2023-12-04", periods=60, freq="7D"))
HALVES = pd.Series(pd.date_range("2020-01-01", periods=9, freq="6MS"))
QUARTERS = pd.Series(pd.date_range("2021-01-01", periods=13, freq="QS"))
YEARS = pd.Series(pd.date_range("2012-01-01", periods=12, freq="YS"))
LANGUAGES = ("en", "de", "fr", "es", "it", "pt", "nl", "da", "nb", "sv", "ko", "ja", "zh")


def back(cells: Iterable[str], times: Any, note: str = "", **options: Any) -> str:
    """Words are read, and the words of a frame are those of its forecast, one step on."""
    words = list(cells)
    right(words, times, note, **options)
    frame = pl.DataFrame({"ds": words[:-1], "y": np.arange(len(words) - 1) + 0.5})
    ahead = ostinato.forecast(read(frame, **options), horizon=1, model="naive").frame["ds"].to_list()
    assert ahead == words[-1:], ahead
    return f"right: {words[0]}"


def by_dateutil(cells: Iterable[str], **options: Any) -> str:
    """Words are the times that dateutil reads, without a zone or in UTC."""
    words = list(cells)
    times = [parser.parse(word, **options) for word in words]
    plain = [t.astimezone(datetime.UTC).replace(tzinfo=None) if t.tzinfo else t for t in times]
    return right(words, np.asarray(plain, dtype="datetime64[us]"))


def of(times: pd.Series, word: Callable[[Any], str]) -> list[str]:
    return [word(t) for t in times]


def in_zone(name: str, place: str, **options: Any) -> str:
    """The abbreviations of a zone are its offsets over a change of the clock, and are written again."""
    local = pd.date_range("2024-03-08", periods=600, freq="h", tz=place)
    return back(local.strftime("%Y-%m-%d %H:%M %Z"), local.tz_convert("UTC").tz_localize(None), name, **options)


def net(offset: str) -> str:
    """.NET writes the milliseconds since 1970 in UTC, whatever the offset."""
    since = [int(t.timestamp() * 1000) for t in HOURS.dt.tz_localize("UTC")]
    return back([f"/Date({ms}{offset})/" for ms in since], HOURS)


WRONG_DAY = ["Mon, 2024-01-01", "Wed, 2024-01-02", "Wed, 2024-01-03"]
KINDS: dict[str, dict[str, Callable[[], str]]] = {
    "weekdays": {
        **{
            form: partial(by_dateutil, DAYS.dt.strftime(form))
            for form in ("%a, %d %b %Y", "%A, %B %d, %Y", "%a %Y-%m-%d", "%Y-%m-%d %a", "%a, %m/%d/%Y")
        },
        "RFC 5322": partial(by_dateutil, of(HOURS, lambda t: email.utils.format_datetime(t.tz_localize("UTC")))),
        "RFC 9110": partial(
            back, of(HOURS, lambda t: email.utils.format_datetime(t.tz_localize("UTC").to_pydatetime(), usegmt=True)),
            HOURS),
        "ctime": partial(back, of(HOURS, lambda t: t.ctime()), HOURS),
        "date": partial(back, HOURS.dt.strftime("%a %b %e %H:%M:%S UTC %Y"), HOURS),
        "git": partial(right, HOURS.dt.strftime("%a %b %-d %H:%M:%S %Y +0000"), HOURS),
        "browsers": partial(
            right, HOURS.dt.strftime("%a %b %d %Y %H:%M:%S GMT+0000 (Coordinated Universal Time)"), HOURS),
        **{
            f"{language}, {form}": partial(right, of(DAYS, partial(format_date, format=form, locale=language)), DAYS)
            for language in LANGUAGES for form in ("EEE, yyyy-MM-dd", "EEEE yyyy-MM-dd", "yyyy-MM-dd (EEE)")
        },
        **{
            f"{language} in full": partial(right, of(DAYS, partial(format_date, format="full", locale=language)), DAYS)
            for language in ("en", "de", "fr", "it", "nl", "da", "nb", "sv", "ko", "ja", "zh")
        },
        "the day tells the month": partial(
            right, ["Mon 01/04/2024", "Wed 01/05/2024", "Sat 01/06/2024"],
            np.array(["2024-04-01", "2024-05-01", "2024-06-01"], dtype="datetime64[D]")),
        "another day": partial(refused, WRONG_DAY, "weekday", "line 2"),
        "a cell without one": partial(refused, ["Mon, 2024-01-01", "2024-01-02", "Wed, 2024-01-03"], "'2024-01-02'"),
    },
    "zones by name": {
        "CET and CEST": partial(in_zone, "CET as +01:00", "Europe/Berlin"),
        "EST and EDT": partial(in_zone, "EST as -05:00", "America/New_York"),
        "PST and PDT": partial(in_zone, "PST as -08:00", "America/Los_Angeles"),
        "GMT and BST": partial(in_zone, "BST as +01:00", "Europe/London"),
        "CST by its zone": partial(in_zone, "CST as -06:00", "America/Chicago", zone="America/Chicago"),
        "CST of China by its zone": partial(in_zone, "CST as +08:00", "Asia/Shanghai", zone="Asia/Shanghai"),
        "IST by its zone": partial(in_zone, "IST as +05:30", "Asia/Kolkata", zone="Asia/Kolkata"),
        "AM and PM": partial(right, HOURS.dt.strftime("%m/%d/%Y %I:%M %p EST"), HOURS + pd.Timedelta("5h")),
        **{
            name: partial(refused, HOURS.dt.strftime(f"%Y-%m-%d %H:%M {name}"), f"{name} may be")
            for name in SEVERAL
        },
        "no zone": partial(refused, HOURS.dt.strftime("%Y-%m-%d %H:%M XYZ"), "not the name of a zone"),
    },
    ".NET": {"UTC": partial(net, ""), "an offset": partial(net, "+0100"),
             "mixed": partial(refused, ["/Date(1704067200000)/", "/Date(1704067200000+0100)/"], "/Date(")},
    "short years": {
        **{form: partial(back, MONTHS.dt.strftime(form), MONTHS, "two digits")
           for form in ("%b-%y", "%b %y", "%B-%y", "%y-%b")},
        **{form: partial(right, MONTHS.dt.strftime(form), MONTHS, "two digits") for form in ("%b '%y", "%b%y")},
        **{form: partial(back, DAYS.dt.strftime(form), DAYS, "two digits") for form in ("%d-%b-%y", "%d %b %y")},
        "SAS": partial(right, DAYS.dt.strftime("%d%b%y").str.upper(), DAYS),
        "no day is 95": partial(right, ["Jan-95", "Mar-95", "Aug-97"],
                                np.array(["1995-01", "1995-03", "1997-08"], dtype="datetime64[M]")),
        "twelve months of one year": partial(right, MONTHS_OF_ONE_YEAR.dt.strftime("%b-%y"), MONTHS_OF_ONE_YEAR),
        "four, the year in front": partial(right, FOUR.dt.strftime("%y-%b"), FOUR),
        "quarters of one year": partial(right, QUARTERS.dt.strftime("%b-%y"), QUARTERS),
        "three months": partial(
            refused, MONTHS_OF_ONE_YEAR[:3].dt.strftime("%b-%y"), "a day of a year that is not given"),
        "days": partial(refused, DAYS.dt.strftime("%d-%b"), "a day of a year that is not given"),
        "every day of a year": partial(
            refused, pd.Series(pd.date_range("2024-01-01", periods=366)).dt.strftime("%b-%d"), "not given"),
        "a day or a year in front": partial(refused, MONTHS.iloc[3:15].dt.strftime("%d-%b-%y"), "two digits"),
        "a century in doubt": partial(refused, of(MONTHS, lambda t: f"{t:%b}-{t.year - 1980}"), "two digits"),
    },
    "stretches": {
        **{form: partial(back, WEEKS.dt.strftime(form), WEEKS, "Monday")
           for form in ("KW %V %G", "KW%V/%G", "%G KW %V", "W%V %G", "Week %V, %G", "CW %V %G", "%V. KW %G")},
        "KW 5 2024": partial(back, of(WEEKS, lambda t: f"KW {t.week} {t.isocalendar()[0]}"), WEEKS),
        **{form: partial(back, DAYS.dt.strftime(form), DAYS) for form in ("%G-W%V-%u", "%GW%V%u")},
        **{f"{a}1{b}": partial(back, [f"{a}{t.month // 6 + 1}{b}{t.year}" for t in HALVES], HALVES, "half")
           for a, b in (("H", " "), ("H", "-"), ("", "H"))},
        **{f"S1, {a}{b}": partial(back, [f"{a}{t.month // 6 + 1}{b}{t.year}" for t in HALVES], HALVES, "half")
           for a, b in (("S", " "), ("S", "-"), ("", "S"))},
        "2024H1": partial(back, [f"{t.year}H{t.month // 6 + 1}" for t in HALVES], HALVES, "half"),
        "1H24": partial(back, [f"{t.month // 6 + 1}H{t:%y}" for t in HALVES], HALVES, "half"),
        **{form: partial(back, [form.replace("1", str(t.quarter)).replace("24", f"{t:%y}") for t in QUARTERS],
                         QUARTERS, "quarter") for form in ("Q1 24", "1Q24", "24Q1", "Q1/24", "Q1'24")},
        **{form: partial(back, [form.replace("Q1", f"Q{t.quarter}").replace("2024", str(t.year))
                                .replace("24", f"{t:%y}") for t in QUARTERS], QUARTERS, "when it begins")
           for form in ("FY24 Q1", "FY2024 Q1", "Q1 FY24", "FY2024-Q1")},
        **{form: partial(back, YEARS.dt.strftime(form), YEARS, "when it begins") for form in ("FY%Y", "FY %Y", "FY%y")},
        **{f"2012{sign}13, {what}": partial(
            right, [f"{t.year}{sign}{(t.year + 1) % size:0{digits}}" for t in years], years, "when such a year begins")
           for sign in ("/", "-", "\u2013") for what, years, size, digits in (
               ("with four digits", YEARS, 10_000, 4), ("beside other months", YEARS, 100, 2),
               ("from 1995", pd.Series(pd.date_range("1995-01-01", periods=9, freq="YS")), 100, 2),
               ("like months", pd.Series(pd.date_range("2002-01-01", periods=9, freq="YS")), 100, 2))},
        "2012/13, one cell of two years": partial(
            refused, ["2011/12", "2012/13", "2013/15"], "'2012/13'", "every cell"),
        "2005-06 is a month": partial(right, ["2005-06", "2005-07"], pd.to_datetime(["2005-06-01", "2005-07-01"])),
        "week 54": partial(refused, ["KW 51 2024", "KW 52 2024", "KW 54 2024"], "'KW 54 2024'", "line 4"),
        "Q1 45": partial(refused, ["Q1 45", "Q2 45", "Q3 45"], "two digits"),
        "H3": partial(refused, ["H1 2024", "H2 2024", "H3 2024"], "'H3 2024'", "line 4"),
    },
}  # fmt: skip
ROWS = rows_of(KINDS, "dateutil, Babel, pandas, or an error")


@pytest.mark.parametrize("row", ROWS, ids=str)
def test_dates(row: Row) -> None:
    assert row.check()


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("width", ["wide", "abbreviated"])
@pytest.mark.parametrize("context", ["format", "stand-alone"])
def test_a_word_means_the_weekday_that_babel_says(
    language: str, width: Literal["wide", "abbreviated"], context: Literal["format", "stand-alone"]
) -> None:
    for number, word in get_day_names(width, context, language).items():
        assert WEEKDAYS[folded(word)] == number, word


def test_an_abbreviation_means_what_the_tz_database_says() -> None:
    """Those that are read have this offset today, and Manila's PST is the only other."""
    seen: dict[str, set[int]] = {}
    for zone in zoneinfo.available_timezones():
        for month in range(1, 13):
            at = datetime.datetime(2024, month, 15, tzinfo=datetime.UTC).astimezone(zoneinfo.ZoneInfo(zone))
            offset = at.utcoffset()
            assert offset is not None
            seen.setdefault(at.tzname() or "", set()).add(int(offset.total_seconds() // 60))
    others = {name: seen[name] - {minutes} for name, minutes in OFFSETS.items() if name in seen}
    assert {name: more for name, more in others.items() if more} == {"PST": {480}}
    assert set(OFFSETS) - set(seen) == {"MEZ", "MESZ"}
    several = {name for name, offsets in seen.items() if len(offsets) > 1 and name not in OFFSETS}
    assert several <= set(SEVERAL)


@settings(deadline=None, max_examples=50)
@given(st.dates(datetime.date(2000, 1, 1), datetime.date(2024, 12, 1)), st.integers(1, 60), st.sampled_from((1, -1)))
def test_days_of_a_year_are_never_read_as_months(start: datetime.date, rows: int, order: int) -> None:
    days = pd.Series(pd.date_range(start, periods=rows))[::order]
    for form in ("%b-%d", "%d-%b", "%b %d"):
        assert read_times(pl.Series("ds", list(days.dt.strftime(form)))) is None


@settings(deadline=None, max_examples=50)
@given(st.dates(datetime.date(2000, 1, 1), datetime.date(2026, 1, 1)), st.integers(13, 48), st.sampled_from((1, -1)))
def test_months_over_more_than_a_year_are_read(start: datetime.date, rows: int, order: int) -> None:
    months = pd.Series(pd.date_range(start, periods=rows, freq="MS"))[::order]
    found = read_times(pl.Series("ds", list(months.dt.strftime("%b-%y"))))
    assert (found is None) == bool((months.dt.year > 2029).any())
    assert found is None or found.times.astype("datetime64[M]").tolist() == [t.date() for t in months]
