"""Times that a table holds in several columns, such as year, month and day, or a date and a clock, as one column."""

from __future__ import annotations

from collections.abc import Collection, Sequence

import polars as pl

from ostinato.data import local_hours
from ostinato.data.clocks import (
    are_clocks,
    are_days,
    clock_of,
    day_and_clock,
    day_words,
    in_digits,
    may_be_clock,
    of_four_digits,
    of_six_digits,
)
from ostinato.data.hours import TO_24, Found, between, check_hours, hour_columns, hours_to_24, span_of, whole_hours
from ostinato.data.iso_weeks import check_weeks, of_weeks, week_of
from ostinato.data.month_names import number_of_part
from ostinato.data.origin import Origin
from ostinato.data.stamps import read_times
from ostinato.data.time_names import DAY_OF_YEAR, DAYS, JOINED, PARTS, PERIOD, WHOLE_TIMES, plain_name
from ostinato.data.unnamed_parts import unnamed_parts
from ostinato.errors import DataError
from ostinato.shapes import Times
from ostinato.wording import option


def joined(
    frame: pl.DataFrame,
    origin: Origin,
    *,
    taken: Collection[str | None] = (),
    kept: Collection[str] = (),
    zone: str | None = None,
    day_first: bool | None = None,
) -> tuple[pl.DataFrame, Origin]:
    """Return a table whose time is in one column, if it was in several.

    Args:
        frame: The table.
        origin: The origin of its rows.
        taken: The columns of the ids and of the values, which are not parts of a time.
        kept: The covariates, which stay in the table, also where they are parts of a time.
        zone: The zone of the times, if given.
        day_first: Whether the day is in front of the month; None if that is not known.

    Returns:
        The table, with the new column ``ds`` in front and without the parts, and its origin with a note on them; both
        unchanged if the columns are not parts of a time.

    Raises:
        DataError: The parts of a row are a day that does not exist, such as 30 February.
    """
    open_columns = [c for c in frame.columns if c not in taken]
    free = _by_name(open_columns) | unnamed_parts(frame, open_columns)
    local = None if zone is None else _of_local_hours(frame, free, zone, day_first)
    if local is None:
        check_hours(frame, free, origin, zone)
    for way in (_of_clock, _of_numbers):
        found = local[:2] if local is not None else way(frame, free)
        if found is None:
            continue
        time, parts = found
        others = [c for c in frame.columns if c not in parts or c in kept]
        if JOINED in others or not len(time):
            continue
        if time.null_count():
            row = int(time.is_null().arg_max() or 0)
            what = "week of ISO 8601" if week_of(parts) else "day"
            cells = "-".join(str(frame[c][row]) for c in parts)
            raise DataError(
                f"the columns {', '.join(parts)} hold {cells}, and there is no such {what}",
                where=origin.at(row),
                fix=f"correct the row, or name the column of times with {option('--time-col')}",
            )
        ends = [c for c in parts if plain_name(c) in PARTS["hour"].names and span_of(frame[c]) == TO_24]
        if len(parts) == 2 and week_of(parts):
            check_weeks(frame[parts[0]], frame[parts[1]], origin)
        words = ", ".join(repr(c) for c in parts[:-1])
        weeks = ", as weeks of ISO 8601" if week_of(parts) else ""
        note = f"the columns {words} and {parts[-1]!r} are read together as the time{weeks}"
        four = [c for c in parts[1:] if of_four_digits(plain_name(c), frame[c])]
        if four:
            first = int(frame[four[0]][0])
            note += f"; numbers such as {first:04d} in {four[0]!r} are clocks, {first // 100:02d}:{first % 100:02d}"
        if local is not None:
            note += f"; {local[2]}"
        elif ends:
            note += f"; an hour from 1 to 24 in {ends[0]!r} is read as the end of that hour, so 24 is midnight"
        return frame.select(time.alias(JOINED), *others), origin.noting(note)
    return frame, origin


def may_be_parts(columns: Sequence[str]) -> bool:
    """Return whether a column has the name of a part of a time."""
    names = {name for part in PARTS.values() for name in part.names}
    return not names.isdisjoint(_by_name(columns))


