"""Files on disk: their formats, their names, finding them, and reading their bytes."""

from __future__ import annotations

import errno
import glob
import os
from os.path import commonpath
from pathlib import Path

from ostinato.choices import nearest_file
from ostinato.data.datev import MARKS
from ostinato.data.packed import member_read, packed_as, unpacked
from ostinato.errors import DataError
from ostinato.numbers import counted

#: The formats of each family of files by their endings; a folder holds files of one family. Every message, every help
#: text and every list in the docs is made from this table.
FAMILIES: dict[str, dict[str, str]] = {
    "table": {
        ".csv": "CSV",
        ".tsv": "TSV",
        ".parquet": "Parquet",
        ".arrow": "Arrow",
        ".feather": "Feather",
        ".jsonl": "JSON lines",
        ".ndjson": "JSON lines",
        ".json": "JSON",
        ".xlsx": "Excel",
        ".xlsm": "Excel",
        ".xlsb": "Excel",
        ".xls": "Excel",
        ".ods": "OpenDocument",
    },
    "text": {".txt": "text"},
    "sound": {
        ".wav": "WAV",
        ".flac": "FLAC",
        ".ogg": "OGG",
        ".oga": "OGG",
        ".opus": "Opus",
        ".mp3": "MP3",
        ".aiff": "AIFF",
        ".aif": "AIFF",
        ".aifc": "AIFF",
        ".au": "AU",
        ".snd": "AU",
        ".caf": "CAF",
        ".w64": "W64",
        ".rf64": "RF64",
    },
}
#: The endings of packed files. Packed bytes are recognised by their first bytes, whatever the name of the file is.
PACKED = (".gz", ".bz2", ".xz", ".zst", ".zip")


def formats(*families: str) -> str:
    """Return the names of the formats of some families, or of all, such as "WAV, FLAC or OGG"."""
    names = list(dict.fromkeys(name for f in families or FAMILIES for name in FAMILIES[f].values()))
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} or {names[-1]}"


def _unpacked_name(path: Path) -> str:
    return path.stem if path.suffix.lower() in PACKED else path.name


def ending(path: Path) -> str:
    """Return the ending that shows the content of a file, such as ".csv" for "sales.csv.gz"."""
    return Path(_unpacked_name(path)).suffix.lower()


def family(paths: list[Path]) -> str | None:
    """Return the family of FAMILIES to which all files belong by their endings; None if there is none."""
    return next((name for name, endings in FAMILIES.items() if all(ending(p) in endings for p in paths)), None)


def names_of(paths: list[Path]) -> list[str]:
    """Return an id for each file: its name without the endings, or its path from their common folder if names repeat.

    Args:
        paths: The files.

    Returns:
        The ids, which all differ.
    """
    stems = [_stem(path) for path in paths]
    if len(set(stems)) == len(stems):
        return stems
    whole = [str(path) for path in paths]
    root = Path(commonpath([str(path.parent) for path in paths]) if len({p.is_absolute() for p in paths}) == 1 else "")
    below = [str(path.relative_to(root).with_name(_stem(path))) for path in paths]
    return below if len(set(below)) == len(below) else whole


def _stem(path: Path) -> str:
    name = Path(_unpacked_name(path))
    return name.stem if any(name.suffix.lower() in endings for endings in FAMILIES.values()) else name.name


def find(source: str | Path) -> list[Path]:
    """Find the files of a path, a folder or a pattern.

    Args:
        source: The path of a file or a folder, or a pattern such as ``"data/*.csv"``.

    Returns:
        The files, in the order of their names.

    Raises:
        DataError: There is no such file, it is a pipe or a device, or a folder holds files of several kinds.
    """
    path = Path(source)
    if not str(source).strip():
        raise DataError("the path is empty", fix="give a file, a folder or a pattern")
    if "\0" in str(source):
        raise DataError("the path has a zero byte", where=repr(str(source)), fix="check the path")
    try:
        os.fsencode(path)
    except UnicodeEncodeError as error:
        what = "the path has half a character, which no name of a file can have"
        raise DataError(what, where=ascii(str(source))[:200], fix="check the path") from error
    _check_is_no_content(str(source))
    _check_reachable(path)
    if path.is_dir():
        return _inside(path)
    if path.is_file():
        return [path]
    if path.exists() or str(source) == "-":
        raise DataError(
            "data from a pipe or a device cannot be read, because a file is read more than once",
            where=str(path),
            fix="write the data to a file first, and give its name; the commands of ostinato read a pipe, or - for "
            "standard input",
        )
    if not glob.has_magic(str(source)):
        raise DataError("there is no such file", where=str(path), fix=nearest_file(path))
    matches = sorted(Path(p) for p in glob.glob(str(source), recursive=True))  # noqa: PTH207 - Path.glob takes no absolute pattern
    files = [p for p in matches if p.is_file()]
    if not files:
        raise DataError(
            "no file matches the pattern",
            where=str(source),
            fix="check the pattern, and put it in quotes: 'folder/*.csv'",
        )
    return files


def _check_is_no_content(source: str) -> None:
    """Raise DataError if a string is not the path of a file: an address of the web, or what a file holds.

    Raises:
        DataError: It is one of these, and there is no file of this name.
    """
    address = source.lower().startswith(_ADDRESSES)
    if not (address or "\n" in source.strip()) or os.path.lexists(source):
        return
    if address:
        raise DataError(
            "an address of the web is not read", where=source[:200], fix="download the file first, and give its path"
        )
    raise DataError(
        f"a string of {counted(len(source.strip().splitlines()), 'line')} is no path of a file",
        where=repr(source[:40]),
        fix="write it to a file and give its path, or make a frame of it: polars.read_csv(io.StringIO(text)); for "
        "texts, give a list of strings with kind='text'",
    )


