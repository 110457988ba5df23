"""Series one by one become a SequenceSet: checked, their kind and frequency found, left-out steps made missing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ostinato.data.calendar import find_frequency, missing_steps
from ostinato.data.checks import check_frequency, check_prices, check_times, check_values
from ostinato.data.columns import PRICES
from ostinato.data.covariates import Columns, Covariates
from ostinato.data.origin import Origin
from ostinato.data.sequences import SequenceSet
from ostinato.errors import DataError
from ostinato.kinds import KINDS, Kind

#: Counts above this are as good as real numbers.
_COUNTS = 1000


@dataclass(frozen=True)
class SeriesRows:
    """One series: values (T, D), times (T,) or None, and the row (T,) of its source that each step came from.

    known (T, C), past (T, P) and static (S): its covariates.
    """

    name: str
    values: NDArray[np.float64]
    times: NDArray[Any] | None
    rows: NDArray[np.int64]
    known: NDArray[np.float64] | None = None
    past: NDArray[np.float64] | None = None
    static: tuple[str, ...] = ()


def join(
    series: Sequence[SeriesRows],
    channels: tuple[str, ...],
    kind: str | None,
    origin: Origin,
    meta: dict[str, Any],
    notes: tuple[str, ...] = (),
    beside: Columns | None = None,
) -> SequenceSet:
    """Series end to end. Raises DataError for values and times that cannot be, with row and series."""
    names = [s.name for s in series]
    if len(set(names)) < len(names):
        twice = next(n for n in names if names.count(n) > 1)
        raise DataError(f"two series are called {twice!r}", where=origin.name, fix="give each its own name")
    for s in series:
        check_values(s.values, s.rows, channels, s.name, origin)
        if s.times is not None:
            check_times(s.times, s.rows, s.name, origin)
    said = list(notes)
    found = _kind(series, channels, kind, origin, said)
    times = [s.times for s in series if s.times is not None]
    frequency = find_frequency(times) if times else None
    if times and frequency is None and sum(map(len, times)) > len(series):
        said.append("the times have no regular frequency: rows are taken as consecutive steps")
    if frequency:
        for s in series:
            check_frequency(s.times, frequency, s.rows, s.name, origin)
    full = series if found == "prices" else [spread(s, frequency) for s in series]
    absent = sum(len(s.values) for s in full) - sum(len(s.values) for s in series)
    if absent:
        said.append(f"{absent:,} step{'s' * (absent != 1)} that the times leave out: taken as missing")
    constant = [s.name for s in series if len(s.values) > 2 and _constant(s.values)]
    if constant:
        said.append(f"{len(constant)} series never change: {', '.join(constant[:3])}")
    width = len(channels)
    values = np.concatenate([s.values for s in full]) if full else np.zeros((0, width))
    count = found == "series" and _counts(values)
    if count:
        said.append("whole numbers from 0 up: taken as counts")
    return SequenceSet(
        found,
        values,
        np.cumsum([0, *(len(s.values) for s in full)], dtype=np.int64),
        tuple(names),
        channels,
        np.concatenate([s.times for s in full if s.times is not None]) if times else None,
        frequency,
        count=count,
        meta=meta,
        covariates=_covariates(full, beside) if beside and beside.all else None,
        notes=tuple(said),
    )


def _kind(
    series: Sequence[SeriesRows], channels: tuple[str, ...], kind: str | None, origin: Origin, said: list[str]
) -> Kind:
    if kind in ("text", "sound"):
        raise DataError(f"a table of numbers is no {kind}", where=origin.name, fix="use --kind series or prices")
    named = all(c.lower() in PRICES for c in channels)
    found = kind or ("prices" if named else "series")
    if found == "prices":
        try:
            for s in series:
                check_prices(s.values, s.rows, s.name, origin)
        except DataError as error:
            if kind:
                raise
            said.append(f"taken as a series, not as prices: {error.what} ({error.where})")
            found = "series"
    return next(k for k in KINDS if k == found)


def _constant(x: NDArray[np.float64]) -> bool:
    return bool((np.nanmin(x, axis=0) == np.nanmax(x, axis=0)).all())


def _counts(values: NDArray[np.float64]) -> bool:
    seen = values[np.isfinite(values)]
    return bool(
        len(seen)
        and (seen >= 0).all()
        and (seen == np.rint(seen)).all()
        and seen.max() <= _COUNTS
        and seen.mean() < 100
        and len(np.unique(seen)) > 1
    )


def spread(s: SeriesRows, frequency: str | None) -> SeriesRows:
    """A series on the full grid of its steps, NaN where there was none; the times in between are interpolated."""
    place = None if s.times is None else missing_steps(s.times, frequency)
    if place is None or s.times is None:
        return s
    steps = np.arange(int(place[-1]) + 1)
    full = np.full((len(steps), s.values.shape[1]), np.nan)
    full[place] = s.values
    stamps = np.rint(np.interp(steps, place, s.times.astype(np.int64))).astype(np.int64).astype(s.times.dtype)
    # of a step that was left out, what is known is what was known before it
    known = None if s.known is None else s.known[np.searchsorted(place, steps, side="right") - 1]
    past = None
    if s.past is not None:
        past = np.full((len(steps), s.past.shape[1]), np.nan)
        past[place] = s.past
    return SeriesRows(s.name, full, stamps, s.rows, known, past, s.static)


def _covariates(series: Sequence[SeriesRows], beside: Columns) -> Covariates:
    known, past = (
        np.concatenate([x for x in parts if x is not None])
        for parts in ([s.known for s in series], [s.past for s in series])
    )
    nothing = np.zeros((0, len(beside.known)))
    return Covariates(beside, known, past, tuple(s.static for s in series), (nothing,) * len(series))
