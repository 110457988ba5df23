"""Years of the Buddhist calendar, and days that the Gregorian calendar does not have; pandas is the oracle."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import ostinato
from ostinato.data.eras import calendar_of
from ostinato.errors import DataError
from ostinato.inference.clock import read_time

#: Over a 29 February, which the Gregorian year 2567 does not have.
DAYS = pd.date_range("2024-02-10", periods=40)
MONTHS = pd.date_range("2016-11-01", periods=40, freq="MS")
HOURS = pd.date_range("2024-02-28", periods=60, freq="h")
FORMS = {
    "%Y-%m-%d": DAYS, "%Y/%m/%d": DAYS, "%d/%m/%Y": DAYS, "%d.%m.%Y": DAYS, "%d-%m-%Y": DAYS, "%m/%d/%Y": DAYS,
    "%Y%m%d": DAYS, "%d %b %Y": DAYS, "%B %d, %Y": DAYS, "พ.ศ. %Y-%m-%d": DAYS, "%Y-%m": MONTHS, "%m/%Y": MONTHS,
    "%YM%m": MONTHS, "%b %Y": MONTHS, "%Y-%m-%d %H:%M": HOURS, "%Y-%m-%dT%H:%M:%S": HOURS,
}  # fmt: skip
#: Words of a table of the calendar, from CLDR (Babel writes none of its years).
THAI = ["ม.ค.", "ก.พ.", "มี.ค.", "เม.ย.", "พ.ค.", "มิ.ย.", "ก.ค.", "ส.ค.", "ก.ย.", "ต.ค.", "พ.ย.", "ธ.ค."]


def table(path: Path, cells: list[str], head: str = "date") -> Path:
    path.write_text(f"{head};y\n" + "".join(f"{c};{i % 7 + 0.5}\n" for i, c in enumerate(cells)), encoding="utf-8")
    return path


def buddhist(times: pd.DatetimeIndex, form: str) -> list[str]:
    return [t.strftime(form.replace("%Y", "@")).replace("@", str(t.year + 543)) for t in times]


@pytest.mark.parametrize("form", FORMS)
def test_buddhist_years_are_read_as_their_gregorian_ones(tmp_path: Path, form: str) -> None:
    times = FORMS[form]
    data = ostinato.read(table(tmp_path / "a.csv", buddhist(times, form)))
    np.testing.assert_array_equal(data.times, times.to_numpy().astype("datetime64[us]"))
    assert any("Buddhist calendar" in one for one in data.notes), data.notes


@pytest.mark.parametrize("short", [True, False])
def test_thai_months(tmp_path: Path, short: bool) -> None:
    babel = pytest.importorskip("babel.dates", reason="the months in Thai")
    names = babel.get_month_names("abbreviated" if short else "wide", locale="th")
    assert not short or [names[m] for m in range(1, 13)] == THAI
    cells = [f"{t.day} {names[t.month]} {t.year + 543}" for t in DAYS]
    data = ostinato.read(table(tmp_path / "a.csv", cells))
    np.testing.assert_array_equal(data.times, DAYS.to_numpy().astype("datetime64[us]"))


@pytest.mark.parametrize("year", [1957, 2057, 2024])
def test_years_that_are_gregorian_stay(tmp_path: Path, year: int) -> None:
    """Years at the ends of the Buddhist ones, and fractions of seconds such as .2567, are no Buddhist years."""
    times = pd.date_range(f"{year}-03-01", periods=20)
    cells = [f"{t:%Y-%m-%d} 13:00:00.2567" for t in times]
    data = ostinato.read(table(tmp_path / "a.csv", cells))
    assert data.times is not None
    assert str(data.times[0]) == f"{year}-03-01T13:00:00.256700"
    assert not any("Buddhist" in one for one in data.notes)


def test_years_of_both_calendars_are_not_mixed(tmp_path: Path) -> None:
    cells = [*buddhist(DAYS[:20], "%Y-%m-%d"), *DAYS[20:].strftime("%Y-%m-%d")]
    with pytest.raises(DataError, match="2567-02-29"):
        ostinato.read(table(tmp_path / "a.csv", cells[::-1]))


@pytest.mark.parametrize("word", ["2567-02-29", "29/2/2567", "2567-02-29T00:00"])
def test_events_of_a_stream_are_read_as_the_files_are(word: str) -> None:
    assert str(read_time(word, day_first=True)) == "2024-02-29T00:00:00.000000"


@pytest.mark.parametrize(
    ("cells", "says"),
    [
        ([f"2016-13-0{d}" for d in range(1, 6)], "Ethiopian"),
        ([f"2016-{m:02}-30" for m in range(1, 13)], "no such day"),
        ([f"1945-{m:02}-31" for m in (2, 3, 4, 5, 6)], "Saka"),
        ([f"2021-02-{d}" for d in range(20, 31)], "no such day"),
        ([f"{d}.02.2021" for d in range(20, 31)], "no such day"),
    ],
)
def test_days_that_no_gregorian_month_has_are_refused_by_name(tmp_path: Path, cells: list[str], says: str) -> None:
    with pytest.raises(DataError, match=says):
        ostinato.read(table(tmp_path / "a.csv", cells))


def test_every_day_of_the_gregorian_calendar_is_one() -> None:
    for day in pd.date_range("1999-01-01", "2001-01-01"):
        for form in ("%Y-%m-%d", "%d/%m/%Y", "%Y-%m"):
            assert calendar_of(day.strftime(form)) is None
