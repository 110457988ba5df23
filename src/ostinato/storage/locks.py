"""The lock of a file that a process goes on writing, so that no other process writes it meanwhile."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path
from typing import Any, final

from ostinato.errors import ConfigError

fcntl: Any
try:
    import fcntl
except ImportError:  # Windows
    fcntl = None


@final
class FileLock:
    """The lock of a file, which this process holds until it releases it or ends.

    It is that of ``.NAME.lock`` next to the file, because the file itself is replaced at each writing. There is none
    where the system has no such locks, and none for a device or a pipe.

    Args:
        path: The file.
        taken: What is wrong if another process holds the lock.
        fix: What to do then.

    Raises:
        ConfigError: Another process holds it.
    """

    def __init__(self, path: Path, taken: str, fix: str) -> None:
        self._path = path
        self._handle = None if fcntl is None or (path.exists() and not path.is_file()) else _locked(path, taken, fix)

    def release(self) -> None:
        """Give the lock back, and remove its file."""
        if self._handle is not None:
            with contextlib.suppress(OSError):
                _file_of(self._path).unlink()
            os.close(self._handle)
            self._handle = None

    def __enter__(self) -> None:
        """Do nothing: the lock is held since it was made."""

    def __exit__(self, *given: object) -> None:
        self.release()


def _file_of(path: Path) -> Path:
    """Return the file that is locked in the place of a file."""
    whole = path.resolve()
    return whole.with_name(f".{whole.name}.lock")


def _locked(path: Path, taken: str, fix: str) -> int | None:
    """Return the open file whose lock this process now holds; None where the file system gives no locks.

    Raises:
        ConfigError: Another process holds it.
    """
    while True:
        try:
            handle = os.open(_file_of(path), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError:  # the writing of the file itself says why
            return None
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            os.close(handle)
            raise ConfigError(taken, where=str(path), fix=fix) from error
        except OSError:  # a file system without locks
            os.close(handle)
            return None
        with contextlib.suppress(OSError):
            if os.path.samestat(_file_of(path).stat(), os.fstat(handle)):
                return handle
        os.close(handle)  # its last holder has removed it meanwhile
