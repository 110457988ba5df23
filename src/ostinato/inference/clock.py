"""The times of a live sequence: how many steps have passed between two rows."""

from __future__ import annotations

import re
from collections import deque
from copy import copy
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import numpy as np
import polars as pl

from ostinato.data import buddhist
from ostinato.data.calendar import Calendar, Days, Every, Steps, from_json
from ostinato.data.checks import check_whole_time, stamp
from ostinato.data.frequency import of_frequency
from ostinato.data.stamps import read_times
from ostinato.data.zones import instants, wall, with_offset
from ostinato.errors import DataError
from ostinato.numbers import counted

#: The times that are kept to tell the days of the week; a gap may have this many steps.
_KEPT, _LONGEST = 14, 10_000
#: The steps after the last time among which a time is looked for, in turn: the next one is usual.
_REACHES = (1, 16, 160, 1600, _LONGEST)
_BUDDHIST = re.compile(buddhist.LOOK)
#: The zone at the end of a time of day.
_ZONE = re.compile(r":\d\d(?:[.,]\d+)?\s*(?:Z|UTC|GMT|[+-]\d\d(?::?\d\d)?)\s*$", re.IGNORECASE)


class Clock:
    """The times of one series, each of which is later than the one before.

    Args:
        source: The description of the data that a model was fitted to, with their calendar and zone. A model file of
            an earlier version names only their frequency. Without any of these, every row is one step.
    """

    def __init__(self, source: dict[str, Any]) -> None:
        record = source.get("calendar")
        self._calendar = None if record is None else from_json(record)
        self._frequency: str | None = source.get("frequency")
        self._zone: str | None = source.get("zone")
        self._day_first: bool | None = source.get("day_first")
        self._seen: deque[Any] = deque(maxlen=_KEPT)
        #: Whether the times name a zone; None before the first one.
        self._zoned: bool | None = None

    def read(self, value: Any) -> Any:
        """Return a time as ``read_time`` does, by the zone and the order of day and month of the model.

        Raises:
            DataError: The value is not a time; or it is a number, and the model was fitted to dates; or it names a zone
                and those before it do not, or the other way round. If the model has a zone, a time without one is in
                that zone.
        """
        if self._zone is None and isinstance(value, str):
            self._check_zone(value, _ZONE.search(value) is not None)
        if isinstance(self._calendar, Steps) and type(value) is int:
            check_whole_time(value)
            return np.int64(value)
        dated = self._calendar is not None and not isinstance(self._calendar, Steps)
        time = read_time(value, self._zone, self._day_first, "ds" if dated else "")
        if dated and np.asarray(time).dtype.kind != "M":
            what = f"the time {str(value)[:60]} is a number, and the model was fitted to dates"
            raise DataError(what, fix="write times as 2024-01-31 or 2024-01-31T13:00:00")
        return time

    def _check_zone(self, value: str, zoned: bool) -> None:
        if not self._seen:
            self._zoned = zoned
        elif self._zoned is not None and zoned != self._zoned:
            names, others = ("names a zone", "name none") if zoned else ("names no zone", "name one")
            raise DataError(f"the time {value[:60]} {names}, and those before it {others}", fix="write all times alike")

    def steps(self, time: Any) -> int:
        """Return the number of steps from the last time to this one: 1 for the next step, 2 if one was left out.

        The clock itself moves with ``tick``, after the row was taken.

        Args:
            time: The time, as ``read`` returns it.

        Raises:
            DataError: The time is not later than the last one, lies between two steps, or is too far ahead.
        """
        if not self._seen:
            return 1
        last = self._seen[-1]
        if np.asarray(last).dtype.kind != np.asarray(time).dtype.kind:
            raise DataError(
                f"the time {stamp(time)} is of another type than {stamp(last)} before it", fix="write all times alike"
            )
        if time == last:
            raise DataError(f"the time {self._said(time)} occurs twice", fix="send one row for each time of a series")
        if time < last:
            what = f"the times are out of order: {self._said(time)} comes after {self._said(last)}"
            raise DataError(what, fix="send the rows of a series in the order of their times")
        calendar = self._own(last)
        return 1 if calendar is None else self._place(calendar, last, time)

    def check_untimed(self) -> None:
        """Raise DataError if a value without a time follows one with a time on a calendar, where it has no place."""
        if self._seen and self._own(self._seen[-1]) is not None:
            what = f"the value has no time, and the one before it has the time {self._said(self._seen[-1])}"
            raise DataError(what, fix="send each value of the series with its time")

    def _said(self, time: Any) -> str:
        """Return a time for an error: with its offset if the times have a zone, because it is kept in UTC."""
        zone = self.written()[1]
        return stamp(time) if zone is None else with_offset(time, zone)

    def tick(self, time: Any) -> None:
        """Move the clock to a time."""
        self._seen.append(time)

    def copy(self) -> Clock:
        """Return a clock that goes on from the same time."""
        other = copy(self)
        other._seen = self._seen.copy()
        return other

    def ahead(self, count: int) -> list[str] | None:
        """Return the next times as text; None if they are unknown."""
        calendar = self._own(self._seen[-1]) if self._seen else None
        return None if calendar is None else [stamp(time) for time in calendar.after(self._seen[-1], count)]

    def times(self) -> dict[str, Any]:
        """Return the times that the clock goes on from, as JSON: whole numbers, or microseconds since 1970."""
        seen = [np.asarray(time) for time in self._seen]
        dated = bool(seen) and seen[-1].dtype.kind == "M"
        return {"dated": dated, "zoned": self._zoned, "seen": [int(time.astype(np.int64)) for time in seen]}

    def written(self) -> tuple[bool | None, str | None]:
        """Return whether the times are dates (None before the first time), and their zone (None without one)."""
        dated = np.asarray(self._seen[-1]).dtype.kind == "M" if self._seen else None
        return dated, (self._zone or ("UTC" if self._zoned else None)) if dated else None

    def set_times(self, kept: dict[str, Any]) -> None:
        """Go on from the times that ``times`` returned."""
        form = np.dtype("datetime64[us]" if kept["dated"] else "int64")
        self._zoned = kept.get("zoned")  # earlier releases did not keep it
        self._seen = deque((np.int64(one).astype(form) for one in kept["seen"]), maxlen=_KEPT)

    def _place(self, calendar: Calendar, last: Any, time: Any) -> int:
        """Return the place of a time on the calendar after the last one."""
        for many in _REACHES:
            grid = calendar.after(last, many)
            place = int(np.searchsorted(grid, time))
            if place < len(grid):
                if grid[place] != time:
                    raise DataError(
                        f"the time {self._said(time)} lies between two steps of {calendar.frequency} after "
                        f"{self._said(last)}",
                        fix=f"send a time on the grid, such as {self._said(grid[place])}",
                    )
                return place + 1
        raise DataError(
            f"the time {self._said(time)} is more than {counted(_LONGEST, 'step')} after {self._said(last)}",
            fix="begin a new series with another id after such a gap",
        )

    def _own(self, last: Any) -> Calendar | None:
        """Return the calendar of this series: that of the model, at the time of day at which this series has its rows.

        A series that is not on the calendar of the model has the frequency of the model, and the days of its own times.
        """
        found = self._calendar
        if isinstance(found, Steps) == (np.asarray(last).dtype.kind == "M"):
            found = None
        if isinstance(found, Days):
            day = wall(np.array([last]), self._zone)[0]
            return replace(found, clock=int((day - day.astype("datetime64[D]")).astype(np.int64)))
        if isinstance(found, Steps | Every):
            return found
        if found is not None and found.places(np.array([last]), np.array([last]))[1][0]:
            return found
        return of_frequency(self._frequency, self._before(last), self._zone)

    def _before(self, last: Any) -> Any:
        """Return the times before, from which the calendar reads the days of the week and of the month."""
        seen = np.array(self._seen)
        if self._frequency != "1bd" or len(seen) >= _KEPT or seen.dtype.kind != "M":
            return seen
        local = wall(np.array([last]), self._zone)[0]
        days = np.busday_offset(local.astype("datetime64[D]"), np.arange(-4, 1), roll="backward")
        return instants(days.astype("datetime64[us]") + (local - local.astype("datetime64[D]")), self._zone)


