"""The form of a source, and the rows of those that are tables."""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

from ostinato.data import database, files, tables
from ostinato.data.any_frame import as_frame
from ostinato.data.origin import Origin
from ostinato.errors import DataError
from ostinato.forked import require_polars


class Rows(NamedTuple):
    """The rows of a table that was read before, which ``read`` takes as a source.

    Attributes:
        frame: The rows.
        origin: Their origin.
    """

    frame: Any
    origin: Origin

    def __str__(self) -> str:
        return self.origin.name


def form_of(source: Any) -> str:
    """Return the form of a source: "database", "sound" or other "files", "rows", or "memory"."""
    if isinstance(source, Rows):
        return "rows"
    if database.is_address(source):
        return "database"
    if not isinstance(source, str | Path):
        return "memory"
    return "sound" if files.family(files.find(source)) == "sound" else "files"


def is_tabular(paths: list[Path]) -> bool:
    """Return whether files are tables, by their ending or the look of the first one."""
    return files.family(paths) == "table" or tables.looks_like_table(files.as_utf8(files.head(paths[0])))


def are_spreadsheets(source: Any) -> bool:
    """Return whether all files of a source are spreadsheets."""
    return all(files.FAMILIES["table"].get(files.ending(p)) in ("Excel", "OpenDocument") for p in files.find(source))


def rows_of(source: Any, /, *, kind: str | None = None, target: Any = None, **reading: Any) -> Rows | None:
    """Return a source as rows of a table, each cell of a text file as written; None if the source is not a table.

    Args:
        source: Anything that ``read`` takes.
        kind: The kind, as ``read`` takes it.
        target: The target, as ``read`` takes it.
        **reading: The other options of ``read``, or of an earlier reading.
    """
    form = form_of(source)
    if form == "database":
        return Rows(*database.from_query(source, reading.get("query")))
    if form == "memory":
        return rows_in_memory(source)
    paths = files.find(source)
    if form == "sound" or not is_tabular(paths):
        return None
    sheet, found = reading.get("sheet"), None
    if kind != "text":
        id_col, decimal = reading.get("id_col"), reading.get("decimal")
        found = tables.from_files(paths, str(source), id_col=id_col, decimal=decimal, sheet=sheet)
    columns = [target] if isinstance(target, str) else target
    if found is None or (kind is None and tables.is_words(found[0], columns)):
        found = tables.from_files(paths, str(source), words=True, sheet=sheet)
    return Rows(*found)


def rows_like(source: Any, meta: dict[str, Any]) -> Rows | None:
    """Return a source as rows with the options of an earlier reading (see ``rows_of``).

    Args:
        source: Anything that ``read`` takes.
        meta: The ``SequenceSet.meta`` of the earlier data.
    """
    kind = meta.get("asked") if meta.get("kind") == "text" else meta.get("kind")
    sheet = meta.get("sheet") if form_of(source) == "files" and are_spreadsheets(source) else None
    return rows_of(source, **{**meta, "kind": kind, "sheet": sheet})


def rows_in_memory(source: Any) -> Rows | None:
    """Return a frame as rows; None for arrays and strings."""
    framed = as_frame(source)
    if framed is None:
        return None
    require_polars()
    frame, notes = framed
    if not len(frame):
        raise DataError("the frame has no rows", where="the frame", fix="give a frame that has data")
    return Rows(frame, Origin.frame(len(frame)).noting(*notes))
