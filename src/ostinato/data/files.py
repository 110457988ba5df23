"""Files as they lie on disk: which ones are meant, their bytes, and their text."""

from __future__ import annotations

import glob
import gzip
import zlib
from pathlib import Path

from ostinato.errors import DataError

SOUNDS = (".wav", ".flac", ".ogg")
TABLES = (".csv", ".tsv", ".parquet")
TEXTS = (".txt",)


def ending(path: Path) -> str:
    """The ending that says what a file holds: ".csv" of "sales.csv.gz"."""
    return Path(path.name.removesuffix(".gz")).suffix.lower()


def find(source: str | Path) -> list[Path]:
    """The files that are meant by a path, a folder or a pattern, in order of their names.

    Raises DataError where there is none, or where a folder holds several kinds of them.
    """
    path = Path(source)
    if not str(source).strip():
        raise DataError("the path is empty", fix="name a file, a folder or a pattern")
    if path.is_dir():
        return _inside(path)
    if path.exists():
        return [path]
    if not glob.has_magic(str(source)):
        raise DataError("there is no such file", where=str(path), fix="check the path")
    matches = sorted(Path(p) for p in glob.glob(str(source), recursive=True))  # noqa: PTH207 - it may be absolute
    files = [p for p in matches if p.is_file()]
    if not files:
        raise DataError("no file matches the pattern", where=str(source), fix="check it, and quote it: 'folder/*.csv'")
    return files


def _inside(folder: Path) -> list[Path]:
    found = sorted(p for p in folder.rglob("*") if p.is_file() and not p.name.startswith("."))
    known = [p for p in found if ending(p) in (*SOUNDS, *TABLES, *TEXTS)]
    if not known:
        raise DataError(
            f"the folder holds no data: {len(found)} files, none of a known kind",
            where=str(folder),
            fix="put CSV, TSV, Parquet, text, WAV, FLAC or OGG files in it",
        )
    families = {next(f for f in (SOUNDS, TABLES, TEXTS) if ending(p) in f) for p in known}
    if len(families) > 1:
        several = ", ".join(sorted({f"*{ending(p)}" for p in known}))
        raise DataError(
            f"the folder holds files of several kinds: {several}",
            where=str(folder),
            fix=f"name one kind: '{folder}/*{ending(known[0])}'",
        )
    return known


def contents(path: Path) -> bytes:
    """The bytes of a file, unpacked where they are gzip'd. Raises DataError where it cannot be read."""
    try:
        raw = path.read_bytes()
    except OSError as error:
        raise DataError(
            f"the file cannot be read: {error.strerror or error}", where=str(path), fix="check it, and its permissions"
        ) from error
    if raw[:2] != b"\x1f\x8b":
        return raw
    try:
        return gzip.decompress(raw)
    except (OSError, EOFError, zlib.error) as error:
        raise DataError(
            f"the gzip file is damaged or cut short: {error}", where=str(path), fix="copy or download it again"
        ) from error


def decode(raw: bytes, where: str) -> str:
    """UTF-8 text, without a byte order mark. Raises DataError with line and byte for anything else."""
    if raw[:2] in (b"\xff\xfe", b"\xfe\xff"):
        raise DataError("the file is UTF-16", where=where, fix="save it as UTF-8")
    if raw[:4] == b"PK\x03\x04":
        raise DataError("the file is a zip archive or a spreadsheet", where=where, fix="save the sheet as CSV")
    if raw[8:24] == b'{"__metadata__":':
        raise DataError("the file is a model, not data", where=where, fix="give the data it should be asked about")
    if b"\0" in raw[:100_000]:
        raise DataError("the file is binary: no table, text or sound", where=where, fix="give CSV, TSV, Parquet, text")
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        before = raw[: error.start]
        line, byte = before.count(b"\n") + 1, error.start - before.rfind(b"\n")
        raise DataError(
            f"not UTF-8: byte {raw[error.start]:#04x}",
            where=f"{where}, line {line}, byte {byte}",
            fix="save the file as UTF-8",
        ) from error
