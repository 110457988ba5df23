"""Frames to sequences: columns get their roles, and rows are sorted into series."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

import numpy as np
import polars as pl

from ostinato.data import checks
from ostinato.data.calendar import ambiguous
from ostinato.data.columns import Roles, find
from ostinato.data.covariates import Columns, check_known, numbers, words_of
from ostinato.data.join import SeriesRows, join
from ostinato.data.origin import Origin
from ostinato.data.sequences import SequenceSet

_NONE = Columns()


def from_frame(
    frame: pl.DataFrame,
    origin: Origin,
    *,
    kind: str | None = None,
    id_col: str | None = None,
    time_col: str | None = None,
    target: list[str] | None = None,
    covariates: Columns = _NONE,
) -> SequenceSet:
    """Return a table as a SequenceSet, whether a row is one step (a long or wide table) or a whole series.

    Args:
        frame: The table.
        origin: The origin of its rows, for an error.
        kind: "series" or "prices"; found from the names and values if None.
        id_col: The column of ids, if given.
        time_col: The column of times, if given.
        target: The columns to model, if given.
        covariates: The columns of covariates.

    Returns:
        The sequences.

    Raises:
        DataError: A cell is not a number or a time, or is infinite; times are out of order or occur twice; a series has
            no observed value; or a price is not above 0. The error names the row and the series.
    """
    if id_col is None and time_col is None and target is None and not covariates.all and _rows_are_series(frame):
        return _by_row(frame, origin, kind)
    roles = find(frame, origin.name, id_col, time_col, target, covariates.all)
    return _by_step(frame, roles, covariates, origin, kind)


def _by_step(frame: pl.DataFrame, roles: Roles, columns: Columns, origin: Origin, kind: str | None) -> SequenceSet:
    """Read a long or wide table; the rows of a series need not be next to each other."""
    values = np.stack([checks.numbers(frame[c], origin) for c in roles.values], axis=1)
    known, past = (numbers(frame, names, origin) for names in (columns.known, columns.past))
    notes = list(roles.notes)
    times = None
    if roles.time is not None:
        times = checks.times(frame[roles.time], origin)
        if ambiguous(frame[roles.time]):
            notes.append(f"dates such as {frame[roles.time][0]} are read as month/day/year")
    only_name = roles.values[0] if len(roles.values) == 1 else "series"
    keys = pl.repeat(only_name, len(frame), eager=True)
    if roles.id is not None:
        keys = frame[roles.id].cast(pl.String).fill_null("")
    ids = keys.unique(maintain_order=True)
    codes = keys.replace_strict(ids, np.arange(len(ids)), return_dtype=pl.Int64).to_numpy()
    order = np.argsort(codes, kind="stable").astype(np.int64)
    cuts = np.cumsum(np.bincount(codes, minlength=len(ids)))[:-1]
    rows = []
    for name, part in zip(ids.to_list(), np.split(order, cuts), strict=True):
        check_known(known[part], part, columns.known, name, origin)
        static = words_of(frame, part, columns.static, name, origin)
        when = None if times is None else times[part]
        rows.append(SeriesRows(name, values[part], when, part, known[part], past[part], static))
    meta: dict[str, Any] = {"id_col": roles.id, "time_col": roles.time, "target": list(roles.values)}
    meta.update((name, list(names)) for name, names in asdict(columns).items() if names)
    return join(rows, roles.values, kind, origin, meta, tuple(notes), columns)


def _rows_are_series(frame: pl.DataFrame) -> bool:
    """Return whether a row is a whole series, as in the M competitions: a name, and then many numbered columns."""
    rest = frame.columns[1:]
    return (
        len(rest) >= 10
        and frame[frame.columns[0]].dtype == pl.String
        and all(frame[c].dtype.is_numeric() or frame[c].null_count() == len(frame) for c in rest)
        and sum(c.lstrip("Vvxt_").isdigit() for c in rest) > 0.9 * len(rest)
    )


def _by_row(frame: pl.DataFrame, origin: Origin, kind: str | None) -> SequenceSet:
    """Read each row as a series that ends with its last filled cell."""
    names = frame[frame.columns[0]].fill_null("").to_list()
    table = frame.select(pl.col(frame.columns[1:]).cast(pl.Float64).fill_null(np.nan)).to_numpy()
    rows = []
    for i, (name, cells) in enumerate(zip(names, table, strict=True)):
        seen = np.flatnonzero(~np.isnan(cells))
        length = int(seen[-1]) + 1 if len(seen) else 0
        rows.append(SeriesRows(name, cells[:length, None], None, np.full(length, i, dtype=np.int64)))
    return join(rows, ("y",), kind, origin, {}, ("each row is read as one series",))
