"""The addition of new rows to the ends of series, for ``SequenceSet.append``."""

from __future__ import annotations

from typing import Any

import numpy as np

from ostinato.data.covariates import Covariates
from ostinato.data.join import Provenance, join
from ostinato.data.origin import FileRows, Origin
from ostinato.data.read import read_like
from ostinato.data.sequences import SequenceSet
from ostinato.data.series_rows import SeriesRows
from ostinato.errors import DataError
from ostinato.settings import undisturbed


@undisturbed
def update(data: SequenceSet, rows: SequenceSet | Any) -> SequenceSet:
    """Return ``data.append(rows)``: the same series with new rows at their ends.

    Args:
        data: The series so far.
        rows: The new rows, as a SequenceSet or anything that ``read`` takes.

    Returns:
        A new SequenceSet; ``data`` stays as it is.

    Raises:
        DataError: The rows do not fit the data, as for ``SequenceSet.append``.
    """
    return data.append(rows)


@undisturbed
def append_rows(history: SequenceSet, rows: SequenceSet | Any) -> SequenceSet:
    """Return the history with new rows after the end of each series, as ``SequenceSet.append`` does."""
    if not history.traits.tabular:
        raise DataError(
            f"rows can be appended to series and prices, not to {history.kind}",
            fix="use a Stream to continue the sequence",
        )
    new = rows if isinstance(rows, SequenceSet) else read_like(rows, history.meta)
    columns = [x.covariates.columns if x.covariates else None for x in (history, new)]
    if new.channels != history.channels or columns[0] != columns[1]:
        raise DataError(
            f"the new rows have other columns: {_listed(new)}, expected {_listed(history)}",
            where=new.meta.get("source"),
            fix="give the same columns of values and covariates as in the history",
        )
    pieces: dict[str, list[SeriesRows]] = {}
    for data, first in ((history, 0), (new, len(history.values))):
        for b, key in enumerate(data.ids):
            pieces.setdefault(key, []).append(_rows_of(data, b, first))
    lengths = {"the history": len(history.values), "the new rows": len(new.values)}
    origin = Origin("the updated history", tuple(FileRows(name, n) for name, n in lengths.items()))
    series = [_concatenated(each) for each in pieces.values()]
    form = history.time_form or new.time_form
    provenance = Provenance(origin, history.meta, covariates=columns[0], form=form)
    return join(series, history.channels, history.kind, provenance)


def _listed(data: SequenceSet) -> str:
    covariates = data.covariates.columns.all if data.covariates else ()
    return ", ".join((*data.channels, *covariates))


def _rows_of(data: SequenceSet, b: int, first: int) -> SeriesRows:
    """Return sequence b with its row numbers counted from ``first``."""
    span = slice(int(data.offsets[b]), int(data.offsets[b + 1]))
    covariates: Covariates | None = data.covariates
    numbers = np.arange(span.start, span.stop) + first
    values = np.asarray(data[b], dtype=np.float64)
    if covariates is None:
        return SeriesRows(data.ids[b], values, data.times_of(b), numbers)
    known, past = covariates.known[span], covariates.past[span]
    return SeriesRows(data.ids[b], values, data.times_of(b), numbers, known, past, covariates.static[b])


def _concatenated(rows: list[SeriesRows]) -> SeriesRows:
    """Return one or two pieces of one series as one piece."""
    if len(rows) == 1:
        return rows[0]
    old, new = rows
    times, known, past = (
        None if a is None or z is None else np.concatenate([a, z])
        for a, z in ((old.times, new.times), (old.known, new.known), (old.past, new.past))
    )
    values, numbers = np.concatenate([old.values, new.values]), np.concatenate([old.rows, new.rows])
    return SeriesRows(old.name, values, times, numbers, known, past, old.static)
