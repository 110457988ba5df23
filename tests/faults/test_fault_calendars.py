"""Calendars: every time ahead, every gap and every season is that of pandas' own offset or of zoneinfo."""

from __future__ import annotations

import io
import json
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rows import Row

from ostinato.cli.main import main
from ostinato.data.ahead import times_ahead
from ostinato.data.append import update
from ostinato.data.read import read
from ostinato.data.seasons import season_length
from ostinato.data.sequences import SequenceSet
from ostinato.dispatch.fit import fit
from ostinato.errors import DataError
from ostinato.inference.forecast import forecast

AHEAD = 6
#: The name, the offset of pandas, the first day, the number of rows, and the season.
OFFSETS: list[tuple[str, Any, str, int, int]] = [
    ("month end", "ME", "2019-01-31", 30, 12),
    ("month start", "MS", "2019-01-01", 30, 12),
    ("business month end", "BME", "2019-01-31", 30, 12),
    ("business month start", "BMS", "2019-01-01", 30, 12),
    ("quarter end, March", "QE-MAR", "2010-03-31", 20, 4),
    ("quarter end, February", "QE-FEB", "2010-02-28", 20, 4),
    ("quarter start, November", "QS-NOV", "2010-02-01", 20, 4),
    ("business quarter end", "BQE-DEC", "2010-03-31", 20, 4),
    ("half-year end", "6ME", "2005-06-30", 20, 2),
    ("half-year start", "6MS", "2005-01-01", 20, 2),
    ("two months", "2MS", "2005-01-01", 20, 6),
    ("year end", "YE-DEC", "1990-12-31", 20, 1),
    ("year end, June", "YE-JUN", "1990-06-30", 20, 1),
    ("year end, February", "YE-FEB", "1990-02-28", 20, 1),
    ("business year end", "BYE-DEC", "1990-12-31", 20, 1),
    ("two years", "2YS-JAN", "1905-01-01", 20, 1),
    ("decades", "10YS-JAN", "1705-01-01", 20, 1),
    ("the 1st and 15th", "SMS-15", "2021-01-01", 30, 24),
    ("the 15th and month end", "SME-15", "2021-01-15", 30, 24),
    ("third Friday", "WOM-3FRI", "2019-01-18", 24, 12),
    ("first Monday", "WOM-1MON", "2019-01-07", 24, 12),
    ("last Thursday", pd.offsets.LastWeekOfMonth(weekday=3), "2019-01-31", 24, 12),
    ("Wednesdays", "W-WED", "2019-01-02", 40, 52),
    ("Sundays", "W-SUN", "2019-01-06", 40, 52),
    ("two weeks", "2W-SAT", "2019-01-05", 40, 26),
    ("four weeks", "4W-THU", "2019-01-03", 40, 13),
    ("business days", "B", "2019-01-01", 60, 5),
    ("Monday to Saturday", pd.offsets.CustomBusinessDay(weekmask="Mon Tue Wed Thu Fri Sat"), "2019-01-01", 60, 6),
    ("Sunday to Thursday", pd.offsets.CustomBusinessDay(weekmask="Sun Mon Tue Wed Thu"), "2019-01-01", 60, 5),
    ("Tuesday, Thursday, Saturday", pd.offsets.CustomBusinessDay(weekmask="Tue Thu Sat"), "2019-01-01", 60, 3),
    ("business hours 9 to 17", "bh", "2019-01-01 09:00", 90, 8),
    ("business hours 8 to 12", pd.offsets.BusinessHour(start="08:00", end="12:00"), "2019-01-01 08:00", 60, 4),
    ("days", "D", "2019-01-01", 60, 7),
    ("every second day", "2D", "2019-01-01", 60, 7),
    ("ten days", "10D", "2019-01-01", 40, 36),
    ("days at 06:30", "D", "2019-01-01 06:30", 60, 7),
    ("four hours", "4h", "2019-01-01", 90, 6),
    ("twelve hours", "12h", "2019-01-01 06:00", 60, 2),
    ("hours", "h", "2019-01-01", 90, 24),
    ("twenty minutes", "20min", "2019-01-01", 90, 72),
    ("quarter hours", "15min", "2019-01-01", 120, 96),
    ("90 seconds", "90s", "2019-01-01", 60, 960),
    ("10 seconds", "10s", "2019-01-01", 60, 360),
    ("half seconds", "500ms", "2019-01-01", 60, 120),
    ("milliseconds", "20ms", "2019-01-01", 60, 3000),
]
#: Half-hourly sessions with a break, whose right times are a product of pandas' business days and clock times.
SESSION = ("09:30", "10:00", "10:30", "11:00", "13:00", "13:30", "14:00", "14:30")
ZONES = ("Europe/Berlin", "America/New_York", "Australia/Sydney", "Asia/Seoul", "Africa/Cairo", "America/Santiago")


