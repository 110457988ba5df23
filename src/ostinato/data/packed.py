"""Packed files: gzip, bzip2, xz, zstd, and zip archives of one data file, recognised by their first bytes."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import re
import zipfile
import zlib
from collections.abc import Callable
from typing import Any

from ostinato.data.extras import missing
from ostinato.errors import DataError
from ostinato.numbers import counted

#: A packed file may unpack to this many bytes, or to this many times its own size; a bomb has more.
_MOST_BYTES, _MOST_TIMES = 1 << 31, 200


def packed_as(raw: bytes) -> str | None:
    """Return what a packed file is, by its first bytes; None if it is not packed."""
    return next((name for magic, name, _ in _UNPACKERS if raw.startswith(magic)), None)


def unpacked(raw: bytes, where: str) -> bytes:
    """Return bytes as they are, or unpacked if their first bytes are those of a packed file.

    Args:
        raw: The bytes of a file.
        where: The name of the file, for an error.

    Raises:
        DataError: The packed data are damaged, or a zip archive holds several data files.
    """
    for magic, name, unpack in _UNPACKERS:
        if raw.startswith(magic):
            try:
                return unpack(raw, where)
            except _DAMAGED as error:
                raise DataError(
                    f"the {name} is damaged or cut short: {error}",
                    where=where,
                    fix="copy or download the file again",
                ) from error
    return raw


def _all_of(stream: Any, packed: int, where: str) -> bytes:
    """Return all bytes of an unpacked stream; raise DataError if they are too many for the packed bytes."""
    most = max(_MOST_BYTES, packed * _MOST_TIMES)
    out = bytearray()
    while block := stream.read(1 << 20):
        out += block
        if len(out) <= most:
            continue
        raise DataError(
            f"the packed file holds more than {counted(most, 'byte')}", where=where, fix="unpack the file first"
        )
    return bytes(out)


def _gunzip(raw: bytes, where: str) -> bytes:
    return _all_of(gzip.GzipFile(fileobj=io.BytesIO(raw)), len(raw), where)


def _bunzip2(raw: bytes, where: str) -> bytes:
    return _all_of(bz2.BZ2File(io.BytesIO(raw)), len(raw), where)


def _unxz(raw: bytes, where: str) -> bytes:
    # zeros may fill the file up behind the last stream, which ends with "YZ"
    return _all_of(lzma.LZMAFile(io.BytesIO(raw.rstrip(b"\0"))), len(raw), where)


def _unzstd(raw: bytes, where: str) -> bytes:
    try:
        import pyarrow as pa
    except ImportError:
        raise missing("reading zstd files", "pyarrow", "pandas") from None
    try:
        return _all_of(pa.CompressedInputStream(pa.BufferReader(_without_skippable(raw)), "zstd"), len(raw), where)
    except pa.ArrowException as error:
        raise OSError(str(error)) from error


def _without_skippable(raw: bytes) -> bytes:
    """Return zstd data without the frames in front that a decoder passes over (RFC 8878, 3.1.2)."""
    while len(raw) >= 8 and raw[:4] in _SKIPPABLE:
        raw = raw[8 + int.from_bytes(raw[4:8], "little") :]
    return raw


def _unzip(raw: bytes, where: str) -> bytes:
    with zipfile.ZipFile(io.BytesIO(raw)) as archive:
        names = _members(archive)
        if "[Content_Types].xml" in names or "mimetype" in names:  # a spreadsheet is a zip archive, too
            return raw
        data = _data_files(names)
        if len(data) != 1:
            shown = ", ".join(data[:5]) + (", ..." if len(data) > 5 else "")
            raise DataError(
                f"the zip archive holds {counted(len(data), 'file')}, expected 1" + (f": {shown}" if data else ""),
                where=where,
                fix="unpack it, and give one of the files or their folder",
            )
        with archive.open(data[0]) as member:
            return _all_of(member, len(raw), where)


def member_read(raw: bytes) -> str:
    """Return a note on the one data file that is read of a zip archive with other files, such as metadata; or ""."""
    try:
        with zipfile.ZipFile(io.BytesIO(raw)) as archive:
            names = _members(archive)
    except _DAMAGED:
        return ""
    data = _data_files(names)
    if len(data) != 1 or len(names) == 1 or "[Content_Types].xml" in names or "mimetype" in names:
        return ""
    others = [name for name in names if name not in data]
    return f"{data[0]} of the zip archive is read; left out: {', '.join(others)[:120]}"


def _members(archive: zipfile.ZipFile) -> list[str]:
    return [n for n in archive.namelist() if not n.endswith("/") and not n.startswith("__MACOSX/")]


def _data_files(names: list[str]) -> list[str]:
    """Return the names without those of files about the data, unless that leaves none."""
    return [name for name in names if not _ABOUT.search(name)] or names


#: The names of files that describe the others, as the World Bank and others put them into an archive.
_ABOUT = re.compile(
    r"(?:^|/)(?:\.[^/]*|(?:metadata|readme|licen[cs]e|copying|citation|changelog)(?![a-z])[^/]*|[^/]*\.(?:md|pdf|html?|docx?))$",
    re.IGNORECASE,
)
_SKIPPABLE = tuple(bytes([first, 0x2A, 0x4D, 0x18]) for first in range(0x50, 0x60))
_UNPACKERS: tuple[tuple[bytes, str, Callable[[bytes, str], bytes]], ...] = (
    (b"\x1f\x8b", "gzip file", _gunzip),
    (b"BZh", "bzip2 file", _bunzip2),
    (b"\xfd7zXZ\0", "xz file", _unxz),
    (b"\x28\xb5\x2f\xfd", "zstd file", _unzstd),
    *((magic, "zstd file", _unzstd) for magic in _SKIPPABLE),
    (b"PK\x03\x04", "zip archive or spreadsheet", _unzip),
)
#: What the unpackers raise on damaged data; an encrypted zip archive is a RuntimeError.
_DAMAGED = (
    OSError, EOFError, ValueError, RuntimeError, OverflowError, zlib.error, lzma.LZMAError, zipfile.BadZipFile
)  # fmt: skip
