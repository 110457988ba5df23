"""The series of one part: read, sorted and checked, those that cannot be used set aside by name."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

import numpy as np
import polars as pl
from numpy.typing import NDArray

from ostinato.data import checks
from ostinato.data.join import SeriesRows, spread
from ostinato.data.origin import Origin
from ostinato.data.sequences import SequenceSet
from ostinato.errors import DataError, OstinatoError
from ostinato.kinds import Kind
from ostinato.scale.plan import PanelPart, ParquetPanel


class Failure(NamedTuple):
    """A series that did not come out, and why."""

    unique_id: str
    error: str


#: What one series may raise without ending the run; anything else is a fault of ours.
SPARED = (OstinatoError, ArithmeticError, ValueError)


def message(error: BaseException) -> str:
    """What was wrong, in a line."""
    return error.what if isinstance(error, OstinatoError) else f"{type(error).__name__}: {error}"


def load(panel: ParquetPanel, part: PanelPart) -> tuple[SequenceSet, list[Failure]]:
    """The series of a part in the order of their ids, and those with values or times that cannot be.

    Raises DataError where a file of the part cannot be read.
    """
    frame = _frame(panel, part)
    keys, roles, origin = frame["unique_id"], panel.roles, Origin.frame(len(frame), panel.source)
    firsts = np.flatnonzero(_changes(keys))
    edges = [*firsts.tolist(), len(keys)]
    values = np.stack([checks.numbers(frame[c], origin) for c in roles.values], axis=1)
    times, undated = None, np.zeros(len(frame), dtype=bool)
    if roles.time is not None and len(frame):
        undated = frame[roles.time].is_null().to_numpy()
        times = checks.times(frame[roles.time].fill_null(strategy="forward").fill_null(strategy="backward"), origin)
    good: list[SeriesRows] = []
    bad: list[Failure] = []
    odd = _odd(values, times, undated, firsts, panel.kind).tolist()
    for (a, z), asked in zip(itertools.pairwise(edges), odd, strict=True):
        one = SeriesRows(keys[a], values[a:z], None if times is None else times[a:z], np.arange(a, z))
        try:
            if asked:
                _check(one, panel, origin, undated[a:z])
        except DataError as error:
            bad.append(Failure(one.name, message(error)))
        else:
            good.append(spread(one, panel.frequency) if panel.kind == "series" else one)
    return _joined(good, panel, None if times is None else times[:0]), bad


def empty(panel: ParquetPanel) -> SequenceSet:
    """No series of the panel: its kind, channels and frequency, and whether there are times."""
    return _joined([], panel, np.zeros(0, dtype="datetime64[us]") if panel.roles.time else None)


def without(
    data: SequenceSet, rows: Iterable[int], check: Callable[[SequenceSet], Any]
) -> tuple[SequenceSet, list[Failure]]:
    """Data without those of these rows that check refuses, each given to it alone, and why it does."""
    bad: dict[int, Failure] = {}
    for b in rows:
        try:
            check(data.take([b]))
        except SPARED as error:
            bad[b] = Failure(data.ids[b], message(error))
    return data.take([b for b in range(len(data)) if b not in bad]) if bad else data, list(bad.values())


def _frame(panel: ParquetPanel, part: PanelPart) -> pl.DataFrame:
    """The rows of a part sorted by unique_id, those of a series in the order of the files."""
    key = pl.col(str(panel.roles.id))
    wanted = pl.lit(True)
    if part.low is not None:
        wanted = key > part.low
    if part.high is not None:
        wanted &= key <= part.high
    if part.low is None:
        wanted |= key.is_null()
    try:
        frames = [
            # the filter is met by a file's statistics first: of other row groups nothing is read
            pl.scan_parquet(file).select(panel.columns).filter(wanted)
            for file in part.files
        ]
        whole = pl.concat(frames, how="vertical_relaxed").collect()
    except (pl.exceptions.PolarsError, OSError) as error:
        where = ", ".join(part.files[:3])
        fix = "every worker must see the files under the same path, all with columns of the same types"
        raise DataError(f"the files of part {part.number} cannot be read: {error}", where=where, fix=fix) from error
    values = whole.select(key.cast(pl.String).fill_null("").alias("unique_id"), *panel.columns[1:])
    keys = values["unique_id"]
    return values if keys.is_sorted() else values.sort("unique_id", maintain_order=True)


def _changes(keys: pl.Series) -> NDArray[np.bool_]:
    """(N,): whether a row is the first of its series."""
    return (keys != keys.shift()).fill_null(True).to_numpy()


def _odd(
    values: NDArray[np.float64],
    times: NDArray[Any] | None,
    undated: NDArray[np.bool_],
    firsts: NDArray[np.int64],
    kind: Kind,
) -> NDArray[np.bool_]:
    """(B,): the series with a row for which ``_check`` may refuse them; a look at all rows at once is much quicker."""
    if not len(firsts):
        return np.zeros(0, dtype=bool)
    odd = undated | ~(np.abs(values) <= checks.LARGEST).all(axis=1)  # what is missing too
    if kind == "prices":
        odd |= (values <= 0).any(axis=1)
    if times is not None:
        back = np.append(False, np.diff(times).astype(np.int64) <= 0)
        back[firsts] = False
        odd |= back
    return np.logical_or.reduceat(odd, firsts)


def _check(one: SeriesRows, panel: ParquetPanel, origin: Origin, undated: NDArray[np.bool_]) -> None:
    """Raises DataError for a series that cannot be."""
    checks.check_values(one.values, one.rows, panel.roles.values, one.name, origin)
    if undated.any():
        raise DataError("a time is missing")
    if one.times is not None:
        checks.check_times(one.times, one.rows, one.name, origin)
    if panel.kind == "prices":
        checks.check_prices(one.values, one.rows, one.name, origin)


def _joined(series: list[SeriesRows], panel: ParquetPanel, no_times: NDArray[Any] | None) -> SequenceSet:
    width = len(panel.roles.values)
    values = np.concatenate([s.values for s in series]) if series else np.zeros((0, width))
    times = [s.times for s in series if s.times is not None]
    return SequenceSet(
        panel.kind,
        values,
        np.cumsum([0, *(len(s.values) for s in series)], dtype=np.int64),
        tuple(s.name for s in series),
        panel.roles.values,
        np.concatenate(times) if times else no_times,
        panel.frequency,
        meta={"source": panel.source, "kind": panel.kind},
    )
