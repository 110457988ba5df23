"""The public reader: anything that holds sequences becomes a SequenceSet."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from ostinato.data import files, sound, tables, text
from ostinato.data.arrays import as_frame, as_texts, from_arrays
from ostinato.data.covariates import Columns
from ostinato.data.frames import from_frame
from ostinato.data.origin import Origin
from ostinato.data.sequences import SequenceSet
from ostinato.errors import DataError
from ostinato.kinds import KINDS, TABULAR
from ostinato.renamed import renamed

#: The column of ids that several files without ids are given: the names of the files.
FILE_IDS = "unique_id"


@dataclass(frozen=True)
class _ReadOptions:
    """The options of ``read``, with the target as a list of columns and the covariates in one value."""

    kind: str | None
    id_col: str | None
    time_col: str | None
    target: list[str] | None
    channel: int | None
    alphabet: str
    per_line: bool | None
    covariates: Columns


@renamed(known="future_covariates", past="past_covariates", static="static_covariates")
def read(  # noqa: PLR0913 - the options of the public reader, all by name
    source: Any,
    *,
    kind: str | None = None,
    id_col: str | None = None,
    time_col: str | None = None,
    target: str | list[str] | None = None,
    target_col: str | None = None,
    channel: int | None = None,
    alphabet: str = "characters",
    per_line: bool | None = None,
    future_covariates: Sequence[str] = (),
    past_covariates: Sequence[str] = (),
    static_covariates: Sequence[str] = (),
) -> SequenceSet:
    """Read sequences from a file, a folder, a pattern, a pandas or polars frame, an array, or a list of arrays.

    A target column of words is read as text, one sequence for each row of the table. With ``kind="text"`` the source
    may also be a list or a mapping of strings.

    Args:
        source: A path, a folder, a pattern such as ``"data/*.csv"``, a frame, an array (T,) or (T, D), a list or a
            mapping of arrays, or a SequenceSet, which is returned as it is.
        kind: "series", "prices", "text" or "sound"; found from the content if left out.
        id_col: The column of a table that names the series; "unique_id" or a similar name if left out.
        time_col: The column of a table that holds the times; "ds" or a similar name if left out.
        target: The column or columns of a table to model; "y" or a similar name if left out.
        target_col: Nixtla's name for ``target``.
        channel: The channel to read from a sound file with several channels, counted from 0.
        alphabet: The symbols of text: "characters" or "bytes".
        per_line: Whether each line of a text file is one sequence; found from the content if left out.
        future_covariates: The columns with future covariates, which are also known for the steps ahead, as
            holidays are.
        past_covariates: The columns with past covariates, which are known only up to the present.
        static_covariates: The columns with static covariates: one word for a whole series.

    Returns:
        The sequences, with notes on what was found from the content.

    Raises:
        DataError: The source cannot be read. The error says what is wrong, where, and what to do.
    """
    if kind is not None and kind not in KINDS:
        raise DataError(f"unknown kind {kind!r}", fix=f"use one of {', '.join(KINDS)}")
    if alphabet not in ("characters", "bytes"):
        raise DataError(f"unknown alphabet {alphabet!r}", fix="use characters or bytes")
    if isinstance(source, SequenceSet):
        return source
    target = target_col or target
    columns = [target] if isinstance(target, str) else target or None
    covariates = Columns(tuple(future_covariates), tuple(past_covariates), tuple(static_covariates))
    options = _ReadOptions(kind, id_col, time_col, columns, channel, alphabet, per_line, covariates)
    meta: dict[str, Any] = {}
    if isinstance(source, str | Path):
        data, meta = _from_files(source, options), {"source": str(source)}
    else:
        data = _from_memory(source, options)
    if covariates.all and data.covariates is None:
        raise DataError(
            f"the source has no covariate column {covariates.all[0]!r}: it is not a table with a row for each step",
            fix="give a table that holds the covariates as columns, or leave them out",
        )
    return replace(data, meta={**data.meta, **meta, "kind": data.kind, "asked": kind})


def read_like(source: Any, meta: dict[str, Any]) -> SequenceSet:
    """Read new data with the options of an earlier reading.

    Args:
        source: Anything that ``read`` takes.
        meta: The ``SequenceSet.meta`` of the earlier data.

    Returns:
        The new data, perhaps of another kind if the source cannot be a table; the caller checks the kind.

    Raises:
        DataError: The source cannot be read.
    """
    names = ("id_col", "time_col", "target", "channel", "alphabet", "per_line", "known", "past", "static")
    kind = meta.get("asked")
    if meta.get("kind") in TABULAR:
        if isinstance(source, str | Path) and not _tabular(files.find(source)):
            return read(source)
        kind = meta["kind"]  # numbers do not show whether they are prices
    options = {k: meta[k] for k in names if meta.get(k) is not None}
    if isinstance(source, str | Path) and options.get("id_col") == FILE_IDS:
        # either a column of this name, which is found again, or the names of the files, which are in no column
        del options["id_col"]
        return _named_by_file(read(source, kind=kind, **options))
    return read(source, kind=kind, **options)


def _named_by_file(data: SequenceSet) -> SequenceSet:
    """Return data from one file without ids with the name of the file as the id, as it has among several files."""
    paths = files.find(data.meta["source"])
    if len(paths) > 1 or len(data) != 1 or data.meta.get("id_col") is not None:
        return data
    return replace(data, ids=(paths[0].name.split(".")[0],))


def _from_memory(source: Any, options: _ReadOptions) -> SequenceSet:
    """Read a frame, arrays or strings."""
    as_text = options.kind == "text"
    if as_text and (strings := as_texts(source)) is not None:
        return text.from_strings(strings, "the strings", alphabet=options.alphabet, terminated=True)
    frame = as_frame(source)
    if frame is None:
        return from_arrays(source, options.kind)
    origin = Origin.frame(len(frame))
    if as_text or (options.kind is None and tables.is_words(frame, options.target)):
        return text.from_column(frame, origin, id_col=options.id_col, target=options.target, alphabet=options.alphabet)
    return _from_numbers(frame, origin, options)


def _from_files(source: str | Path, options: _ReadOptions) -> SequenceSet:
    """Read files by the reader of the given kind, or by the one that fits their content."""
    paths = files.find(source)
    own = _OWN_READERS.get(files.family(paths) or "")
    if own is not None:
        reader = own
    elif options.kind is not None:
        reader = _FILE_READERS[options.kind]
    else:
        reader = _read_table if _tabular(paths) else _read_text
    return reader(paths, str(source), options)


def _read_sound(paths: list[Path], name: str, options: _ReadOptions) -> SequenceSet:
    if options.kind not in (None, "sound"):
        raise DataError(
            f"a sound file cannot be read as {options.kind}", where=name, fix="leave out --kind, or use --kind sound"
        )
    return sound.from_files(paths, channel=options.channel)


def _read_text(paths: list[Path], name: str, options: _ReadOptions) -> SequenceSet:
    named = [(p.stem if len(paths) > 1 else p.name, files.contents(p)) for p in paths]
    return text.from_files(named, name, alphabet=options.alphabet, per_line=options.per_line)


def _read_text_or_column(paths: list[Path], name: str, options: _ReadOptions) -> SequenceSet:
    reader = _read_text if options.target is None else _read_column
    return reader(paths, name, options)


def _read_column(paths: list[Path], name: str, options: _ReadOptions) -> SequenceSet:
    # every cell is read as it is written: "nan" may be a word
    frame, origin = tables.from_files(paths, name, words=True)
    return text.from_column(frame, origin, id_col=options.id_col, target=options.target, alphabet=options.alphabet)


def _read_table(paths: list[Path], name: str, options: _ReadOptions) -> SequenceSet:
    frame, origin = tables.from_files(paths, name, id_col=options.id_col)
    if options.kind is None and tables.is_words(frame, options.target):
        return _read_column(paths, name, options)
    return _from_numbers(frame, origin, options)


#: The readers of the families of files that are read in one way, whatever kind is asked for.
_OWN_READERS: dict[str, Callable[[list[Path], str, _ReadOptions], SequenceSet]] = {"sound": _read_sound}

#: The readers of all other files, by the kind that is asked for.
_FILE_READERS: dict[str, Callable[[list[Path], str, _ReadOptions], SequenceSet]] = {
    "series": _read_table,
    "prices": _read_table,
    "text": _read_text_or_column,
    "sound": _read_sound,
}


def _from_numbers(frame: Any, origin: Origin, options: _ReadOptions) -> SequenceSet:
    return from_frame(
        frame,
        origin,
        kind=options.kind,
        id_col=options.id_col,
        time_col=options.time_col,
        target=options.target,
        covariates=options.covariates,
    )


def _tabular(paths: list[Path]) -> bool:
    return files.family(paths) == "table" or tables.looks_like_table(files.contents(paths[0]))