def grid(offset: Any, start: str, rows: int) -> pd.DatetimeIndex:
    """Return rows + AHEAD times of a calendar by pandas."""
    if offset == "sessions":
        days = pd.date_range(start, periods=rows, freq="B")
        whole = pd.DatetimeIndex([d + pd.Timedelta(f"{clock}:00") for d in days for clock in SESSION])
        return whole[: rows + AHEAD]
    return pd.date_range(start, periods=rows + AHEAD, freq=offset)


def table(times: Any, name: str = "a") -> pl.DataFrame:
    """Return a table of one series with made values."""
    values = np.random.default_rng(0).normal(50, 1, len(times))
    return pl.DataFrame({"unique_id": [name] * len(times), "ds": pl.Series(times), "y": values})


def micros(times: Any) -> list[Any]:
    return list(np.asarray(times.to_numpy(), dtype="datetime64[us]").tolist())


def ahead_of(data: SequenceSet, b: int = 0) -> list[Any]:
    return list(times_ahead(data, b, AHEAD).tolist())


def full(offset: Any, start: str, rows: int, season: int) -> str:
    """Read a full series: no step is added, the times ahead are pandas', and the season is known."""
    whole = grid(offset, start, rows)
    data = read(table(micros(whole[:rows])))
    assert len(data.values) == rows
    assert ahead_of(data) == micros(whole[rows:])
    assert season_length(data)[0] == season
    return f"right: {whole[rows]}"


def gaps(offset: Any, start: str, rows: int) -> str:
    """Leave one row in seven out by chance: they come back as missing steps at pandas' own times."""
    whole = grid(offset, start, rows)
    kept = np.random.default_rng(5).random(rows) < 0.85
    kept[:14] = True
    kept[[0, rows - 1]] = True
    data = read(table(micros(whole[:rows][kept])))
    assert data.times is not None
    assert data.times.tolist() == micros(whole[:rows])
    assert np.flatnonzero(np.isnan(data.values[:, 0])).tolist() == np.flatnonzero(~kept).tolist()
    assert ahead_of(data) == micros(whole[rows:])
    return f"right: {whole[rows]}"


def beside(offset: Any, start: str, rows: int) -> str:
    """Read the series together with one of another calendar: each keeps its own."""
    whole = grid(offset, start, rows)
    other = pd.date_range(
        "2020-01-01", periods=200 + AHEAD, freq="h" if whole[1] - whole[0] > pd.Timedelta("1D") else "D"
    )
    data = read(pl.concat([table(micros(other[:200]), "b"), table(micros(whole[:rows]), "a")]))
    assert ahead_of(data, 0) == micros(other[200:])
    assert ahead_of(data, 1) == micros(whole[rows:])
    return f"right: {whole[rows]}"


def short(offset: Any, start: str, rows: int) -> str:
    """Read three rows of the calendar with two long series of it: the short one takes the calendar of the panel."""
    whole = grid(offset, start, rows)
    long = micros(whole[:rows])
    data = read(pl.concat([table(long, "b"), table(long[1:], "c"), table(long[-3:], "a")]))
    assert ahead_of(data, 2) == micros(whole[rows:])
    return f"right: {whole[rows]}"


def zoned(zone: str, step: str) -> str:
    """Read times of a zone up to two days before its clock changes; zoneinfo gives the times after it."""
    change, year = None, ZoneInfo(zone)
    for day in range(1, 366):
        at = datetime(2024, 1, 1, tzinfo=ZoneInfo("UTC")) + timedelta(days=day)
        if at.astimezone(year).utcoffset() != (at - timedelta(days=1)).astimezone(year).utcoffset():
            change = at.replace(tzinfo=None)
            break
    end = (change or datetime(2024, 3, 31)) + timedelta(days=1)
    if step == "days":
        walls = [datetime(end.year, end.month, end.day) + timedelta(days=d - 40) for d in range(40 + AHEAD)]
        right = [w.replace(tzinfo=year).astimezone(ZoneInfo("UTC")).replace(tzinfo=None) for w in walls]
    else:
        begin = end - timedelta(hours=72)
        right = [begin + timedelta(hours=h) for h in range(40 + AHEAD)]
    column = pl.Series("ds", right).dt.replace_time_zone("UTC").dt.convert_time_zone(zone)
    whole = pl.DataFrame({"ds": column, "y": np.random.default_rng(0).normal(size=len(right))})
    data = read(whole[:40])
    assert data.time_form is not None
    made = data.time_form.column(times_ahead(data, 0, AHEAD))
    assert made.dtype == whole["ds"].dtype
    assert made.to_list() == whole["ds"][40:].to_list()
    return f"right: {whole['ds'][40]}"


