"""Join series into a SequenceSet: check them, find their kind and frequency, and add missing steps."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ostinato.data.calendar import Calendar, from_json, to_json
from ostinato.data.cells import lost_changes, small_changes
from ostinato.data.checks import check_frequency, check_prices, check_times, check_values, stamp
from ostinato.data.columns import kind_by_name
from ostinato.data.covariates import Columns, Covariates
from ostinato.data.detect import find_calendars
from ostinato.data.origin import Origin
from ostinato.data.sequences import SequenceSet
from ostinato.data.series_rows import LONGEST, SeriesRows, on_full_grid
from ostinato.data.stuck import rests, stuck
from ostinato.data.sums import sum_of_others
from ostinato.data.time_form import TimeForm
from ostinato.errors import DataError
from ostinato.kinds import TABULAR, TRAITS, Kind, can_be_tabular
from ostinato.numbers import counted
from ostinato.shapes import Array
from ostinato.wording import option

#: The largest value of a series of counts. Series with larger whole numbers are modelled as real numbers.
_COUNTS = 1000
#: The note on constant series, which a forecast replaces by one that says more.
NEVER_CHANGE = "series whose values never change"


@dataclass(frozen=True)
class Provenance:
    """How rows were read, as far as a SequenceSet keeps it.

    Attributes:
        origin: The origin of the rows, for an error.
        meta: The options of the reading, for ``SequenceSet.meta``.
        notes: The notes of the reader so far.
        covariates: The names of the covariates.
        form: The form that the times came in.
    """

    origin: Origin
    meta: dict[str, Any]
    notes: tuple[str, ...] = ()
    covariates: Columns | None = None
    form: TimeForm | None = None


def join(
    series: Sequence[SeriesRows], channels: tuple[str, ...], kind: str | None, provenance: Provenance
) -> SequenceSet:
    """Join series end to end.

    Args:
        series: The series.
        channels: The names of the D columns of values.
        kind: "series" or "prices"; found from the names and values if None.
        provenance: How their rows were read.

    Returns:
        The sequences.

    Raises:
        DataError: Two series have the same id, or a value or a time is not allowed. The error names row and series.
    """
    origin, meta, form, covariates = provenance.origin, provenance.meta, provenance.form, provenance.covariates
    _check_series(series, channels, origin)
    all_notes = list(provenance.notes)
    found = _find_kind(series, channels, kind, origin, all_notes)
    log_returns = TRAITS[found].log_returns
    times = [s.times for s in series if s.times is not None]
    calendars = find_calendars(times, form.zone if form else None, _known(meta))
    usual = usual_of(calendars, [len(s.values) for s in series])
    for s, calendar in zip(series, calendars, strict=False):
        check_frequency(s.times, calendar, s.rows, s.name, origin)
    all_notes += _calendar_notes(series, calendars)
    full = series if log_returns or not times else _on_full_grids(series, calendars)
    if not log_returns:  # prices are never filled
        all_notes += _gap_notes(series, full, calendars)
    if usual is not None:
        meta = {**meta, "calendar": to_json(usual)}
    if form is not None and form.zone is not None:
        meta = {**meta, "zone": form.zone}
    absent = sum(len(s.values) for s in full) - sum(len(s.values) for s in series)
    if absent:
        steps = f"{counted(absent, 'step')} without a row {'is' if absent == 1 else 'are'}"
        all_notes.append(f"{steps} read as missing")
    width = len(channels)
    values = np.concatenate([s.values for s in full]) if full else np.zeros((0, width))
    count = not log_returns and _counts(values)
    all_notes += _value_notes(series, full, channels, steady=log_returns or count)
    if count:
        all_notes.append("all values are whole numbers from 0 up, so they are read as counts")
    return SequenceSet(
        found,
        values,
        np.cumsum([0, *(len(s.values) for s in full)], dtype=np.int64),
        tuple(s.name for s in series),
        channels,
        np.concatenate([s.times for s in full if s.times is not None]) if times else None,
        usual.frequency if usual is not None else None,
        count=count,
        meta=meta,
        covariates=_covariates(full, covariates) if covariates and covariates.all else None,
        notes=tuple(all_notes),
        calendars=tuple(calendars),
        time_form=form,
    )


def _check_series(series: Sequence[SeriesRows], channels: tuple[str, ...], origin: Origin) -> None:
    """Raise DataError if two series have the same id, or a value or a time is not allowed."""
    names = [s.name for s in series]
    if len(set(names)) < len(names):
        twice = next(n for n in names if names.count(n) > 1)
        raise DataError(f"two series have the name {twice!r}", where=origin.name, fix="give each series its own name")
    for s in series:
        check_values(s.values, s.rows, channels, s.name, origin)
        if s.times is not None:
            check_times(s.times, s.rows, s.name, origin)


def _known(meta: dict[str, Any]) -> Calendar | None:
    """Return the calendar that is expected, from the options of a model or of earlier rows."""
    record = meta.get("calendar")
    return None if record is None else from_json(record)


def usual_of(calendars: Sequence[Calendar | None], lengths: Sequence[int]) -> Calendar | None:
    """Return the calendar that most rows have, from the calendars of some series and their numbers of rows."""
    rows: Counter[Calendar] = Counter()
    for calendar, length in zip(calendars, lengths, strict=False):
        if calendar is not None:
            rows[calendar] += length
    return rows.most_common(1)[0][0] if rows else None


def _calendar_notes(series: Sequence[SeriesRows], calendars: Sequence[Calendar | None]) -> list[str]:
    """Return notes on series without a calendar, and on a panel with several calendars."""
    pairs = [(s.name, c) for s, c in zip(series, calendars, strict=False) if len(s.values) > 1]
    odd = [name for name, calendar in pairs if calendar is None]
    notes = []
    if odd and len(odd) == len(pairs):
        notes.append("the times have no regular frequency, so the rows are read as consecutive steps")
    elif odd:
        which = f"{len(odd):,} series without a regular frequency ({', '.join(odd[:3])})"
        notes.append(f"{which}: their rows are read as consecutive steps")
    groups: dict[str, list[str]] = {}
    for name, calendar in pairs:
        if calendar is not None:
            groups.setdefault(calendar.frequency, []).append(name)
    if len(groups) > 1:
        most = sorted(groups.items(), key=lambda group: -len(group[1]))[:4]
        words = ", ".join(f"{frequency} ({len(names):,}, such as {names[0]})" for frequency, names in most)
        notes.append(f"the series have different frequencies: {words}")
    return notes


def _gap_notes(
    series: Sequence[SeriesRows], full: Sequence[SeriesRows], calendars: Sequence[Calendar | None]
) -> list[str]:
    """Return a note on a gap that is too long to be filled, such as the one behind a time that stands for no time."""
    for s, whole, calendar in zip(series, full, calendars, strict=False):
        if s.times is None or calendar is None or len(s.times) < 3 or whole is not s:
            continue
        ends = min(s.times[1] - s.times[0], s.times[-1] - s.times[-2])
        if s.times[-1] - s.times[0] <= LONGEST * len(s.times) * ends:
            continue  # the usual case, at the cost of four numbers
        steps = np.diff(s.times).astype(np.float64)
        if steps.sum() > LONGEST * len(s.times) * np.median(steps):
            at = int(steps.argmax())
            return [
                f"series {s.name!r} has no row between {stamp(s.times[at])} and {stamp(s.times[at + 1])}. This gap is "
                "too long to fill, so its rows are read as consecutive steps (if one of these times stands for a "
                "missing one, correct it)"
            ]
    return []


def _value_notes(
    series: Sequence[SeriesRows], full: Sequence[SeriesRows], channels: tuple[str, ...], *, steady: bool
) -> list[str]:
    """Return notes on changes that float32 loses, on series that never change, and on values that seem to be stuck.

    Args:
        series: The series as they were read.
        full: The same, with the steps that have no row.
        channels: The names of the channels.
        steady: Whether equal values in a row are usual, as for counts and prices.
    """
    together = [np.concatenate([s.values[:, d] for s in full]) for d in range(len(channels)) if len(full)]
    notes = [
        f"column {name!r}: {note}"
        for name, values in zip(channels, together, strict=False)
        if (note := small_changes(values))
    ]
    ends = [(s.name, np.nanmin(s.values, axis=0), np.nanmax(s.values, axis=0)) for s in series if len(s.values) > 2]
    constant = [name for name, low, high in ends if (low == high).all()]
    if constant:
        notes.append(f"{NEVER_CHANGE}: {len(constant):,} ({', '.join(constant[:3])})")
    notes += lost_changes(ends)
    notes += [
        f"series {name!r} is the sum of the other {len(full) - 1:,} series, and is read as one more: if it is a row of "
        "sums, leave it out"
        for name in sum_of_others(full)
    ]
    if steady or not any(map(rests, together)):
        return notes
    parts = (
        (s.name if len(channels) == 1 else f"{s.name}, {name}", s.values[:, d])
        for s in full
        for d, name in enumerate(channels)
    )
    note = stuck(parts, "series" if len(channels) == 1 else "channel")
    return notes if note is None else [*notes, note]


def _find_kind(
    series: Sequence[SeriesRows], channels: tuple[str, ...], kind: str | None, origin: Origin, notes: list[str]
) -> Kind:
    """Return the given kind, or "prices" for columns of prices that are all above 0, and "series" for the others."""
    if not can_be_tabular(kind):
        raise DataError(
            f"a table of numbers cannot be read as {kind}",
            where=origin.name,
            fix=f"use {option('--kind', 'series')} or {option('--kind', 'prices')}",
        )
    found = next((k for k in TABULAR if k == kind), kind_by_name(channels))
    if TRAITS[found].log_returns:
        try:
            for s in series:
                check_prices(s.values, s.rows, s.name, origin)
        except DataError as error:
            if kind:
                raise
            notes.append(f"read as series and not as prices: {error.what} ({error.where})")
            found = "series"
    return found


def _counts(values: Array) -> bool:
    seen = values[np.isfinite(values)]
    return bool(
        len(seen)
        and (seen >= 0).all()
        and (seen == np.rint(seen)).all()
        and seen.max() <= _COUNTS
        and seen.mean() < 100
        and len(np.unique(seen)) > 1
    )


def _on_full_grids(series: Sequence[SeriesRows], calendars: Sequence[Calendar | None]) -> list[SeriesRows]:
    """Put every series on the full grid of its calendar."""
    return [on_full_grid(s, calendar) for s, calendar in zip(series, calendars, strict=True)]


def _covariates(series: Sequence[SeriesRows], columns: Columns) -> Covariates:
    known, past = (
        np.concatenate([x for x in parts if x is not None])
        for parts in ([s.known for s in series], [s.past for s in series])
    )
    nothing = np.zeros((0, len(columns.known)))
    return Covariates(columns, known, past, tuple(s.static for s in series), (nothing,) * len(series))
