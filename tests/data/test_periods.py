"""Quarters and weeks as words, hours across daylight saving, and ids of types that do not come back."""

from __future__ import annotations

import uuid
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pytest

import ostinato
from ostinato.data.read import read
from ostinato.errors import DataError

QUARTERS = pd.period_range("2010Q1", periods=40, freq="Q")
WEEKS = pd.date_range("2018-01-01", periods=120, freq="W-MON")


def frame(times: Any) -> pl.DataFrame:
    return pl.DataFrame({"ds": list(times), "y": np.arange(len(times)) % 5 / 1.5})


@pytest.mark.parametrize("gap", ["", "-", " "])
def test_quarters_are_read_and_come_back(gap: str) -> None:
    """pandas.Period has the first days, and the words of the next quarters."""
    data = read(frame([f"{q.year}{gap}Q{q.quarter}" for q in QUARTERS]))
    assert data.times is not None
    np.testing.assert_array_equal(data.times.astype("datetime64[ns]"), QUARTERS.to_timestamp().to_numpy())
    assert data.frequency == "3mo"
    assert any("first day of the quarter" in note for note in data.notes)
    made = ostinato.forecast(ostinato.fit(data, model="ar", budget=5).model, data, 3).frame["ds"].to_list()
    assert made == [f"2020{gap}Q{k}" for k in (1, 2, 3)]


@pytest.mark.parametrize("gap", ["", "-"])
def test_weeks_are_those_of_iso_8601_and_come_back(gap: str) -> None:
    def words(times: pd.DatetimeIndex) -> list[str]:
        return [f"{c.year}{gap}W{c.week:02d}" for c in (t.isocalendar() for t in times)]

    data = read(frame(words(WEEKS[:-3])))
    assert data.times is not None
    np.testing.assert_array_equal(data.times.astype("datetime64[ns]"), WEEKS[:-3].to_numpy())
    made = ostinato.forecast(ostinato.fit(data, model="ar", budget=5).model, data, 3).frame["ds"].to_list()
    assert made == words(WEEKS[-3:])


@pytest.mark.parametrize("wrong", ["2010Q5", "2010-W54", "2011-W53", "2010Q", "W54 2010"])
def test_a_period_that_does_not_exist_is_named(wrong: str) -> None:
    with pytest.raises(DataError, match="cannot read '2010Q1'|cannot read '2010-W01'|cannot read '" + wrong):
        read(frame(["2010-W01", "2010-W02", wrong] if "W" in wrong else ["2010Q1", "2010Q2", wrong]), time_col="ds")


@pytest.mark.parametrize("zone", [None, "Europe/Berlin"])
def test_a_repeated_hour_is_refused_with_the_cure(zone: str | None) -> None:
    hours = pd.date_range("2024-10-20", periods=400, freq="h", tz="Europe/Berlin")
    with pytest.raises(DataError, match="occurs twice") as error:
        read(frame([str(t) for t in hours.tz_localize(None)]), zone=zone)
    assert "the clock shows twice" in str(error.value.fix)
    with_offsets = read(frame([t.isoformat() for t in hours]), zone=zone)
    assert len(with_offsets.values) == 400
    assert not np.isnan(with_offsets.values).any()
    with pytest.raises(DataError, match="occurs twice") as other:
        read(frame(["2024-05-01", "2024-05-02", "2024-05-02"]), time_col="ds")
    assert "clock" not in str(other.value.fix)


def test_a_missing_hour_is_a_missing_step_with_a_note_unless_the_zone_is_known() -> None:
    hours = [str(t) for t in pd.date_range("2024-03-25", periods=400, freq="h", tz="Europe/Berlin").tz_localize(None)]
    plain, zoned = read(frame(hours)), read(frame(hours), zone="Europe/Berlin")
    assert (len(plain.values), int(np.isnan(plain.values).sum())) == (401, 1)
    assert any("read as missing" in note for note in plain.notes)
    assert (len(zoned.values), int(np.isnan(zoned.values).sum())) == (400, 0)


def test_ids_of_a_type_that_does_not_come_back_are_noted() -> None:
    keys = [uuid.UUID(int=i // 20) for i in range(60)]
    table = pd.DataFrame({"unique_id": keys, "ds": list(range(20)) * 3, "y": np.arange(60.0)})
    data = read(table)
    assert data.ids == tuple(str(uuid.UUID(int=i)) for i in range(3))
    assert any("UUID, and come back as words" in note for note in data.notes)
    assert not any("come back" in note for note in read(table.assign(unique_id=table["unique_id"].map(str))).notes)
    assert not any("come back" in note for note in read(table.assign(unique_id=range(60))).notes)
