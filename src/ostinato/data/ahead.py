"""The times after the end of each series, by its calendar."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from typing import Any

import numpy as np

from ostinato.data.calendar import Calendar, Days, Steps, from_json
from ostinato.data.frequency import named, of_frequency
from ostinato.data.sequences import SequenceSet
from ostinato.errors import ConfigError
from ostinato.numbers import counted
from ostinato.shapes import Times

#: The end of the calendar: a later year has five digits, which no other program reads.
_LAST = np.datetime64("9999-12-31T23:59:59.999999", "us")
#: The number of steps that may always be forecast, and the number for each step of the longest series.
ALWAYS, _TIMES_AS_LONG = 1000, 10
#: The place in ``SequenceSet.meta`` of the number of steps of the longest series of the panel that a set is a part of.
LONGEST = "longest"


def check_reach(data: SequenceSet, steps: int, most: int | None = None) -> None:
    """Check that a forecast does not reach far beyond what the data can say.

    Args:
        data: The sequences.
        steps: The number of steps.
        most: The largest number of steps of any data, or None.

    Raises:
        ConfigError: There are more than 1000 steps and ten times as many as the longest sequence has, or they leave the
            calendar.
    """
    # the part of a panel knows how long the longest series of the whole panel is
    longest = max(int(data.lengths.max()) if len(data) else 0, data.meta.get(LONGEST, 0))
    check_steps(steps, longest, most)
    ends = [(times[-1], b) for b in range(len(data)) if (times := data.times_of(b)) is not None and len(times)]
    if ends:
        times_ahead(data, max(ends)[1], steps)


def check_steps(steps: int, longest: int, most: int | None = None) -> None:
    """Check the number of steps of a forecast against the longest series.

    Args:
        steps: The number of steps to forecast.
        longest: The number of steps of the longest series.
        most: The largest number of steps of any data, or None.

    Raises:
        ConfigError: There are too many; see ``check_reach``.
    """
    limit = max(ALWAYS, _TIMES_AS_LONG * longest)
    limit = limit if most is None else min(limit, most)
    if steps > limit:
        raise ConfigError(
            f"a horizon of {counted(steps, 'step')} is too far ahead: the longest series has {longest:,}",
            fix=f"use at most {counted(limit, 'step')}, or longer steps",
        )


def calendar_of(data: SequenceSet, b: int) -> Calendar | None:
    """Return the calendar of sequence b; None if it has none or no times."""
    times = data.times_of(b)
    if times is None or not len(times):
        return None
    if data.calendars:
        return data.calendars[b]
    return of_frequency(data.frequency, times, zone_of_data(data))


def usual_calendar(data: SequenceSet) -> Calendar | None:
    """Return the calendar that most series of the usual frequency have, or if none is known, that of the frequency."""
    found = [c for c in data.calendars if c is not None and c.frequency == data.frequency]
    if found:
        return Counter(found).most_common(1)[0][0]
    return named(data.frequency) if data.frequency else None


def zone_of_data(data: SequenceSet) -> str | None:
    """Return the zone of the times of the data, if they have one."""
    return data.time_form.zone if data.time_form else None


def times_ahead(data: SequenceSet, b: int, steps: int) -> Times:
    """Return the times of the steps after sequence b.

    Args:
        data: The sequences.
        b: The number of the sequence.
        steps: The number of steps.

    Returns:
        The times, (steps,), of the type of ``data.times``. Without a calendar, the median step goes on; without times,
        steps are counted from 1.

    Raises:
        ConfigError: The times go beyond the year 9999.
    """
    times = data.times_of(b)
    if times is None or not len(times):
        return np.arange(steps) + int(data.lengths[b]) + (1 if times is None else 0)
    calendar = calendar_of(data, b)
    if calendar is None:
        whole = np.diff(times).astype(np.int64)
        if times.dtype.kind != "M":
            calendar = Steps(max(int(np.median(whole)), 1) if len(whole) else 1)
        elif not len(whole):
            calendar = Days(1, int((times[-1] - times[-1].astype("datetime64[D]")).astype(np.int64)))
        else:
            length = max(int(np.median(whole)), 1)
            return _within(np.asarray(times[-1] + (np.arange(1, steps + 1) * length).astype("timedelta64[us]")), times)
    return _within(calendar.after(times[-1], steps), times)


def _within(ahead: Times, times: Times) -> Times:
    """Return the times after those of a sequence. Raise ConfigError if they leave the calendar."""
    past = (ahead > _LAST) | (ahead < times[-1]) if ahead.dtype.kind == "M" else np.zeros(0, dtype=bool)
    if past.any():
        most = int(past.argmax())
        raise ConfigError(
            f"a horizon of {counted(len(ahead), 'step')} after {str(times[-1])[:10]} goes beyond the year 9999",
            fix=f"use at most {counted(most, 'step')}" if most else "correct the times of the data",
        )
    return ahead


def with_calendars(data: SequenceSet, source: dict[str, Any]) -> SequenceSet:
    """Return the data with the calendar of a model for the series that do not show their own.

    Args:
        data: The sequences.
        source: The ``description.source`` of the model.
    """
    if data.times is None or (data.calendars and all(c is not None for c in data.calendars)):
        return data
    record = source.get("calendar")
    if record is None:
        return replace(data, frequency=data.frequency or source.get("frequency"))
    usual = from_json(record)
    if isinstance(usual, Steps) == (data.times.dtype.kind == "M"):
        return data
    each = data.calendars or (None,) * len(data)
    short = data.lengths < 2
    calendars = tuple(usual if c is None and short[b] else c for b, c in enumerate(each))
    return replace(data, calendars=calendars, frequency=data.frequency or usual.frequency)


def walls_of(data: SequenceSet, times: Times) -> Times:
    """Return times of the data by the clock on the wall of their zone."""
    from ostinato.data.zones import wall

    return wall(times, zone_of_data(data)) if times.dtype.kind == "M" else times
