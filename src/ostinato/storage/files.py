"""Atomic writing of files, and the folder of the cache."""

from __future__ import annotations

import contextlib
import errno
import os
from collections.abc import Iterable
from pathlib import Path

from ostinato.errors import WriteError
from ostinato.storage.leftovers import temporary_for


def cache_path(name: str) -> Path:
    """Return the path for what can be made again: ``ostinato/NAME`` in XDG_CACHE_HOME, by default ``~/.cache``."""
    given = os.environ.get("XDG_CACHE_HOME", "")
    return (Path(given) if given else Path.home() / ".cache") / "ostinato" / name


def cache_folder(name: str) -> Path:
    """Return the folder at ``cache_path``, and make it if it does not exist.

    Raises:
        WriteError: It cannot be made.
    """
    folder = cache_path(name)
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise WriteError(
            f"cannot make the cache folder: {error.strerror or error}",
            where=str(folder),
            fix="set XDG_CACHE_HOME to a folder that you may write to",
        ) from error
    return folder


def atomic_write(path: str | Path, content: bytes | Iterable[bytes]) -> int:
    """Write a file so that an earlier file at the path is either replaced as a whole or kept.

    The content goes to a temporary file in the same folder, which is synced and renamed (see ``leftovers``). A link is
    followed; a device or a pipe cannot be replaced, so it is written to directly. So is standard output or standard
    error, even if it goes to a file, which may hold more than this content: ``-o /dev/stdout >> all.csv``.

    Args:
        path: The path of the file.
        content: The content of the file, at once or in parts.

    Returns:
        The number of bytes that were written.

    Raises:
        WriteError: The file cannot be written; the error says why.
    """
    if "\0" in str(path):
        raise WriteError("the path holds a null character", where=repr(str(path)), fix="choose another path")
    path = Path(path)
    temporary: Path | None = None
    parts = (content,) if isinstance(content, bytes) else content
    try:
        if path.is_dir():
            raise IsADirectoryError(errno.EISDIR, "the path is a folder")
        stream = standard_stream(path)
        if stream is not None or (path.exists() and not path.is_file()):
            with path.open("wb") if stream is None else os.fdopen(os.dup(stream), "wb") as device:
                return sum(map(device.write, parts))
        target = path.resolve()
        file, temporary = temporary_for(target)
        with file:
            written = sum(map(file.write, parts))
            file.flush()
            os.fsync(file.fileno())
            mask = os.umask(0)
            os.umask(mask)
            temporary.chmod(0o666 & ~mask)
            temporary.replace(target)
        temporary = None
        folder = os.open(target.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)
        return written
    except OSError as error:
        fix = {
            errno.ENOSPC: "free space on the disk, then write the file again; an earlier file is unchanged",
            errno.EACCES: "choose a folder that you may write to",
            errno.EROFS: "choose a folder that you may write to",
            errno.EFBIG: "raise the limit on the size of a file (ulimit -f), or write to another file system",
            errno.ENOENT: "choose another path" if path.parent.is_dir() else f"make the folder first: {path.parent}",
        }.get(error.errno or 0, "choose another path")
        raise WriteError(f"cannot write the file: {error.strerror or error}", where=str(path), fix=fix) from error
    finally:
        if temporary:
            with contextlib.suppress(OSError):  # the first failure is already being raised
                temporary.unlink()


def standard_stream(path: Path) -> int | None:
    """Return the number of the standard stream that a path leads to: 1 for output, 2 for errors; None for another."""
    for number in (1, 2):
        with contextlib.suppress(OSError):  # there is no such file, or the stream is closed
            if os.path.samestat(path.stat(), os.fstat(number)):
                return number
    return None