def _check_reachable(path: Path) -> None:
    """Raise DataError if the system cannot follow a path, or if it is a link to nothing."""
    try:
        path.stat()
    except OSError as error:
        if error.errno in (errno.ENAMETOOLONG, errno.ELOOP, errno.EACCES):
            raise DataError(
                f"cannot read the file: {error.strerror}", where=_short(path), fix="check the path"
            ) from error
        if path.is_symlink():
            what = f"the link leads to {os.readlink(path)}, where there is no file"  # noqa: PTH115 - as it is written
            raise DataError(what, where=str(path), fix="check the link") from error


def _short(path: Path) -> str:
    """Return a path that may be too long to print."""
    text = str(path)
    return text if len(text) <= 100 else f"{text[:50]} ... {text[-40:]}"


def _inside(folder: Path) -> list[Path]:
    found = sorted(p for p in folder.rglob("*") if p.is_file() and not p.name.startswith("."))
    known = [p for p in found if family([p]) is not None]
    if not known:
        raise DataError(
            f"the folder holds no data: {counted(len(found), 'file')}, none with a known extension",
            where=str(folder),
            fix=f"give a folder with files of one of the formats {formats()}",
        )
    if family(known) is None:
        several = ", ".join(sorted({f"*{ending(p)}" for p in known}))
        raise DataError(
            f"the folder holds files of several kinds: {several}",
            where=str(folder),
            fix=f"choose one kind with a pattern: '{folder}/*{ending(known[0])}'",
        )
    return known


#: How an address begins that only a program for the web can follow.
_ADDRESSES = ("http://", "https://", "ftp://", "s3://", "gs://")
#: The byte order marks of UTF-16.
_UTF16 = (b"\xff\xfe", b"\xfe\xff")
#: The first bytes of files of DATEV.
_DATEV = tuple(first.encode() for mark in MARKS for first in (f'"{mark}"', f"{mark};"))
#: The bytes of a file that its form is seen from.
HEAD = 100_000


def size_of(paths: list[Path]) -> int:
    """Return the number of bytes of some files together, packed as they are."""
    return sum(path.stat().st_size for path in paths if path.is_file())


def is_packed(path: Path) -> bool:
    """Return whether a file is packed, by its first bytes."""
    return packed_as(_bytes_of(path, 8)) is not None


def head(path: Path) -> bytes:
    """Return the first bytes of a file; all of them, unpacked, if it is packed (see ``contents``)."""
    raw = _bytes_of(path, HEAD)
    return raw if packed_as(raw) is None else contents(path)


def contents(path: Path) -> bytes:
    """Read the bytes of a file, and unpack gzip, bzip2, xz, zstd, or a zip archive of one data file.

    Args:
        path: The file.

    Returns:
        The bytes.

    Raises:
        DataError: The file cannot be read, or its packed data are damaged.
    """
    return unpacked(_bytes_of(path), str(path))


def note_on_archive(path: Path) -> str:
    """Return a note on a zip archive of which one file is read and others are left out; "" for any other file."""
    return member_read(_bytes_of(path)) if _bytes_of(path, 2) == b"PK" else ""


def is_utf16(path: Path) -> bool:
    """Return whether a file says by its first bytes that it is text in UTF-16, as Windows writes it."""
    return _bytes_of(path, 4)[:2] in _UTF16


def note_on_encoding(path: Path) -> str:
    """Return a note on a file whose own first bytes name an encoding other than UTF-8; "" for any other file."""
    if is_utf16(path):
        return f"{path.name} is text in UTF-16"
    datev = head(path).startswith(_DATEV) and not _is_utf8(contents(path))
    return f"{path.name} is a file of DATEV, and its text is read as cp1252" if datev else ""


def as_utf8(raw: bytes) -> bytes:
    """Return text in UTF-16 with a byte order mark, or in the cp1252 of DATEV, as UTF-8; all other bytes as they are.

    Source: "Encoding" at developer.datev.de. A file of DATEV without a byte order mark is in cp1252.
    """
    wide = raw[:2] in _UTF16 and raw[:4] != b"\xff\xfe\0\0"  # the last is UTF-32
    if not wide and (not raw.startswith(_DATEV) or _is_utf8(raw)):
        return raw
    try:
        return raw.decode("utf-16" if wide else "cp1252").encode()
    except UnicodeError:
        return raw  # the reader says what is wrong with it


def _is_utf8(raw: bytes) -> bool:
    try:
        raw.decode()
    except UnicodeDecodeError:
        return False
    return True


def part_of(path: Path, start: int, most: int) -> bytes:
    """Return some bytes of a file from a place on, packed as they are."""
    return _bytes_of(path, most, start)


def _bytes_of(path: Path, most: int = -1, start: int = 0) -> bytes:
    try:
        with path.open("rb") as file:
            if start:
                file.seek(start)
            return file.read(most)
    except OSError as error:
        raise DataError(
            f"cannot read the file: {error.strerror or error}",
            where=str(path),
            fix="check that the path is a file and that you may read it",
        ) from error
