"""update: new rows at the end of known histories."""

from __future__ import annotations

from typing import Any

import numpy as np

from ostinato.data.covariates import Covariates
from ostinato.data.join import SeriesRows, join
from ostinato.data.origin import FileRows, Origin
from ostinato.data.read import read_like
from ostinato.data.sequences import SequenceSet
from ostinato.errors import DataError


def update(history: SequenceSet, rows: SequenceSet | Any) -> SequenceSet:
    """History with rows after the end of each series, for a model to go on from without being fitted again.

    rows are a SequenceSet, or anything that ``read`` takes, with the columns of history; series may be new. Steps that
    the times leave out are missing, as when they are read together.

    Raises DataError for text and sound, other channels or covariates, and times that do not come after those known.
    """
    new = rows if isinstance(rows, SequenceSet) else read_like(rows, history.meta)
    if history.kind not in ("series", "prices"):
        raise DataError(f"{history.kind} is not updated by rows", fix="follow it with a Stream")
    columns = [x.covariates.columns if x.covariates else None for x in (history, new)]
    if new.channels != history.channels or columns[0] != columns[1]:
        raise DataError(
            f"the new rows have other columns: {', '.join(new.channels)}",
            where=new.meta.get("source"),
            fix="name the same",
        )
    pieces: dict[str, list[SeriesRows]] = {}
    for data, first in ((history, 0), (new, len(history.values))):
        for b, key in enumerate(data.ids):
            pieces.setdefault(key, []).append(_rows(data, b, first))
    lengths = {"the history": len(history.values), "the new rows": len(new.values)}
    origin = Origin("the updated history", tuple(FileRows(name, n) for name, n in lengths.items()))
    meta, beside = history.meta, columns[0]
    return join([_one(each) for each in pieces.values()], history.channels, history.kind, origin, meta, (), beside)


def _rows(data: SequenceSet, b: int, first: int) -> SeriesRows:
    span = slice(int(data.offsets[b]), int(data.offsets[b + 1]))
    c: Covariates | None = data.covariates
    at = np.arange(span.start, span.stop) + first
    values = np.asarray(data[b], dtype=np.float64)
    if c is None:
        return SeriesRows(data.ids[b], values, data.times_of(b), at)
    return SeriesRows(data.ids[b], values, data.times_of(b), at, c.known[span], c.past[span], c.static[b])


def _one(rows: list[SeriesRows]) -> SeriesRows:
    """Pieces of one series end to end."""
    if len(rows) == 1:
        return rows[0]
    old, new = rows
    joined = [
        None if a is None or z is None else np.concatenate([a, z])
        for a, z in ((old.times, new.times), (old.known, new.known), (old.past, new.past))
    ]
    values, at = np.concatenate([old.values, new.values]), np.concatenate([old.rows, new.rows])
    return SeriesRows(old.name, values, joined[0], at, joined[1], joined[2], old.static)
