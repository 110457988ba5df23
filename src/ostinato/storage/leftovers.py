"""Temporary files of writers, and what writers that were killed leave behind.

A process that is killed cannot remove its temporary file. While it writes, it holds a lock of the file, which the
system takes back when the process ends. So a file whose lock is free has no writer any more. A lock may not be seen
from another machine that shares the folder, so the name of the file says which machine wrote it.
"""

from __future__ import annotations

import contextlib
import os
import platform
import tempfile
import zlib
from pathlib import Path
from typing import BinaryIO

try:
    import fcntl
except ModuleNotFoundError:  # Windows has no such locks: nothing is removed there
    fcntl = None  # type: ignore[assignment]

#: The folders in which this process has looked. At each write, that would cost a panel in thousands of files too much.
_seen: set[Path] = set()
#: How often a file is made anew that another process has removed, between its making and its lock.
_TRIES = 10


def temporary_for(target: Path) -> tuple[BinaryIO, Path]:
    """Return a new file in the folder of a target, open and locked, and its path.

    The first time in each folder, what killed writers on this machine left there is removed.

    Args:
        target: The file that is to be written, without links.

    Raises:
        OSError: The file cannot be made.
    """
    if fcntl is not None and target.parent not in _seen:
        _seen.add(target.parent)
        remove_leftovers(target.parent)
    ending = _ending()
    for _ in range(_TRIES):
        handle, name = tempfile.mkstemp(dir=target.parent, prefix=f".{target.name[:40]}.", suffix=ending)
        if fcntl is not None:
            with contextlib.suppress(OSError):  # a file system without locks
                fcntl.flock(handle, fcntl.LOCK_EX)
        if Path(name).exists():
            break
        os.close(handle)  # another process looked before the lock was held, and removed the file
    try:
        return os.fdopen(handle, "wb"), Path(name)
    except OSError:
        Path(name).unlink()
        raise


def remove_leftovers(folder: Path) -> None:
    """Remove the temporary files of a folder whose writers, on this machine, have ended."""
    ending = _ending()
    with contextlib.suppress(OSError), os.scandir(folder) as entries:
        for entry in entries:
            if entry.name.startswith(".") and entry.name.endswith(ending) and entry.is_file(follow_symlinks=False):
                with contextlib.suppress(OSError):  # its writer is at work, or it is not ours to remove
                    _remove(entry.path)


def _remove(path: str) -> None:
    """Remove a file whose lock is free.

    Raises:
        OSError: The lock is held, or the file system has no locks.
    """
    handle = os.open(path, os.O_RDWR | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        Path(path).unlink()
    finally:
        os.close(handle)


def _ending() -> str:
    """Return the ending of the temporary files of this machine."""
    return f".{zlib.crc32(platform.node().encode()):08x}.ostinato"