def read_time(value: Any, zone: str | None = None, day_first: bool | None = None, name: str = "") -> Any:
    """Return a time as datetime64[us] or int64; a time with a zone becomes UTC.

    Args:
        value: A time as JSON holds it: a string or a whole number.
        zone: The zone of a time that names none.
        day_first: Whether 01/02/2024 is the first of February.
        name: The name of the column, which may show that whole numbers are years or count from 1970.

    Raises:
        DataError: The value is not a time.
    """
    if isinstance(value, str) and not _BUDDHIST.search(value):
        try:
            time = datetime.fromisoformat(value.strip())
            if time.tzinfo:
                return np.datetime64(time.astimezone(UTC).replace(tzinfo=None), "us")
            return instants(np.array([time], dtype="datetime64[us]"), zone)[0]
        except (ValueError, OverflowError):
            pass
    if isinstance(value, str | int) and not isinstance(value, bool):
        if isinstance(value, int):
            check_whole_time(value)
        try:
            found = read_times(pl.Series(name, [value]), day_first=day_first, zone=zone, typed=False)
        except (pl.exceptions.PolarsError, OverflowError, ValueError):
            found = None
        if found is not None:
            return found.times[0]
    raise DataError(
        f"cannot read {str(value)[:60]!r} as a time", fix="write times as 2024-01-31 or 2024-01-31T13:00:00"
    )