def words(zone: str, step: str) -> str:
    """Read offsets as words; the zone that has them continues them."""
    begin = datetime(2024, 2, 20, tzinfo=ZoneInfo(zone))
    if step == "days":
        right = [begin + timedelta(days=d) for d in range(50 + AHEAD)]
    else:
        start = begin.astimezone(ZoneInfo("UTC")) + timedelta(days=30)
        right = [(start + timedelta(hours=h)).astimezone(ZoneInfo(zone)) for h in range(240 + AHEAD)]
    text = [t.isoformat() for t in right]
    frame = pl.DataFrame({"ds": text[:-AHEAD], "y": np.random.default_rng(0).normal(size=len(text) - AHEAD)})
    data = read(frame)
    assert data.time_form is not None
    assert data.time_form.column(times_ahead(data, 0, AHEAD)).to_list() == text[-AHEAD:]
    return f"right: {text[-AHEAD]}"


def form(pattern: str, dtype: Any = None) -> str:
    """Read days in a form; the forecast has the same form and type, so that it can be joined to the input."""
    days = pl.Series("ds", micros(pd.date_range("2024-01-20", periods=40 + AHEAD, freq="D")))
    column = days.dt.strftime(pattern) if dtype is None else days.cast(dtype)
    frame = pl.DataFrame({"ds": column, "y": np.random.default_rng(0).normal(size=len(days))})
    data = read(frame[:40])
    assert data.time_form is not None
    made = data.time_form.column(times_ahead(data, 0, AHEAD))
    assert made.dtype == column.dtype
    assert made.to_list() == column[40:].to_list()
    return f"right: {made[0]}"


def numbers(values: Sequence[float], right: Sequence[float], name: str = "ds") -> str:
    """Read whole or decimal numbers as times."""
    frame = pl.DataFrame({name: values, "y": np.random.default_rng(0).normal(size=len(values))})
    data = read(frame, time_col=name)
    assert data.time_form is not None
    made = data.time_form.column(times_ahead(data, 0, len(right)))
    assert made.dtype == frame[name].dtype
    assert made.to_list() == list(right)
    return f"right: {made[0]}"


def future(offset: Any, start: str, rows: int) -> str:
    """Accept the right future rows of a direct model, and refuse wrong ones by naming the time expected."""
    whole = grid(offset, start, rows)
    times = micros(whole)
    x = np.random.default_rng(1).normal(size=len(times))
    frame = table(times).with_columns(x=x)
    data = read(frame[:rows], future_covariates=["x"])
    model = fit(data, model="direct", horizon=AHEAD, networks=0).model
    made = forecast(model, data, future=frame[rows:].drop("y")).frame["ds"].to_list()
    assert made == times[rows:]
    wrong = frame[rows:].drop("y").with_columns(pl.col("ds") + pl.duration(minutes=7))
    with pytest.raises(DataError, match=f"no row of future covariates for {times[rows]:%Y-%m-%d}"):
        forecast(model, data, future=wrong)
    return f"right: {times[rows]}"


def appended(offset: Any, start: str, rows: int) -> str:
    """Append one row after a gap of one step: the gap is a missing step, and the calendar goes on."""
    whole = grid(offset, start, rows)
    times = micros(whole)
    data = update(read(table(times[: rows - 2])), table(times[rows - 1 : rows]))
    assert data.times is not None
    assert data.times.tolist() == times[:rows]
    assert ahead_of(data) == times[rows:]
    return f"right: {times[rows]}"


def _named(what: str) -> tuple[Any, str, int]:
    return next((o[1], o[2], o[3]) for o in OFFSETS if o[0] == what)


