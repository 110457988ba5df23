"""The clock of a live sequence counts steps as pandas does, on every kind of calendar and through daylight saving."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pandas as pd
import pytest

from ostinato.data.read import read
from ostinato.errors import DataError
from ostinato.inference.clock import Clock


def times(start: str, count: int, freq: Any, zone: str | None = None) -> pd.DatetimeIndex:
    return pd.date_range(start, periods=count, freq=freq, tz=zone)


def trade(zone: str | None = None) -> pd.DatetimeIndex:
    """Half-hours from 9:30 to 16:00, on business days."""
    days = pd.bdate_range("2024-02-19", periods=30)
    hours = pd.timedelta_range("9h30min", "16h", freq="30min")
    return pd.DatetimeIndex([day + hour for day in days for hour in hours]).tz_localize(zone)


def clock_of(index: pd.DatetimeIndex) -> Clock:
    """Return the clock of a model that is fitted to a series with these times."""
    return Clock(read(pd.DataFrame({"ds": index, "y": np.arange(len(index)) % 7 / 3.0})).meta)


FIRST_MONDAY, THIRD_FRIDAY = pd.offsets.WeekOfMonth(week=0, weekday=0), pd.offsets.WeekOfMonth(week=2, weekday=4)
BERLIN, NEW_YORK = "Europe/Berlin", "America/New_York"
CALENDARS = {
    "hours": times("2024-01-01", 200, "h"),
    "5 minutes": times("2024-01-01", 200, "5min"),
    "days": times("2024-01-01", 120, "D"),
    "weeks to Sunday": times("2024-01-07", 60, "W-SUN"),
    "fortnights": times("2024-01-05", 60, "14D"),
    "month starts": times("2020-01-01", 60, "MS"),
    "month ends": times("2019-10-31", 60, "ME"),
    "quarter ends": times("2010-03-31", 60, "QE"),
    "year ends": times("1950-12-31", 60, "YE"),
    "the 15th": times("2020-01-01", 60, "MS") + pd.Timedelta(days=14),
    "business days": times("2024-01-01", 120, "B"),
    "business month ends": times("2015-01-30", 90, "BME"),
    "business month starts": times("2015-01-01", 90, "BMS"),
    "first Mondays": times("2015-01-05", 90, FIRST_MONDAY),
    "third Fridays": times("2015-01-16", 90, THIRD_FRIDAY),
    "half months": times("2020-01-15", 90, "SME-15"),
    "Tuesdays and Thursdays": pd.DatetimeIndex([t for t in times("2024-01-02", 200, "D") if t.weekday() in (1, 3)]),
    "Sunday to Thursday": times("2024-01-07", 120, pd.offsets.CustomBusinessDay(weekmask="Sun Mon Tue Wed Thu")),
    "hours of trade": trade(),
    "hours of trade in New York, into summer": trade(NEW_YORK),
    "days in Berlin, into summer": times("2024-03-01", 60, "D", BERLIN),
    "days in Berlin, into winter": times("2024-10-01", 60, "D", BERLIN),
    "hours in Berlin, into summer": times("2024-03-25", 200, "h", BERLIN),
    "hours in Berlin, into winter": times("2024-10-23", 200, "h", BERLIN),
    "quarter hours in New York, into winter": times("2024-11-02", 300, "15min", NEW_YORK),
    "business days in New York, into winter": times("2024-10-01", 60, "B", NEW_YORK) + pd.Timedelta(hours=16),
    "month ends in Berlin": times("2019-10-31", 60, "ME", BERLIN),
}


@pytest.mark.parametrize("name", CALENDARS)
def test_steps_are_those_of_pandas(name: str) -> None:
    """A model knows the first half; the steps between rows of the second half are their distances in the index."""
    index = CALENDARS[name]
    half = len(index) // 2 + 1
    clock, place = clock_of(index[:half]), half - 1
    clock.tick(clock.read(index[place].isoformat()))
    rng, found = np.random.default_rng(0), []
    while (following := place + int(rng.choice([1, 1, 1, 2, 3, 5]))) < len(index):
        time = clock.read(index[following].isoformat())
        assert time == index[following].tz_convert("UTC").tz_localize(None) if index.tz else time == index[following]
        found.append((clock.steps(time), following - place))
        clock.tick(time)
        place = following
    assert len(found) >= 10
    assert [ours for ours, _ in found] == [right for _, right in found]


@pytest.mark.parametrize("name", [name for name in CALENDARS if "minutes" not in name and "hours" not in name])
def test_a_time_off_the_grid_is_refused_and_the_next_one_is_named(name: str) -> None:
    index = CALENDARS[name]
    clock = clock_of(index[:-6])
    clock.tick(clock.read(index[-6].isoformat()))
    off = index[-6] + (index[-5] - index[-6]) / 3
    with pytest.raises(DataError, match="lies between two steps") as error:
        clock.steps(clock.read(off.isoformat()))
    assert str(index[-5].date()) in str(error.value.fix), "as the wall shows it, and not in UTC"


@pytest.mark.parametrize("day", ["2024-03-31", "2024-10-27"])
def test_days_in_berlin_have_23_and_25_hours_and_one_step(day: str) -> None:
    """zoneinfo: 2024-03-31 in Berlin has 23 hours, and 2024-10-27 has 25."""
    start = pd.Timestamp(day, tz=BERLIN)
    length = (start + pd.DateOffset(days=1) - start) / pd.Timedelta(hours=1)
    assert length == (23 if day == "2024-03-31" else 25)
    daily = clock_of(times("2024-01-01", 60, "D", BERLIN))
    daily.tick(daily.read(start.isoformat()))
    assert daily.steps(daily.read((start + pd.DateOffset(days=1)).isoformat())) == 1
    hourly = clock_of(times("2024-01-01", 200, "h", BERLIN))
    hourly.tick(hourly.read(start.isoformat()))
    assert hourly.steps(hourly.read((start + pd.DateOffset(days=1)).isoformat())) == length


def test_a_time_without_an_offset_is_of_the_zone_of_the_model() -> None:
    clock = clock_of(times("2024-01-01", 60, "D", BERLIN))
    for text in ("2024-07-01", "2024-07-01T00:00", "2024-06-30T22:00:00Z", "2024-07-01T00:00:00+02:00"):
        assert clock.read(text) == np.datetime64("2024-06-30T22:00"), text


def test_the_order_of_day_and_month_is_that_of_the_model() -> None:
    for text, day_first in (("01/02/2024", True), ("02/01/2024", False)):
        source = read(pd.DataFrame({"ds": times("2024-01-01", 60, "D"), "y": 1.5})).meta
        assert Clock(source | {"day_first": day_first}).read(text) == np.datetime64("2024-02-01")


def test_whole_numbers_are_steps() -> None:
    clock = Clock(read(pd.DataFrame({"ds": np.arange(0, 300, 5), "y": np.arange(60) % 7 / 3.0})).meta)
    clock.tick(clock.read(300))
    assert clock.steps(clock.read(305)) == 1
    assert clock.steps(clock.read(320)) == 4
    with pytest.raises(DataError, match="between two steps"):
        clock.steps(clock.read(307))


@pytest.mark.parametrize(
    ("time", "says"),
    [
        ("2024-02-29", "occurs twice"),
        ("2024-02-28", "out of order"),
        ("2124-02-28", "more than 10,000 steps"),
        (7, "the time 7 is a number, and the model was fitted to dates"),
        ("tomorrow", "cannot read 'tomorrow' as a time"),
        (True, "cannot read 'True' as a time"),
        ("2023-02-29", "cannot read '2023-02-29' as a time"),
    ],
)
def test_what_cannot_follow_is_refused(time: Any, says: str) -> None:
    clock = clock_of(times("2024-01-01", 60, "D"))
    clock.tick(clock.read("2024-02-29"))
    with pytest.raises(DataError, match=says):
        clock.steps(clock.read(time))
    assert clock.steps(clock.read("2024-03-01")) == 1


@pytest.mark.parametrize(
    ("zone", "sent", "said"),
    [
        ("Europe/Berlin", "2024-10-27T02:30:00+01:00", "2024-10-27T02:30:00+01:00"),
        ("Europe/Berlin", "2024-10-27T00:30:00Z", "2024-10-27T02:30:00+02:00"),
        ("Europe/Berlin", "2024-10-27", "2024-10-27T00:00:00+02:00"),
        ("Asia/Kathmandu", "2024-10-27T05:45:00+05:45", "2024-10-27T05:45:00+05:45"),
        ("America/New_York", "2024-10-27T00:00:00.25-04:00", "2024-10-27T00:00:00.250000-04:00"),
        (None, "2024-10-27T02:30:00+01:00", "2024-10-27T01:30:00+00:00"),
        (None, "2024-10-27T02:30:00", "2024-10-27T02:30:00"),
    ],
)
def test_an_error_shows_a_time_of_a_zone_with_its_offset(zone: str | None, sent: str, said: str) -> None:
    """Times are kept in UTC, where the time that was sent cannot be recognised."""
    clock = Clock({} if zone is None else {"zone": zone})
    clock.tick(clock.read(sent))
    with pytest.raises(DataError) as error:
        clock.steps(clock.read(sent))
    assert f"the time {said} occurs twice" in str(error.value)


def test_without_a_calendar_each_row_is_a_step() -> None:
    clock = Clock({})
    for text in ("2024-01-01", "2024-01-02", "2024-05-07"):
        assert clock.steps(clock.read(text)) == 1
        clock.tick(clock.read(text))


def test_a_whole_number_that_overflows_is_no_time() -> None:
    data = read(pd.DataFrame({"ds": [1, 2, 3, 5, 6, 7, 8], "y": np.arange(7.0) + 0.5}))
    clock = Clock(data.meta | {"frequency": data.frequency})
    assert clock.read(9) == 9
    with pytest.raises(DataError):
        clock.read(10**30)


@pytest.mark.parametrize("zoned", ["2024-01-02T00:00:00Z", "2024-01-02T00:00:00+02:00", "2024-01-02 00:00:00-0500"])
@pytest.mark.parametrize("plain", ["2024-01-02T00:00:00", "2024-01-02", "2024-01-02 00:00:00.5"])
def test_times_with_and_without_a_zone_are_not_mixed(zoned: str, plain: str) -> None:
    """A local time taken for UTC would be hours away from where it is, and look like a gap or a time out of order."""
    for first, second in ((zoned, plain), (plain, zoned)):
        clock = Clock({})
        clock.tick(clock.read(first.replace("-02", "-01", 1)))
        back = Clock({})
        back.set_times(json.loads(json.dumps(clock.times())))
        for one in (clock, clock.copy(), back):
            with pytest.raises(DataError, match=r"names (a|no) zone, and those before it"):
                one.read(second)
            one.read(first)
        clock.set_times({key: value for key, value in clock.times().items() if key != "zoned"})
        clock.read(second)  # what an earlier release kept does not tell


def test_a_time_without_a_zone_is_in_the_zone_of_the_model() -> None:
    clock = Clock({"zone": "Asia/Seoul"})
    clock.tick(clock.read("2024-01-01T00:00:00Z"))
    assert clock.read("2024-01-02T09:00:00") == np.datetime64("2024-01-02T00:00:00")
