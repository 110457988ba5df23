"""The readers of each form of source: a database, files, arrays and frames, or rows that were read before."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from ostinato.data import corpus, database, files, sound, tables, text
from ostinato.data.arrays import as_texts, from_arrays
from ostinato.data.frames import from_frame
from ostinato.data.origin import Origin
from ostinato.data.read_options import ReadOptions, no_use
from ostinato.data.sequences import SequenceSet
from ostinato.data.source_rows import is_tabular, rows_in_memory
from ostinato.data.unread_tables import refuse_unread_table
from ostinato.errors import DataError
from ostinato.wording import option


def _from_database(source: Any, options: ReadOptions) -> SequenceSet:
    """Read the rows of a query."""
    return _from_rows(*database.from_query(source, options.query), options)


def _from_rows(frame: Any, origin: Origin, options: ReadOptions) -> SequenceSet:
    """Read a frame, as text if that is asked for or if its target is one column of words."""
    if options.kind == "text" or (options.kind is None and tables.is_words(frame, options.table.target)):
        return _text_column(frame, origin, options)
    return from_frame(frame, origin, options.table, kind=options.kind)


def _text_column(frame: Any, origin: Origin, options: ReadOptions) -> SequenceSet:
    """Read a column of a table as text."""
    table = options.table
    return text.from_column(frame, origin, id_col=table.id_col, target=table.target, alphabet=options.alphabet)


def _from_memory(source: Any, options: ReadOptions) -> SequenceSet:
    """Read a frame, arrays or strings."""
    as_text = options.kind == "text"
    if as_text and (strings := as_texts(source)) is not None:
        return text.from_strings(strings, "the strings", alphabet=options.alphabet, terminated=True)
    rows = rows_in_memory(source)
    return from_arrays(source, options.kind) if rows is None else _from_rows(*rows, options)


def _from_files(source: str | Path, options: ReadOptions) -> SequenceSet:
    """Read files by the reader of the given kind, or by the one that fits their content."""
    paths = files.find(source)
    own = _OWN_READERS.get(files.family(paths) or "")
    if own is not None:
        reader = own
    elif options.kind is not None:
        reader = _FILE_READERS[options.kind]
    else:
        reader = _read_table if is_tabular(paths) else _read_text
        if reader is _read_text and not options.per_line:
            refuse_unread_table(paths[0])
    if reader is not _read_sound and (options.channel is not None or options.mix):
        raise no_use("channel" if options.channel is not None else "mix", options)
    data = reader(paths, str(source), options)
    if archives := [note for path in paths if (note := files.note_on_archive(path))]:
        data = replace(data, notes=(*archives, *data.notes))
    if reader is not _read_sound and (said := [note for path in paths if (note := files.note_on_encoding(path))]):
        others = f", and {len(said) - 1:,} more such files" if len(said) > 1 else ""
        return replace(data, notes=(said[0] + others, *data.notes))
    return data


def _read_sound(paths: list[Path], name: str, options: ReadOptions) -> SequenceSet:
    if options.kind not in (None, "sound"):
        raise DataError(
            f"a sound file cannot be read as {options.kind}",
            where=name,
            fix=f"leave out {option('--kind')}, or use {option('--kind', 'sound')}",
        )
    return sound.from_files(paths, channel=options.channel, mix=options.mix)


def _read_text(paths: list[Path], name: str, options: ReadOptions) -> SequenceSet:
    names = files.names_of(paths) if len(paths) > 1 else [paths[0].name]
    if files.size_of(paths) > corpus.LARGE and not any(files.is_packed(p) or files.is_utf16(p) for p in paths):
        large = text.from_large_files(paths, names, alphabet=options.alphabet, per_line=options.per_line)
        if large is not None:
            return large
    named = [(name, files.as_utf8(files.contents(p))) for name, p in zip(names, paths, strict=True)]
    return text.from_files(named, name, alphabet=options.alphabet, per_line=options.per_line)


def _read_text_or_column(paths: list[Path], name: str, options: ReadOptions) -> SequenceSet:
    reader = _read_text if options.table.target is None else _read_column
    return reader(paths, name, options)


def _read_column(paths: list[Path], name: str, options: ReadOptions) -> SequenceSet:
    # every cell is read as it is written: "nan" may be a word
    frame, origin = tables.from_files(paths, name, words=True, sheet=options.sheet)
    return _text_column(frame, origin, options)


def _read_table(paths: list[Path], name: str, options: ReadOptions) -> SequenceSet:
    frame, origin = tables.from_files(
        paths, name, id_col=options.table.id_col, decimal=options.table.decimal, sheet=options.sheet
    )
    if options.kind is None and tables.is_words(frame, options.table.target):
        return _read_column(paths, name, options)
    return from_frame(frame, origin, options.table, kind=options.kind)


#: The readers of each form of source.
READERS: dict[str, Callable[[Any, ReadOptions], SequenceSet]] = {
    "memory": _from_memory,
    "database": _from_database,
    "files": _from_files,
    "sound": _from_files,
    "rows": lambda source, options: _from_rows(source.frame, source.origin, options),
}

#: The readers of the families of files that are read in one way, whatever kind is asked for.
_OWN_READERS: dict[str, Callable[[list[Path], str, ReadOptions], SequenceSet]] = {"sound": _read_sound}

#: The readers of all other files, by the kind that is asked for.
_FILE_READERS: dict[str, Callable[[list[Path], str, ReadOptions], SequenceSet]] = {
    "series": _read_table,
    "prices": _read_table,
    "text": _read_text_or_column,
    "sound": _read_sound,
}
