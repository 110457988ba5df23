"""Times in several columns, as numbers, and in the names of columns: read as pandas reads them, or refused."""

from __future__ import annotations

import datetime
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from rows import Row

import ostinato
from ostinato.data.read import read
from ostinato.data.sequences import SequenceSet
from ostinato.errors import DataError

HOURS = pd.Series(pd.date_range("2024-02-28", periods=60, freq="h"))
DAYS = pd.Series(pd.date_range("2024-02-20", periods=60, freq="D"))
MONTHS = pd.Series(pd.date_range("2019-11-01", periods=60, freq="MS"))
Y = np.random.default_rng(3).normal(size=60).round(3)


def parts(times: pd.Series, *names: str) -> dict[str, Any]:
    """Return the columns year, month, day, hour and minute of times, as many as there are names."""
    fields = ("year", "month", "day", "hour", "minute")
    return {name: getattr(times.dt, field) for name, field in zip(names, fields, strict=False)}


def words(times: pd.Series, **patterns: str) -> dict[str, Any]:
    """Return columns of words, each by a pattern."""
    return {name: times.dt.strftime(pattern) for name, pattern in patterns.items()}


def excel(times: pd.Series) -> Any:
    """Return times as a spreadsheet counts them."""
    return (times - pd.Timestamp("1899-12-30")) / pd.Timedelta(days=1)


def in_file(frame: pd.DataFrame, **options: Any) -> SequenceSet:
    """Read a frame that went through a file."""
    with tempfile.TemporaryDirectory() as folder:
        frame.to_csv(Path(folder) / "t.csv", index=False)
        return read(Path(folder) / "t.csv", **options)


