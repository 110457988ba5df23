"""Columns of numbers that tell the time of their row once more: a decimal year, times since 1970, or spreadsheet days.

So are the third column of SILSO (1990.042 beside 1990 and 1) and the clock of Zabbix beside a date. Read as channels,
they would be modelled together with the values.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import polars as pl

from ostinato.data.stamps import parse_times
from ostinato.shapes import Array

#: The fewest rows that show it, and the number of rows that are looked at before all.
_LEAST, _HEAD = 4, 50
#: By how many seconds a clock may be from UTC, and the seconds that every zone is a multiple of.
_ZONES, _QUARTER = 14 * 3600, 900
#: The units of times since 1970 in a second, and the seconds from 1899-12-30, the day 0 of a spreadsheet, to 1970.
_EPOCHS, _SHEET, _DAY = (1, 10**3, 10**6, 10**9), 25_569 * 86_400, 86_400
#: By how much of a year a decimal year may be from the time: it may stand for the middle or the end of a month.
_MONTH = 1 / 12 + 0.002


def retold(frame: pl.DataFrame, columns: Sequence[str], time: str) -> list[str]:
    """Return the columns of numbers that tell the time of their row.

    Args:
        frame: The table.
        columns: The columns that may do so.
        time: The column of times.
    """
    found = [c for c in columns if frame[c].dtype.is_numeric() and not frame[c].null_count()]
    for rows in (_HEAD, len(frame)):  # the times of a long table are read only if the first rows show it
        part = frame.head(rows)
        times = parse_times(part[time]) if found and len(part) >= _LEAST else None
        if times is None or times.dtype.kind != "M" or np.isnat(times).any():
            return []
        seconds = times.astype("datetime64[us]").astype(np.int64) / 1e6
        order = np.argsort(seconds, kind="stable")
        later = np.diff(seconds[order]) > 0
        # of very many columns, most do not rise
        x = part.select(found).cast(pl.Float64).to_numpy()[order]
        rises = np.diff(np.where(np.isfinite(x), x, np.nan), axis=0)[later] > 0
        found = [c for i, c in enumerate(found) if rises[:, i].all()]
        found = [c for c in found if _tells(part[c].cast(pl.Float64).to_numpy(), seconds)]
    return found


def _tells(x: Array, seconds: Array) -> bool:
    """Return whether numbers (N,) rise with times (N,) in seconds since 1970, and are these times in another form."""
    if not np.isfinite(x).all():
        return False
    order = np.argsort(seconds, kind="stable")
    rises = np.diff(x[order])[np.diff(seconds[order]) > 0]
    if len(rises) < _LEAST - 1 or not (rises > 0).all():
        return False
    forms = (*(x / units for units in _EPOCHS), x * _DAY - _SHEET, x / 1e6 * _DAY - _SHEET)  # the last is of WinCC
    for gap in (form - seconds for form in forms):
        if np.abs(gap).max() <= _ZONES and np.abs(gap - np.rint(gap / _QUARTER) * _QUARTER).max() < 1:
            return True
    if (x == np.rint(x)).all():
        return False
    days = (seconds * 1e6).astype("datetime64[us]")
    first = days.astype("datetime64[Y]")
    length = ((first + 1).astype("datetime64[us]") - first.astype("datetime64[us]")).astype(np.float64)
    years = first.astype(np.int64) + 1970 + (days - first.astype("datetime64[us]")).astype(np.float64) / length
    return bool(np.abs(x - years).max() <= _MONTH)
