"""The rows of one series: in the order of time, and on the full grid of their calendar."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ostinato.data.calendar import Calendar
from ostinato.shapes import Array

#: The most times that missing steps may lengthen a series. Beyond it, its rows are consecutive steps.
LONGEST = 20
#: How the note on rows that are left out begins.
TWICE = "rows that occur twice are left out"


@dataclass(frozen=True)
class SeriesRows:
    """One series with the rows of its source.

    Attributes:
        name: The id of the series.
        values: The values, (T, D), NaN where a value is missing.
        times: The times, (T,), or None.
        rows: The row of the source that each step came from, (T,).
        known: The future covariates, (T, C), or None.
        past: The past covariates, (T, P), or None.
        static: The S static covariates.
    """

    name: str
    values: Array
    times: NDArray[Any] | None
    rows: NDArray[np.int64]
    known: Array | None = None
    past: Array | None = None
    static: tuple[str, ...] = ()


def sorted_by_time(series: Sequence[SeriesRows]) -> tuple[list[SeriesRows], list[str]]:
    """Sort the rows of each series by time, and leave out rows that occur twice.

    Args:
        series: The series as their rows stand in the source.

    Returns:
        The series in order, and notes. Rows of one time with different values are kept, for an error.
    """
    out: list[SeriesRows] = []
    newest: list[str] = []
    mixed: list[str] = []
    twice: list[str] = []
    for s in series:
        if s.times is None or len(s.times) < 2 or bool((s.times[1:] > s.times[:-1]).all()):
            out.append(s)
            continue
        if not bool((s.times[1:] >= s.times[:-1]).all()):
            (newest if bool((s.times[1:] <= s.times[:-1]).all()) else mixed).append(s.name)
        one = _picked(s, np.argsort(s.times, kind="stable"))
        again = _repeats(one)
        if again.any():
            twice.append(f"{s.name}: {int(again.sum())}")
        out.append(_picked(one, np.flatnonzero(~again)))
    notes = []
    for names, what in ((newest, "newest first"), (mixed, "not in order of time")):
        if names:
            notes.append(f"the rows are {what} and are sorted, in {len(names):,} series ({', '.join(names[:3])})")
    if twice:
        notes.append(f"{TWICE}, in {len(twice):,} series ({', '.join(twice[:3])})")
    return out, notes


def _picked(s: SeriesRows, rows: NDArray[np.int64]) -> SeriesRows:
    times, known, past = (None if x is None else x[rows] for x in (s.times, s.known, s.past))
    return SeriesRows(s.name, s.values[rows], times, s.rows[rows], known, past, s.static)


def _repeats(s: SeriesRows) -> NDArray[np.bool_]:
    """Return whether each row is equal to the row before it, (T,)."""
    assert s.times is not None
    same = np.append(False, s.times[1:] == s.times[:-1])
    for x in (s.values, s.known, s.past):
        if x is not None and same.any():
            equal = (x[1:] == x[:-1]) | (np.isnan(x[1:]) & np.isnan(x[:-1]))
            same[1:] &= equal.all(axis=1)
    return same


def on_full_grid(s: SeriesRows, calendar: Calendar | None) -> SeriesRows:
    """Put a series on the full grid of its calendar.

    Args:
        s: The series.
        calendar: Its calendar, or None.

    Returns:
        The series with a row for every time of the calendar: NaN for the values of an added step, and the future
        covariates of the step before it. The series itself if no step is missing, if its times are not on the calendar,
        or if it would become more than twenty times as long.
    """
    if s.times is None or calendar is None or len(s.times) < 2:
        return s
    place, on = calendar.places(s.times, np.broadcast_to(s.times[0], s.times.shape))
    place = place - place[0]
    T = int(place[-1]) + 1
    if not on.all() or len(place) == T or LONGEST * len(place) < T:
        return s
    steps = np.arange(T)
    full = np.full((T, s.values.shape[1]), np.nan)
    full[place] = s.values
    stamps = calendar.between(s.times[0], s.times[-1])
    known = None if s.known is None else s.known[np.searchsorted(place, steps, side="right") - 1]
    past = None
    if s.past is not None:
        past = np.full((T, s.past.shape[1]), np.nan)
        past[place] = s.past
    return SeriesRows(s.name, full, stamps, s.rows, known, past, s.static)
