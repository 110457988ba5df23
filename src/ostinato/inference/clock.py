"""The times of a live sequence: how many steps have passed between two rows."""

from __future__ import annotations

from collections import deque
from datetime import UTC, datetime
from typing import Any

import numpy as np
import polars as pl

from ostinato.data.calendar import future_times, parse_times
from ostinato.data.checks import stamp
from ostinato.errors import DataError

#: The times that are kept to tell the days of the week; a gap may have this many steps.
_KEPT, _LONGEST = 14, 10_000


class Clock:
    """The times of one series, each of which is later than the one before.

    Args:
        frequency: The frequency of the series, as a model file names it; None if it has none, so that every row is
            one step.
    """

    def __init__(self, frequency: str | None) -> None:
        self._frequency = frequency
        self._seen: deque[Any] = deque(maxlen=_KEPT)

    def steps(self, time: Any) -> int:
        """Return the number of steps from the last time to this one: 1 for the next step, 2 if one was left out.

        The clock itself moves with ``tick``, after the row was taken.

        Args:
            time: The time, as ``read_time`` returns it.

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
            raise DataError(f"the time {stamp(time)} occurs twice", fix="send one row for each time of a series")
        if time < last:
            what = f"the times are out of order: {stamp(time)} comes after {stamp(last)}"
            raise DataError(what, fix="send the rows of a series in the order of their times")
        return 1 if self._frequency is None else self._place(last, time)

    def tick(self, time: Any) -> None:
        """Move the clock to a time."""
        self._seen.append(time)

    def _place(self, last: Any, time: Any) -> int:
        """Return the place of a time on the grid after the last one."""
        many = 1
        while many <= _LONGEST:
            grid = future_times(last, self._frequency, many, self._before(last))
            place = int(np.searchsorted(grid, time))
            if place < len(grid):
                if grid[place] != time:
                    what = f"the time {stamp(time)} lies between two steps of {self._frequency} after {stamp(last)}"
                    raise DataError(what, fix=f"send a time on the grid, such as {stamp(grid[place])}")
                return place + 1
            many *= 10 if many > 1 else 16
        raise DataError(
            f"the time {stamp(time)} is more than {_LONGEST:,} steps after {stamp(last)}",
            fix="begin a new series with another id after such a gap",
        )

    def _before(self, last: Any) -> Any:
        """Return the times before, from which the calendar reads the days of the week and of the month."""
        seen = np.array(self._seen)
        if self._frequency != "1bd" or len(seen) >= _KEPT:
            return seen
        return np.busday_offset(np.datetime64(last, "D"), np.arange(-4, 1), roll="backward").astype("datetime64[us]")


def read_time(value: Any) -> Any:
    """Return a time as datetime64[us] or int64; a time with a zone becomes UTC.

    Args:
        value: A time as JSON holds it: a string or a whole number.

    Raises:
        DataError: The value is no time.
    """
    if isinstance(value, str):
        try:
            time = datetime.fromisoformat(value.strip())
            return np.datetime64(time.astimezone(UTC).replace(tzinfo=None) if time.tzinfo else time, "us")
        except ValueError:
            pass
    if isinstance(value, str | int) and not isinstance(value, bool):
        try:
            found = parse_times(pl.Series([value]))
        except (pl.exceptions.PolarsError, OverflowError, ValueError):
            found = None
        if found is not None:
            return found[0]
    raise DataError(
        f"cannot read {str(value)[:60]!r} as a time", fix="write times as 2024-01-31 or 2024-01-31T13:00:00"
    )
