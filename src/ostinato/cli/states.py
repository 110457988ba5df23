"""The file of states of ``stream --state``: one process at a time keeps it, and it is never long behind."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, final

from ostinato.cli import options, screen, stopping
from ostinato.errors import ConfigError, DataError
from ostinato.storage.locks import FileLock

if TYPE_CHECKING:
    from ostinato.inference.monitor import Monitor

#: The most seconds from an answer to the writing of the state after it.
SECONDS = 5.0


@final
class Keeper:
    """The file of states: loaded at the start, and written within ``SECONDS`` of each answer and at the end.

    A process that is killed loses what it had answered since the last writing. So does one whose output cannot be
    written: its series have counted values whose answers are lost, so their state is not written. While a process keeps
    the file it holds its lock: two processes that write one file would each replace what the other wrote.

    Args:
        monitor: The series.
        path: The file.
        digest: The SHA-256 of the model file.

    Raises:
        ConfigError: Another process keeps the file, or it is a device or a pipe.
        ModelFileError: The file is damaged, or its states belong to another model.
        WriteError: The file cannot be written.
    """

    def __init__(self, monitor: Monitor, path: Path, digest: str) -> None:
        options.writable(path)
        if path.exists() and not path.is_file():
            raise ConfigError("the states cannot be kept in a device or a pipe", where=str(path), fix="name a file")
        self._monitor, self._path, self._digest = monitor, path, digest
        self._lock = FileLock(
            path,
            taken="another process keeps its states in this file",
            fix="stop it, or give each process a file of its own",
        )
        try:
            if path.exists():
                for note in monitor.load(path, digest):
                    screen.say(f"note: {note}")
                screen.say(f"note: going on from {path} with {len(monitor):,} series")
        except BaseException:
            self._lock.release()
            raise
        self._written, self._behind, self._answers = time.monotonic(), False, False

    def __enter__(self) -> None:
        """Do nothing: the file was loaded when the keeper was made."""

    def __exit__(self, *given: object) -> None:
        try:
            if not self._answers:
                self._write()
        finally:
            self._lock.release()

    @contextmanager
    def answering(self) -> Iterator[None]:
        """Answer values in the block, up to their writing, and then write the file if it is time.

        A line that cannot be used ends the block with a DataError after the answers before it, and changes nothing.
        """
        with stopping.finishing():
            self._answers = True
            try:
                yield
            except DataError:
                self._answers = False
                raise
            self._answers, self._behind = False, True
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

    def _write(self) -> None:
        self._monitor.save(self._path, self._digest)
        self._written, self._behind = time.monotonic(), False