#: The columns of the time, and the times that they hold.
READ: dict[str, tuple[pd.Series, dict[str, Any], str]] = {
    "year, month": (MONTHS, parts(MONTHS, "year", "month"), "read together"),
    "Year, Month": (MONTHS, parts(MONTHS, "Year", "Month"), "read together"),
    "year, month, day": (DAYS, parts(DAYS, "year", "month", "day"), "read together"),
    "year, month, day, hour": (HOURS, parts(HOURS, "year", "month", "day", "hour"), "read together"),
    "YYYY, MM, DD, HH, minute": (HOURS, parts(HOURS, "YYYY", "MM", "DD", "HH", "minute"), "read together"),
    "year, month, day in Korean": (DAYS, parts(DAYS, "연도", "월", "일"), "read together"),
    "date, time": (HOURS, words(HOURS, date="%Y-%m-%d", time="%H:%M"), "read together"),
    "Date, Time as in electricity": (HOURS, words(HOURS, Date="%d/%m/%Y", Time="%H:%M:%S"), "read together"),
    "date, time with AM and PM": (HOURS, words(HOURS, date="%m/%d/%Y", time="%I:%M %p"), "read together"),
    "date, hour": (
        HOURS,
        {**words(HOURS, date="%Y-%m-%d"), "hour": HOURS.dt.hour},
        "read together",
    ),
    "a date by its content, hr": (HOURS, {**words(HOURS, dteday="%Y-%m-%d"), "hr": HOURS.dt.hour}, "read together"),
    "month 202401": (MONTHS, {"month": MONTHS.dt.year * 100 + MONTHS.dt.month}, "read as months"),
    "yyyymm 202401": (MONTHS, {"yyyymm": MONTHS.dt.year * 100 + MONTHS.dt.month}, "read as months"),
    "ts in milliseconds": (HOURS, {"ts": (HOURS - pd.Timestamp(0)) // pd.Timedelta(milliseconds=1)}, ""),
    "date as Excel's days": (DAYS, {"date": excel(DAYS).astype(int)}, "spreadsheet"),
    "months as Excel's days": (MONTHS, {"date": excel(MONTHS).astype(int)}, "spreadsheet"),
    "hours as Excel's days": (HOURS, {"Date": excel(HOURS).round(6)}, "spreadsheet"),
    "Q1 2024": (
        pd.Series(pd.date_range("2010-01-01", periods=60, freq="QS")),
        {"q": [f"Q{i % 4 + 1} {2010 + i // 4}" for i in range(60)]},
        "first day of the quarter",
    ),
    "dates in Korean": (DAYS, {"day": [f"{d.year}년 {d.month}월 {d.day}일" for d in DAYS]}, ""),
}


def reads(times: pd.Series, columns: dict[str, Any], note: str) -> Callable[[], str]:
    """Return a check that a file has these times, in the right order, and one channel."""

    def check() -> str:
        frame = pd.DataFrame({**columns, "value": Y})
        for table in (frame, frame.iloc[::-1]):  # newest first
            data = in_file(table)
            assert data.channels == ("value",)
            np.testing.assert_array_equal(data.values[:, 0], Y)
            assert data.times is not None
            np.testing.assert_array_equal(data.times, times.to_numpy().astype("datetime64[us]"))
            assert not note or any(note in one for one in data.notes), data.notes
        ahead = ostinato.forecast(in_file(frame), horizon=1, model="naive").frame["ds"][0]
        if isinstance(ahead, datetime.date):  # words and whole numbers come back in their own form
            gap = times.iloc[1] - times.iloc[0]
            step = pd.DateOffset(months=round(gap.days / 30.4)) if gap.days > 27 else gap
            assert pd.Timestamp(ahead) == times.iloc[-1] + step
        return f"right: {times.iloc[0]}"

    return check


def other_role() -> str:
    """Columns that the user gave another role are no parts of the time, and a whole time needs none."""
    frame = pd.DataFrame({**parts(DAYS, "year", "month", "day"), "ds": DAYS, "hour": 5, "y": Y})
    data = in_file(frame)
    assert data.meta["time_col"] == "ds"
    assert data.channels == ("y",)
    data = in_file(pd.DataFrame({**parts(MONTHS, "year", "month"), "y": Y}), time_col="year", id_col="month")
    assert len(data.ids) == 12
    return "right: as given"


def a_panel() -> str:
    """The id and the parts go together; a model reads new data as it read the first."""
    frame = pd.concat([pd.DataFrame({"shop": s, **parts(HOURS, "year", "month", "day", "hour"), "y": Y}) for s in "ab"])
    data = in_file(frame)
    assert data.ids == ("a", "b")
    model = ostinato.fit(data, model="ar").model
    out = ostinato.forecast(model, frame, horizon=1).frame
    assert pd.to_datetime(list(out["ds"])).tolist() == [HOURS.iloc[-1] + pd.Timedelta(hours=1)] * 2
    return "right: a and b"


def refused(columns: dict[str, Any], *says: str) -> Callable[[], str]:
    """Return a check that a table is refused with these words."""

    def check() -> str:
        with pytest.raises(DataError) as caught:
            in_file(pd.DataFrame(columns))
        for word in says:
            assert word in str(caught.value), str(caught.value)
        return f"refused: {caught.value.what[:60]}"

    return check


def wide(names: list[str], **before: list[str]) -> dict[str, Any]:
    """Return a wide table of two rows."""
    return {**before, **{name: [i, 2 * i + 1] for i, name in enumerate(names)}}


MONTH_NAMES = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"]
REFUSED: dict[str, Callable[[], str]] = {
    "years as columns": refused(wide([str(y) for y in range(1990, 2020)], country=["x", "y"], code=["X", "Y"]), "1990"),
    "days as columns": refused(wide([f"2024-01-{d:02}" for d in range(1, 9)], shop=["x", "y"]), "are times", "melt"),
    "newest first": refused(wide([f"2024-{m:02}" for m in range(12, 0, -1)], shop=["x", "y"]), "are times"),
    "months as columns": refused(wide(MONTH_NAMES, year=["2020", "2021"]), "Jan, Feb, ... Dec"),
    "words that are no times in 날짜": refused({"날짜": ["어제 1", "오늘 2", "내일 3"], "y": [1, 2, 3]}, "어제 1"),
    "a clock that is no id": refused(
        {"date": ["2024-01-01"] * 4 + ["2024-01-02"] * 4, "time": ["1:00", "2:00", "3:00", "24:30"] * 2, "y": range(8)},
        "occurs twice",
    ),
    "30 February": refused(
        {"year": [2024] * 3, "month": [2] * 3, "day": [28, 29, 30], "y": [1.5, 2, 3]}, "2024-2-30", "line 4"
    ),
}


def numbered_channels() -> str:
    """Channels of dated rows may be named by numbers that could be years."""
    data = in_file(pd.DataFrame({"ds": DAYS, **{name: Y[: len(DAYS)] for name in ("1801", "1802", "1803")}}))
    assert data.channels == ("1801", "1802", "1803")
    return "three channels"


KIND = "columns of times"
ROWS = [
    Row(KIND, "channels that could be years", "the file", numbered_channels),
    *(Row(KIND, name, "pandas", reads(*given)) for name, given in READ.items()),
    Row(KIND, "columns of another role", "the options", other_role),
    Row(KIND, "a panel in parts of a time", "pandas", a_panel),
    *(Row(KIND, name, "a DataError", check) for name, check in REFUSED.items()),
]


@pytest.mark.parametrize("row", ROWS, ids=str)
def test_time_columns(row: Row) -> None:
    assert row.check()