def repeated(frame: pl.DataFrame, columns: Sequence[str], times: Times) -> list[str]:
    """Return the columns that hold a part of the time of their row, such as its year, and so say nothing new.

    Args:
        frame: The table.
        columns: The columns that may be parts.
        times: The times of the rows, (N,).
    """
    if times.dtype.kind != "M" or not len(times):
        return []
    free, stamps = _by_name(columns), pl.Series(times.astype("datetime64[us]")).dt
    parts = ((part, _part(frame, free, part)) for part in PARTS)
    return [one[0] for part, one in parts if one is not None and (getattr(stamps, part)() == one[1]).all()]


def _by_name(columns: Sequence[str]) -> dict[str, str]:
    """Return columns by their plain names."""
    return {plain_name(c): c for c in reversed(columns)}


def _of_numbers(frame: pl.DataFrame, free: dict[str, str]) -> tuple[pl.Series, list[str]] | None:
    """Join a year and a month, quarter or week at least, then day, hour and minute without one left out, or a clock.

    A column of whole dates, or of times since 1970, needs no other parts.
    """
    year, month, quarter, week, day, hour, minute = (_part(frame, free, part) for part in PARTS)
    longer = month or quarter
    if year is not None and longer is None and week is None and day is None:
        return _of_days_of_years(frame, free, year, hour)
    if year is None or (longer is None and week is None):
        return None
    if any(_whole(frame[free[n]]) for n in WHOLE_TIMES if n in free):
        return None
    if week is not None and (longer is None or (day is None and _finer(frame, [year[0], longer[0]], week[0]))):
        return of_weeks(year, month, week, day)
    hour = hour or hours_to_24(frame, free)
    found, ends = [year], [month or quarter, *([day, hour, minute] if month else [])]
    for part in ends:
        if part is None:
            break
        found.append(part)
    cells = [numbers for _name, numbers in found]
    if month is None:
        cells[1] = cells[1] * 3 - 2
    words = [cell.cast(pl.String).str.zfill(2) for cell in cells]
    words += [pl.repeat(first, len(frame), eager=True) for first in ("01", "00", "00")[len(words) - 2 :]]
    time = (words[0].str.zfill(4) + "-" + words[1] + "-" + words[2]).str.to_date("%Y-%m-%d", strict=False)
    names = [name for name, _numbers in found]
    of_day = clock_of(frame, free) if len(names) == 3 else None
    if len(names) > 3:
        seconds = (cells[3] * 60 + words[4].cast(pl.Int64)) * 60
        time = time.cast(pl.Datetime("us")) + (seconds * 1_000_000).cast(pl.Duration("us"))
    elif of_day is not None and not time.null_count():
        time, names = day_and_clock(time.cast(pl.String), frame[of_day]), [*names, of_day]
    return None if _are_told(frame, time, [c for c in free.values() if c not in names]) else (time, names)


def _of_days_of_years(
    frame: pl.DataFrame, free: dict[str, str], year: Found, hour: Found | None
) -> tuple[pl.Series, list[str]] | None:
    """Join a year and the day of the year, and an hour if there is one; None without a column of such days."""
    name = next((free[n] for n in DAY_OF_YEAR.names if n in free and frame[free[n]].dtype.is_integer()), None)
    if name is None or frame[name].null_count():
        return None
    first = (year[1].cast(pl.String).str.zfill(4) + "-01-01").str.to_date("%Y-%m-%d", strict=False)
    days = frame[name].cast(pl.Int64)
    time = first + ((days - 1) * 86_400_000).cast(pl.Duration("ms"))
    real = days.is_between(DAY_OF_YEAR.low, DAY_OF_YEAR.high) & (time.dt.year() == year[1])
    time = time.set(~real, None)
    if hour is None:
        return time, [year[0], name]
    return time.cast(pl.Datetime("us")) + (hour[1] * 3_600_000_000).cast(pl.Duration("us")), [year[0], name, hour[0]]


def _finer(frame: pl.DataFrame, columns: list[str], more: str) -> bool:
    """Return whether one more column distinguishes rows that are equal in some columns."""
    return frame.select(*columns, more).n_unique() > frame.select(columns).n_unique()


