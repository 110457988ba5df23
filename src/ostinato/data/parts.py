"""Times that a table holds in several columns, such as year, month and day, or a date and a clock, as one column."""

from __future__ import annotations

from collections.abc import Collection

import polars as pl

from ostinato.data.origin import Origin
from ostinato.data.stamps import read_times
from ostinato.errors import DataError

#: The names of the columns of each part of a time, from the longest to the shortest, with the numbers that it may have.
_PARTS: dict[str, tuple[tuple[str, ...], int, int]] = {
    "year": (
        ("year", "yr", "yyyy", "jahr", "annee", "année", "año", "ano", "anno", "연도", "년도", "년", "年"),
        1000,
        2200,
    ),
    "month": (("month", "mo", "mon", "mm", "mnth", "monat", "mois", "mes", "mese", "월", "月"), 1, 12),
    "day": (("day", "dd", "dom", "tag", "jour", "dia", "día", "giorno", "일", "日"), 1, 31),
    "hour": (("hour", "hr", "hh", "stunde", "heure", "hora", "ora", "시", "시간", "時", "时"), 0, 23),
    "minute": (("minute", "min", "minuto", "분", "分"), 0, 59),
}
#: The names of columns of dates, and of the clock beside them.
_DAYS = ("date", "day", "ds", "datum", "fecha", "data", "날짜", "일자", "日付", "日期")
_CLOCKS = ("time", "hour", "clock", "uhrzeit", "heure", "hora", "ora", "시간", "시각", "時刻", "时间")
_WHOLE = ("ds", "date", "time", "timestamp", "datetime", "datum", "fecha", "날짜", "일자", "일시", "日付", "日期")
_CLOCK = r"^\s*\d{1,2}:\d{2}(:\d{2}(\.\d+)?)?(\s*[AaPp][Mm])?\s*$"
#: The name of the column that the parts are joined to.
NAME = "ds"


def joined(frame: pl.DataFrame, used: Collection[str | None], origin: Origin) -> tuple[pl.DataFrame, str]:
    """Return a table whose time is in one column, if it was in several.

    Args:
        frame: The table.
        used: The columns that have another role. They are no parts of a time.
        origin: The origin of its rows, for an error.

    Returns:
        The table, with the new column ``ds`` in the place of the parts, and a note on it; the same table and an empty
        note if its columns are no parts of a time.

    Raises:
        DataError: The parts of a row are a day that does not exist, such as 30 February.
    """
    free = {c.lower(): c for c in reversed(frame.columns) if c not in used}
    for way in (_of_clock, _of_numbers):
        found = way(frame, free)
        if found is None:
            continue
        time, parts = found
        others = [c for c in frame.columns if c not in parts]
        if NAME in others or not len(time):
            continue
        if time.null_count():
            row = int(time.is_null().arg_max() or 0)
            cells = "-".join(str(frame[c][row]) for c in parts)
            raise DataError(
                f"the columns {', '.join(parts)} hold {cells}, and there is no such day",
                where=origin.at(row),
                fix="correct the row, or name the column of times with --time-col",
            )
        words = ", ".join(repr(c) for c in parts[:-1])
        note = f"the columns {words} and {parts[-1]!r} are read together as the time"
        return frame.select(time.alias(NAME), *others), note
    return frame, ""


def clock(column: pl.Series) -> bool:
    """Return whether all cells of a column are times of day, such as 13:05."""
    if column.dtype == pl.Time:
        return True
    return (
        column.dtype == pl.String
        and bool(len(column))
        and bool(column.str.contains(_CLOCK).fill_null(value=True).all())
    )


def _of_numbers(frame: pl.DataFrame, free: dict[str, str]) -> tuple[pl.Series, list[str]] | None:
    """Join columns of numbers: a year and a month at least, and then day, hour and minute without one left out.

    A column of whole dates, or of times since 1970, needs no parts beside it.
    """
    if any(_whole(frame[free[n]]) for n in _WHOLE if n in free):
        return None
    parts: dict[str, str] = {}
    for part, (names, low, high) in _PARTS.items():
        name = next((free[n] for n in names if n in free and _between(frame[free[n]], low, high)), None)
        if name is None:
            break
        parts[part] = name
    if len(parts) < 2:
        return None
    cells = {part: frame[name].cast(pl.Int64).cast(pl.String).str.zfill(2) for part, name in parts.items()}
    day, first = cells.get("day", pl.repeat("01", len(frame), eager=True)), pl.repeat("00", len(frame), eager=True)
    days = (cells["year"].str.zfill(4) + "-" + cells["month"] + "-" + day).str.to_date("%Y-%m-%d", strict=False)
    if "hour" not in cells:
        return days, list(parts.values())
    words = days.cast(pl.String) + " " + cells["hour"] + ":" + cells.get("minute", first)
    return words.str.to_datetime("%Y-%m-%d %H:%M", strict=False, time_unit="us"), list(parts.values())


def _whole(column: pl.Series) -> bool:
    """Return whether a column holds times by itself, and not one part of them."""
    found = read_times(column)
    return found is not None and found.times.dtype.kind == "M" and not clock(column)


def _between(column: pl.Series, low: int, high: int) -> bool:
    """Return whether all cells of a column are whole numbers of a range."""
    if column.dtype.is_float() and not bool((column == column.floor()).fill_null(value=False).all()):
        return False
    if not column.dtype.is_numeric() or column.null_count() or not len(column):
        return False
    return bool(column.is_between(low, high).all())


def _of_clock(frame: pl.DataFrame, free: dict[str, str]) -> tuple[pl.Series, list[str]] | None:
    """Join a column of days and a column of clocks or of hours."""
    order = [
        *(free[n] for n in _DAYS if n in free),
        *(c for c in free.values() if frame[c].dtype in (pl.String, pl.Date)),
    ]
    day = next((c for c in order if _are_days(frame[c])), None)
    if day is None or frame[day].n_unique() == len(frame):
        return None
    of_day = next((free[n] for n in _CLOCKS if n in free and free[n] != day and clock(frame[free[n]])), None)
    if of_day is not None:
        days, clocks = (frame[c].cast(pl.String) for c in (day, of_day))
        time = (days.str.strip_chars() + " " + clocks.str.strip_chars().str.to_uppercase()).alias(NAME)
        return (time, [day, of_day]) if read_times(time) is not None else None
    names, low, high = _PARTS["hour"]
    hour = next((free[n] for n in names if n in free and _between(frame[free[n]], low, high)), None)
    if hour is None:
        return None
    hours = frame[hour].cast(pl.Int64).cast(pl.String).str.zfill(2)
    time = (frame[day].cast(pl.String).str.strip_chars() + " " + hours + ":00").alias(NAME)
    return (time, [day, hour]) if read_times(time) is not None else None


def _are_days(column: pl.Series) -> bool:
    """Return whether all cells of a column are dates without a clock."""
    if column.dtype == pl.Date:
        return True
    if column.dtype in (pl.String, pl.Datetime) or column.dtype.is_integer():
        found = read_times(column)
        if found is None or found.times.dtype.kind != "M" or found.form.zone is not None:
            return False
        if column.dtype == pl.String and column.str.contains(":").any():
            return False
        midnight = found.times.astype("datetime64[D]").astype(found.times.dtype) == found.times
        return bool(midnight.all())
    return False
