"""Calendars whose times are listed for whole years and looked up: the same times every week, or days of months."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, ClassVar

import numpy as np

from ostinato.data.calendar_units import (
    DAY,
    HOUR,
    MINUTE,
    MONDAY,
    WEEKDAYS,
    YEAR,
    Places,
    duration,
    more_than_one,
    weekday_of,
)
from ostinato.data.zones import instants
from ostinato.shapes import Times


class Listed(ABC):
    """A calendar whose times are listed for whole years and looked up."""

    @property
    @abstractmethod
    def length(self) -> int:
        """The usual length of a step in microseconds."""

    @abstractmethod
    def listed(self, first_year: int, last_year: int) -> Times:
        """Return all times of the calendar in these years, and perhaps some around them."""

    def places(self, times: Times, firsts: Times) -> Places:
        """Return the place of each time, and whether it is on the calendar; places count from any fixed time."""
        if not len(times):
            return np.zeros(0, dtype=np.int64), np.zeros(0, dtype=bool)
        grid = self._grid(times.min(), times.max())
        place = np.minimum(np.searchsorted(grid, times), len(grid) - 1)
        return place, grid[place] == times

    def between(self, first: Any, last: Any) -> Times:
        """Return the times of the calendar from the first to the last."""
        grid = self._grid(first, last)
        return grid[(grid >= np.datetime64(first, "us")) & (grid <= np.datetime64(last, "us"))]

    def after(self, last: Any, count: int) -> Times:
        """Return the next times after the last one, (count,)."""
        last = np.datetime64(last, "us")
        reach = int(count * self.length * 1.1) + 2 * self.length + YEAR
        while True:
            grid = self._grid(last, last + np.timedelta64(reach, "us"))
            ahead = grid[np.searchsorted(grid, last, side="right") :]
            if len(ahead) >= count:
                return ahead[:count]
            reach *= 2

    def _grid(self, first: Any, last: Any) -> Times:
        years = np.array([first, last], dtype="datetime64[us]").astype("datetime64[Y]").astype(np.int64) + 1970
        return _listed(self, int(years[0]) - 1, int(years[1]) + 1)


@lru_cache(maxsize=128)
def _listed(calendar: Listed, first_year: int, last_year: int) -> Times:
    return calendar.listed(first_year, last_year)


@dataclass(frozen=True)
class Week(Listed):
    """The same times every week: business days, other sets of weekdays, and hours of trade.

    Attributes:
        slots: The times within a week from Monday 00:00 on, in microseconds by the clock on the wall, in order.
        zone: The zone of the clock.
    """

    slots: tuple[int, ...]
    zone: str | None = None
    type: ClassVar[str] = "week"

    @property
    def weekdays(self) -> tuple[int, ...]:
        """The weekdays that occur, from Monday = 0."""
        return tuple(sorted({slot // DAY for slot in self.slots}))

    @property
    def clocks(self) -> tuple[int, ...]:
        """The times of day that occur, in microseconds."""
        return tuple(sorted({slot % DAY for slot in self.slots}))

    @property
    def length(self) -> int:
        """The usual length of a step in microseconds: the step within a day if there are several, else a day."""
        clocks = self.clocks
        return int(np.diff(clocks).min()) if len(clocks) > 1 else DAY

    @property
    def frequency(self) -> str:
        """The step in words: "1bd" for business days, "Mon-Sat", or "1h Mon-Fri 09:00-16:00"."""
        days, clocks = self.weekdays, self.clocks
        names = [WEEKDAYS[d] for d in days]
        # the days may go over the end of the week, as from Sunday to Thursday
        start = next((d for d in days if (d - 1) % 7 not in days), 0)
        run = len(days) > 2 and all((start + i) % 7 in days for i in range(len(days)))
        words = f"{WEEKDAYS[start]}-{WEEKDAYS[(start + len(days) - 1) % 7]}" if run else ",".join(names)
        if len(clocks) == 1:
            return "1bd" if days == (0, 1, 2, 3, 4) else words
        first, last = (f"{c // HOUR:02d}:{c % HOUR // MINUTE:02d}" for c in (clocks[0], clocks[-1]))
        return f"{duration(self.length)} {words} {first}-{last}"

    @property
    def season(self) -> int:
        """The usual number of steps of a season: a week of days, or a day of hours if all days are alike."""
        a_day = len(self.slots) // len(self.weekdays)
        return a_day if a_day > 1 and len(self.slots) == a_day * len(self.weekdays) else len(self.slots)

    @property
    def seasons(self) -> tuple[int, ...]:
        """The usual season in steps, and the week if that is longer."""
        return more_than_one(self.season, len(self.slots))

    @property
    def bits(self) -> float:
        """The length of the description of the calendar, in bits."""
        days = self.weekdays
        turns = sum((d + 1) % 7 not in days for d in days)
        of_days = 0.0 if len(days) == 7 else 3.0 if days == (0, 1, 2, 3, 4) else 5.0 if turns == 1 else 8.0
        if len(self.clocks) == 1:
            return of_days
        kinds = {tuple(s % DAY for s in self.slots if s // DAY == d) for d in days}
        of_hours = 0.0
        for clocks in kinds:
            runs = 1 + int((np.diff(clocks) > self.length).sum()) if len(clocks) > 1 else 1
            of_hours += 2 * runs * math.log2(max(2.0, DAY / self.length))
        return of_days + of_hours + 7.0 * (len(kinds) - 1)

    def listed(self, first_year: int, last_year: int) -> Times:
        """Return all times of the calendar in these years, and perhaps some around them."""
        edges = np.array([f"{first_year:04d}-01-01", f"{last_year + 1:04d}-01-08"], dtype="datetime64[D]")
        first, last = (edges.astype(np.int64) - MONDAY) // 7
        mondays = (np.arange(first, last + 1) * 7 + MONDAY).astype("datetime64[D]").astype("datetime64[us]")
        times = mondays[:, None] + np.array(self.slots, dtype="timedelta64[us]")
        return np.unique(instants(times.reshape(-1), self.zone))


@dataclass(frozen=True)
class Months(Listed):
    """One or several days of every n-th month, at one time of day.

    Attributes:
        every: The number of months from one to the next.
        phase: The months: those whose number from January of year 0 has this rest after a division by ``every``.
        days: The days of such a month: "15" (or the last day of a shorter month), "end" (the last day), "business end",
            "business 1" (the first business day), "3 Fri" (the third Friday) or "last Fri".
        clock: The time of day by the clock on the wall, in microseconds.
        zone: The zone of the clock.
    """

    every: int = 1
    phase: int = 0
    days: tuple[str, ...] = ("1",)
    clock: int = 0
    zone: str | None = None
    type: ClassVar[str] = "months"

    @property
    def length(self) -> int:
        """The usual length of a step in microseconds."""
        return self.every * YEAR // 12 // len(self.days)

    @property
    def frequency(self) -> str:
        """The step in words: "1mo", "6mo", "2y", or "2 a month"."""
        step = f"{self.every // 12}y" if self.every % 12 == 0 else f"{self.every}mo"
        return step if len(self.days) == 1 else f"{len(self.days)} a {'month' if self.every == 1 else step}"

    @property
    def season(self) -> int:
        """The usual number of steps of a season: a year."""
        return len(self.days) * (12 // math.gcd(12, self.every))

    @property
    def seasons(self) -> tuple[int, ...]:
        """The usual season in steps; none for a step of a year or more."""
        return more_than_one(self.season)

    @property
    def bits(self) -> float:
        """The length of the description of the calendar, in bits."""
        usual = {1: 0.5, 2: 3.0, 3: 1.5, 6: 2.5, 12: 1.5, 24: 4.0, 60: 4.0, 120: 4.0}
        days = {"1": 0.5, "end": 0.5, "business end": 2.0, "business 1": 2.0}
        if len(self.days) > 1:
            each = 2.0 if self.days in (("1", "15"), ("15", "end")) else 4.0 * len(self.days)
        else:
            one = self.days[0]
            each = days.get(one, 1.5 if one.isdigit() else 4.0 if one.startswith("business") else 3.0)
        return usual.get(self.every, 5.0 + math.log2(self.every)) + each

    def listed(self, first_year: int, last_year: int) -> Times:
        """Return all times of the calendar in these years, and perhaps some around them."""
        first_year -= self.every // 12
        last_year += self.every // 12
        months = np.arange(f"{first_year:04d}-01", f"{last_year + 1:04d}-01", dtype="datetime64[M]")
        months = months[(months.astype(np.int64) + 1970 * 12) % self.every == self.phase]
        days = np.concatenate([_days(months, day) for day in self.days]).astype("datetime64[us]")
        return np.unique(instants(np.sort(days) + np.timedelta64(self.clock, "us"), self.zone))


def _days(months: Times, day: str) -> Times:
    """Return the day of each month.

    Args:
        months: The months.
        day: The day, as in ``Months.days``.
    """
    starts, one = months.astype("datetime64[D]"), np.timedelta64(1, "D")
    ends = (months + np.timedelta64(1, "M")).astype("datetime64[D]") - one
    which, _, of = day.partition(" ")
    if day.isdigit():
        found = np.minimum(starts + (int(day) - 1) * one, ends)
    elif day == "end":
        found = ends
    elif day == "business end":
        found = np.busday_offset(ends, 0, roll="backward")
    elif which == "business":
        found = np.busday_offset(starts, int(of) - 1, roll="forward")
    elif which == "last":
        found = ends - (weekday_of(ends) - WEEKDAYS.index(of)) % 7 * one
    else:
        found = starts + ((WEEKDAYS.index(of) - weekday_of(starts)) % 7 + 7 * (int(which) - 1)) * one
    return np.asarray(found)
