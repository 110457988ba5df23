"""read: anything that holds sequences, as a SequenceSet."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from ostinato.data import files, sound, tables, text
from ostinato.data.arrays import as_frame, as_texts, from_arrays
from ostinato.data.covariates import Columns
from ostinato.data.frames import from_frame
from ostinato.data.origin import Origin
from ostinato.data.sequences import SequenceSet
from ostinato.errors import DataError
from ostinato.kinds import KINDS
from ostinato.renamed import renamed


@renamed(known="future_covariates", past="past_covariates", static="static_covariates")
def read(
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

    kind       series, prices, text or sound; found from the content if left out
    id_col, time_col, target  columns of a table: unique_id, ds and y by default, or what looks like them;
               target_col is Nixtla's name of target
    channel    of a sound of several channels, from 0
    alphabet   "characters" or "bytes"; per_line: one text sequence a line, or one in all

    known, past, static  columns of covariates: known of the steps ahead too, as holidays are; known up to the present;
               one word for a whole series

    A target of words, or kind="text" with a target, is text: a sequence a row of the table. kind="text" also takes a
    list or a mapping of strings.

    Raises DataError with what is wrong, where, and what to do.
    """
    if kind is not None and kind not in KINDS:
        raise DataError(f"there is no kind of data called {kind!r}", fix=f"one of {', '.join(KINDS)}")
    if alphabet not in ("characters", "bytes"):
        raise DataError(f"there is no alphabet called {alphabet!r}", fix="characters or bytes")
    target = target_col or target
    columns = [target] if isinstance(target, str) else target or None
    beside = Columns(tuple(future_covariates), tuple(past_covariates), tuple(static_covariates))
    if isinstance(source, SequenceSet):
        return source
    if isinstance(source, str | Path):
        out = _from_files(source, kind, id_col, time_col, columns, channel, alphabet, per_line, beside)
        return replace(_with(out, beside), meta={**out.meta, "source": str(source), "kind": out.kind, "asked": kind})
    strings = as_texts(source) if kind == "text" else None
    if strings is not None:
        out = text.from_strings(strings, "the strings", alphabet=alphabet, terminated=True)
    elif (frame := as_frame(source)) is not None:
        origin = Origin.frame(len(frame))
        if kind == "text" or (kind is None and tables.is_words(frame, columns)):
            out = text.from_column(frame, origin, id_col=id_col, target=columns, alphabet=alphabet)
        else:
            out = from_frame(frame, origin, kind=kind, id_col=id_col, time_col=time_col, target=columns, beside=beside)
    else:
        out = from_arrays(source, kind)
    return replace(_with(out, beside), meta={**out.meta, "kind": out.kind, "asked": kind})


def _with(data: SequenceSet, beside: Columns) -> SequenceSet:
    """data, which has the covariates where any were asked for. Raises DataError where it could not."""
    if beside.all and data.covariates is None:
        raise DataError(
            f"{data.kind} has no columns beside it, such as {beside.all[0]!r}", fix="covariates are columns of a table"
        )
    return data


def _from_files(
    source: str | Path,
    kind: str | None,
    id_col: str | None,
    time_col: str | None,
    target: list[str] | None,
    channel: int | None,
    alphabet: str,
    per_line: bool | None,
    beside: Columns,
) -> SequenceSet:
    paths, name = files.find(source), str(source)
    sounds = _all(paths, files.SOUNDS)
    if kind == "sound" or (kind is None and sounds):
        return sound.from_files(paths, channel=channel)
    if sounds:
        raise DataError(f"a sound file is no {kind}", where=name, fix="leave out --kind, or use --kind sound")
    tabular = kind in ("series", "prices") or (target is not None if kind == "text" else _tabular(paths))
    if not tabular:
        named = [(p.stem if len(paths) > 1 else p.name, files.contents(p)) for p in paths]
        return text.from_files(named, name, alphabet=alphabet, per_line=per_line)
    frame, origin = tables.from_files(paths, name, id_col=id_col)
    if kind == "text" or (kind is None and tables.is_words(frame, target)):
        # once more, for every cell as it is written: "nan" may be a word
        frame, origin = tables.from_files(paths, name, words=True)
        return text.from_column(frame, origin, id_col=id_col, target=target, alphabet=alphabet)
    return from_frame(frame, origin, kind=kind, id_col=id_col, time_col=time_col, target=target, beside=beside)


def read_like(source: Any, meta: dict[str, Any]) -> SequenceSet:
    """Read new data as the data of ``meta`` (SequenceSet.meta) were read."""
    names = ("id_col", "time_col", "target", "channel", "alphabet", "per_line", "known", "past", "static")
    kind = meta.get("asked")
    numbers = meta.get("kind") in ("series", "prices")
    if numbers and isinstance(source, str | Path) and not _tabular(files.find(source)):
        return read(source)  # it is of another kind, which the caller can tell
    if numbers:
        kind = meta["kind"]  # numbers cannot say that they are prices
    return read(source, kind=kind, **{k: meta[k] for k in names if meta.get(k) is not None})


def _all(paths: list[Path], endings: tuple[str, ...]) -> bool:
    return all(files.ending(p) in endings for p in paths)


def _tabular(paths: list[Path]) -> bool:
    return _all(paths, files.TABLES) or tables.looks_like_table(files.contents(paths[0]))
