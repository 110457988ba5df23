"""read: anything that holds sequences, as a SequenceSet."""

from __future__ import annotations

import glob
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import polars as pl

from ostinato.data import sound, tables, text
from ostinato.data.frames import from_arrays
from ostinato.data.sequences import KINDS, SequenceSet
from ostinato.errors import DataError


def read(
    source: Any,
    *,
    kind: str | None = None,
    id_col: str | None = None,
    time_col: str | None = None,
    target: str | list[str] | None = None,
    channel: int | None = None,
    alphabet: str = "characters",
    per_line: bool | None = None,
) -> SequenceSet:
    """Read sequences from a file, a folder, a pattern, a pandas or polars frame, an array, or a list of arrays.

    kind       series, prices, text or sound; found from the content if left out
    id_col, time_col, target  columns of a table: unique_id, ds and y by default, or what looks like them
    channel    of a sound of several channels, from 0
    alphabet   "characters" or "bytes"; per_line: one text sequence a line, or one in all

    Raises DataError with what is wrong, where, and what to do.
    """
    if kind is not None and kind not in KINDS:
        raise DataError(f"there is no kind of data called {kind!r}", fix=f"one of {', '.join(KINDS)}")
    if alphabet not in ("characters", "bytes"):
        raise DataError(f"there is no alphabet called {alphabet!r}", fix="characters or bytes")
    columns = [target] if isinstance(target, str) else target
    if isinstance(source, SequenceSet):
        return source
    if not isinstance(source, str | Path):
        frame = _frame(source)
        if frame is None:
            return from_arrays(source, kind)
        return tables.from_frame(frame, "the frame", kind=kind, id_col=id_col, time_col=time_col, target=columns)
    paths = _paths(source)
    endings = {_ending(p) for p in paths}
    if kind == "sound" or endings <= set(sound.ENDINGS):
        out = sound.from_files(paths, channel=channel)
    elif kind in ("series", "prices") or (kind is None and _tabular(paths)):
        frames = [tables.parse(tables.contents(p), str(p)) for p in paths]
        if len(frames) > 1:
            frames = [
                f if id_col or "unique_id" in f.columns else _named(f, p) for f, p in zip(frames, paths, strict=True)
            ]
        try:
            frame = pl.concat(frames, how="vertical_relaxed")
        except pl.exceptions.PolarsError as error:
            raise DataError(
                "the tables have different columns", where=str(source), fix="read them one by one"
            ) from error
        out = tables.from_frame(frame, str(source), kind=kind, id_col=id_col, time_col=time_col, target=columns)
    else:
        files = [(p.stem if len(paths) > 1 else p.name, tables.contents(p)) for p in paths]
        for (_, raw), path in zip(files, paths, strict=True):
            if b"\0" in raw[:100_000]:
                raise DataError("the file is binary: no table, text or sound", where=str(path))
        out = text.from_bytes(files, alphabet=alphabet, per_line=per_line)
    return replace(out, meta={**out.meta, "source": str(source), "kind": out.kind})


def read_like(source: Any, meta: dict[str, Any]) -> SequenceSet:
    """Read new data as the data of ``meta`` (SequenceSet.meta) were read."""
    names: tuple[str, ...]
    if not isinstance(source, str | Path):
        names = ("id_col", "time_col", "target") if _frame(source) is not None else ()
    else:
        names = ("id_col", "time_col", "target", "channel", "alphabet", "per_line")
    kind = meta.get("kind") if meta.get("kind") in ("series", "prices") else None
    return read(source, kind=kind, **{k: meta[k] for k in names if meta.get(k) is not None})


def _paths(source: str | Path) -> list[Path]:
    path = Path(source)
    if path.is_dir():
        found = sorted(p for p in path.rglob("*") if p.is_file() and not p.name.startswith("."))
        known = [p for p in found if _ending(p) in (*sound.ENDINGS, *tables.ENDINGS)]
        if not known:
            raise DataError(
                f"the folder holds no data: {len(found)} files, none of a known kind",
                where=str(path),
                fix="put CSV, TSV, Parquet, text, WAV, FLAC or OGG files in it",
            )
        if len({_family(p) for p in known}) > 1:
            raise DataError("the folder holds files of several kinds", where=str(path), fix="name them: 'folder/*.wav'")
        return known
    if path.exists() or not glob.has_magic(str(source)):
        if not path.exists():
            raise DataError("there is no such file", where=str(path), fix="check the path")
        return [path]
    matches = sorted(Path(p) for p in glob.glob(str(source)))  # noqa: PTH207 - the pattern may be absolute
    if not matches:
        raise DataError("no file matches the pattern", where=str(source), fix="check the path")
    return matches


def _ending(path: Path) -> str:
    return Path(path.name.removesuffix(".gz")).suffix.lower()


def _family(path: Path) -> str:
    ending = _ending(path)
    return "sound" if ending in sound.ENDINGS else "text" if ending == ".txt" else "table"


def _tabular(paths: list[Path]) -> bool:
    if all(_family(p) == "table" and _ending(p) in tables.ENDINGS for p in paths):
        return True
    return tables.looks_like_table(tables.contents(paths[0]))


def _named(frame: pl.DataFrame, path: Path) -> pl.DataFrame:
    return frame.with_columns(pl.lit(path.name.split(".")[0]).alias("unique_id"))


def _frame(source: Any) -> pl.DataFrame | None:
    if isinstance(source, pl.DataFrame):
        return source
    if isinstance(source, pl.LazyFrame):
        return source.collect()
    pandas = sys.modules.get("pandas")  # a pandas frame cannot be given without pandas being loaded
    if pandas is not None and isinstance(source, pandas.DataFrame):
        frame: pl.DataFrame = pl.from_pandas(source)
        return frame
    return None
