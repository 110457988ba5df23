"""Times that do not belong together: with and without a zone, and weeks of ISO 8601 with years of the calendar."""

from __future__ import annotations

import datetime
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from ostinato.data.read import read
from ostinato.errors import DataError

DAYS = [f"2024-01-{i + 1:02}T00:00:00" for i in range(20)]


def written(folder: Path, header: str, cells: list[str]) -> Path:
    path = folder / "t.csv"
    path.write_text(f"{header},y\n" + "".join(f"{cell},{i}.5\n" for i, cell in enumerate(cells)))
    return path


@pytest.mark.parametrize("zone", ["Z", " UTC", " GMT", "+00:00", "+02:00", "-0530"])
@pytest.mark.parametrize("odd", [{3}, {0}, {19}, set(range(0, 20, 2))], ids=["one", "first", "last", "half"])
@pytest.mark.parametrize("flipped", [False, True])
def test_times_with_and_without_a_zone_are_refused(tmp_path: Path, zone: str, odd: set[int], flipped: bool) -> None:
    """The dates of pandas refuse such a column, too."""
    cells = [day + zone * ((i in odd) != flipped) for i, day in enumerate(DAYS)]
    with pytest.raises(ValueError, match=r"timezone|Mixed|format|time data"):
        pd.to_datetime(pd.Series(cells))
    with pytest.raises(DataError, match="zone, unlike") as caught:
        read(written(tmp_path, "ds", cells))
    row = int(str(caught.value.where).rsplit(" ", 1)[-1]) - 2
    assert len(odd) == 10 or row in odd


@pytest.mark.parametrize("name", ["ds", "moment"])
def test_a_zone_is_written_in_two_ways(tmp_path: Path, name: str) -> None:
    cells = [day + ("Z" if i % 2 else "+00:00") for i, day in enumerate(DAYS)]
    times = read(written(tmp_path, name, cells)).times
    assert times is not None
    expected = pd.to_datetime(pd.Series(cells), utc=True).dt.tz_localize(None).to_numpy("datetime64[us]")
    assert np.array_equal(times, expected)


def weeks(first: datetime.date, count: int, *, calendar: bool) -> list[str]:
    days = [first + datetime.timedelta(weeks=i) for i in range(count)]
    return [f"{day.year if calendar else day.isocalendar()[0]},{day.isocalendar()[1]}" for day in days]


#: Weeks whose day and whose year of ISO 8601 are of different years: 30 December 2024, and Sunday 1 January 2023.
ODD = [(datetime.date(2024, 12, 30), "line 6"), (datetime.date(2023, 1, 1), "line 6")]


@pytest.mark.parametrize(("day", "where"), ODD)
@pytest.mark.parametrize("after", [0, 1, 60])
def test_weeks_beside_years_of_the_calendar_are_refused(
    tmp_path: Path, day: datetime.date, where: str, after: int
) -> None:
    after = max(after, int(day.month == 1))  # the first row of a year shows nothing yet
    cells = weeks(day - datetime.timedelta(weeks=4), 5 + after, calendar=True)
    with pytest.raises(DataError, match="of the calendar, expected the year of ISO 8601") as caught:
        read(written(tmp_path, "year,week", cells))
    assert str(caught.value.where).endswith(where)


@pytest.mark.parametrize(("day", "_where"), ODD)
def test_weeks_beside_their_years_are_read(tmp_path: Path, day: datetime.date, _where: str) -> None:
    first = day - datetime.timedelta(weeks=60)
    times = read(written(tmp_path, "year,week", weeks(first, 130, calendar=False))).times
    monday = np.datetime64(first - datetime.timedelta(days=first.weekday()))
    assert times is not None
    assert np.array_equal(times.astype("datetime64[D]"), monday + 7 * np.arange(130))


@pytest.mark.parametrize("weekday", [0, 3, 6])
def test_a_month_shows_that_the_year_is_that_of_the_calendar(tmp_path: Path, weekday: int) -> None:
    """The first of January may lie in week 53 of the year before, and the last of December in week 1 of the next."""
    monday = datetime.date(2015, 11, 30)
    days = [monday + datetime.timedelta(weeks=i, days=weekday) for i in range(530)]
    cells = [f"{day.year},{day.month},{day.isocalendar()[1]}" for day in days]
    times = read(written(tmp_path, "year,month,week", cells)).times
    assert times is not None
    assert np.array_equal(times.astype("datetime64[D]"), np.datetime64(monday) + 7 * np.arange(530))


def test_series_one_below_the_other_are_read(tmp_path: Path) -> None:
    """Week 1 follows week 52 of one year where one store ends and the next begins."""
    cells = [f"{store},2024,{week}" for store in (1, 2, 3) for week in range(1, 53)]
    assert len(read(written(tmp_path, "store,year,week", cells), id_col="store")) == 3
