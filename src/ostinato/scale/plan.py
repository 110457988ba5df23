"""The plan of a panel: its parts are intervals of ids, so that no series is in two parts.

The cut points come from the statistics that Parquet keeps for each row group. They decide only how much a part reads:
the intervals always cover every id once. If the rows of many series are mixed, every interval would read all files; the
module ``arrange`` then sorts the panel into buckets first.
"""

from __future__ import annotations

import bisect
import hashlib
import json
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from ostinato.choices import advice
from ostinato.data import checks
from ostinato.data.calendar import Calendar
from ostinato.data.columns import Roles, find, kind_by_name
from ostinato.data.detect import find_calendars
from ostinato.data.extras import missing
from ostinato.data.files import find as find_files
from ostinato.data.ids import type_of
from ostinato.data.join import usual_of
from ostinato.data.origin import Origin
from ostinato.data.parts import joined
from ostinato.data.stored import survived
from ostinato.data.time_form import TimeForm
from ostinato.errors import ConfigError, DataError
from ostinato.forked import require_polars
from ostinato.kinds import TABULAR, Kind, can_be_tabular
from ostinato.wording import option

#: The number of rows of a part: a few megabytes, and less than a second of work.
ROWS = 250_000
#: The largest number of rows of a part, which keeps the use of memory small.
MOST = 8 * ROWS
#: The number of rows from which the usual calendar of a panel is found.
HEAD_ROWS = 20_000
_NO_PARQUET = "cannot read the file as Parquet: it is damaged or has another format"


@dataclass(frozen=True)
class PanelPart:
    """A part of a panel: the rows with ids above ``low``, up to ``high``.

    Attributes:
        number: The number of the part in the panel.
        files: The files that may hold such rows.
        low: The id below the part, or None without a lower bound.
        high: The last id of the part, or None without an upper bound.
    """

    number: int
    files: tuple[str, ...]
    low: Any = None
    high: Any = None


@dataclass(frozen=True)
class Group:
    """A row group of a file.

    Attributes:
        file: The file.
        index: The number of the row group in the file.
        rows: The number of its rows.
        low: The smallest id, or None if unknown.
        high: The largest id, or None if unknown.
        nulls: Whether an id may be missing.
    """

    file: str
    index: int
    rows: int
    low: Any
    high: Any
    nulls: bool


@dataclass(frozen=True)
class ParquetPanel:
    """The plan of a panel of Parquet files.

    Attributes:
        source: The path, folder or pattern of the files.
        roles: The columns of ids, times and values.
        kind: The kind of the series: "series" or "prices".
        calendar: The calendar that most of the first rows have, or None. Each series has a calendar of its own.
        form: The form of the times, or None without times.
        groups: The row groups of all files.
        parts: The parts; empty if the panel must be arranged in buckets first.
        buckets: The number of buckets for an arrangement.
        digest: The SHA-256 of the names, sizes and times of the files, in hexadecimal.
        id_type: The type of the ids, as ``data.ids.type_of`` returns it.
        longest: The number of rows of the longest series; 0 if they were not counted (see ``counted_rows``).
    """

    source: str
    roles: Roles
    kind: Kind
    calendar: Calendar | None
    form: TimeForm | None
    groups: tuple[Group, ...]
    parts: tuple[PanelPart, ...]
    buckets: int
    digest: str
    id_type: Any = None
    longest: int = 0

    @property
    def frequency(self) -> str | None:
        """The frequency of the calendar, or None."""
        return self.calendar.frequency if self.calendar else None

    @property
    def columns(self) -> list[str]:
        """The columns that are read: the id, the time, and the values."""
        return [c for c in (self.roles.id, self.roles.time, *self.roles.values) if c is not None]


