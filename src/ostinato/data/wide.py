"""Tables whose columns are the steps of a series: a row is then a series, or a day of it, and not a step."""

from __future__ import annotations

import re
from itertools import pairwise

import numpy as np
import polars as pl

from ostinato.data.margins import TOTAL
from ostinato.data.month_names import month_of
from ostinato.data.stamps import parse_times
from ostinato.errors import DataError
from ostinato.wording import option

#: A month as offices of statistics name a column: 2024.01 and "2024.01 월".
_POINTED = re.compile(r"^((?:1[89]|20)\d\d)\.(0[1-9]|1[0-2])(?: ?[월月])?$")
#: A year as the World Bank names a column: 1960 [YR1960].
_TWICE = re.compile(r"^(\d{4}) \[YR\1\]$")
_CLOCK = re.compile(r"(\d{1,2}):(\d\d)(?::(\d\d))?")
#: A column that is called by a stretch of time and its number, as d_1, Week 5 and H24 are.
_NUMBERED = re.compile(
    r"(?P<unit>d|day|w|wk|week|m|mo|month|q|h|hr|hour|he|hour[ _]ending|y|yr|year|step|period|int|interval)[ _-]?"
    r"(?P<number>\d+)",
    re.IGNORECASE,
)
#: A day of the week.
_WEEKDAY = re.compile(r"(?:mon|tue|tues|wed|thu|thur|thurs|fri|sat|sun)(?:day)?|wednesday|saturday", re.IGNORECASE)
#: The fewest and the most days of a step, how many columns may then be the parts of one, and what these are called.
_PARTS = (
    (1, 1, (23, 24, 25, 48, 96, 144, 288, 1440), ("h", "hr", "hour", "he", "hour ending", "int", "interval")),
    (7, 7, (5, 7), ("d", "day")),
    (28, 31, (28, 29, 30, 31), ("d", "day")),
    (365, 366, (12, 52, 53, 365, 366), ("m", "mo", "month", "w", "wk", "week", "d", "day")),
)


def refuse_wide(frame: pl.DataFrame, numbers: list[str], id_col: str | None, time_col: str | None, where: str) -> None:
    """Raise DataError if the names of the columns are times, so that a row is a series and not a step.

    Where the rows are dated, columns named 1801, 1802, 1803 are channels; but months next to a year are steps, and
    so are times of day next to a date. Where several rows are of one year, T1, T2, T3 are channels and no quarters.
    There may be a column of sums too, or one of numbers of another kind.

    Args:
        frame: The table.
        numbers: Its columns of numbers.
        id_col: The column of ids, or None.
        time_col: The column of times, or None.
        where: The name of the table, for an error.
    """
    without_sums = [c for c in numbers if not TOTAL.fullmatch(c)]
    names = [c for c in without_sums if re.search(r"\d", c) or month_of(c) or _WEEKDAY.fullmatch(c)]
    if len(names) < 3 or 2 * len(names) <= len(without_sums):
        return
    months = [month_of(c) for c in names]
    parts = months == list(range(1, 13)) or _rise([_seconds(c) for c in names])
    parts = parts or (
        (_follow(months) or _follow([_quarter(c) for c in names])) and _are_years(frame, id_col, time_col)
    )
    alone = id_col is not None and time_col is None and not frame[id_col].is_duplicated().any() and len(frame) > 1
    parts = parts or _fill_a_step(names, frame, time_col) or (alone and _are_numbered(names))
    if parts or (_are_dates(names) and not _dated(frame, time_col)):
        ids = [c for c in frame.columns if c not in names]
        melt = f"melt({ids[0]!r}, var_name='ds', value_name='y')" if len(ids) == 1 else "melt"
        some = ", ".join(names) if len(names) == 3 else f"{names[0]}, {names[1]}, ... {names[-1]}"
        raise DataError(
            f"the columns {some} are times, so the steps of a series lie next to each other",
            where=where,
            fix=f"write one row for each step, with the columns id, ds and y ({melt} in pandas, unpivot in polars); if "
            f"they are channels, name them with {option('--target')}",
        )