def _are_told(frame: pl.DataFrame, time: pl.Series, columns: Sequence[str]) -> bool:
    """Return whether the rows of one time have different whole times in one of these columns, such as order_date."""
    whole = (pl.String, pl.Date, pl.Datetime)
    return bool(time.is_duplicated().any()) and any(
        frame[c].dtype in whole and not frame[c].is_duplicated().any() and _whole(frame[c]) for c in columns
    )


def _part(frame: pl.DataFrame, free: dict[str, str], part: str) -> Found | None:
    """Return the column of a part, and its whole numbers; None if no column holds it in every row."""
    names, low, high = PARTS[part]
    worded = part in ("month", "quarter")
    for name in (free[n] for n in (*names, *([PERIOD] if worded else [])) if n in free):
        column = frame[name]
        if worded and column.dtype == pl.String:
            words = column.to_list()
            column = pl.Series([number_of_part(word, part) if word else None for word in words], dtype=pl.Int64)
        elif name == free.get(PERIOD):
            continue
        column = whole_hours(column) if part == "hour" else column
        if between(column, low, high):
            return name, column.cast(pl.Int64)
    return None


def _whole(column: pl.Series) -> bool:
    """Return whether a column holds times by itself, and not one part of them."""
    found = read_times(column)
    return found is not None and found.times.dtype.kind == "M" and not are_clocks(column)


def _of_clock(frame: pl.DataFrame, free: dict[str, str]) -> tuple[pl.Series, list[str]] | None:
    """Join a column of days and a column of clocks or of hours."""
    digits = any(in_digits(frame, *c) for c in free.items())
    if not digits and not any(may_be_clock(c) or c in PARTS["hour"].names for c in free):
        return None  # no column is read as days for nothing, because that takes as long as the reading itself
    order = [
        *(free[n] for n in DAYS if n in free),
        *(c for c in free.values() if frame[c].dtype in (pl.String, pl.Date)),
    ]
    day = next((c for c in order if are_days(frame[c])), None)
    # where no day repeats, four digits such as 1800 may be values
    sure = digits and any(n in frame.columns and of_six_digits(c, frame[n]) for c, n in free.items())
    if day is None or (frame[day].n_unique() == len(frame) and not sure):
        return None
    of_day, hour = clock_of(frame, free, day), _part(frame, free, "hour") or hours_to_24(frame, free)
    if of_day is not None:
        time, names = day_and_clock(day_words(frame[day]), frame[of_day]), [day, of_day]
    elif hour is not None:
        time, names = day_and_clock(day_words(frame[day]), hour[1].cast(pl.String).str.zfill(2) + ":00"), [day, hour[0]]
    else:
        return None
    # an hour with a letter that cannot be read is an error that says why
    return (time, names) if local_hours.lettered(time) or read_times(time) is not None else None


def _of_local_hours(
    frame: pl.DataFrame, free: dict[str, str], zone: str, day_first: bool | None
) -> tuple[pl.Series, list[str], str] | None:
    """Join days and hours that only a zone tells apart; None for others, and where the zone has no such hours.

    Returns:
        The times in words with their offset, the columns that they are joined from, and a note.
    """
    ends = hours_to_24(frame, free)
    name = next(iter(hour_columns(frame, free)), None if ends is None else ends[0])
    hours = None if name is None else local_hours.split(frame[name])
    if name is None or hours is None:
        return None
    found = [_part(frame, free, part) for part in ("year", "month", "day")]
    numbers = [part for part in found if part is not None]
    if len(numbers) == len(found):
        cells = [c.cast(pl.String).str.zfill(2) for _, c in numbers]
        days, names = cells[0] + "-" + cells[1] + "-" + cells[2], [n for n, _ in numbers]
    else:
        dates = (free[n] for n in DAYS if n in free)
        others = (c for c in free.values() if frame[c].dtype in (pl.String, pl.Date))
        day = next((c for c in (*dates, *others) if c != name and are_days(frame[c])), None)
        if day is None:
            return None
        days, names = frame[day], [day]
    read = read_times(days, day_first=day_first)
    if read is None or read.other is not None or read.times.dtype.kind != "M":
        return None
    joined_hours = local_hours.in_words(read.times, *hours, zone)
    if joined_hours is None or (ends is not None and not joined_hours[2]):
        return None
    return joined_hours[0].alias(JOINED), [*names, name], joined_hours[1]