def plan(
    source: str | Path,
    *,
    kind: str | None = None,
    id_col: str | None = None,
    time_col: str | None = None,
    target: list[str] | None = None,
) -> ParquetPanel:
    """Plan the parts of a panel. Only the footers of the files and the first rows are read.

    Args:
        source: Parquet files with one row for each step: a file, a folder or a pattern.
        kind: "series" or "prices"; found from the names of the columns if None.
        id_col: The column of ids, if given.
        time_col: The column of times, if given.
        target: The columns to model, if given.

    Returns:
        The plan.

    Raises:
        DataError: A file is not Parquet, or the panel has no rows or no column of ids.
        ConfigError: The kind is not one of numbers in a table, or polars cannot compute in this process (see
            ``forked``).
    """
    require_polars()
    if not can_be_tabular(kind):
        raise ConfigError(
            f"a panel in parts must hold series or prices, got {kind}",
            fix=f"use {option('--kind', 'series')} or {option('--kind', 'prices')}",
        )
    files = [str(p) for p in find_files(source)]
    groups: list[Group] = []
    head: pl.DataFrame | None = None
    roles: Roles | None = None
    for file in files:
        if not file.endswith(".parquet"):
            fix = "write the panel as Parquet, with one row for each step: unique_id, ds, y"
            raise DataError("the files of a panel that is processed in parts must be Parquet", where=file, fix=fix)
        if roles is None or head is None:
            head = _head(file)
            origin = Origin.frame(len(head), file)
            if time_col is None and (notes := joined(head, origin, taken={id_col, *(target or ())})[1].notes):
                what = f"the time is in several columns, and a panel in parts needs it in one: {notes[-1]}"
                raise DataError(what, where=file, fix="write the time as one column ds")
            roles = find(head, file, id_col, time_col, target)
            if roles.id is None:
                fix = f"add a column unique_id, or give the name of the column with {option('--id-col')}"
                raise DataError("the panel has no column of series ids", where=file, fix=fix)
            words = [c for c in roles.values if head[c].dtype == pl.String]
            if words:
                what = f"column {words[0]!r} holds text, expected numbers"
                raise DataError(what, where=file, fix="write the column as numbers")
        groups += _groups(file, str(roles.id), roles)
    rows = sum(g.rows for g in groups)
    if not rows or roles is None or head is None:
        raise DataError("the panel has no rows", where=str(source), fix="give files that have rows")
    found = next((k for k in TABULAR if k == kind), kind_by_name(roles.values))
    stamps = [(f, Path(f).stat().st_size, Path(f).stat().st_mtime_ns) for f in files]
    digest = hashlib.sha256(json.dumps([stamps, ROWS]).encode()).hexdigest()
    calendar, form = _calendar(head, roles, files[0], chosen=time_col is not None)
    parts, buckets = _intervals(groups), -(-rows // ROWS)
    ids = type_of(head[str(roles.id)])
    return ParquetPanel(str(source), roles, found, calendar, form, tuple(groups), parts, buckets, digest, ids)


def counted_rows(panel: ParquetPanel) -> ParquetPanel:
    """Return a panel with the number of rows of its longest series, for which its ids are read once.

    Raises:
        DataError: A file is damaged.
    """
    files = list(dict.fromkeys(group.file for group in panel.groups))
    rows = pl.scan_parquet(files).group_by(str(panel.roles.id)).len().select(pl.col("len").max())
    survived(rows.serialize(), "Query", panel.source)
    try:
        return replace(panel, longest=int(rows.collect(engine="streaming").item()))
    except (pl.exceptions.PolarsError, OSError) as error:
        raise DataError(_NO_PARQUET, where=panel.source, fix="write the files again as Parquet") from error


def _head(file: str) -> pl.DataFrame:
    try:
        query = pl.scan_parquet(file).head(HEAD_ROWS)
        survived(query.serialize(), "Query", file)
        return query.collect()
    except (pl.exceptions.PolarsError, OSError) as error:
        raise DataError(_NO_PARQUET, where=file, fix="write the file again as Parquet") from error


def _groups(file: str, key: str, roles: Roles) -> list[Group]:
    """Return the row groups of a file, from its footer."""
    try:
        import pyarrow as pa
        import pyarrow.parquet as pq
    except ImportError as error:
        raise missing("a panel in parts", "pyarrow", "ray") from error
    survived(file.encode(), "Footer", file)
    try:
        footer = pq.read_metadata(file)
    except (OSError, pa.ArrowException) as error:
        raise DataError(_NO_PARQUET, where=file, fix="write the file again as Parquet") from error
    names = list(footer.schema.names)
    for name in (key, roles.time, *roles.values):
        if name is not None and name not in names:
            fix = advice(name, names, f"give every file the same columns; this file has {', '.join(names)}")
            raise DataError(f"there is no column {name!r}", where=file, fix=fix)
    out, at = [], names.index(key)
    for i in range(footer.num_row_groups):
        group = footer.row_group(i)
        known = group.column(at).statistics
        low, high, nulls = None, None, True
        if known is not None and known.has_min_max:
            low, high, nulls = known.min, known.max, known.null_count != 0
        if not isinstance(low, str | int) or isinstance(low, bool):
            low = high = None
        out.append(Group(file, i, group.num_rows, low, high, nulls))
    return out


def _intervals(groups: list[Group]) -> tuple[PanelPart, ...]:
    """Return intervals of ids of about ROWS rows; none if they would be too large or read the files many times."""
    if len({type(g.high) for g in groups}) > 1 or groups[0].high is None:
        return ()
    cuts: list[Any] = []
    rows = 0
    for group in sorted(groups, key=lambda g: g.high):
        rows += group.rows
        if rows >= ROWS and (not cuts or group.high > cuts[-1]):
            cuts.append(group.high)
            rows = 0
    if cuts and cuts[-1] == max(g.high for g in groups):
        cuts.pop()
    files: list[dict[str, None]] = [{} for _ in range(len(cuts) + 1)]
    sizes = [0] * len(files)
    allowed = 2 * sum(g.rows for g in groups) + MOST
    for group in groups:
        first = 0 if group.nulls else bisect.bisect_left(cuts, group.low)
        for i in range(first, bisect.bisect_left(cuts, group.high) + 1):
            files[i][group.file] = None
            sizes[i] += group.rows
            allowed -= group.rows
        if allowed < 0:
            return ()
    if max(sizes) > MOST:
        return ()
    edges = [None, *cuts, None]
    return tuple(PanelPart(i, tuple(names), edges[i], edges[i + 1]) for i, names in enumerate(files))


def _calendar(head: pl.DataFrame, roles: Roles, where: str, *, chosen: bool) -> tuple[Calendar | None, TimeForm | None]:
    """Return the usual calendar of the first series, and the form of the times; their column may have been named."""
    if roles.time is None:
        return None, None
    if head[roles.time].dtype == pl.String:  # each part would guess the format by itself
        fix = "write the column as dates, times or whole numbers"
        raise DataError(f"column {roles.time!r} holds text, expected times", where=where, fix=fix)
    stamps = checks.times(head[roles.time], Origin.frame(len(head), where), chosen=chosen)
    keys = head[str(roles.id)].cast(pl.String).fill_null("")
    runs = np.flatnonzero(np.append(True, keys[1:].to_numpy() != keys[:-1].to_numpy()))
    whole = [t for t in np.split(stamps.times, runs[1:]) if len(t) > 1 and (np.diff(t).astype(np.int64) > 0).all()]
    return usual_of(find_calendars(whole, stamps.form.zone), [len(t) for t in whole]), stamps.form
