"""Copy SQLite's log into its file in parallel with the saves, so that no save waits for it.

By itself SQLite copies the log in the commit that makes it long enough, and that commit takes as long as tens of
others. Here a connection of its own does it in a thread of its own. The saves meanwhile make the log longer, so the
next one copies what is left, which is little; then the log begins again at its start.
"""

from __future__ import annotations

import logging
import sqlite3
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import final

_LOG = logging.getLogger("ostinato.serve")
#: The bytes of a page of the file.
PAGE = 8192
#: The bytes of the log from which it is copied, and those at which the saves wait for that.
_ENOUGH, _MOST = 32_000_000, 256_000_000
_COPY = "PRAGMA wal_checkpoint(PASSIVE)"


@final
class Checkpoints:
    """What keeps the log of a SQLite file short.

    Args:
        file: The file.
        db: The connection of the saves. It copies nothing by itself any more.
    """

    def __init__(self, file: Path, db: sqlite3.Connection) -> None:
        self._saves = db
        self._saves.execute("PRAGMA wal_autocheckpoint = 0")
        self._beside = sqlite3.connect(file, isolation_level=None, check_same_thread=False)
        self._beside.execute("PRAGMA synchronous = FULL")
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="checkpoint")
        self._running: Future[bool] | None = None
        self._bytes = 0

    def saved(self, size: int) -> None:
        """Take note of a commit, with its approximate size in bytes; called in the thread of the saves."""
        self._bytes += size
        if self._running is None:
            if self._bytes > _ENOUGH:
                self._running, self._bytes = self._thread.submit(_copied, self._beside), 0
        elif (self._running.done() or self._bytes > _MOST) and (not self._running.result() or _copied(self._saves)):
            self._running = None  # otherwise the next save tries to copy the rest again

    def close(self) -> None:
        """Let go of the file; the connection of the saves is closed after it."""
        self._thread.shutdown()
        self._beside.close()


def _copied(db: sqlite3.Connection) -> bool:
    """Copy the log as far as it is now; return whether that worked."""
    try:
        db.execute(_COPY).fetchall()
    except sqlite3.Error as error:
        _LOG.warning("the log of the store cannot be copied into its file: %s", error)
        return False
    return True
