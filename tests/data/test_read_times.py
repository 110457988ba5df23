"""Times: in every usual form, with a zone, out of the ordinary; steps that are left out become missing."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import polars as pl
import pytest

from ostinato.data.read import read
from ostinato.data.stamp_formats import _MONTHS
from ostinato.data.stamps import read_times
from ostinato.errors import DataError

HOURS = pl.datetime_range(pl.datetime(2024, 3, 1), pl.datetime(2024, 3, 5), "1h", eager=True)
DAYS = pl.date_range(pl.date(2024, 3, 1), pl.date(2024, 4, 20), "1d", eager=True)
FORMS = ["%Y-%m-%d", "%Y/%m/%d", "%d.%m.%Y", "%m/%d/%Y", "%d/%m/%Y", "%b %d %Y", "%d %b %Y", "%Y%m%d"]


def table(times: pl.Series) -> pl.DataFrame:
    return pl.DataFrame({"ds": times, "y": np.arange(len(times)) + 0.5})


@pytest.mark.parametrize("form", FORMS)
def test_a_form_of_date(form: str) -> None:
    data = read(table(DAYS.dt.strftime(form)))
    assert data.times is not None
    assert (data.frequency, data.times.astype("datetime64[D]").tolist()) == ("1d", DAYS.to_list())


@pytest.mark.parametrize("form", [*(f"{d}{gap}{c}" for d in FORMS[:4] for gap in " T" for c in ("%H:%M", "%H:%M:%S"))])
@pytest.mark.parametrize("zone", ["", "Z", "+00:00"])
def test_a_form_of_date_and_time(form: str, zone: str) -> None:
    data = read(table(HOURS.dt.strftime(form + zone)))
    assert data.times is not None
    assert (data.frequency, data.times.tolist()) == ("1h", HOURS.to_list())


def test_nothing_that_a_caller_changes_is_in_a_later_reading() -> None:
    """Short columns of words are remembered."""
    words = pl.Series("ds", ["01/02/2024", "03/04/2024"])
    found, right = read_times(words), np.array(["2024-01-02", "2024-03-04"], dtype="datetime64[us]")
    assert found is not None
    assert found.other is not None
    found.times[:], found.other.times[:] = 0, 0
    again = read_times(words)
    assert again is not None
    assert again.other is not None
    np.testing.assert_array_equal(again.times, right)
    np.testing.assert_array_equal(again.other.times, np.array(["2024-02-01", "2024-04-03"], dtype="datetime64[us]"))


def test_a_zone_becomes_utc() -> None:
    data = read(table(HOURS.dt.strftime("%Y-%m-%d %H:%M:%S+09:00")))
    assert data.times is not None
    assert data.times[0] == np.datetime64("2024-02-29T15:00")


def test_dates_that_could_be_two_are_named() -> None:
    months = pl.Series(["01/02/2024", "02/02/2024", "03/02/2024"])
    assert "dates such as 01/02/2024 are read as month/day/year" in read(table(months)).notes
    assert not read(table(DAYS.dt.strftime("%d/%m/%Y"))).notes


@pytest.mark.parametrize("respell", [str, str.upper, lambda word: word.replace(" 0", " ").removeprefix("0")])
@pytest.mark.parametrize("form", _MONTHS)
def test_a_form_of_month(form: str, respell: Callable[[str], str]) -> None:
    months = pl.date_range(pl.date(2023, 11, 1), pl.date(2025, 3, 1), "1mo", eager=True)
    data = read(table(pl.Series([respell(word) for word in months.dt.strftime(form)])))
    assert data.times is not None
    assert (data.frequency, data.times.astype("datetime64[D]").tolist()) == ("1mo", months.to_list())


@pytest.mark.parametrize("words", [["Mar", "May"], ["Mar 3", "May 5"], ["May-24", "Jun-24"], ["2024 1", "2024 2"]])
def test_a_word_with_a_month_in_it_is_no_month(words: list[str]) -> None:
    assert read_times(pl.Series(words)) is None


def test_a_year_of_two_digits_is_named() -> None:
    with pytest.raises(DataError, match="a year of two digits"):
        read(table(pl.Series(["01/02/03", "02/03/04", "03/04/05"])))


@pytest.mark.parametrize("years", [[1990, 1991, 1992], ["1990-01", "1991-01", "1992-01"], [1990.0, 1991.0, 1992.0]])
def test_years(years: list[object]) -> None:
    assert read(pl.DataFrame({"year": years, "y": [1.5, 2.5, 3.5]})).frequency == "1y"


def test_steps_left_out_are_missing() -> None:
    data = read(table(HOURS).filter(pl.int_range(pl.len()).is_in([3, 4, 50]).not_()))
    assert (len(data.values), np.flatnonzero(np.isnan(data.values[:, 0])).tolist()) == (len(HOURS), [3, 4, 50])
    assert data.times is not None
    assert data.times.tolist() == HOURS.to_list()
    assert "3 steps without a row are read as missing" in data.notes


def test_whole_numbers_are_steps() -> None:
    data = read(pl.DataFrame({"ds": [1, 2, 3, 5, 6, 7, 8], "y": np.arange(7.0) + 0.5}))
    assert (data.frequency, np.flatnonzero(np.isnan(data.values[:, 0])).tolist()) == ("step", [3])


@pytest.mark.parametrize("bad", ["someday", "2024-13-01", "07.02.06", "99"])
def test_an_unreadable_time_is_named(bad: str) -> None:
    words = DAYS.dt.strftime("%Y-%m-%d").to_list()
    words[7] = bad
    with pytest.raises(DataError, match=f"cannot read '{bad}' in column 'ds' as a time(.|\n)*row 7"):
        read(table(pl.Series(words)))


@pytest.mark.parametrize("far", [-(2**63) + 2, 2**63 - 1, 2**53 + 1])
def test_a_whole_number_whose_differences_overflow_is_no_time(far: int) -> None:
    times = [0, 1, 2, far, 4] if far > 0 else [far, 0, 1, 2, 3]
    with pytest.raises(DataError, match=f"the time {far} is too far from 0"):
        read(pl.DataFrame({"ds": times, "y": [0.5, 1.5, 2.5, 3.5, 4.5]}))
