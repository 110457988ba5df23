"""The file of states of ``stream --state``: one process at a time keeps it, and it is never long behind."""

from __future__ import annotations

import contextlib
import os
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, final

from ostinato.cli import options, screen
from ostinato.errors import ConfigError

if TYPE_CHECKING:
    from ostinato.inference.monitor import Monitor

fcntl: Any
try:
    import fcntl
except ImportError:  # Windows
    fcntl = None

#: The most seconds from an answer to the writing of the state after it.
SECONDS = 5.0


@final
class Keeper:
    """The file of states: loaded at the start, and written within ``SECONDS`` of each answer and at the end.

    A process that is killed loses what it had answered since the last writing. While a process keeps the file it holds
    the lock of ``.NAME.lock`` next to it: two processes that write one file would each replace what the other wrote.

    Args:
        monitor: The series.
        path: The file.
        digest: The SHA-256 of the model file.

    Raises:
        ConfigError: Another process keeps the file.
        ModelFileError: The file is damaged, or its states belong to another model.
        WriteError: The file cannot be written.
    """

    def __init__(self, monitor: Monitor, path: Path, digest: str) -> None:
        options.writable(path)
        self._monitor, self._path, self._digest = monitor, path, digest
        self._lock = _locked(path)
        try:
            if path.exists():
                for note in monitor.load(path, digest):
                    screen.say(f"note: {note}")
                screen.say(f"note: going on from {path} with {len(monitor):,} series")
        except BaseException:
            self._unlock()
            raise
        self._written, self._behind = time.monotonic(), False

    def __enter__(self) -> None:
        """Do nothing: the file was loaded when the keeper was made."""

    def __exit__(self, *given: object) -> None:
        try:
            self._write()
        finally:
            self._unlock()

    def answered(self) -> None:
        """Note that values were answered, and write the file if it is time."""
        self._behind = True
        self.due()

    def due(self) -> float | None:
        """Write the file if it is time, and return the seconds until it is; None while there is nothing to write."""
        if not self._behind:
            return None
        left = self._written + SECONDS - time.monotonic()
        if left > 0:
            return left
        self._write()
        return None

    def _unlock(self) -> None:
        if self._lock is not None:
            with contextlib.suppress(OSError):
                _lock_of(self._path).unlink()
            os.close(self._lock)

    def _write(self) -> None:
        self._monitor.save(self._path, self._digest)
        self._written, self._behind = time.monotonic(), False


def _lock_of(path: Path) -> Path:
    """Return the file whose lock is that of a file of states, which is itself replaced at each writing."""
    whole = path.resolve()
    return whole.with_name(f".{whole.name}.lock")


def _locked(path: Path) -> int | None:
    """Return the open file whose lock this process now holds; None where there are no locks.

    Raises:
        ConfigError: Another process holds it.
    """
    if fcntl is None or (path.exists() and not path.is_file()):
        return None
    while True:
        try:
            handle = os.open(_lock_of(path), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError:  # the writing of the states says why
            return None
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            os.close(handle)
            raise ConfigError(
                "another process keeps its states in this file",
                where=str(path),
                fix="stop it, or give each process a file of its own",
            ) from error
        except OSError:  # a file system without locks
            os.close(handle)
            return None
        with contextlib.suppress(OSError):
            if os.path.samestat(_lock_of(path).stat(), os.fstat(handle)):
                return handle
        os.close(handle)  # its last holder has removed it meanwhile
