"""Files on disk: finding them, reading their bytes, and decoding their text."""

from __future__ import annotations

import glob
import gzip
import zlib
from pathlib import Path

from ostinato.errors import DataError

#: The endings of each family of files; a folder holds files of one family.
FAMILIES: dict[str, tuple[str, ...]] = {
    "sound": (".wav", ".flac", ".ogg"),
    "table": (".csv", ".tsv", ".parquet"),
    "text": (".txt",),
}


def ending(path: Path) -> str:
    """Return the ending that shows the content of a file, such as ".csv" for "sales.csv.gz"."""
    return Path(path.name.removesuffix(".gz")).suffix.lower()


def family(paths: list[Path]) -> str | None:
    """Return the family of FAMILIES to which all files belong by their endings; None if there is none."""
    return next((name for name, endings in FAMILIES.items() if all(ending(p) in endings for p in paths)), None)


def find(source: str | Path) -> list[Path]:
    """Find the files of a path, a folder or a pattern.

    Args:
        source: The path of a file or a folder, or a pattern such as ``"data/*.csv"``.

    Returns:
        The files, in the order of their names.

    Raises:
        DataError: There is no such file, or a folder holds files of several kinds.
    """
    path = Path(source)
    if not str(source).strip():
        raise DataError("the path is empty", fix="give a file, a folder or a pattern")
    if path.is_dir():
        return _inside(path)
    if path.exists():
        return [path]
    if not glob.has_magic(str(source)):
        raise DataError("there is no such file", where=str(path), fix="check the path")
    matches = sorted(Path(p) for p in glob.glob(str(source), recursive=True))  # noqa: PTH207 - Path.glob takes no absolute pattern
    files = [p for p in matches if p.is_file()]
    if not files:
        raise DataError(
            "no file matches the pattern",
            where=str(source),
            fix="check the pattern, and put it in quotes: 'folder/*.csv'",
        )
    return files


def _inside(folder: Path) -> list[Path]:
    found = sorted(p for p in folder.rglob("*") if p.is_file() and not p.name.startswith("."))
    known = [p for p in found if family([p]) is not None]
    if not known:
        raise DataError(
            f"the folder holds no data: {len(found)} file{'s' * (len(found) != 1)}, none with a known extension",
            where=str(folder),
            fix="give a folder with CSV, TSV, Parquet, text, WAV, FLAC or OGG files",
        )
    if family(known) is None:
        several = ", ".join(sorted({f"*{ending(p)}" for p in known}))
        raise DataError(
            f"the folder holds files of several kinds: {several}",
            where=str(folder),
            fix=f"choose one kind with a pattern: '{folder}/*{ending(known[0])}'",
        )
    return known


def contents(path: Path) -> bytes:
    """Read the bytes of a file, and unpack gzip.

    Args:
        path: The file.

    Returns:
        The bytes.

    Raises:
        DataError: The file cannot be read, or its gzip data are damaged.
    """
    try:
        raw = path.read_bytes()
    except OSError as error:
        raise DataError(
            f"cannot read the file: {error.strerror or error}",
            where=str(path),
            fix="check that the path is a file and that you may read it",
        ) from error
    if raw[:2] != b"\x1f\x8b":
        return raw
    try:
        return gzip.decompress(raw)
    except (OSError, EOFError, zlib.error) as error:
        raise DataError(
            f"the gzip file is damaged or cut short: {error}", where=str(path), fix="copy or download the file again"
        ) from error


def decode(raw: bytes, where: str) -> str:
    """Decode UTF-8 text, without a byte order mark.

    Args:
        raw: The bytes of a file.
        where: The name of the file, for an error.

    Returns:
        The text.

    Raises:
        DataError: The bytes are not UTF-8. The error names the line and the byte.
    """
    if raw[:2] in (b"\xff\xfe", b"\xfe\xff"):
        raise DataError("the file is UTF-16, expected UTF-8", where=where, fix="save the file as UTF-8")
    if raw[:4] == b"PK\x03\x04":
        raise DataError(
            "the file is a zip archive or a spreadsheet, expected a table or text",
            where=where,
            fix="save the sheet as CSV",
        )
    if raw[8:24] == b'{"__metadata__":':
        raise DataError("the file is a model, not data", where=where, fix="give a data file")
    if b"\0" in raw[:100_000]:
        what = "the file is binary, expected a table or text"
        raise DataError(what, where=where, fix="give a CSV, TSV, Parquet or text file, or WAV, FLAC or OGG for sound")
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        before = raw[: error.start]
        line, byte = before.count(b"\n") + 1, error.start - before.rfind(b"\n")
        raise DataError(
            f"the byte {raw[error.start]:#04x} is not valid UTF-8",
            where=f"{where}, line {line}, byte {byte}",
            fix="save the file as UTF-8",
        ) from error
