"""Dates in numbers with a year of two digits: as pandas writes them, or refused where the column leaves a doubt."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rows import Row
from test_fault_dates import back
from test_fault_spelled_clocks import refused, right

from ostinato.data.read import read
from ostinato.errors import DataError

DAYS = pd.Series(pd.date_range("2023-12-20", periods=40))
HOURS = pd.Series(pd.date_range("2023-12-31 20:00", periods=30, freq="h"))
STARTS = pd.Series(pd.date_range("2021-01-01", periods=30, freq="MS"))
QUARTERS = pd.Series(pd.date_range("2019-01-01", periods=24, freq="QS"))
DIGITS = ("%y%m%d", "%d%m%y", "%m%d%y")
#: The readings of 01/02/03, of 02/03/04 and so on.
OPEN = ["01/02/03", "02/03/04", "03/04/05"]


def digits(name: str, pattern: str) -> str:
    """Whole numbers of six digits are dates, and are written as such again."""
    cells = [int(day.strftime(pattern)) for day in DAYS]
    data = read(pl.DataFrame({name: cells, "y": np.arange(40) + 0.5}))
    np.testing.assert_array_equal(data.times, DAYS.to_numpy().astype("datetime64[us]"))
    assert data.time_form is not None
    assert data.time_form.column(DAYS.to_numpy()).to_list() == cells
    assert any("are read as dates: 2023-12-20" in note for note in data.notes), data.notes
    return "right"


def in_steps(cells: list[int], note: str) -> str:
    """Whole numbers in a column in which steps are counted stay steps where they go up by one."""
    data = read(pl.DataFrame({"ds": cells, "y": np.arange(len(cells)) + 0.5}))
    assert data.times is not None
    assert data.times.tolist() == cells
    assert any(note in one for one in data.notes) if note else not any("steps;" in one for one in data.notes)
    return "steps"


def by_option(day_first: bool, times: list[str]) -> str:
    """An option decides what the column leaves open."""
    return right(OPEN, np.array(times, dtype="datetime64[D]"), "two digits", day_first=day_first)


def aside(cells: list[str]) -> str:
    """Numbers with points in a column whose name says nothing of time may be versions."""
    data = read(pl.DataFrame({"version": cells, "y": np.arange(len(cells)) + 0.5}))
    assert data.times is None
    return "noted"


KINDS: dict[str, dict[str, Callable[[], str]]] = {
    "days": {
        **{form: partial(back, DAYS.dt.strftime(form), DAYS, "two digits")
           for form in ("%d/%m/%y", "%m/%d/%y", "%y-%m-%d", "%d.%m.%y", "%d-%m-%y", "%m-%d-%y")},
        **{form: partial(right, DAYS.dt.strftime(form), DAYS, "two digits")
           for form in ("%y/%m/%d", "%y.%m.%d", "%m.%d.%y", "%y. %m. %d.")},
        "part of a month": partial(right, [f"{day}/12/23" for day in range(10, 25)],
                                   pd.date_range("2023-12-10", periods=15), "two digits"),
        "1999": partial(right, ["30/12/99", "31/12/99", "01/01/00"], pd.date_range("1999-12-30", periods=3)),
    },
    "clocks": {form: partial(right, HOURS.dt.strftime(form), HOURS, "two digits")
               for form in ("%d/%m/%y %H:%M", "%m/%d/%y %I:%M %p", "%d.%m.%y, %H:%M:%S", "%y-%m-%dT%H:%M:%S")},
    "months": {form: partial(right, STARTS.dt.strftime(form), STARTS) for form in ("%d/%m/%y", "%m/%d/%y")},
    "quarters": {form: partial(right, QUARTERS.dt.strftime(form), QUARTERS) for form in ("%d.%m.%y", "%m.%d.%y")},
    "digits": {
        **{f"{name} {form}": partial(digits, name, form) for name in ("date", "ds") for form in DIGITS},
        "steps": partial(in_steps, [*range(100_101, 100_191)], ""),
        "steps or days": partial(in_steps, [*range(240_101, 240_121)], "if they are dates, write 2024-01-31"),
    },
    "doubt": {
        "three readings": partial(refused, OPEN, "it may be 2003-02-01 or 2003-01-02 or 2001-02-03", "day_first=True"),
        "a day first": partial(by_option, True, ["2003-02-01", "2004-03-02", "2005-04-03"]),
        "a month first": partial(by_option, False, ["2003-01-02", "2004-02-03", "2005-03-04"]),
        "a century": partial(refused, [f"{day}/12/45" for day in range(10, 25)], "a year of two digits"),
        "another word": partial(refused, [*DAYS.dt.strftime("%d/%m/%y")[:9], "later"], "'later'", "line 11"),
        "versions": partial(aside, [f"1.{i // 9 + 1}.{10 + i % 9}" for i in range(30)]),
    },
}  # fmt: skip
ROWS = [Row(kind, name, "pandas, or an error", check) for kind, rows in KINDS.items() for name, check in rows.items()]


@pytest.mark.parametrize("row", ROWS, ids=str)
def test_short_dates(row: Row) -> None:
    assert row.check()


FORMS = ("%d/%m/%y", "%m/%d/%y", "%y/%m/%d", "%d.%m.%y", "%y-%m-%d", "%m-%d-%y")


@settings(max_examples=40, deadline=None)
@given(
    form=st.sampled_from(FORMS),
    step=st.sampled_from(["D", "W-MON", "B", "MS", "ME", "QE"]),
    first=st.dates(pd.Timestamp("1996-01-01").date(), pd.Timestamp("2019-01-01").date()),
    count=st.integers(24, 40),
)
def test_no_column_is_read_wrongly(form: str, step: str, first: Any, count: int) -> None:
    """A column of two years or more, or of all days of a month, is read as it was written, or refused."""
    times = pd.date_range(first, periods=count, freq=step)
    frame = pl.DataFrame({"ds": list(times.strftime(form)), "y": np.arange(count) + 0.5})
    try:
        found = read(frame).times
    except DataError as error:
        assert "two digits" in str(error)  # noqa: PT017 - other errors are faults
        return
    np.testing.assert_array_equal(found, times.to_numpy().astype("datetime64[us]"))