#: Calendars that no three of their rows show, or that share all short stretches with a simpler one.
_SLOW = {"milliseconds", "half seconds", "10 seconds", "90 seconds"}
_ROWS: list[tuple[str, Callable[[], str], str]] = [
    *((f"{o[0]}: full", partial(full, *o[1:]), "pandas") for o in OFFSETS),
    *((f"{o[0]}: gaps", partial(gaps, *o[1:4]), "pandas") for o in OFFSETS),
    *((f"{o[0]}: beside another calendar", partial(beside, *o[1:4]), "pandas") for o in OFFSETS if o[0] not in _SLOW),
    *((f"{o[0]}: three rows in a panel", partial(short, *o[1:4]), "pandas") for o in OFFSETS),
    ("half-hourly sessions: full", partial(full, "sessions", "2024-01-02", 160, 8), "pandas"),
    ("half-hourly sessions: gaps", partial(gaps, "sessions", "2024-01-02", 160), "pandas"),
    *(
        (f"{zone}: {step} over a clock change", partial(zoned, zone, step), "zoneinfo")
        for zone in ZONES
        for step in ("days", "hours")
    ),
    *(
        (f"offsets of {zone} in words: {step}", partial(words, zone, step), "zoneinfo")
        for zone in ("Europe/Berlin", "America/New_York", "Asia/Seoul")
        for step in ("days", "hours")
    ),
    *(
        (f"form {p}", partial(form, p), "polars")
        for p in (
            "%Y-%m-%d",
            "%d/%m/%Y",
            "%m/%d/%Y",
            "%d.%m.%Y",
            "%Y%m%d",
            "%d-%m-%Y",
            "%b %d, %Y",
            "%Y-%m-%d %H:%M",
            "%Y-%m-%dT%H:%M:%S",
            "%Y-%m-%dT%H:%M:%SZ",
            "%Y-%m-%d %H:%M:%S.%3f",
        )
    ),
    *(
        (f"type {t}", partial(form, "", t), "polars")
        for t in (pl.Date(), pl.Datetime("ms"), pl.Datetime("us"), pl.Datetime("ns"))
    ),
    ("numbers of step 5 with gaps", partial(numbers, [0, 5, 10, 20, 25, 30, 35, 45, 50], [55, 60]), "arithmetic"),
    ("whole numbers from 1000", partial(numbers, list(range(1000, 1100)), [1100, 1101]), "arithmetic"),
    ("whole numbers as floats", partial(numbers, [float(i) for i in range(40)], [40.0, 41.0]), "arithmetic"),
    ("halves", partial(numbers, [i / 2 for i in range(40)], [20.0, 20.5]), "arithmetic"),
    (
        "seconds since 1970",
        partial(numbers, [1_700_000_000 + 3600 * i for i in range(40)], [1_700_144_000]),
        "arithmetic",
    ),
    (
        "milliseconds since 1970",
        partial(numbers, [1_700_000_000_000 + 60_000 * i for i in range(40)], [1_700_002_400_000]),
        "arithmetic",
    ),
    (
        "nanoseconds since 1970",
        partial(numbers, [10**9 * (1_700_000_000 + 900 * i) for i in range(40)], [10**9 * 1_700_036_000]),
        "arithmetic",
    ),
    ("dates as whole numbers", partial(numbers, [20240101 + i for i in range(28)], [20240129, 20240130]), "arithmetic"),
    *(
        (f"future rows: {what}", partial(future, *_named(what)), "pandas")
        for what in ("month end", "business month end", "the 1st and 15th", "Monday to Saturday")
    ),
    *(
        (f"append: {what}", partial(appended, *_named(what)), "pandas")
        for what in (
            "month end",
            "two months",
            "third Friday",
            "business days",
            "business hours 9 to 17",
            "four hours",
            "decades",
        )
    ),
]
ROWS = [Row("calendars", name, source, check) for name, check, source in _ROWS]


@pytest.mark.parametrize("row", ROWS, ids=str)
def test_calendars(row: Row) -> None:
    assert row.check()


STEADY = [o for o in OFFSETS if o[0] not in _SLOW]


@settings(max_examples=30, deadline=None)
@given(st.sampled_from(STEADY), st.integers(24, 80), st.integers(0, 2**32 - 1))
def test_a_calendar_with_rows_left_out_goes_on_as_pandas_does(offset: Any, rows: int, seed: int) -> None:
    # the first rows of a week calendar show the days that it leaves out
    whole = grid(offset[1], offset[2], rows)
    kept = np.random.default_rng(seed).random(rows) < 0.85
    kept[:12] = True
    kept[-1] = True
    data = read(table(micros(whole[:rows][kept])))
    assert data.times is not None
    assert data.times.tolist() == micros(whole[:rows])
    assert ahead_of(data) == micros(whole[rows:])


@pytest.fixture(name="cases")
def _cases(shared_data: Any) -> Path:
    return Path(shared_data("../cases/forecast"))


def test_given_cases(cases: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    def run(*words: object) -> str:
        with pytest.raises(SystemExit) as stop:
            main([str(word) for word in words])
        out, err = capsys.readouterr()
        assert not stop.value.code, err
        return str(out)

    expected = json.loads((cases / "expected_dates.json").read_text())
    for name, case in expected.items():
        file, _, series = name.partition("/")
        model = tmp_path / "m.ost"
        source = cases / f"{file.removesuffix('_utc')}.csv"
        run("fit", source, "--model", "ar", "-o", model)
        made = pl.read_csv(io.StringIO(run("forecast", model, "--horizon", 4, "--paths", 10)), infer_schema=False)
        ds = (made.filter(pl.col("unique_id") == series) if series else made)["ds"]
        if "expected" in case:
            assert ds.to_list() == case["expected"], name
        else:
            utc = ds.str.to_datetime("%Y-%m-%dT%H:%M:%S%z").dt.strftime("%Y-%m-%d %H:%M:%S")
            assert utc.to_list() == case["expected_utc"], name
