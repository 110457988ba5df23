"""The class of each sequence: from a column of a table, or from the names of files."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import Any

import polars as pl

from ostinato.choices import advice
from ostinato.data.ids import as_words
from ostinato.data.read import read, read_like
from ostinato.data.sequences import SequenceSet
from ostinato.data.source_rows import Rows, rows_like, rows_of
from ostinato.errors import ConfigError, DataError
from ostinato.wording import option

#: Where ``SequenceSet.meta`` keeps that the classes are a column of the table.
BY_COLUMN = "by_column"


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
    rows = rows_of(source, **reading)
    if rows is None:
        data = read(source, **reading)
        return Labelled(data, _by_name(data, label))
    # each row is one text, so the option of a sequence for each line has no meaning
    reading.pop("per_line", None)
    return _by_column(read(_unlabelled(rows, label), **reading), rows, label)


def read_labelled_like(source: Any, label: str | None, meta: dict[str, Any], *, asked: bool) -> Labelled:
    """Read sequences as those of the fit were, with their classes if they are there.

    Args:
        source: Files or a frame.
        label: The column or the expression of the class; None leaves all classes unknown.
        meta: The ``SequenceSet.meta`` of the fit.
        asked: Whether the caller names the label, so that it is an error if it is not there.
    """
    rows = rows_like(source, meta)
    if rows is None:
        data = read_like(source, meta)
        # a label that named a column at the fit is not an expression for the names of files, or for ids
        unknown = label is None or (meta.get(BY_COLUMN, False) and not asked)
        return Labelled(data, (None,) * len(data) if unknown else _by_name(data, str(label), asked=asked))
    if label is None or (label not in rows.frame.columns and not asked):
        return Labelled(data := read_like(rows, meta), (None,) * len(data))
    return _by_column(read_like(_unlabelled(rows, label), meta), rows, label)


def _unlabelled(rows: Rows, label: str) -> Rows:
    columns = rows.frame.columns
    if label not in columns:
        raise DataError(
            f"there is no column {label!r} with the classes",
            where=str(rows),
            fix=advice(label, columns),
        )
    return rows._replace(frame=rows.frame.drop(label))


def _by_column(data: SequenceSet, rows: Rows, label: str) -> Labelled:
    """Return the classes of a column that has one value for each sequence."""
    frame, origin = rows
    id_col = data.meta.get("id_col")
    if data.traits.tabular and len(data) == 1 and id_col is None:
        raise DataError(
            "the table is one sequence, and a classifier needs several",
            where=origin.name,
            fix=f"name the id column with {option('--id-col')}",
        )
    cells = as_words(frame[label], origin, empty="").to_list()
    keys = [str(i + 1) for i in range(len(frame))]
    if id_col:
        ids = frame[id_col]
        keys = (as_words(ids, origin) if data.traits.tabular else ids.cast(pl.String).fill_null("")).to_list()
    found: dict[str, set[str]] = {}
    for key, cell in zip(keys, cells, strict=True):
        found.setdefault(key, set()).update([cell] if cell else [])
    twice = next((key for key, classes in found.items() if len(classes) > 1), None)
    if twice is not None:
        raise DataError(
            f"the sequence {twice!r} has several classes: {', '.join(sorted(found[twice])[:4])}",
            where=f"{origin.name}, column {label!r}",
            fix=f"give each sequence one class, or choose another column with {option('--label')}",
        )
    # the guessed columns are recorded, so that later tables are read in the same way, with classes or without
    target = data.meta.get("target") or (list(data.channels) if data.traits.tabular else None)
    data = replace(data, meta={**data.meta, "target": target, BY_COLUMN: True})
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
