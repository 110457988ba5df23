"""Ids that stand only in the first row of their series, as spreadsheets leave them where cells are merged."""

from __future__ import annotations

import numpy as np
import polars as pl

from ostinato.data.origin import Origin
from ostinato.data.stamps import parse_times
from ostinato.numbers import counted


def filled(frame: pl.DataFrame, id_col: str, time_col: str | None, origin: Origin) -> tuple[pl.Series, list[str]]:
    """Return the ids of a table, with empty ones as those above them and a note, if the times show that they are.

    That is sure if every id stands once, above at least one row without an id, and if the times go on in one direction
    within each of these series and back where the next one begins. All other ids are returned as they are.

    Args:
        frame: The table, with its rows as they were written.
        id_col: The column of ids.
        time_col: The column of times, or None.
        origin: The origin of its rows.
    """
    ids = frame[id_col]
    if ids.dtype == pl.Object or ids.dtype.is_nested() or ids.dtype == pl.Binary:
        return ids, []
    empty = ids.is_null()
    if ids.dtype == pl.String:
        empty |= (ids.str.strip_chars() == "").fill_null(value=True)
    if time_col is None or not empty.any() or empty[0] or ids.filter(~empty).is_duplicated().any():
        return ids, []
    starts = np.flatnonzero(~empty.to_numpy())
    times = parse_times(frame[time_col])
    if times is None or len(starts) < 2 or (np.diff([*starts, len(frame)]) < 2).any():
        return ids, []
    steps = np.diff(times).astype(np.int64)
    borders = np.isin(np.arange(1, len(frame)), starts)
    for sign in (1, -1):
        if (sign * steps[~borders] > 0).all() and (sign * steps[borders] < 0).all():
            break
    else:
        return ids, []
    whole = ids.set(empty, None).forward_fill()
    if not origin.typed and whole.dtype == pl.String and whole.str.contains(r"^(0|-?[1-9][0-9]{0,17})$").all():
        whole = whole.cast(pl.Int64)
    note = f"{counted(int(empty.sum()), 'row')} without an id in column {id_col!r} get the id above them"
    return whole, [note]
