"""Streams in a folder, by SQLite. What was saved survives the end of the process and the loss of power."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import json
import os
import sqlite3
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import final

from ostinato.serve.store import Change, Record, Store, StoreError

_SCHEMA = """
CREATE TABLE IF NOT EXISTS streams (unique_id TEXT PRIMARY KEY, version INTEGER NOT NULL, data BLOB NOT NULL);
CREATE TABLE IF NOT EXISTS blocks (
    unique_id TEXT NOT NULL, number INTEGER NOT NULL, data BLOB NOT NULL, PRIMARY KEY (unique_id, number)
) WITHOUT ROWID;
"""
# One statement saves all changes, so that the interpreter lock is given up once, and not once for each row.
# ?1 is a JSON list of ids, numbers, places and lengths in the bytes ?2.
_PART = "ifnull(substr(?2, j.value ->> 2, j.value ->> 3), x'')"
_ROWS = f"SELECT j.value ->> 0, j.value ->> 1, {_PART} FROM json_each(?1) AS j"
_INSERT = f"INSERT INTO streams {_ROWS} WHERE true ON CONFLICT DO NOTHING"
_UPDATE = f"""
UPDATE streams SET version = version + 1, data = {_PART} FROM json_each(?1) AS j
WHERE unique_id = j.value ->> 0 AND version = (j.value ->> 1) - 1
"""
_BLOCKS = f"INSERT OR REPLACE INTO blocks {_ROWS}"
_TRIM = "DELETE FROM blocks WHERE unique_id = ? AND number < ?"
_LOAD = "SELECT unique_id, version, data FROM streams WHERE unique_id IN (SELECT value FROM json_each(?))"


@final
class SQLiteStore(Store):
    """A store in the file streams.db of a folder, which one server at a time uses.

    Args:
        url: The folder, with or without "sqlite:" before it; it is made if it is missing.

    Raises:
        StoreError: The folder cannot be used, or another server uses it.
    """

    durable = True
    shared = False

    def __init__(self, url: str) -> None:
        self.folder = Path(url.removeprefix("sqlite:"))
        with self._reported():
            self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._lock = os.open(self.folder / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
            try:
                fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError as error:
                os.close(self._lock)
                raise StoreError(
                    "another server uses the folder of streams", where=str(self.folder), fix="stop it, or use another"
                ) from error
            file = self.folder / "streams.db"
            # one thread at a time uses the connection, not always the same one
            self._db = sqlite3.connect(file, isolation_level=None, check_same_thread=False, timeout=10)
            file.chmod(0o600)
            self._db.execute("PRAGMA page_size = 8192")
            self._db.execute("PRAGMA journal_mode = WAL").fetchall()
            self._db.execute("PRAGMA synchronous = FULL")  # each commit is synced, so that it survives a loss of power
            self._db.execute("PRAGMA wal_autocheckpoint = 4000")
            self._db.execute("PRAGMA cache_size = -65536")
            self._db.executescript(_SCHEMA)

    def load(self, ids: Sequence[str]) -> dict[str, Record]:
        """Return the records of these streams (see ``Store.load``)."""
        with self._reported():
            found = self._db.execute(_LOAD, (json.dumps(list(ids)),)).fetchall()
        return {key: Record(version, data) for key, version, data in found}

    def save(self, changes: Sequence[Change]) -> set[str]:
        """Keep changes in one transaction (see ``Store.save``)."""
        with self._reported():
            if self._saved(changes):
                return set()
            versions = {key: one.version for key, one in self.load([change.unique_id for change in changes]).items()}
            # versions begin above 0, so that -1 stands for a stream that is not there
            fit = [c for c in changes if versions.get(c.unique_id, -1) == (-1 if c.new else c.record.version - 1)]
            if not self._saved(fit):
                raise StoreError("another program changes the streams", where=str(self.folder), fix="stop it")
        return {change.unique_id for change in changes} - {change.unique_id for change in fit}

    def _saved(self, changes: Sequence[Change]) -> bool:
        """Save all changes and return True; save nothing and return False if one is refused."""
        with self._transaction():
            for statement, some in (
                (_INSERT, [c for c in changes if c.new]),
                (_UPDATE, [c for c in changes if not c.new]),
            ):
                rows = [(c.unique_id, c.record.version, c.record.data) for c in some]
                if some and self._db.execute(statement, _joined(rows)).rowcount != len(some):
                    self._db.execute("ROLLBACK")
                    return False
            self._db.executemany("DELETE FROM blocks WHERE unique_id = ?", [(c.unique_id,) for c in changes if c.wipe])
            blocks = [(c.unique_id, number, data) for c in changes for number, data in c.blocks]
            if blocks:
                self._db.execute(_BLOCKS, _joined(blocks))
            self._db.executemany(_TRIM, [(c.unique_id, c.keep) for c in changes if c.blocks and c.keep > 0])
        return True

    def delete(self, unique_id: str) -> bool:
        """Delete a stream (see ``Store.delete``)."""
        with self._reported(), self._transaction():
            self._db.execute("DELETE FROM blocks WHERE unique_id = ?", (unique_id,))
            return self._db.execute("DELETE FROM streams WHERE unique_id = ?", (unique_id,)).rowcount > 0

    def ids(self, after: str = "", limit: int = 1000) -> list[str]:
        """Return ids in order (see ``Store.ids``)."""
        sql = "SELECT unique_id FROM streams WHERE unique_id > ? ORDER BY unique_id LIMIT ?"
        with self._reported():
            return [key for (key,) in self._db.execute(sql, (after, limit)).fetchall()]

    def count(self) -> int:
        """Return the number of streams."""
        with self._reported():
            return int(self._db.execute("SELECT count(*) FROM streams").fetchone()[0])

    def blocks(self, unique_id: str) -> list[tuple[int, bytes]]:
        """Return the blocks of a stream (see ``Store.blocks``)."""
        sql = "SELECT number, data FROM blocks WHERE unique_id = ? ORDER BY number"
        with self._reported():
            return self._db.execute(sql, (unique_id,)).fetchall()

    def ping(self) -> None:
        """Return if the file can be written to."""
        with self._reported(), self._transaction():
            self._db.execute("PRAGMA user_version = 1")

    def close(self) -> None:
        """Close the file and release the folder."""
        self._db.close()
        os.close(self._lock)

    @contextlib.contextmanager
    def _transaction(self) -> Iterator[None]:
        """Commit what the block did, or roll it back."""
        self._db.execute("BEGIN IMMEDIATE")
        try:
            yield
            if self._db.in_transaction:
                self._db.execute("COMMIT")
        finally:
            if self._db.in_transaction:
                self._db.execute("ROLLBACK")

    @contextlib.contextmanager
    def _reported(self) -> Iterator[None]:
        """Turn the errors of SQLite and of the disk into ``StoreError``."""
        try:
            yield
        except (sqlite3.Error, OSError) as error:
            full = "full" in str(error) or getattr(error, "errno", None) == errno.ENOSPC
            raise StoreError(
                f"the store of streams failed: {error}",
                where=str(self.folder),
                fix="free space on the disk; streams go on by themselves" if full else "check the folder",
            ) from error


def _joined(rows: Sequence[tuple[str, int, bytes]]) -> tuple[str, bytes]:
    """Return rows of an id, a number and bytes as the two parameters of a statement."""
    places, at = [], 1
    for key, number, data in rows:
        places.append((key, number, at, len(data)))
        at += len(data)
    return json.dumps(places), b"".join(data for _, _, data in rows)
