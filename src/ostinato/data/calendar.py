"""Calendars: which times come after which.

A calendar is a rule, such as "the last day of every third month" or "09:00 to 16:00 from Monday to Friday". Times are
instants: datetime64[us] in UTC if there is a zone, or without a zone as they were given; whole numbers are int64.
Rules about days hold for the clock on the wall of the zone, rules about hours for the time that passes.

``bits`` is what it costs to name a calendar, for the choice by the shortest description (Rissanen 1978; ``detect``).
The costs were set by hand: half a bit for what most data have, such as a month, and more for what is rarer. They
decide only where the times of a series suit several calendars.
"""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from typing import Any, ClassVar

import numpy as np

from ostinato.data.calendar_units import DAY, HOUR, MINUTE, SECOND, WEEK, Places, duration, more_than_one
from ostinato.data.listed_calendars import Months, Week
from ostinato.data.zones import instants, wall
from ostinato.numbers import counted
from ostinato.shapes import Times


@dataclass(frozen=True)
class Steps:
    """Whole numbers, each ``step`` after the one before."""

    step: int = 1
    type: ClassVar[str] = "steps"

    @property
    def frequency(self) -> str:
        """The step in words."""
        return "step" if self.step == 1 else f"{counted(self.step, 'step')}"

    season: ClassVar[int] = 1
    seasons: ClassVar[tuple[int, ...]] = ()
    length: ClassVar[int | None] = None

    @property
    def bits(self) -> float:
        """The length of the description of the calendar, in bits."""
        return 0.5 if self.step == 1 else 1.0 + math.log2(self.step)

    def places(self, times: Times, firsts: Times) -> Places:
        """Return the place of each time, and whether it is on the calendar; both count from the first times (N,)."""
        place, rest = np.divmod(times - firsts, self.step)
        return place, rest == 0

    def between(self, first: Any, last: Any) -> Times:
        """Return the times of the calendar from the first to the last."""
        return np.arange(int(first), int(last) + 1, self.step, dtype=np.int64)

    def after(self, last: Any, count: int) -> Times:
        """Return the next times after the last one, (count,)."""
        return int(last) + np.arange(1, count + 1, dtype=np.int64) * self.step


@dataclass(frozen=True)
class Every:
    """Instants, each ``length`` microseconds after the one before, whatever the clock on the wall does."""

    length: int
    type: ClassVar[str] = "every"

    @property
    def frequency(self) -> str:
        """The step in words."""
        return duration(self.length)

    @property
    def season(self) -> int:
        """The usual number of steps of a season: a minute, an hour, a day or a week."""
        if self.length <= SECOND:
            whole = MINUTE
        elif self.length <= MINUTE:
            whole = HOUR
        else:
            whole = DAY if DAY % self.length == 0 else WEEK
        return whole // self.length if whole % self.length == 0 else 1

    @property
    def seasons(self) -> tuple[int, ...]:
        """The usual season in steps and the next longer one, such as a day and a week."""
        wholes = (MINUTE, HOUR, DAY, WEEK)
        found = [whole // self.length for whole in wholes if whole % self.length == 0 and whole // self.length > 1]
        return tuple(one for one in found if one >= self.season)[:2] if self.season > 1 else ()

    @property
    def bits(self) -> float:
        """The length of the description of the calendar, in bits."""
        for name, whole in (("d", DAY), ("h", HOUR), ("m", MINUTE), ("s", SECOND)):
            if self.length % whole == 0 and name != "d":
                return 1.0 + math.log2(self.length // whole) / 2
        return 4.0 + math.log2(max(2.0, self.length)) / 2

    def places(self, times: Times, firsts: Times) -> Places:
        """Return the place of each time, and whether it is on the calendar; both count from the first times (N,)."""
        place, rest = np.divmod((times - firsts).astype(np.int64), self.length)
        return place, rest == 0

    def between(self, first: Any, last: Any) -> Times:
        """Return the times of the calendar from the first to the last."""
        end = np.datetime64(last, "us") + np.timedelta64(1, "us")
        return np.arange(np.datetime64(first, "us"), end, np.timedelta64(self.length, "us"))

    def after(self, last: Any, count: int) -> Times:
        """Return the next times after the last one, (count,)."""
        ahead = np.arange(1, count + 1) * self.length
        return np.asarray(np.datetime64(last, "us") + ahead.astype("timedelta64[us]"))


@dataclass(frozen=True)
class Days:
    """One time every ``days`` days, at the same time of day by the clock on the wall of the zone."""

    days: int = 1
    clock: int = 0
    zone: str | None = None
    type: ClassVar[str] = "days"

    @property
    def frequency(self) -> str:
        """The step in words."""
        return duration(self.days * DAY)

    @property
    def length(self) -> int:
        """The usual length of a step in microseconds."""
        return self.days * DAY

    @property
    def season(self) -> int:
        """The usual number of steps of a season: a week or a year."""
        if self.days < 7:
            return 7
        return max(1, round(52 * 7 / self.days))

    @property
    def seasons(self) -> tuple[int, ...]:
        """The usual season in steps; none for a step of a year or more."""
        return more_than_one(self.season)

    @property
    def bits(self) -> float:
        """The length of the description of the calendar, in bits."""
        if self.days == 1:
            return 1.0
        return 2.0 + 2 * math.log2(self.days // 7) if self.days % 7 == 0 else 4.0 + math.log2(self.days)

    def places(self, times: Times, firsts: Times) -> Places:
        """Return the place of each time, and whether it is on the calendar; both count from the first times (N,)."""
        days = wall(times, self.zone).astype("datetime64[D]")
        first = days if firsts is times else wall(firsts, self.zone).astype("datetime64[D]")
        place, rest = np.divmod((days - first).astype(np.int64), self.days)
        return place, (rest == 0) & (self._at(days) == times)

    def between(self, first: Any, last: Any) -> Times:
        """Return the times of the calendar from the first to the last."""
        a, z = wall(np.array([first, last], dtype="datetime64[us]"), self.zone).astype("datetime64[D]")
        return self._at(np.arange(a, z + np.timedelta64(1, "D"), np.timedelta64(self.days, "D")))

    def after(self, last: Any, count: int) -> Times:
        """Return the next times after the last one, (count,)."""
        day = wall(np.array([last], dtype="datetime64[us]"), self.zone).astype("datetime64[D]")[0]
        return self._at(day + np.arange(1, count + 1) * np.timedelta64(self.days, "D"))

    def _at(self, days: Times) -> Times:
        return instants(days.astype("datetime64[us]") + np.timedelta64(self.clock, "us"), self.zone)


Calendar = Steps | Every | Days | Week | Months
_TYPES: dict[str, Any] = {c.type: c for c in (Steps, Every, Days, Week, Months)}


def to_json(calendar: Calendar) -> dict[str, Any]:
    """Return a calendar as JSON, for the description of a model."""
    return {"type": calendar.type, **asdict(calendar)}


def from_json(record: dict[str, Any]) -> Calendar:
    """Return the calendar that ``to_json`` described."""
    fields = {k: tuple(v) if isinstance(v, list) else v for k, v in record.items() if k != "type"}
    calendar: Calendar = _TYPES[record["type"]](**fields)
    return calendar
