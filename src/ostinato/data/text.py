"""Text as sequences of symbols: one sequence for each file, line, or cell of a column."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import polars as pl

from ostinato.data import corpus
from ostinato.data.columns import check_names, holds_numbers
from ostinato.data.lines import decode, decoded, lines_of, plain
from ostinato.data.origin import Origin
from ostinato.data.sequences import SequenceSet, opening_of
from ostinato.data.spelling import Points, spelling_of
from ostinato.errors import DataError
from ostinato.wording import option


def from_files(
    files: list[tuple[str, bytes]], where: str, *, alphabet: str = "characters", per_line: bool | None = None
) -> SequenceSet:
    """Read text files.

    Args:
        files: The name and the bytes of each file.
        where: The name of the whole source, for an error.
        alphabet: The symbols: "characters" or "bytes".
        per_line: Whether each line is one sequence. If None, it is if there are many short lines, mostly of one word.

    Returns:
        The sequences.

    Raises:
        DataError: A file is not UTF-8, or there is no text.
    """
    texts = [(name, decode(raw, name)) for name, raw in files]
    lines = [line for _, text in texts for line in lines_of(text)]
    notes: tuple[str, ...] = ()
    if per_line is None:
        per_line = _mostly_words(lines)
        if per_line:
            way = option("--whole")
            notes = (f"each of {len(lines):,} short lines is read as one sequence (use {way} to read one text)",)
    pieces = texts
    if per_line:
        pieces = [(str(i + 1), line) for i, line in enumerate(lines)]
    return from_strings(pieces, where, alphabet=alphabet, terminated=per_line, notes=notes)


def from_large_files(
    paths: list[Path], names: list[str], *, alphabet: str = "characters", per_line: bool | None = None
) -> SequenceSet | None:
    """Read text files that may be larger than memory: their points are kept in the cache, and mapped.

    Args:
        paths: The files, not packed.
        names: The id of each.
        alphabet: The symbols: "characters" or "bytes".
        per_line: Whether each line is one sequence. If None, the first megabytes of the first file decide.

    Returns:
        The sequences, or None if each line is one: then they are read as ``from_files`` does.

    Raises:
        DataError: A file is not UTF-8.
        WriteError: The cache cannot be written.
    """
    if per_line is None:
        first = decoded(corpus.raw_blocks(paths[0]), names[0])
        per_line = _mostly_words(lines_of(next(first, ""))[:-1])
    if per_line:
        return None
    spelling = spelling_of({"alphabet": alphabet})

    def texts() -> Iterator[Iterator[Points]]:
        for path, name in zip(paths, names, strict=True):
            yield (spelling.points(text) for text in decoded(corpus.raw_blocks(path), name))

    def most() -> int:
        return 0xFF if alphabet == "bytes" else max(map(_most_point, paths))

    source = corpus.Source.of_files(paths, spelling.to_json(), opening_of("text", names))
    values, lengths, kept = corpus.kept(source, texts, most)
    return SequenceSet(
        "text",
        values,
        np.cumsum([0, *lengths], dtype=np.int64),
        tuple(names),
        meta={"alphabet": alphabet, "per_line": False},
        notes=(f"the text is large, so its symbols are kept in {kept} and mapped from there ({_size(kept)})",),
    )


def _most_point(path: Path) -> int:
    """Return a bound of the code points in a file of UTF-8, by the greatest byte."""
    most = max((int(np.frombuffer(block, dtype=np.uint8).max()) for block in corpus.raw_blocks(path)), default=0)
    return 0x7F if most < 0x80 else 0xFF if most <= 0xC3 else 0xFFFF if most < 0xF0 else 0x10FFFF


def _size(path: Path) -> str:
    return f"{path.stat().st_size / 1e6:,.0f} MB"


def _mostly_words(lines: list[str]) -> bool:
    """Return whether there are many short lines, mostly of one word."""
    short = sum(0 < len(line) <= 40 for line in lines)
    words = sum(line.count(" ") for line in lines)
    return len(lines) >= 20 and short > 0.95 * len(lines) and words < 0.5 * len(lines)


def from_column(
    frame: pl.DataFrame, origin: Origin, *, id_col: str | None, target: list[str] | None, alphabet: str = "characters"
) -> SequenceSet:
    """Read a column of a table as text, one sequence for each row; an empty cell is an empty sequence.

    Args:
        frame: The table.
        origin: The origin of its rows, for an error.
        id_col: The column of ids; without it the rows are numbered from 1.
        target: The column of text; the only column of words if None.
        alphabet: The symbols: "characters" or "bytes".

    Returns:
        The sequences, in the order of the rows.

    Raises:
        DataError: The text column is ambiguous, a column does not exist, or an id occurs twice.
    """
    check_names(frame, origin.name, (id_col, *(target or ())))
    if target is None:
        words = [c for c in frame.columns if c != id_col and not holds_numbers(frame[c])]
        target = words if len(words) == 1 else []
    if len(target) != 1:
        given = f"got {', '.join(target)}" if target else "found none, or several"
        columns = ", ".join(frame.columns)
        raise DataError(
            f"text is read from one column of a table, {given}",
            where=origin.name,
            fix=f"choose one of the columns {columns} with {option('--target')}",
        )
    cells = frame[target[0]].cast(pl.String).fill_null("").to_list()
    names = list(map(str, range(1, len(cells) + 1)))
    if id_col is not None:
        names = frame[id_col].cast(pl.String).fill_null("").to_list()
    if len(set(names)) < len(names):
        twice = next(name for name in names if names.count(name) > 1)
        raise DataError(
            f"the id {twice!r} occurs twice in column {id_col!r}",
            where=origin.name,
            fix=f"give each row its own id, or leave out {option('--id-col')}",
        )
    out = from_strings(list(zip(names, cells, strict=True)), origin.name, alphabet=alphabet, terminated=True)
    out.meta.update({"target": target, "id_col": id_col})
    return out


def from_strings(
    pieces: list[tuple[str, str]], where: str, *, alphabet: str, terminated: bool, notes: tuple[str, ...] = ()
) -> SequenceSet:
    """Return texts as sequences of code points or bytes.

    Args:
        pieces: The id and the text of each sequence.
        where: The name of the source, for an error.
        alphabet: The symbols: "characters" or "bytes".
        terminated: Whether the end of a sequence is an event.
        notes: The notes of the reader.

    Returns:
        The sequences.

    Raises:
        DataError: All texts are empty, or a text has half a character.
    """
    spelling = spelling_of({"alphabet": alphabet})
    rows = [spelling.points(plain(text, f"{where}, {name!r}")) for name, text in pieces]
    if not sum(map(len, rows)):
        raise DataError("there is no text: every sequence is empty", where=where, fix="give a source that has text")
    return SequenceSet(
        "text",
        np.concatenate(rows).reshape(-1, 1),
        np.cumsum([0, *map(len, rows)], dtype=np.int64),
        tuple(name for name, _ in pieces),
        terminated=terminated,
        meta={"alphabet": alphabet, "per_line": terminated},
        notes=notes,
    )
