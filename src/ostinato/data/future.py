"""Rows of future covariates for the steps ahead, joined to their histories."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from ostinato.data import checks, database, files, ids, tables
from ostinato.data.ahead import times_ahead
from ostinato.data.any_frame import as_frame
from ostinato.data.columns import check_names
from ostinato.data.covariates import Columns, Indicators, check_known
from ostinato.data.frames import clean
from ostinato.data.origin import Origin
from ostinato.data.sequences import SequenceSet
from ostinato.data.table_options import TableOptions
from ostinato.data.time_form import TimeForm
from ostinato.errors import DataError
from ostinato.wording import option


def with_future(data: SequenceSet, source: Any) -> SequenceSet:
    """Return the data with the future covariates of the steps after its end.

    Rows of times that the histories already have are ignored. Without times, every row is a step ahead.

    Args:
        data: The histories, read with future covariates.
        source: A file or a frame with the ids, the times and the future covariates of the steps ahead.

    Returns:
        The histories; their ``covariates.ahead`` holds (F, C) for each sequence.

    Raises:
        DataError: A series has no row ahead, a step is missing or occurs twice, or a covariate has a missing value.
    """
    covariates = data.covariates
    if covariates is None or not covariates.columns.known:
        raise DataError(
            "rows of future steps are given, but the data have no future covariates",
            fix="leave the future rows out, or name the future covariates when fitting, with "
            f"{option('--future-covariates')}",
        )
    id_col, names = data.meta.get("id_col"), covariates.columns.known
    time_col = None if data.times is None else data.meta.get("time_col")
    given = Columns(tuple(data.meta.get("known", names)))
    options = TableOptions(id_col, time_col, covariates=given, decimal=data.meta.get("decimal"))
    frame, origin = clean(*_frame(source, id_col, data.meta), options)
    check_names(frame, origin.name, (id_col, time_col, *given.known))
    columns = Indicators.of(frame, given, origin, data.meta.get("categories") or {})
    x = columns.numbers(frame, given.known, origin)
    keys = ids.as_words(frame[id_col], origin).to_numpy() if id_col else None
    times, form = None, data.time_form
    if time_col is not None:
        assert data.times is not None
        order, dated = data.meta.get("day_first"), data.times.dtype.kind == "M"
        stamps = checks.times(frame[time_col], origin, day_first=order, zone=data.meta.get("zone"), chosen=dated)
        times, form = stamps.times, stamps.form
    ahead = []
    for b, key in enumerate(data.ids):
        rows = np.arange(len(frame)) if keys is None else np.flatnonzero(keys == key)
        if times is not None:
            rows = _rows_ahead(data, b, times, rows, origin, form)
        if not len(rows):
            raise DataError(
                "the series has no rows of future covariates after its end",
                where=f"{origin.name}, series {key!r}",
                fix="add a row for every step of the forecast",
            )
        check_known(x[rows], rows, names, key, origin)
        ahead.append(x[rows])
    return replace(data, covariates=replace(covariates, ahead=tuple(ahead)))


def _rows_ahead(
    data: SequenceSet, b: int, times: NDArray[Any], rows: NDArray[np.int64], origin: Origin, form: TimeForm | None
) -> NDArray[np.int64]:
    """Return the rows after the end of sequence b. Raise DataError if they leave out a step."""
    seen = data.times_of(b)
    if seen is None or not len(seen):
        return rows
    rows = rows[np.argsort(times[rows], kind="stable")]
    checks.check_times(times[rows], rows, data.ids[b], origin)
    if times.dtype != seen.dtype:
        kinds = ["dates" if t.dtype.kind == "M" else "whole numbers" for t in (times, seen)]
        raise DataError(
            f"the times of the future rows are {kinds[0]}, expected {kinds[1]} as in the history",
            where=origin.name,
            fix="write the times as they are in the history",
        )
    rows = rows[times[rows] > seen[-1]]
    expected = times_ahead(data, b, len(rows))
    wrong = np.flatnonzero(times[rows] != expected)
    if len(wrong):
        first = int(wrong[0])
        words = (form or TimeForm()).words
        needed, given = words(expected[[first]])[0], words(times[rows[[first]]])[0]
        raise DataError(
            f"there is no row of future covariates for {needed}: the next row is for {given}",
            where=origin.at(int(rows[first]), data.ids[b]),
            fix="give a row for every step ahead, at the frequency of the history",
        )
    return rows


def _frame(source: Any, id_col: str | None, meta: dict[str, Any]) -> tuple[pl.DataFrame, Origin]:
    if database.is_address(source):
        return database.from_query(source, meta.get("query"))
    if isinstance(source, str | Path):
        return tables.from_files(files.find(source), str(source), id_col=id_col, decimal=meta.get("decimal"))
    framed = as_frame(source)
    if framed is None:
        raise DataError(
            f"cannot read rows of future steps from a {type(source).__name__}",
            fix="give a file or a frame with the steps ahead",
        )
    return framed[0], Origin.frame(len(framed[0]), "the future rows")
