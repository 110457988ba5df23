"""The class of each sequence: from a column of a table, or from the names of files."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import polars as pl

from ostinato.data import files, tables
from ostinato.data.read import read, read_like
from ostinato.data.sequences import SequenceSet
from ostinato.errors import ConfigError, DataError


@dataclass(frozen=True)
class Labelled:
    """Sequences with their classes.

    Attributes:
        data: The sequences.
        labels: The class of each sequence, (B,); None if its cell is empty.
    """

    data: SequenceSet
    labels: tuple[str | None, ...]


def read_labelled(source: Any, label: str, **reading: Any) -> Labelled:
    """Read sequences with their classes.

    Args:
        source: Files or a frame, as ``ostinato.read`` takes them.
        label: The column of the class in a table, which has one value for each sequence; of sound and text files a
            regular expression, whose first group in the name of a file (or the whole match) is its class.
        **reading: The options of ``ostinato.read``.

    Raises:
        ConfigError: The expression cannot be read.
        DataError: There is no such column, a sequence has several classes, or a name does not match.
    """
    reading = {name: value for name, value in reading.items() if value is not None}
    frame = _frame(source, reading)
    if frame is None:
        data = read(source, **reading)
        return Labelled(data, _by_name(data, label))
    return _by_column(read(_unlabelled(frame, label), **_of_frame(reading)), frame, label, str(source))


def read_labelled_like(source: Any, label: str | None, meta: dict[str, Any], *, asked: bool) -> Labelled:
    """Read sequences as those of the fit were, with their classes if they are there.

    Args:
        source: Files or a frame.
        label: The column or the expression of the class; None leaves all classes unknown.
        meta: The ``SequenceSet.meta`` of the fit.
        asked: Whether the caller names the label, so that it is an error if it is not there.
    """
    frame = _frame(source, {"id_col": meta.get("id_col")})
    if frame is None:
        data = read_like(source, meta)
        return Labelled(data, (None,) * len(data) if label is None else _by_name(data, label, asked=asked))
    if label is None or (label not in frame.columns and not asked):
        return Labelled(data := read_like(frame, meta), (None,) * len(data))
    return _by_column(read_like(_unlabelled(frame, label), meta), frame, label, str(source))


def _frame(source: Any, reading: dict[str, Any]) -> pl.DataFrame | None:
    """Return the table of a source; None if the source is not a table."""
    if isinstance(source, pl.DataFrame):
        return source
    if not isinstance(source, str | Path):
        return None
    paths = files.find(source)
    if files.family(paths) == "sound" or not (files.family(paths) or tables.looks_like_table(files.contents(paths[0]))):
        return None
    if files.family(paths) == "text" and not tables.looks_like_table(files.contents(paths[0])):
        return None
    words = reading.get("kind") == "text"
    return tables.from_files(paths, str(source), id_col=reading.get("id_col"), words=words)[0]


def _of_frame(reading: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in reading.items() if name not in ("sheet", "decimal", "query", "per_line")}


def _unlabelled(frame: pl.DataFrame, label: str) -> pl.DataFrame:
    if label not in frame.columns:
        raise DataError(f"there is no column {label!r} with the classes", fix=f"use one of {', '.join(frame.columns)}")
    return frame.drop(label)


def _by_column(data: SequenceSet, frame: pl.DataFrame, label: str, where: str) -> Labelled:
    """Return the classes of a column that has one value for each sequence."""
    id_col = data.meta.get("id_col")
    cells = frame[label].cast(pl.String)
    if data.traits.tabular and len(data) == 1 and id_col is None:
        raise DataError(
            "the table is one sequence, and a classifier needs several",
            where=where,
            fix="name the id column with --id-col",
        )
    keys = frame[id_col].cast(pl.String).to_list() if id_col else [str(i + 1) for i in range(len(frame))]
    found: dict[str, set[str]] = {}
    for key, cell in zip(keys, cells.to_list(), strict=True):
        found.setdefault(str(key), set()).update([cell] if cell not in (None, "") else [])
    twice = next((key for key, classes in found.items() if len(classes) > 1), None)
    if twice is not None:
        raise DataError(
            f"the sequence {twice!r} has several classes: {', '.join(sorted(found[twice])[:4])}",
            where=f"{where}, column {label!r}",
            fix="give each sequence one class, or choose another column with --label",
        )
    # what was guessed is said, so that a table which has the classes too is read in the same way
    target = data.meta.get("target") or (list(data.channels) if data.traits.tabular else None)
    data = replace(data, meta={**data.meta, "target": target})
    return Labelled(data, tuple(next(iter(found.get(key, ())), None) for key in data.ids))


def _by_name(data: SequenceSet, label: str, *, asked: bool = True) -> tuple[str | None, ...]:
    """Return the classes in the names of the sequences."""
    try:
        pattern = re.compile(label)
    except re.error as error:
        raise ConfigError(
            f"cannot read the expression {label!r} for the class in the names of files: {error}",
            fix="give one such as '^([^_]+)_', whose group is the class",
        ) from None
    found = [pattern.search(key) for key in data.ids]
    if asked and not any(found):
        raise DataError(
            f"no name matches {label!r}, the expression for the class in the names of files",
            where=data.meta.get("source"),
            fix=f"use an expression that matches names such as {data.ids[0]!r}",
        )
    return tuple(None if m is None else m[1] if pattern.groups else m[0] for m in found)
