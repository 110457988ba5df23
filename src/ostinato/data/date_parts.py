"""Dates in several columns: year and month, year and quarter, or year to hour become one column of times."""

from __future__ import annotations

import polars as pl

from ostinato.data.month_names import month_of
from ostinato.data.origin import Origin

#: The name of the column of times that is made.
JOINED = "ds"
_YEAR = ("year", "yr", "yyyy", "jahr", "annee", "année", "anno", "año", "ano", "년", "연도", "年")
_MONTH = ("month", "mon", "mm", "monat", "mois", "mes", "mese", "mês", "월", "月")
_QUARTER = ("quarter", "qtr", "quartal", "trimestre", "분기")
_DAY = ("day", "dd", "tag", "jour", "dia", "día", "giorno", "일", "日")
_HOUR = ("hour", "hr", "hh", "stunde", "heure", "hora", "ora", "시")
#: The names of columns that hold whole times.
_WHOLE = ("ds", "date", "time", "timestamp", "datetime")


def joined(frame: pl.DataFrame, origin: Origin, used: tuple[str | None, ...]) -> tuple[pl.DataFrame, Origin]:
    """Join the columns of a year, and of a month or quarter, to one column of times.

    A table is left as it is if it has a column with the name of whole times, or if some cell is no part of a date.

    Args:
        frame: The table.
        origin: The origin of its rows.
        used: The columns that the user gives another role; they stay in the table.

    Returns:
        The table, and its origin with a note on the columns that were joined.
    """
    by_name = {c.lower().strip(): c for c in reversed(frame.columns)}
    year, month, quarter, day, hour = (
        next((by_name[n] for n in names if n in by_name), None) for names in (_YEAR, _MONTH, _QUARTER, _DAY, _HOUR)
    )
    below = month or quarter
    if not len(frame) or year is None or below is None or any(name in by_name for name in _WHOLE):
        return frame, origin
    limits = [(year, 1000, 2200), (below, 1, 12 if month else 4)]
    if month and day:
        limits += [(day, 1, 31), *([(hour, 0, 23)] if hour else [])]
    read = [_whole(frame[c], low, high, month_names=c == month) for c, low, high in limits]
    parts = [part for part in read if part is not None]
    if len(parts) < len(read):
        return frame, origin
    if not month:
        parts[1] = parts[1] * 3 - 2
    first = [pl.lit(1), pl.lit(0)][len(parts) - 2 :]  # the day of a month, and the hour of a day
    words = pl.concat_str([*parts, *first], separator="-")
    found = pl.select((words + ":0").str.to_datetime("%Y-%m-%d-%H:%M", strict=False, time_unit="us")).to_series()
    if found.null_count():
        return frame, origin
    names = [c for c, _low, _high in limits]
    note = f"the columns {', '.join(names)} are read together as times"
    rest = frame.drop([c for c in names if c not in used])
    return rest.insert_column(0, (found if hour in names else found.cast(pl.Date)).alias(JOINED)), origin.noting(note)


def _whole(column: pl.Series, low: int, high: int, *, month_names: bool) -> pl.Series | None:
    """Return a column as whole numbers from low to high; None if some cell is none."""
    if column.dtype == pl.String and month_names:
        column = pl.Series([month_of(word) if word else None for word in column.to_list()], dtype=pl.Int64)
    if not column.dtype.is_numeric():
        return None
    numbers = column.cast(pl.Int64, strict=False)
    inside = numbers.is_between(low, high) & (numbers.cast(pl.Float64) == column.cast(pl.Float64))
    return numbers if bool(inside.fill_null(value=False).all()) else None
