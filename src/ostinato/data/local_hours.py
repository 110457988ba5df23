"""Hours of the days on which the clock changes, as power grids and exchanges number them, by the zone of the table.

The hour that comes twice is 2A in summer time and 2B in winter time (3A and 3B where hours count from 1), or the day
has the hours 1 to 25. A day of 23 hours has the hours 1 to 23, or leaves out the hour that the clock jumps over.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import polars as pl
from numpy.typing import NDArray

from ostinato.data.time_form import Stamps
from ostinato.data.zones import instants, side_of_twice
from ostinato.shapes import Times

#: The hour that comes twice within a clock: 02A:00, 2A:15, 02:00B.
CLOCK = r"(?:^|[ T])\d{1,2}(?:[AB]:\d\d|:\d\d ?[AB])(?::\d\d)?$"
#: The same hour in a column of hours: 2A, 02B, H03A; and every other hour.
HOUR = r"^\s*[Hh]?(\d{1,2})([ABab]?)\s*$"
_HOUR, _DAY = np.timedelta64(1, "h"), np.timedelta64(1, "D")
#: The hours of the longest day.
LONGEST = 25


def lettered(column: pl.Series) -> bool:
    """Return whether some of the words of a column are clocks whose hour has the letter A or B."""
    return column.dtype == pl.String and bool(column.str.strip_chars().str.contains(CLOCK).any())


def without_letters(column: pl.Series) -> pl.Series:
    """Return times without the letters of their hours."""
    bare = column.str.strip_chars()
    has = bare.str.contains(CLOCK)
    return pl.select(pl.when(has).then(bare.str.replace(r"(\d) ?[AB]", "${1}")).otherwise(bare)).to_series()


def by_letters(found: Stamps, column: pl.Series, zone: str) -> Stamps | None:
    """Return times on the wall as those of a zone, by the letters of their hours.

    Args:
        found: The times on the wall, (N,), without a zone.
        column: The words with the letters, (N,).
        zone: The zone.

    Returns:
        The times; None if an hour with a letter is not one that the clock of the zone shows twice.
    """
    other = None if found.other is None else by_letters(found.other, column, zone)
    letters = column.str.strip_chars().str.extract(r"\d ?([AB])").fill_null("").to_numpy()
    times = _of_letters(found.times, letters, zone)
    if times is None:
        return other
    pattern = None if found.form.pattern is None else f"{found.form.pattern}%:z"
    return replace(
        found, times=times, form=replace(found.form, pattern=pattern, zone=zone), notes=(*found.notes, note_on(zone)),
        other=other,
    )  # fmt: skip


def note_on(zone: str) -> str:
    """Return the note on hours with letters."""
    return f"the hours with A are read as summer time, and those with B as winter time, of {zone}"


def counted_days(days: Times, hours: NDArray[np.int64], zone: str) -> NDArray[np.bool_]:
    """Return whether each row's hour counts the hours since midnight, (N,), on days of 23 and of 25 hours.

    Args:
        days: The day of each row, (N,), datetime64[D].
        hours: The hour of each row, (N,), from 1.
        zone: The zone.
    """
    kinds, at = np.unique(days, return_inverse=True)
    length = lengths(kinds, zone)
    to_25 = bool((hours == LONGEST).any())
    short = length == LONGEST - 2
    last = np.zeros(len(kinds), dtype=bool)
    np.logical_or.at(last, at, hours == LONGEST - 1)
    jumped = np.zeros(len(kinds), dtype=bool)
    wall = days.astype("datetime64[us]") + (hours - 1) * _HOUR
    np.logical_or.at(jumped, at, (instants(wall, zone) == instants(wall + _HOUR, zone)) & short[at])
    whole: NDArray[np.bool_] = (short & ~last & (jumped | to_25)) | ((length == LONGEST) & to_25)
    return whole[at]


def lengths(days: Times, zone: str) -> NDArray[np.float64]:
    """Return the length of each day (N,) in hours, by the clock of a zone."""
    walls = days.astype("datetime64[us]")
    return np.asarray((instants(walls + _DAY, zone) - instants(walls, zone)) / _HOUR, dtype=np.float64)


def in_words(
    days: Times, hours: NDArray[np.int64], letters: NDArray[np.str_], zone: str
) -> tuple[pl.Series, str, bool] | None:
    """Return days and hours as words with their offset.

    Hours count from 0 or from 1 by the first and the last of them, or else by those that have a letter.

    Args:
        days: The day of each row, (N,).
        hours: The hour of each row, (N,).
        letters: The letter of each hour, (N,): A, B or none.
        zone: The zone.

    Returns:
        The words, (N,), a note, and whether the zone was needed to read them; None if they are no hours of the zone.
    """
    days = days.astype("datetime64[D]")
    low, high = int(hours.min()), int(hours.max())
    for first in (0,) if low == 0 else (1,) if high >= LONGEST - 1 else (0, 1):
        found = of_hours(days, hours, letters, first, zone)
        if found is None:
            continue
        times, counted = found
        column = pl.Series(times).dt.replace_time_zone("UTC").dt.convert_time_zone(zone)
        notes = ["the hours from 1 are read as the ends of hours"] if first else []
        notes += [f"on days of 23 and 25 hours they count the hours since midnight in {zone}"] if counted else []
        notes += [note_on(zone)] if bool((letters != "").any()) else []
        words = column.dt.strftime("%Y-%m-%d %H:%M:%S%:z")
        return words, "; ".join(notes), counted or bool((letters != "").any())
    return None


def of_hours(
    days: Times, hours: NDArray[np.int64], letters: NDArray[np.str_], first: int, zone: str
) -> tuple[Times, bool] | None:
    """Return days and hours as instants (N,) in UTC; the ends of the hours if they count from 1.

    Args:
        days: The day of each row, (N,).
        hours: The hour of each row, (N,).
        letters: The letter of each hour, (N,): A, B or none.
        first: The hour that a day begins with, 0 or 1.
        zone: The zone.

    Returns:
        The instants, and whether some hours count those since midnight; None if an hour is after the end of its day, or
        has a letter and does not come twice.
    """
    starts = days.astype("datetime64[us]")
    counts = counted_days(days, hours, zone) if first else np.zeros(len(days), dtype=bool)
    if bool((hours > np.where(counts, lengths(days, zone), LONGEST - 2 + first)).any()):
        return None
    by_clock = _of_letters(starts + (hours - first) * _HOUR, letters, zone)
    if by_clock is None:
        return None
    since = instants(starts, zone) + (hours - first) * _HOUR
    return np.asarray(np.where(counts, since, by_clock) + first * _HOUR), bool(counts.any())


def _of_letters(walls: Times, letters: NDArray[np.str_], zone: str) -> Times | None:
    """Return times on the wall as instants, by their letters; None if an hour that comes once has a letter."""
    first, second = side_of_twice(walls, zone, first=True), side_of_twice(walls, zone, first=False)
    if bool(((letters != "") & (first == second)).any()):
        return None
    return np.asarray(np.where(letters == "B", second, first))


def split(column: pl.Series) -> tuple[NDArray[np.int64], NDArray[np.str_]] | None:
    """Return the numbers and the letters of a column of hours, (N,) each; None if a cell is no hour."""
    if column.dtype.is_integer() and not column.null_count():
        return column.cast(pl.Int64).to_numpy(), np.full(len(column), "")
    if column.dtype != pl.String or not len(column):
        return None
    parts = column.str.extract_groups(HOUR).struct.unnest()
    numbers, letters = (parts[c] for c in parts.columns)
    if numbers.null_count():
        return None
    return numbers.cast(pl.Int64).to_numpy(), letters.str.to_uppercase().to_numpy().astype(str)
