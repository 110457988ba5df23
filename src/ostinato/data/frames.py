"""Frames and arrays: columns in their roles become a SequenceSet, checked value by value."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from ostinato.data.calendar import find_frequency, missing_steps, parse_times
from ostinato.data.columns import PRICES, Roles
from ostinato.data.sequences import KINDS, Kind, SequenceSet
from ostinato.errors import DataError

#: Counts above this are as good as real numbers.
_COUNTS = 1000


def from_columns(frame: pl.DataFrame, roles: Roles, where: str, kind: str | None) -> SequenceSet:
    """A long or wide frame in its own order -> a SequenceSet.

    Raises DataError for words among numbers, infinite values, times that cannot be read, are out of order or come
    twice, a series with nothing observed, and prices that are not above 0; each with its row and series.
    """
    values = np.stack([_numbers(frame[c], where) for c in roles.values], axis=1)
    times = None
    if roles.time is not None:
        times = parse_times(frame[roles.time])
        if times is None or frame[roles.time].null_count():
            bad = frame[roles.time].is_null().arg_max() or 0
            raise DataError(
                f"the times in column {roles.time!r} cannot be read",
                where=f"{where}, row {bad + 2}: {frame[roles.time][bad]!r}",
                fix="write them as 2024-01-31 or 2024-01-31 13:00, or choose another --time-col",
            )
    keys = frame[roles.id].cast(pl.String).fill_null("") if roles.id else pl.Series(["y"] * len(frame))
    ids = keys.unique(maintain_order=True).to_list()
    codes = keys.cast(pl.Enum(ids)).to_physical().to_numpy().astype(np.int64)
    order = np.argsort(codes, kind="stable")
    offsets = np.concatenate([[0], np.cumsum(np.bincount(codes, minlength=len(ids)))]).astype(np.int64)
    parts = [order[offsets[b] : offsets[b + 1]] for b in range(len(ids))]
    for name, rows in zip(ids, parts, strict=True):
        _check_values(values, rows, name, roles, where)
        if times is not None:
            _check_times(times, rows, name, where)
    if len(ids) == 1 and roles.id is None:
        ids = [roles.values[0] if len(roles.values) == 1 else "series"]
    notes, found = list(roles.notes), _kind(roles, kind, values, where)
    frequency = None if times is None else find_frequency([times[rows] for rows in parts])
    if times is not None and frequency is None and len(values) > len(ids):
        notes.append("the times have no regular frequency: rows are taken as consecutive steps")
    blocks, stamps = [], []
    for rows in parts:
        x, t = values[rows], None if times is None else times[rows]
        place = None if t is None or found == "prices" else missing_steps(t, frequency)
        if t is not None and place is not None:
            x, t = _spread(x, t, place)
        blocks.append(x)
        stamps.append(t)
    absent = sum(map(len, blocks)) - len(values)
    if absent:
        notes.append(f"{absent:,} steps that the times leave out are taken as missing")
    joined = np.concatenate(blocks)
    constant = [n for n, x in zip(ids, blocks, strict=True) if len(x) > 2 and np.nanmin(x) == np.nanmax(x)]
    if constant:
        notes.append(f"{len(constant)} series never change: {', '.join(constant[:3])}")
    seen = joined[np.isfinite(joined)]
    count = (
        found == "series"
        and bool(
            len(seen)
            and (seen >= 0).all()
            and (seen == np.rint(seen)).all()
            and seen.max() <= _COUNTS
            and len(np.unique(seen)) > 1
        )
        and float(seen.mean()) < 100
    )
    if count:
        notes.append("whole numbers from 0 up: taken as counts")
    return SequenceSet(
        found,
        joined,
        np.cumsum([0, *map(len, blocks)], dtype=np.int64),
        tuple(ids),
        roles.values,
        None if times is None else np.concatenate([t for t in stamps if t is not None]),
        frequency,
        count=count,
        meta={"id_col": roles.id, "time_col": roles.time, "target": list(roles.values)},
        notes=tuple(notes),
    )


def from_arrays(data: Any, kind: str | None) -> SequenceSet:
    """A NumPy array (N,) or (N, D), a list of them, or a mapping id -> array."""
    named: Mapping[str, Any]
    if isinstance(data, Mapping):
        named = data
    elif isinstance(data, np.ndarray) or (isinstance(data, Sequence) and data and np.isscalar(data[0])):
        named = {"y": data}
    else:
        named = {str(i): row for i, row in enumerate(data)}
    rows = {}
    for name, row in named.items():
        try:
            x = np.asarray(row, dtype=np.float64)
        except (TypeError, ValueError) as error:
            raise DataError("an array that is not of numbers", where=f"sequence {name!r}") from error
        rows[str(name)] = x.reshape(len(x), -1) if x.size else x.reshape(0, 1)
    widths = {x.shape[1] for x in rows.values() if len(x)} or {1}
    if len(widths) > 1:
        raise DataError(
            f"the arrays have different numbers of channels: {sorted(widths)}", fix="give (T, D) with one D"
        )
    width = widths.pop()
    channels = ("y",) if width == 1 else tuple(f"channel_{d + 1}" for d in range(width))
    values = np.concatenate([x.reshape(-1, width) for x in rows.values()]) if rows else np.zeros((0, 1))
    frame = pl.DataFrame({"unique_id": [n for n, x in rows.items() for _ in range(len(x))]}).with_columns(
        [pl.Series(c, values[:, d]) for d, c in enumerate(channels)]
    )
    out = from_columns(frame, Roles("unique_id", None, channels), "the arrays", kind)
    if all(len(x) for x in rows.values()):
        return out
    # sequences of length 0 have no row in a frame
    offsets = np.cumsum([0, *(len(x) for x in rows.values())], dtype=np.int64)
    return SequenceSet(out.kind, out.values, offsets, tuple(rows), channels, count=out.count, meta=out.meta)


def _numbers(column: pl.Series, where: str) -> NDArray[np.float64]:
    if column.dtype.is_numeric() or column.dtype in (pl.Null, pl.Boolean):
        return column.cast(pl.Float64).fill_null(np.nan).to_numpy()
    text = column.cast(pl.String)
    parsed = text.str.strip_chars().cast(pl.Float64, strict=False)
    bad = (parsed.is_null() & text.is_not_null()).arg_true()
    if len(bad):
        row = int(bad[0])
        raise DataError(
            f"{text[row]!r} in column {column.name!r} is no number",
            where=f"{where}, row {row + 2}",
            fix="mend the cell, leave it empty if it is missing, or choose another --target",
        )
    return parsed.fill_null(np.nan).to_numpy()


def _check_values(values: NDArray[np.float64], rows: NDArray[np.int64], name: str, roles: Roles, where: str) -> None:
    x = values[rows]
    for d, column in enumerate(roles.values):
        infinite = np.flatnonzero(np.isinf(x[:, d]))
        if len(infinite):
            row = int(rows[infinite[0]])
            raise DataError(
                f"an infinite value in column {column!r}",
                where=f"{where}, row {row + 2}, series {name!r}",
                fix="leave the cell empty if the value is missing",
            )
        if len(x) and np.isnan(x[:, d]).all():
            raise DataError(
                f"nothing is observed in column {column!r}: every value is missing",
                where=f"{where}, series {name!r}",
                fix="leave the series out, or choose another --target",
            )


def _check_times(times: NDArray[Any], rows: NDArray[np.int64], name: str, where: str) -> None:
    steps = np.diff(times[rows])
    zero = np.zeros((), dtype=steps.dtype)
    for what, bad, fix in (
        ("a time comes twice", steps == zero, "keep one row for each time, or name the --id-col"),
        ("the times are out of order", steps < zero, "sort the file by time within each series"),
    ):
        if bad.any():
            row = int(rows[int(np.flatnonzero(bad)[0]) + 1])
            raise DataError(f"{what}: {times[row]}", where=f"{where}, row {row + 2}, series {name!r}", fix=fix)


def _kind(roles: Roles, kind: str | None, values: NDArray[np.float64], where: str) -> Kind:
    prices = all(c.lower() in PRICES for c in roles.values)
    found = kind or ("prices" if prices and not (values <= 0).any() else "series")
    if found not in KINDS:
        raise DataError(f"there is no kind of data called {found!r}", fix=f"one of {', '.join(KINDS)}")
    if found in ("text", "sound"):
        raise DataError(f"a table of numbers is no {found}", where=where, fix="use --kind series or prices")
    if found == "prices" and (values <= 0).any():
        row = int(np.flatnonzero((values <= 0).any(axis=1))[0])
        raise DataError("a price that is not above 0", where=f"{where}, row {row + 2}", fix="use --kind series")
    return next(k for k in KINDS if k == found)


def _spread(
    x: NDArray[np.float64], t: NDArray[Any], place: NDArray[np.int64]
) -> tuple[NDArray[np.float64], NDArray[Any]]:
    """Rows onto the full grid of steps, NaN where there was none; the times in between are interpolated."""
    full = np.full((int(place[-1]) + 1, x.shape[1]), np.nan)
    full[place] = x
    between = np.interp(np.arange(len(full)), place, t.astype(np.int64))
    stamps = np.rint(between).astype(np.int64).astype(t.dtype)
    return full, stamps