def _dated(frame: pl.DataFrame, time_col: str | None) -> bool:
    """Return whether the rows have dates."""
    times = None if time_col is None else parse_times(frame[time_col])
    return times is not None and times.dtype.kind == "M"


def _are_years(frame: pl.DataFrame, id_col: str | None, time_col: str | None) -> bool:
    """Return whether rows may be years: each has a year of its own within its series, or is named and has no time."""
    if time_col is None:
        return any(not frame[c].is_duplicated().any() for c in frame.columns if _may_name(frame[c]))
    times = parse_times(frame[time_col])
    if times is None or times.dtype.kind != "M":
        return False
    rows = pl.DataFrame({"year": times.astype("datetime64[Y]").astype(np.int64)})
    rows = rows if id_col is None else rows.with_columns(frame[id_col].alias("id"))
    return not rows.is_duplicated().any()


def _may_name(column: pl.Series) -> bool:
    """Return whether a column may hold the years or the names of rows: whole numbers or words."""
    return column.dtype.is_integer() or column.dtype == pl.String


def _are_dates(names: list[str]) -> bool:
    """Return whether names are dates that rise or fall from one to the next."""
    names = [_TWICE.sub(r"\1", _POINTED.sub(r"\1-\2", name.strip())) for name in names]
    times = parse_times(pl.Series("ds", names).cast(pl.Int64, strict=False))
    if times is None or times.dtype.kind != "M":
        times = parse_times(pl.Series("ds", names))
    if times is None or times.dtype.kind != "M":
        return False
    steps = np.diff(times.astype(np.int64))
    return bool((steps > 0).all() or (steps < 0).all())


def _are_numbered(names: list[str]) -> bool:
    """Return whether names are stretches of time that are numbered one after the other."""
    found = [_NUMBERED.fullmatch(name.strip()) for name in names]
    numbers = [int(one["number"]) for one in found if one is not None]
    return len(numbers) == len(names) and all(b == a + 1 for a, b in pairwise(numbers))


def _fill_a_step(names: list[str], frame: pl.DataFrame, time_col: str | None) -> bool:
    """Return whether columns are the parts of the step from row to row: 1 to 12 of a year, HE01 to HE24 of a day."""
    bare = [f"step {name.strip()}" if name.strip().isdecimal() else name for name in names]
    first = _NUMBERED.fullmatch(bare[0].strip())
    weekdays = all(map(_WEEKDAY.fullmatch, names))
    numbered = first is not None and int(first["number"]) < 2 and _are_numbered(bare)
    times = parse_times(frame[time_col]) if time_col is not None and (weekdays or numbered) else None
    if times is None or times.dtype.kind != "M":
        return False
    unit = "day" if first is None else first["unit"].lower().replace("_", " ")
    steps = np.diff(np.unique(times)) / np.timedelta64(1, "D")
    step = float(np.median(steps)) if len(steps) else 0.0
    return any(
        low <= step <= high and len(names) in counts and unit in {"step", "period", *units}
        for low, high, counts, units in _PARTS
    )


def _seconds(name: str) -> int | None:
    """Return the seconds of a time of day such as 13:30; None for other names."""
    found = _CLOCK.fullmatch(name.strip())
    return None if found is None else int(found[1]) * 3600 + int(found[2]) * 60 + int(found[3] or 0)


def _quarter(name: str) -> int | None:
    """Return the number of a quarter, as R prints it: Qtr1; None for other names."""
    found = re.fullmatch(
        r"(?:Q|Qtr|Quarter|T|Quartal|Trimestre)[ .]?([1-4])|([1-4])(?:Q|\ubd84\uae30)", name.strip(), re.IGNORECASE
    )
    return None if found is None else int(found[1] or found[2])


def _follow(places: list[int | None]) -> bool:
    """Return whether every place is known and the next of the one before it."""
    known = [one for one in places if one is not None]
    return len(known) == len(places) and all(b == a + 1 for a, b in pairwise(known))


def _rise(places: list[int | None]) -> bool:
    """Return whether every place is known and above the one before it."""
    known = [one for one in places if one is not None]
    return len(known) == len(places) and all(b > a for a, b in pairwise(known))
