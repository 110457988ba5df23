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

import msgspec

from ostinato.serve.checkpoints import PAGE, Checkpoints
from ostinato.serve.journal import SCHEMA, Journal, Pending, insert, put, versions
from ostinato.serve.store import Change, Record, Store, StoreError

#: The format of the file. Since format 2 the latest changes are in the journal, and who does not read it loses them.
#: Since format 3 records say whether they hold numbers or text, and earlier releases read no such record.
FORMAT = 3
#: The versions that are remembered.
_REMEMBERED = 500_000
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
            self._check_format()
            self._db.execute(f"PRAGMA page_size = {PAGE}")
            self._db.execute("PRAGMA journal_mode = WAL").fetchall()
            self._db.execute("PRAGMA synchronous = FULL")  # each commit is synced, so that it survives a loss of power
            # some builds of SQLite write zeros over all that is deleted; FAST does where that costs no write
            self._db.execute("PRAGMA secure_delete = FAST").fetchall()
            self._db.execute("PRAGMA cache_size = -65536")
            self._db.executescript(SCHEMA)
            self._db.execute(f"PRAGMA user_version = {FORMAT}")
            self._journal = Journal(self._db)
            self._checkpoints = Checkpoints(file, self._db)
            self._versions: dict[str, int] = {}

    def _check_format(self) -> None:
        """Check that no later release of ostinato has written the file.

        Raises:
            StoreError: One has.
        """
        (found,) = self._db.execute("PRAGMA user_version").fetchone()
        if found > FORMAT:
            self._db.close()
            os.close(self._lock)
            raise StoreError(
                f"the streams have format {found}, and this release of ostinato reads formats up to {FORMAT}",
                where=str(self.folder),
                fix="install the release that wrote them, or a later one",
            )

    def load(self, ids: Sequence[str]) -> dict[str, Record]:
        """Return the records of these streams (see ``Store.load``)."""
        found = {key: one for key in ids if (one := self._journal.record(key)) is not None}
        rest = [key for key in ids if key not in found]
        if rest:
            with self._reported():
                rows = self._db.execute(_LOAD, (json.dumps(rest),)).fetchall()
            found |= {key: Record(version, data) for key, version, data in rows}
        return found

    def save(self, changes: Sequence[Change]) -> set[str]:
        """Keep changes in one transaction (see ``Store.save``)."""
        with self._reported():
            known = self._known([change.unique_id for change in changes])
            later: list[Change] = []
            now: list[Change] = []
            for c in changes:
                # versions begin above 0, so that -1 stands for a stream that is not there
                if known.get(c.unique_id, -1) == (-1 if c.new else c.record.version - 1):
                    (now if c.new or c.wipe else later).append(c)
            plan = self._journal.plan(later)
            # one statement is a transaction by itself
            with contextlib.nullcontext() if plan.is_one and not now else self._transaction():
                self._journal.write(plan)
                if now:
                    self._write_now(now)
        self._journal.settle(later, plan)
        self._checkpoints.saved(len(plan.data) + PAGE * (2 + len(plan.folded) + len(now)))
        self._journal.drop([c.unique_id for c in now])
        kept = {c.unique_id: c.record.version for some in (later, now) for c in some}
        self._versions.update(kept)
        return set() if len(kept) == len(changes) else {c.unique_id for c in changes} - kept.keys()

    def _known(self, ids: Sequence[str]) -> dict[str, int]:
        """Return the versions of streams; no other program changes them."""
        if len(self._versions) > _REMEMBERED:
            self._versions.clear()
        missing = [key for key in ids if key not in self._versions]
        if missing:
            self._versions |= versions(self._db, missing)
            kept = ((key, self._journal.record(key)) for key in missing)
            self._versions |= {key: one.version for key, one in kept if one is not None}
        return self._versions

    def _write_now(self, changes: Sequence[Change]) -> None:
        """Write the rows of streams that are new, or that begin again: the list of streams is always whole."""
        new = [c for c in changes if c.new]
        if new and insert(self._db, new) != len(new):
            raise StoreError("another program changes the streams", where=str(self.folder), fix="stop it")
        self._db.executemany("DELETE FROM blocks WHERE unique_id = ?", [(c.unique_id,) for c in changes if c.wipe])
        put(self._db, [(c.unique_id, Pending(None if c.new else c.record, c.blocks, c.keep)) for c in changes])

    def delete(self, unique_id: str) -> bool:
        """Delete a stream (see ``Store.delete``)."""
        with self._reported(), self._transaction():
            self._db.execute("DELETE FROM blocks WHERE unique_id = ?", (unique_id,))
            found = self._db.execute("DELETE FROM streams WHERE unique_id = ?", (unique_id,)).rowcount > 0
        self._journal.drop([unique_id])
        self._versions.pop(unique_id, None)
        return found

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
            found = dict(self._db.execute(sql, (unique_id,)).fetchall())
        for one in self._journal.blocks(unique_id):
            found |= dict(one.blocks)
            found = {number: data for number, data in found.items() if number >= one.keep}
        return sorted(found.items())

    def ping(self) -> None:
        """Return if the file can be written to."""
        with self._reported(), self._transaction():
            self._db.execute(f"PRAGMA user_version = {FORMAT}")

    def close(self) -> None:
        """Write the rows of all streams, close the file and release the folder."""
        with contextlib.suppress(StoreError), self._reported(), self._transaction():
            self._journal.finish()  # what a full disk does not take stays in the journal
        self._checkpoints.close()
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
        """Turn the errors of SQLite and of the disk, and a damaged journal, into ``StoreError``."""
        try:
            yield
        except (sqlite3.Error, OSError, msgspec.DecodeError) as error:
            full = "full" in str(error) or getattr(error, "errno", None) == errno.ENOSPC
            raise StoreError(
                f"the store of streams failed: {error}",
                where=str(self.folder),
                fix="free space on the disk; streams go on by themselves" if full else "check the folder",
            ) from error
