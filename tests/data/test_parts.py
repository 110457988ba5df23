"""Columns of a year and of a month, a quarter, a day or an hour are one time, as pandas.to_datetime joins them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import polars as pl
import pytest

import ostinato
from ostinato.data.future import with_future
from ostinato.data.read import read
from ostinato.errors import DataError

MONTHS = pd.date_range("2019-03-01", periods=60, freq="MS")
DAYS = pd.date_range("2023-11-20", periods=150, freq="D")
HOURS = pd.date_range("2023-12-30", periods=100, freq="h")


def table(times: pd.DatetimeIndex, parts: str) -> pl.DataFrame:
    columns = {part: getattr(times, part) for part in parts.split()}
    return pl.DataFrame({**columns, "sales": np.arange(len(times)) % 7 + 0.5})


@pytest.mark.parametrize(
    ("times", "parts"),
    [(MONTHS, "year month"), (DAYS, "year month day"), (HOURS, "year month day hour"), (MONTHS[1::3], "year quarter")],
)
def test_parts_are_joined_as_pandas_joins_them(times: pd.DatetimeIndex, parts: str) -> None:
    frame = table(times, parts)
    data = read(frame)
    assert data.times is not None
    given = frame.select(parts.split()).to_pandas()
    if "quarter" in given:
        given["month"] = given.pop("quarter") * 3 - 2
    truth = pd.to_datetime(given if "day" in given else given.assign(day=1))
    np.testing.assert_array_equal(data.times.astype("datetime64[ns]"), truth.to_numpy().astype("datetime64[ns]"))
    assert data.channels == ("sales",)
    *others, last = map(repr, parts.split())
    assert f"the columns {', '.join(others)} and {last} are read together as the time" in data.notes


@pytest.mark.parametrize(
    "names", [["January", "February", "March"], ["ene", "feb", "mar"], ["01", "02", "03"], [1, 2, 3]]
)
def test_the_month_is_a_name_or_a_number(names: list[object]) -> None:
    data = read(pl.DataFrame({"Jahr": [2024] * 3, "Monat": names, "sales": [1.5, 2.5, 3.5]}))
    assert data.times is not None
    assert data.times.astype("datetime64[M]").astype(str).tolist() == ["2024-01", "2024-02", "2024-03"]


#: Quarters and months with a letter or a word: those of a spreadsheet, of R, of BLS, of Germany, France and Korea.
@pytest.mark.parametrize(
    ("name", "cell", "step"),
    [
        ("quarter", "Q{}", 3),
        ("qtr", "{}Q", 3),
        ("Quartal", "{}. Quartal", 3),
        ("trimestre", "T{}", 3),
        ("분기", "{}분기", 3),
        ("quarter", "{}th quarter", 3),
        ("period", "Q0{}", 3),
        ("Period", "M{:02}", 1),
        ("Monat", "MONAT{:02}", 1),
    ],
)
def test_quarters_and_months_may_have_a_letter(name: str, cell: str, step: int) -> None:
    times = MONTHS[1::3] if step == 3 else MONTHS
    cells = [cell.format((t.month + step - 1) // step) for t in times]
    data = read(pl.DataFrame({"year": times.year, name: cells, "sales": np.arange(len(times)) % 7 + 0.5}))
    assert data.times is not None
    np.testing.assert_array_equal(data.times.astype("datetime64[M]"), times.to_numpy().astype("datetime64[M]"))
    assert data.channels == ("sales",)
    assert f"the columns 'year' and {name!r} are read together as the time" in data.notes


def with_cells(**cells: list[object]) -> pl.DataFrame:
    frame = pl.DataFrame({"year": [2023] * 3, "month": [1, 2, 3], "sales": [1.5, 2.5, 3.5]})
    return frame.with_columns(pl.Series(name, column) for name, column in cells.items())


@pytest.mark.parametrize("wrong", [{"month": [1, 2, 13]}, {"year": [1, 2, 3]}, {"year": [2023.5, 2024, 2025]}])
def test_numbers_that_are_no_parts_are_left_as_they_are(wrong: dict[str, list[object]]) -> None:
    assert not any("read together" in note for note in read(with_cells(**wrong)).notes)


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        ({"month": ["Jan", "Feb", "Smarch"]}, "occurs twice"),
        ({"day": [30, 30, 30]}, "the columns year, month, day hold 2023-2-30, and there is no such day"),
    ],
)
def test_words_and_days_that_do_not_exist_are_refused(wrong: dict[str, list[object]], told: str) -> None:
    with pytest.raises(DataError, match=told):
        read(with_cells(**wrong))


@pytest.mark.parametrize("day", ["datetime", "date", "whole number", "word"])
@pytest.mark.parametrize("beside", ["hour", "clock", "clock of a type"])
def test_days_of_every_type_go_with_clocks_and_hours(day: str, beside: str) -> None:
    times = pl.Series(HOURS)
    days = {
        "datetime": times.dt.truncate("1d"),
        "date": times.dt.date(),
        "whole number": times.dt.strftime("%Y%m%d").cast(pl.Int64),
        "word": times.dt.strftime("%d.%m.%Y"),
    }
    clocks = {"hour": times.dt.hour(), "clock": times.dt.strftime("%H:%M"), "clock of a type": times.dt.time()}
    name = "hour" if beside == "hour" else "time"
    data = read(pl.DataFrame({"date": days[day], name: clocks[beside], "sales": np.arange(len(HOURS)) % 7 + 0.5}))
    assert data.times is not None
    np.testing.assert_array_equal(data.times.astype("datetime64[us]"), HOURS.to_numpy().astype("datetime64[us]"))
    assert data.channels == ("sales",)


@pytest.mark.parametrize("parts", ["date hour", "year month day hour"])
def test_hours_from_1_to_24_end_with_the_midnight_after_their_day(parts: str) -> None:
    ends = pl.Series(HOURS)  # markets of electricity name an hour by its end
    days = ends.dt.offset_by("-1h")
    cells = {
        "date": days.dt.date(),
        "year": days.dt.year(),
        "month": days.dt.month(),
        "day": days.dt.day(),
        "hour": days.dt.hour() + 1,
    }
    data = read(
        pl.DataFrame({**{part: cells[part] for part in parts.split()}, "load": np.arange(len(HOURS)) % 7 + 0.5})
    )
    assert data.times is not None
    np.testing.assert_array_equal(data.times.astype("datetime64[us]"), HOURS.to_numpy().astype("datetime64[us]"))
    assert any("24" in note and "midnight" in note for note in data.notes)


def test_hour_24_beside_hour_0_of_the_next_day_is_refused() -> None:
    frame = pl.DataFrame({"date": ["2024-01-01"] * 25 + ["2024-01-02"] * 24, "hour": [*range(25), *range(24)]})
    with pytest.raises(DataError, match="occurs twice"):
        read(frame.with_columns(load=np.arange(49) + 0.5))


def test_a_clock_goes_with_year_month_and_day() -> None:
    data = read(table(HOURS, "year month day").with_columns(time=pl.Series(HOURS.strftime("%H:%M"))))
    assert data.times is not None
    np.testing.assert_array_equal(data.times.astype("datetime64[us]"), HOURS.to_numpy().astype("datetime64[us]"))


@pytest.mark.parametrize("name", ["date", "order_date", "measured"])
@pytest.mark.parametrize("parts", ["year", "year month", "year quarter month", "month"])
def test_parts_beside_a_whole_time_are_no_channels(name: str, parts: str) -> None:
    frame = table(DAYS, parts).with_columns(pl.Series(name, DAYS.strftime("%Y-%m-%d")))
    data = read(frame)
    assert data.times is not None
    assert data.times.astype("datetime64[D]").tolist() == [day.date() for day in DAYS]
    assert data.channels == ("sales",)
    assert f"because the time in {name!r} holds them" in " ".join(data.notes)
    # what differs from the time is a channel, and what is asked for is modelled
    moved = frame.with_columns(pl.col("month").shuffle(0)) if "month" in frame.columns else frame
    assert ("month" in read(moved).channels) == ("month" in frame.columns)
    asked = parts.rsplit(maxsplit=1)[-1]
    assert read(frame, target=[asked, "sales"]).channels == (asked, "sales")


def test_a_column_of_whole_times_or_a_role_that_is_given_comes_first() -> None:
    frame = table(MONTHS, "year month")
    dated = frame.with_columns(date=pl.Series(MONTHS))
    assert not any("read together" in note for note in read(dated, target="sales").notes)
    assert read(frame, future_covariates=["month"]).covariates is not None


def test_a_model_reads_the_rows_that_follow(tmp_path: Path) -> None:
    rows = table(MONTHS, "year month")
    rows[:48].write_csv(tmp_path / "old.csv")
    rows.write_csv(tmp_path / "new.csv")
    model = ostinato.fit(tmp_path / "old.csv", model="ar", budget=5).model
    made = ostinato.forecast(model, tmp_path / "new.csv", horizon=2).frame["ds"].cast(pl.String).to_list()
    assert [one[:10] for one in made] == ["2024-03-01", "2024-04-01"]


def test_future_rows_are_joined_too(tmp_path: Path) -> None:
    rows = table(MONTHS, "year month").with_columns(promotion=pl.Series(np.arange(60) % 5 == 0).cast(pl.Float64))
    rows[:54].write_csv(tmp_path / "old.csv")
    rows[54:].drop("sales").write_csv(tmp_path / "future.csv")
    old = read(tmp_path / "old.csv", future_covariates=["promotion"])
    ahead = with_future(old, tmp_path / "future.csv").covariates
    assert ahead is not None
    assert ahead.ahead[0][:, 0].tolist() == rows["promotion"][54:].to_list()
