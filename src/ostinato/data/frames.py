"""Frames to sequences: columns get their roles, and rows are sorted into series."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, replace
from typing import Any, NamedTuple

import numpy as np
import polars as pl
from numpy.typing import NDArray

from ostinato.data import checks, ids
from ostinato.data.calendar import Steps, from_json
from ostinato.data.cells import read_cells, stand_in
from ostinato.data.columns import IDS, Roles, find, named
from ostinato.data.covariates import Indicators, check_known, words_of
from ostinato.data.detect import description_length, find_calendars
from ostinato.data.eras import note_on_years
from ostinato.data.filled_ids import filled
from ostinato.data.join import Provenance, join
from ostinato.data.keys import check_one_row, check_second_key
from ostinato.data.listed_calendars import Months
from ostinato.data.origin import Origin
from ostinato.data.parts import joined
from ostinato.data.rows import differing, numerals_of, tidied, without_odd_rows
from ostinato.data.sequences import SequenceSet
from ostinato.data.series_rows import SeriesRows, sorted_by_time
from ostinato.data.stamps import parse_times
from ostinato.data.table_options import TableOptions, TimeOptions
from ostinato.data.time_form import Stamps
from ostinato.data.time_names import JOINED, TIMES
from ostinato.errors import DataError
from ostinato.shapes import Array


def from_frame(frame: pl.DataFrame, origin: Origin, options: TableOptions, *, kind: str | None = None) -> SequenceSet:
    """Return a table as a SequenceSet, whether a row is one step (a long or wide table) or a whole series.

    Args:
        frame: The table.
        origin: The origin of its rows, for an error.
        options: How the table is read.
        kind: "series" or "prices"; found from the names and values if None.

    Returns:
        The sequences.

    Raises:
        DataError: A cell is not a number or a time, or is infinite; an id is missing; a time occurs twice with
            different values; a series has no observed value; or a price is not above 0. The error names row and series.
    """
    id_col, time_col, target, covariates = options.id_col, options.time_col, options.target, options.covariates
    if id_col is None and time_col is None and target is None and not covariates.all and _rows_are_series(frame):
        return _by_row(frame, origin, kind)
    frame, origin = clean(frame, origin, options)
    roles = find(frame, origin.name, id_col, time_col, target, covariates.all)
    columns = Indicators.of(frame, covariates, origin, options.categories)
    clock = options.clock if options.clock.chosen is not None else replace(options.clock, chosen=time_col is not None)
    data = _by_step(frame, roles, columns, origin, kind, clock)
    return data if roles.time is not None or not time_col else replace(data, meta={**data.meta, "time_col": time_col})


def clean(frame: pl.DataFrame, origin: Origin, options: TableOptions) -> tuple[pl.DataFrame, Origin]:
    """Return a table of data rows alone, with words that are numbers as numbers, and its time in one column.

    Times that are words, such as "20240131", stay words too. The columns to model are not parts of a time; covariates
    may be parts of a time, and stay in the table.

    Args:
        frame: The table.
        origin: The origin of its rows.
        options: How the table is read.

    Returns:
        The table, and the origin of its rows with notes on what was changed.
    """
    id_col, time_col = options.id_col, options.time_col
    frame, origin = without_odd_rows(_spelled_out(frame), origin)
    key = id_col or named(frame.columns, IDS)
    found = numerals_of(frame, key, options.decimal, None)
    time = named(frame.columns, TIMES) if time_col is None else time_col
    if time in found and found[time].all and parse_times(frame[time]) is not None:
        del found[time]
    frame, origin = tidied(frame, found, origin)
    # a model that was fitted to joined columns asks for the column that they became
    if time_col is not None and (time_col in frame.columns or time_col != JOINED):
        return frame, origin
    taken, kept = {id_col, *(options.target or ())}, options.covariates.all
    return joined(frame, origin, taken=taken, kept=kept, zone=options.clock.zone, day_first=options.clock.day_first)


def _spelled_out(frame: pl.DataFrame) -> pl.DataFrame:
    """Return a table with categories that are times as words, which a time is read from."""
    kinds = (c.name for c in frame.iter_columns() if c.dtype in (pl.Categorical, pl.Enum))
    names = [c for c in kinds if parse_times(frame[c].cast(pl.String)) is not None]
    return frame.with_columns(pl.col(names).cast(pl.String)) if names else frame


class _Cells(NamedTuple):
    """The numbers of the rows of a table.

    Attributes:
        values: The values, (N, D).
        known: The future covariates, (N, C).
        past: The past covariates, (N, P).
    """

    values: Array
    known: Array
    past: Array


def _by_step(
    frame: pl.DataFrame, roles: Roles, columns: Indicators, origin: Origin, kind: str | None, clock: TimeOptions
) -> SequenceSet:
    """Read a long or wide table; the rows of a series need not be next to each other."""
    values, origin = _values(frame, roles.values, origin)
    given = columns.given
    cells = _Cells(values, *(columns.numbers(frame, names, origin) for names in (given.known, given.past)))
    keys, key_notes, key_meta = _keys(frame, roles, origin)
    parts = _parts(keys)
    stamps, clock_notes, clock_meta = None, list[str](), dict[str, Any]()
    if roles.time is not None:
        stamps, clock_notes, clock_meta = _clock(frame[roles.time], list(parts.values()), origin, clock)
    rows = _rows(frame, columns, cells, None if stamps is None else stamps.times, parts, origin)
    rows, order_notes = _ordered(frame, roles, rows, given.all, origin)
    notes = [*origin.on((*roles.values, *given.all)), *columns.notes, *roles.notes]
    notes += [*key_notes, *ids.alike(pl.Series(list(parts), dtype=pl.String)), *clock_notes, *order_notes]
    meta: dict[str, Any] = {
        "id_col": roles.id,
        "time_col": roles.time,
        "target": list(roles.values),
        **key_meta,
        **clock_meta,
    }
    meta.update((name, list(names)) for name, names in asdict(given).items() if names)
    if columns.categories:
        meta["categories"] = columns.categories
    form = stamps.form if stamps else None
    return join(rows, roles.values, kind, Provenance(origin, meta, tuple(notes), columns.columns, form))


def _parts(keys: pl.Series) -> dict[str, NDArray[np.int64]]:
    """Return the rows of each series, by the id of each row."""
    names = keys.unique(maintain_order=True)
    codes = keys.replace_strict(names, np.arange(len(names)), return_dtype=pl.Int64).to_numpy()
    order = np.argsort(codes, kind="stable").astype(np.int64)
    parts = np.split(order, np.cumsum(np.bincount(codes, minlength=len(names)))[:-1])
    return dict(zip(names.to_list(), parts, strict=True))


def _rows(
    frame: pl.DataFrame,
    columns: Indicators,
    cells: _Cells,
    times: NDArray[Any] | None,
    parts: dict[str, NDArray[np.int64]],
    origin: Origin,
) -> list[SeriesRows]:
    """Return the series with their covariates, from the numbers and the times (N,) of the rows."""
    rows = []
    values, known, past = cells
    for name, part in parts.items():
        check_known(known[part], part, columns.columns.known, name, origin)
        static = words_of(frame, part, columns.given.static, name, origin)
        when = None if times is None else times[part]
        rows.append(SeriesRows(name, values[part], when, part, known[part], past[part], static))
    return rows


def _ordered(
    frame: pl.DataFrame, roles: Roles, rows: list[SeriesRows], covariates: Sequence[str], origin: Origin
) -> tuple[list[SeriesRows], list[str]]:
    """Return the series in the order of time, and notes. Rows of several series under one id are an error."""
    found, notes = sorted_by_time(rows)
    if roles.time is None or not any(one is not other for one, other in zip(found, rows, strict=True)):
        return found, notes
    if roles.id is not None:
        check_second_key(frame, roles.id, roles.time, (*roles.values, *covariates), origin)
    if sum(len(s.values) for s in found) < len(frame):
        keys = [c for c in (roles.id, roles.time) if c is not None]
        odd = differing(frame, [*keys, *roles.values])
        check_one_row(frame, keys, roles.values, odd, origin)
        if odd:
            notes.append(
                f"these rows differ in columns that number the rows or the files: {', '.join(map(repr, odd[:3]))}"
            )
    return found, notes


def _keys(frame: pl.DataFrame, roles: Roles, origin: Origin) -> tuple[pl.Series, list[str], dict[str, Any]]:
    """Return the id of each row as words, or the name of the only series, with notes and the type of the ids."""
    if roles.id is None:
        name = roles.values[0] if len(roles.values) == 1 else "series"
        return pl.repeat(name, len(frame), eager=True), [], {}
    column, said = filled(frame, roles.id, roles.time, origin)
    return ids.as_words(column, origin), [*said, *ids.note_of(column)], {ids.META: ids.type_of(column)}


def _values(frame: pl.DataFrame, columns: Sequence[str], origin: Origin) -> tuple[Array, Origin]:
    """Return columns as numbers (N, D), and the origin with the notes on their cells."""
    found = []
    for c in columns:
        one = read_cells(frame[c], origin)
        odd = stand_in(one.values)
        origin = origin.noting(*one.notes, *([odd] if odd else []), column=c)
        found.append(one.values)
    return np.stack(found, axis=1), origin


def _clock(
    column: pl.Series, parts: list[NDArray[np.int64]], origin: Origin, clock: TimeOptions
) -> tuple[Stamps, list[str], dict[str, Any]]:
    """Read the column of times, and choose between day and month first by the more regular steps.

    Args:
        column: The column.
        parts: The rows of each series.
        origin: The origin of its rows, for an error.
        clock: How the column is read.

    Returns:
        The times and their form, notes on what was guessed, and the options that a later reading needs.
    """
    chosen, notes, meta = bool(clock.chosen), list[str](), dict[str, Any]()
    if clock.calendar is not None and column.dtype.is_integer() and isinstance(from_json(clock.calendar), Steps):
        column, chosen = column.alias(""), False  # these times count steps, whatever their column is called
    found = checks.times(column, origin, day_first=clock.day_first, zone=clock.zone, chosen=chosen)
    if found.other is not None:
        months, days = (_irregularity(one, parts) for one in (found, found.other))
        day_first = days < months
        found = found.other if day_first else found
        order = "day/month/year" if day_first else "month/day/year"
        notes.append(f"dates such as {column[0]} are read as {order}")
        meta["day_first"] = day_first
    elif clock.day_first is not None:
        meta["day_first"] = clock.day_first
    if clock.calendar is not None:
        meta["calendar"] = clock.calendar
    if chosen and column.dtype.is_numeric() and found.times.dtype.kind == "M":
        meta["time_chosen"] = True  # without it, a later reading takes such numbers for steps
    return found, [*notes, *found.notes, *note_on_years(found.times)], meta


def _irregularity(stamps: Stamps, parts: list[NDArray[np.int64]]) -> float:
    """Return the bits that describe a reading of dates.

    Dates of which every day is at most 12 are usual for months and a rare chance for days. So months win a tie.
    """
    some = [np.unique(stamps.times[part]) for part in parts[:50]]
    lengths = description_length(some, stamps.form.zone)
    found = [c for c in find_calendars(some, stamps.form.zone) if c is not None]
    return lengths + 5.0 * any(not isinstance(c, Months) for c in found)


def _rows_are_series(frame: pl.DataFrame) -> bool:
    """Return whether a row is a whole series, as in the M competitions: a name, and then many numbered columns.

    If the first column holds times, its rows are the steps of as many channels.
    """
    rest = frame.columns[1:]
    return (
        len(rest) >= 10
        and frame[frame.columns[0]].dtype == pl.String
        and all(frame[c].dtype.is_numeric() or frame[c].null_count() == len(frame) for c in rest)
        and sum(c.lstrip("Vvxt_").isdigit() for c in rest) > 0.9 * len(rest)
        and parse_times(frame[frame.columns[0]]) is None
    )


def _by_row(frame: pl.DataFrame, origin: Origin, kind: str | None) -> SequenceSet:
    """Read each row as a series that ends with its last filled cell.

    Raises:
        DataError: The names of the columns are numbers without one step, so that they may be a series too.
    """
    heads = [int(c) for c in frame.columns[1:] if c.isdecimal()]
    if len(heads) == frame.width - 1 and len(set(np.diff(heads).tolist())) > 1:
        shown = ", ".join(frame.columns[:4])
        raise DataError(
            f"each row is a series, and the first row, {shown} ..., may be one too",
            where=origin.name,
            fix=f"write a line of names above it, such as id, 1, 2, 3 to {len(heads)}; or, if these are times, write a "
            "row for each series and time",
        )
    names = ids.as_words(frame[frame.columns[0]], origin).to_list()
    table = frame.select(pl.col(frame.columns[1:]).cast(pl.Float64).fill_null(np.nan)).to_numpy()
    rows = []
    for i, (name, cells) in enumerate(zip(names, table, strict=True)):
        seen = np.flatnonzero(~np.isnan(cells))
        length = int(seen[-1]) + 1 if len(seen) else 0
        rows.append(SeriesRows(name, cells[:length, None], None, np.full(length, i, dtype=np.int64)))
    return join(rows, ("y",), kind, Provenance(origin, {}, (*origin.on(()), "each row is read as one series")))
