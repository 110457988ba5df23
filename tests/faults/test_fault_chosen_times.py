"""Numbers of a column that is named as the one of times, and seconds that are less than a minute apart."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import ostinato
from ostinato.data.calendar import Steps, to_json
from ostinato.data.frames import from_frame
from ostinato.data.read import read_like
from ostinato.data.table_options import TableOptions, TimeOptions
from ostinato.data.tables import from_files

N = 30


def table(path: Path, times: Sequence[object], name: str) -> Path:
    path.write_text(f"{name},value\n" + "".join(f"{t},{i % 7 + 0.5}\n" for i, t in enumerate(times)))
    return path


@pytest.mark.parametrize("name", ["t", "wann", "x1", "time", "timestamp", "ds", "unix"])
@pytest.mark.parametrize(("freq", "unit"), [("15s", "s"), ("1s", "s"), ("1h", "s"), ("250ms", "ms"), ("7us", "us")])
def test_times_since_1970_of_a_named_column(tmp_path: Path, name: str, freq: str, unit: str) -> None:
    right = pd.date_range("2024-03-30 22:00", periods=N, freq=freq)
    cells = right.to_numpy().astype(f"datetime64[{unit}]").astype(np.int64).tolist()
    data = ostinato.read(table(tmp_path / "a.csv", cells, name), time_col=name)
    np.testing.assert_array_equal(data.times, right.to_numpy().astype("datetime64[us]"))
    assert any("since 1970" in note for note in data.notes), data.notes


def test_months_of_a_named_column_go_on_after_december(tmp_path: Path) -> None:
    months = pd.date_range("2023-06-01", periods=N, freq="MS")
    data = ostinato.read(table(tmp_path / "a.csv", [*months.strftime("%Y%m")], "x"), time_col="x")
    np.testing.assert_array_equal(data.times, months.to_numpy().astype("datetime64[us]"))


@pytest.mark.parametrize("step", [1, 5])
@pytest.mark.parametrize("first", [0, 1000, 45292, 100_000_000, 5_000_000_000])
def test_other_numbers_of_a_named_column_count_steps(tmp_path: Path, first: int, step: int) -> None:
    cells = [first + step * i for i in range(N)]
    data = ostinato.read(table(tmp_path / "a.csv", cells, "t"), time_col="t")
    assert data.times is not None
    assert data.times.tolist() == cells


def test_a_model_that_counts_steps_goes_on_counting(tmp_path: Path) -> None:
    """A model of before, or of a frame, whose steps look like seconds since 1970, reads its data as it did."""
    path = table(tmp_path / "a.csv", [1_704_067_200 + i for i in range(N)], "t")
    frame, origin = from_files([path], str(path))
    data = from_frame(frame, origin, TableOptions(time_col="t", clock=TimeOptions(calendar=to_json(Steps(1)))))
    assert data.times is not None
    assert data.times.dtype.kind == "i"


def test_the_days_of_other_programs_are_named_beside_those_of_a_spreadsheet(tmp_path: Path) -> None:
    notes = ostinato.read(table(tmp_path / "a.csv", [23_376 + i for i in range(N)], "date")).notes
    assert any("SAS" in note for note in notes)
    notes = ostinato.read(table(tmp_path / "a.csv", [45_292 + i for i in range(N)], "date")).notes
    assert not any("SAS" in note for note in notes)


def test_months_of_stata(tmp_path: Path) -> None:
    months = pd.date_range("1999-06-01", periods=N, freq="MS")
    data = ostinato.read(table(tmp_path / "a.csv", [f"{t.year}m{t.month}" for t in months], "mdate"))
    np.testing.assert_array_equal(data.times, months.to_numpy().astype("datetime64[us]"))


@pytest.mark.parametrize("written", [str, lambda k: f"{k}.0"])
@pytest.mark.parametrize("by", [1, 7])
def test_steps_that_were_not_chosen_stay_steps_in_later_rows(tmp_path: Path, written: Any, by: int) -> None:
    """Later numbers may look like years, which the first ones did not."""
    tables = []
    for first in (0, 1800):
        steps = [first + by * k + (k % 3) * (by > 1) for k in range(30)]
        tables.append(tmp_path / f"{first}.csv")
        tables[-1].write_text("day,y\n" + "".join(f"{written(k)},{k % 7 / 8}\n" for k in steps))
    data = ostinato.read(tables[0])
    assert data.times is not None
    assert data.times.dtype.kind == "i"
    later = read_like(tables[1], data.meta)
    assert later.times is not None
    assert later.times.dtype.kind == "i"


@pytest.mark.parametrize("known_by", ["time_chosen", "calendar"])
def test_seconds_that_were_chosen_are_times_in_later_rows_too(tmp_path: Path, known_by: str) -> None:
    for first in (0, 100):
        rows = "".join(f"{1_700_000_000 + 10 * (first + k)},{k % 7 / 8}\n" for k in range(30))
        (tmp_path / f"{first}.csv").write_text("k,y\n" + rows)
    data = ostinato.read(tmp_path / "0.csv", time_col="k")
    other = {"time_chosen", "calendar"} - {known_by}
    later = read_like(tmp_path / "100.csv", {k: v for k, v in data.meta.items() if k not in other})
    assert later.times is not None
    assert later.times.dtype.kind == "M"
