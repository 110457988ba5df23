"""How a panel is cut into parts: intervals of ids, so that no series is ever in two of them.

Cut points come from the statistics that Parquet keeps of each row group. They decide only how much a part reads:
whatever they are, the intervals cover every id once. Where the rows of many series lie mixed, intervals would read
everything over and over; the panel is then arranged first, see ``arrange``.
"""

from __future__ import annotations

import bisect
import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from ostinato.data import checks
from ostinato.data.calendar import find_frequency
from ostinato.data.columns import PRICES, Roles, find
from ostinato.data.files import find as find_files
from ostinato.data.origin import Origin
from ostinato.errors import ConfigError, DataError
from ostinato.kinds import Kind

#: Rows of a part: some hundred series of some hundred steps, a few megabytes, a fraction of a second's work.
ROWS = 250_000
#: A part of more rows than this would not keep memory small.
MOST = 8 * ROWS
#: Rows from which the frequency of a panel is found.
GLANCE = 20_000


@dataclass(frozen=True)
class PanelPart:
    """The rows of ``files`` whose id is above ``low``, up to and with ``high``; None: no such bound."""

    number: int
    files: tuple[str, ...]
    low: Any = None
    high: Any = None


@dataclass(frozen=True)
class Group:
    """A row group of a file: its rows, and the least and greatest id in it (None: not known)."""

    file: str
    index: int
    rows: int
    low: Any
    high: Any
    nulls: bool


@dataclass(frozen=True)
class ParquetPanel:
    """A panel of Parquet files, planned.

    parts    empty where the panel has to be arranged first
    buckets  parts that it would be arranged into
    """

    source: str
    roles: Roles
    kind: Kind
    frequency: str | None
    groups: tuple[Group, ...]
    parts: tuple[PanelPart, ...]
    buckets: int
    digest: str

    @property
    def columns(self) -> list[str]:
        """The columns that are read."""
        return [c for c in (self.roles.id, self.roles.time, *self.roles.values) if c is not None]


def plan(
    source: str | Path,
    *,
    kind: str | None = None,
    id_col: str | None = None,
    time_col: str | None = None,
    target: list[str] | None = None,
) -> ParquetPanel:
    """Look at the files of a panel, and cut it. Only their footers and the first rows are read.

    Raises DataError for what is no Parquet, has no rows or no column of ids, ConfigError for a kind without numbers.
    """
    if kind not in (None, "series", "prices"):
        raise ConfigError(f"a panel is of numbers, not of {kind}", fix="use --kind series or prices")
    files = [str(p) for p in find_files(source)]
    groups: list[Group] = []
    head: pl.DataFrame | None = None
    roles: Roles | None = None
    for file in files:
        if not file.endswith(".parquet"):
            fix = "write it as Parquet, one row a step: unique_id, ds, y"
            raise DataError("a panel that is worked on in parts is of Parquet files", where=file, fix=fix)
        if roles is None or head is None:
            head = _head(file)
            roles = find(head, file, id_col, time_col, target)
            if roles.id is None:
                fix = "add a column unique_id, or name it with --id-col"
                raise DataError("the panel has no column that names its series", where=file, fix=fix)
            words = [c for c in roles.values if head[c].dtype == pl.String]
            if words:
                raise DataError(f"the values in column {words[0]!r} are words", where=file, fix="write them as numbers")
        groups += _groups(file, str(roles.id), roles)
    rows = sum(g.rows for g in groups)
    if not rows or roles is None or head is None:
        raise DataError("the panel has no rows", where=str(source), fix="give files with data in them")
    prices = all(c.lower() in PRICES for c in roles.values)
    found: Kind = "prices" if kind == "prices" or (kind is None and prices) else "series"
    stamps = [(f, Path(f).stat().st_size, Path(f).stat().st_mtime_ns) for f in files]
    digest = hashlib.sha256(json.dumps([stamps, ROWS]).encode()).hexdigest()
    frequency = _frequency(head, roles, files[0])
    parts, buckets = _intervals(groups), -(-rows // ROWS)
    return ParquetPanel(str(source), roles, found, frequency, tuple(groups), parts, buckets, digest)


def _head(file: str) -> pl.DataFrame:
    try:
        return pl.scan_parquet(file).head(GLANCE).collect()
    except (pl.exceptions.PolarsError, OSError) as error:
        raise DataError("the Parquet file is damaged, or none", where=file, fix="write it again") from error


def _groups(file: str, key: str, roles: Roles) -> list[Group]:
    """The row groups of a file, from its footer."""
    try:
        import pyarrow as pa
        import pyarrow.parquet as pq
    except ImportError as error:
        raise ConfigError("pyarrow is not installed", fix="pip install 'ostinato[ray]'") from error
    try:
        footer = pq.read_metadata(file)
    except (OSError, pa.ArrowException) as error:
        raise DataError("the Parquet file is damaged, or none", where=file, fix="write it again") from error
    names = list(footer.schema.names)
    for name in (key, roles.time, *roles.values):
        if name is not None and name not in names:
            fix = f"give every file the same columns; here they are {', '.join(names)}"
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
    """Intervals of ids of about ROWS rows; none where they would read the files over and over, or be too large."""
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
    return tuple(PanelPart(i, tuple(some), edges[i], edges[i + 1]) for i, some in enumerate(files))


def _frequency(head: pl.DataFrame, roles: Roles, where: str) -> str | None:
    """The frequency of the first series, as far as they can be read: that of the panel."""
    if roles.time is None:
        return None
    if head[roles.time].dtype == pl.String:  # its format would be found anew in every part, perhaps another
        fix = "write it as dates, times or whole numbers"
        raise DataError(f"the times in column {roles.time!r} are words", where=where, fix=fix)
    times = checks.times(head[roles.time], Origin.frame(len(head), where))
    keys = head[str(roles.id)].cast(pl.String).fill_null("")
    runs = np.flatnonzero(np.append(True, keys[1:].to_numpy() != keys[:-1].to_numpy()))
    whole = [t for t in np.split(times, runs[1:]) if len(t) > 1 and (np.diff(t).astype(np.int64) > 0).all()]
    return find_frequency(whole) if whole else None
