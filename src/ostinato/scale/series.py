"""The series of one part: read, sorted and checked, with the unusable ones split off as failures."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np
import polars as pl
from numpy.typing import NDArray

from ostinato.data import checks, ids
from ostinato.data.ahead import LONGEST
from ostinato.data.calendar import Steps
from ostinato.data.detect import find_calendars
from ostinato.data.number import LARGEST
from ostinato.data.origin import Origin
from ostinato.data.sequences import SequenceSet
from ostinato.data.series_rows import TWICE, SeriesRows, on_full_grid, sorted_by_time
from ostinato.data.stored import survived
from ostinato.errors import DataError, OstinatoError
from ostinato.kinds import TRAITS, Kind
from ostinato.scale.plan import PanelPart, ParquetPanel
from ostinato.shapes import Array


class Failure(NamedTuple):
    """A series without a result.

    Attributes:
        unique_id: The id of the series.
        error: What is wrong with it, in one line.
    """

    unique_id: str
    error: str


#: The errors of one series that do not end the run. Any other error is a fault of the library.
SERIES_ERRORS = (OstinatoError, ArithmeticError, ValueError)


def message(error: BaseException) -> str:
    """Return what is wrong in one line."""
    return error.what if isinstance(error, OstinatoError) else f"{type(error).__name__}: {error}"


def load(panel: ParquetPanel, part: PanelPart) -> tuple[SequenceSet, list[Failure]]:
    """Read the series of a part.

    Args:
        panel: The panel.
        part: The part.

    Returns:
        The usable series in the order of their ids, and the others with their errors. ``meta`` has the number of series
        of which rows that occur twice were left out, under ``TWICE``, if there are any.

    Raises:
        DataError: A file of the part cannot be read.
    """
    frame = _frame(panel, part)
    keys, roles, origin = frame["unique_id"], panel.roles, Origin.frame(len(frame), panel.source)
    firsts = np.flatnonzero(_changes(keys))
    edges = [*firsts.tolist(), len(keys)]
    values = np.stack([checks.numbers(frame[c], origin) for c in roles.values], axis=1)
    times, undated = None, np.zeros(len(frame), dtype=bool)
    if roles.time is not None and len(frame):
        undated = frame[roles.time].is_null().to_numpy()
        filled = frame[roles.time].fill_null(strategy="forward").fill_null(strategy="backward")
        dated = panel.calendar is not None and not isinstance(panel.calendar, Steps)
        stamps = checks.times(filled, origin, chosen=dated)
        if panel.form is not None and stamps.form != panel.form:
            raise DataError(
                f"the times of part {part.number} have another form than the first rows of the panel",
                where=", ".join(part.files[:3]),
                fix="write the column of times with one type in every file",
            )
        times = stamps.times
    good: list[SeriesRows] = []
    twice = 0
    bad: list[Failure] = []
    suspects = _suspects(values, times, undated, (keys == "").to_numpy(), firsts, panel.kind).tolist()
    for (a, z), suspect in zip(itertools.pairwise(edges), suspects, strict=True):
        one = SeriesRows(keys[a], values[a:z], None if times is None else times[a:z], np.arange(a, z))
        try:
            if suspect:
                one = sorted_by_time([one])[0][0]
                twice += len(one.values) < z - a
                _check(one, panel, origin, undated[a:z])
        except DataError as error:
            bad.append(Failure(one.name, message(error)))
        else:
            good.append(one)
    data = _joined(good, panel, None if times is None else times[:0])
    return replace(data, meta={**data.meta, TWICE: twice}) if twice else data, bad


def empty(panel: ParquetPanel) -> SequenceSet:
    """Return a SequenceSet with the kind, channels and frequency of the panel, but without series."""
    return _joined([], panel, _no_times(panel))


def _no_times(panel: ParquetPanel) -> NDArray[Any] | None:
    if panel.roles.time is None:
        return None
    return np.zeros(0, dtype=np.int64 if isinstance(panel.calendar, Steps) else "datetime64[us]")


def without(
    data: SequenceSet, rows: Iterable[int], check: Callable[[SequenceSet], Any]
) -> tuple[SequenceSet, list[Failure]]:
    """Split off the series that a check refuses.

    Args:
        data: The series.
        rows: The numbers of the series to check.
        check: A function that raises an error for a series that it refuses; it gets one series at a time.

    Returns:
        The other series, and the refused ones with their errors.
    """
    bad: dict[int, Failure] = {}
    for b in rows:
        try:
            check(data.take([b]))
        except SERIES_ERRORS as error:
            bad[b] = Failure(data.ids[b], message(error))
    return data.take([b for b in range(len(data)) if b not in bad]) if bad else data, list(bad.values())


def _frame(panel: ParquetPanel, part: PanelPart) -> pl.DataFrame:
    """Return the rows of a part sorted by unique_id; the rows of a series stay in the order of the files."""
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
            # polars compares the filter with the statistics of a file first, and does not read the other row groups
            pl.scan_parquet(file).select(panel.columns).filter(wanted)
            for file in part.files
        ]
        query = pl.concat(frames, how="vertical_relaxed")
        survived(query.serialize(), "Query", ", ".join(part.files[:3]))
        whole = query.collect()
    except (pl.exceptions.PolarsError, OSError) as error:
        where = ", ".join(part.files[:3])
        fix = "make the files available under the same path on every worker, with columns of the same types"
        raise DataError(f"cannot read the files of part {part.number}: {error}", where=where, fix=fix) from error
    words = ids.as_words(whole[str(panel.roles.id)], Origin.frame(len(whole), panel.source), empty="")
    values = whole.select(words.alias("unique_id"), *panel.columns[1:])
    keys = values["unique_id"]
    return values if keys.is_sorted() else values.sort("unique_id", maintain_order=True)


def _changes(keys: pl.Series) -> NDArray[np.bool_]:
    """Return whether each row is the first one of its series, (N,)."""
    return (keys != keys.shift()).fill_null(True).to_numpy()


def _suspects(
    values: Array,
    times: NDArray[Any] | None,
    undated: NDArray[np.bool_],
    unnamed: NDArray[np.bool_],
    firsts: NDArray[np.int64],
    kind: Kind,
) -> NDArray[np.bool_]:
    """Return whether ``_check`` may refuse each series, (B,): testing all rows at once is much quicker."""
    if not len(firsts):
        return np.zeros(0, dtype=bool)
    odd = unnamed | undated | ~(np.abs(values) <= LARGEST).all(axis=1)  # true for missing values too
    if TRAITS[kind].log_returns:
        odd |= (values <= 0).any(axis=1)
    if times is not None:
        back = np.append(False, np.diff(times).astype(np.int64) <= 0)
        back[firsts] = False
        odd |= back
    return np.logical_or.reduceat(odd, firsts)


def _check(one: SeriesRows, panel: ParquetPanel, origin: Origin, undated: NDArray[np.bool_]) -> None:
    """Raise DataError if the values or times of a series are not allowed."""
    checks.check_values(one.values, one.rows, panel.roles.values, one.name, origin)
    if not one.name:
        raise DataError("the series has no id")
    if undated.any():
        raise DataError("the series has a missing time")
    if one.times is not None:
        checks.check_times(one.times, one.rows, one.name, origin)
    if TRAITS[panel.kind].log_returns:
        checks.check_prices(one.values, one.rows, one.name, origin)


def _joined(series: list[SeriesRows], panel: ParquetPanel, no_times: NDArray[Any] | None) -> SequenceSet:
    width = len(panel.roles.values)
    zone = panel.form.zone if panel.form else None
    calendars = find_calendars([s.times for s in series if s.times is not None], zone, panel.calendar)
    if calendars and not TRAITS[panel.kind].log_returns:
        series = [on_full_grid(s, calendar) for s, calendar in zip(series, calendars, strict=True)]
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
        meta={"source": panel.source, "kind": panel.kind, ids.META: panel.id_type, LONGEST: panel.longest},
        calendars=tuple(calendars),
        time_form=panel.form,
    )
