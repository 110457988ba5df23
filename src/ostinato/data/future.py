"""Rows of known covariates for the steps ahead, joined to the histories that they follow."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from ostinato.data import checks, files, tables
from ostinato.data.arrays import as_frame
from ostinato.data.calendar import future_times
from ostinato.data.columns import check_names
from ostinato.data.covariates import check_known, numbers
from ostinato.data.origin import Origin
from ostinato.data.sequences import SequenceSet
from ostinato.errors import DataError


def with_future(data: SequenceSet, source: Any) -> SequenceSet:
    """Data with the known covariates of the steps after its end: a file or a frame with its ids, times and columns.

    Rows of times that the histories have already are passed over; without times, every row is a step ahead.

    Raises DataError where a series has no rows, a row between is missing or comes twice, or a value is missing.
    """
    covariates = data.covariates
    if covariates is None or not covariates.columns.known:
        raise DataError("there are no known covariates to go on with", fix="name them when fitting: --known")
    frame, origin = _frame(source, data.meta.get("id_col"))
    id_col, time_col, names = data.meta.get("id_col"), data.meta.get("time_col"), covariates.columns.known
    check_names(frame, origin.name, (id_col, time_col, *names))
    x = numbers(frame, names, origin)
    keys = frame[id_col].cast(pl.String).fill_null("").to_numpy() if id_col else None
    times = checks.times(frame[time_col], origin) if time_col else None
    ahead = []
    for b, key in enumerate(data.ids):
        rows = np.arange(len(frame)) if keys is None else np.flatnonzero(keys == key)
        seen = data.times_of(b)
        if times is not None and seen is not None and len(seen):
            checks.check_times(times[rows], rows, key, origin)
            rows = rows[times[rows] > seen[-1]]
            expected = future_times(seen[-1], data.frequency, len(rows), seen)
            wrong = np.flatnonzero(times[rows] != expected)
            if len(wrong):
                at = int(wrong[0])
                needed, found = checks.stamp(expected[at]), checks.stamp(times[rows[at]])
                raise DataError(
                    f"no known covariates for {needed}: the next row is of {found}",
                    where=origin.at(int(rows[at]), key),
                    fix="give a row for every step ahead, at the frequency of the history",
                )
        if not len(rows):
            raise DataError(
                "no rows of known covariates for the steps ahead",
                where=f"{origin.name}, series {key!r}",
                fix="add them",
            )
        check_known(x[rows], rows, names, key, origin)
        ahead.append(x[rows])
    return replace(data, covariates=replace(covariates, ahead=tuple(ahead)))


def _frame(source: Any, id_col: str | None) -> tuple[pl.DataFrame, Origin]:
    if isinstance(source, str | Path):
        return tables.from_files(files.find(source), str(source), id_col=id_col)
    frame = as_frame(source)
    if frame is None:
        raise DataError(f"a {type(source).__name__} holds no rows", fix="give a file or a frame of the steps ahead")
    return frame, Origin.frame(len(frame), "the future")
