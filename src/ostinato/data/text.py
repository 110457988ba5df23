"""Text: one sequence in all, one a line, or one a cell of a table's column."""

from __future__ import annotations

import numpy as np
import polars as pl

from ostinato.data.columns import check_names, holds_numbers
from ostinato.data.files import decode
from ostinato.data.origin import Origin
from ostinato.data.sequences import SequenceSet
from ostinato.errors import DataError


def from_files(
    files: list[tuple[str, bytes]], where: str, *, alphabet: str = "characters", per_line: bool | None = None
) -> SequenceSet:
    """(name, bytes) of text files -> a SequenceSet; short lines, mostly of a word, are taken as a sequence a line.

    Raises DataError for what is not UTF-8, with file, line and byte, and where there is no text at all.
    """
    texts = [(name, decode(raw, name).replace("\r\n", "\n")) for name, raw in files]
    notes: tuple[str, ...] = ()
    if per_line is None:
        lines = [line for _, text in texts for line in text.splitlines()]
        short = sum(0 < len(line) <= 40 for line in lines)
        words = sum(line.count(" ") for line in lines)
        per_line = len(lines) >= 20 and short > 0.95 * len(lines) and words < 0.5 * len(lines)
        if per_line:
            notes = (f"one sequence a line: {len(lines):,} short lines (--whole for one text)",)
    pieces = texts
    if per_line:
        lines = [line for _, text in texts for line in text.removesuffix("\n").split("\n")]
        pieces = [(str(i + 1), line) for i, line in enumerate(lines)]
    return from_strings(pieces, where, alphabet=alphabet, terminated=per_line, notes=notes)


def from_column(
    frame: pl.DataFrame, origin: Origin, *, id_col: str | None, target: list[str] | None, alphabet: str = "characters"
) -> SequenceSet:
    """One column of words of a table, a sequence a row, in the order of the rows; an empty cell is an empty sequence.

    Raises DataError where it is not clear which column is meant.
    """
    check_names(frame, origin.name, (id_col, *(target or ())))
    if target is None:
        words = [c for c in frame.columns if c != id_col and not holds_numbers(frame[c])]
        target = words if len(words) == 1 else []
    if len(target) != 1:
        columns = ", ".join(frame.columns)
        raise DataError("text is one column of a table", where=origin.name, fix=f"choose one with --target: {columns}")
    cells = frame[target[0]].cast(pl.String).fill_null("").to_list()
    names = list(map(str, range(1, len(cells) + 1)))
    if id_col is not None:
        names = frame[id_col].cast(pl.String).fill_null("").to_list()
    if len(set(names)) < len(names):
        raise DataError(f"an id in column {id_col!r} comes twice", where=origin.name, fix="leave out the --id-col")
    out = from_strings(list(zip(names, cells, strict=True)), origin.name, alphabet=alphabet, terminated=True)
    out.meta.update({"target": target, "id_col": id_col})
    return out


def from_strings(
    pieces: list[tuple[str, str]], where: str, *, alphabet: str, terminated: bool, notes: tuple[str, ...] = ()
) -> SequenceSet:
    """(id, text) of each sequence -> a SequenceSet of code points or bytes. Raises DataError where all are empty."""
    rows = [_symbols(text, alphabet) for _, text in pieces]
    if not sum(map(len, rows)):
        raise DataError("there is no text: the file is empty", where=where, fix="give a file with text in it")
    return SequenceSet(
        "text",
        np.concatenate(rows).reshape(-1, 1),
        np.cumsum([0, *map(len, rows)], dtype=np.int64),
        tuple(name for name, _ in pieces),
        terminated=terminated,
        meta={"alphabet": alphabet, "per_line": terminated},
        notes=notes,
    )


def _symbols(text: str, alphabet: str) -> np.ndarray:
    if alphabet == "bytes":
        return np.frombuffer(text.encode(), dtype=np.uint8).astype(np.int32)
    return np.frombuffer(text.encode("utf-32-le"), dtype=np.int32)
