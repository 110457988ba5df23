"""The latest changes of a SQLite store: one row for each save, so that a save of thousands of streams is one write.

A stream has a row of its own, at a random place of the file. To write thousands of these in each save rewrites most
pages of the file, and twice: into the log of SQLite, then into the file. So a save adds one row with all its changes to
the journal, and the rows of the streams follow a little at a time. A stream that changes again before its turn is
written once (write-ahead logging with a fuzzy checkpoint; Gray and Reuter 1993, chapter 11).
"""

from __future__ import annotations

import json
import sqlite3
from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import final

import msgspec

from ostinato.serve.store import Change, Record

SCHEMA = """
CREATE TABLE IF NOT EXISTS streams (unique_id TEXT PRIMARY KEY, version INTEGER NOT NULL, data BLOB NOT NULL);
CREATE TABLE IF NOT EXISTS blocks (
    unique_id TEXT NOT NULL, number INTEGER NOT NULL, data BLOB NOT NULL, PRIMARY KEY (unique_id, number)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS journal (number INTEGER PRIMARY KEY, data BLOB NOT NULL);
"""
# One statement saves all rows, so that the interpreter lock is given up once, and not once for each row.
# ?1 is a JSON list of ids, numbers, places and lengths in the bytes ?2.
_PART = "ifnull(substr(?2, j.value ->> 2, j.value ->> 3), x'')"
_ROWS = f"SELECT j.value ->> 0, j.value ->> 1, {_PART} FROM json_each(?1) AS j"
_INSERT = f"INSERT INTO streams {_ROWS} WHERE true ON CONFLICT DO NOTHING"
_UPDATE = f"""
UPDATE streams SET version = j.value ->> 1, data = {_PART} FROM json_each(?1) AS j
WHERE unique_id = j.value ->> 0 AND version < (j.value ->> 1)
"""
_BLOCKS = f"INSERT OR REPLACE INTO blocks {_ROWS}"
_TRIM = "DELETE FROM blocks WHERE unique_id = ? AND number < ?"
#: The bytes of changes after which the rows of their streams are written.
ENOUGH = 64_000_000
#: Rows of streams for which each save is good at least. They are written, and the journal is deleted, once there are so
#: many rows or bytes to it: most small saves then are one statement, which is a transaction by itself. Each statement
#: gives the interpreter lock up and waits for it.
_LEAST, _TOGETHER, _DELETED = 1, 16, 1_000_000

_encoder = msgspec.msgpack.Encoder()
_decoder = msgspec.msgpack.Decoder(list[Change])


@dataclass(frozen=True, slots=True)
class Pending:
    """What the rows of a stream lack after several changes; after one it is the change itself.

    Attributes:
        record: The latest record; None if a younger part of the journal has a later one.
        blocks: Blocks of its history.
        keep: The number of the oldest block that is still wanted.
    """

    record: Record | None
    blocks: tuple[tuple[int, bytes], ...] = ()
    keep: int = 0


@dataclass(frozen=True, slots=True)
class Plan:
    """What a save writes, and what counts once it is committed.

    Attributes:
        data: The row that is added; empty for none.
        folded: The streams of the old part whose rows are written.
        cut: The number of the last row of the journal that is deleted; 0 for none.
        owed: The rows of streams that are left to later saves.
        spare: The bytes of the journal that may be deleted later.
    """

    data: bytes
    folded: list[str]
    cut: int
    owed: float
    spare: int

    @property
    def is_one(self) -> bool:
        """Whether one statement writes all of it."""
        return not self.folded and not self.cut


@final
class Journal:
    """The changes that are durable and not yet in the rows of their streams: a young part, and an old one.

    While the old part is written to the rows of the streams, new changes join the young one. ``write`` happens in a
    transaction of the caller, if the plan needs one; ``settle`` follows its commit and cannot fail, so that a failure
    changes nothing.

    Args:
        db: The database, with the tables of ``SCHEMA``.
    """

    def __init__(self, db: sqlite3.Connection) -> None:
        self._db = db
        self._young: dict[str, Change | Pending] = {}
        self._old: dict[str, Change | Pending] = {}
        #: The rows of the journal in their order: the number and the bytes of each.
        self._rows: deque[tuple[int, int]] = deque()
        #: The number of the last row, of the last one of the old part, and of the last that nothing needs any more.
        self._last = self._border = self._done = 0
        #: The bytes and the changes of the young part, and the streams of the old part that are written for a change.
        self._bytes = self._changes = 0
        self._share = self._owed = 0.0
        self._spare = 0
        self._recover()

    # what the streams are

    def record(self, unique_id: str) -> Record | None:
        """Return the record of a stream; None if it is the one in its row."""
        found = self._young.get(unique_id) or self._old.get(unique_id)
        return None if found is None else found.record

    def blocks(self, unique_id: str) -> list[Change | Pending]:
        """Return what the blocks of a stream lack, the oldest first."""
        return [part[unique_id] for part in (self._old, self._young) if unique_id in part]

    def drop(self, ids: Iterable[str]) -> None:
        """Forget streams whose rows are newer, or deleted; a later start sees that from the versions."""
        for key in ids:
            self._young.pop(key, None)
            self._old.pop(key, None)

    # a save

    def plan(self, changes: Sequence[Change]) -> Plan:
        """Return what the save of changes writes: themselves, and some of the old part to the rows of its streams.

        That is in proportion to the changes, so that the old part is gone before the young one is as long, and rows are
        deleted faster than they are added.
        """
        data = _encoder.encode(changes) if changes else b""
        owed = self._owed + _LEAST + len(changes) * self._share if self._old else 0.0
        folded: list[str] = []
        if self._old and owed >= min(_TOGETHER, len(self._old)):
            folded = list(islice(self._old, int(owed)))
            owed -= len(folded)
        cut, spare = 0, self._spare + 2 * len(data)
        if not self._rows or self._rows[0][0] > self._done:
            spare = 0
        elif spare >= _DELETED:
            for number, size in self._rows:
                if number > self._done or spare <= 0:
                    break
                cut, spare = number, spare - size
            spare = max(spare, 0)
        return Plan(data, folded, cut, owed, spare)

    def write(self, plan: Plan) -> None:
        """Write what was planned. The caller changes rows of streams after it, which are then the newer ones."""
        put(self._db, [(key, self._old[key]) for key in plan.folded])
        if plan.cut:
            self._db.execute("DELETE FROM journal WHERE number <= ?", (plan.cut,))
        if plan.data:
            self._db.execute("INSERT INTO journal VALUES (?, ?)", (self._last + 1, plan.data))

    def settle(self, changes: Sequence[Change], plan: Plan) -> None:
        """Take in what was committed: changes, and what was planned for them."""
        self._owed, self._spare = plan.owed, plan.spare
        for key in plan.folded:
            del self._old[key]
        while self._rows and self._rows[0][0] <= plan.cut:
            self._rows.popleft()
        if changes:
            self._enter(self._last + 1, len(plan.data), changes)
        if not self._old:
            self._done = self._border
            if self._bytes > ENOUGH:
                self._old, self._young, self._border = self._young, {}, self._last
                self._share = 1.5 * len(self._old) / max(self._changes, 1)
                self._bytes = self._changes = 0

    def finish(self) -> None:
        """Write the rows of all streams, in the last transaction of the caller, and delete the journal."""
        for part in (self._old, self._young):
            put(self._db, list(part.items()))
        self._db.execute("DELETE FROM journal")

    def _enter(self, number: int, size: int, changes: Sequence[Change]) -> None:
        """Take in a row of the journal."""
        self._last = number
        self._rows.append((number, size))
        self._bytes += size
        self._changes += len(changes)
        young, old = self._young, self._old
        for c in changes:
            key, blocks = c.unique_id, c.blocks
            before = young.get(key)
            if before is None:
                young[key] = c
                if key in old:
                    if old[key].blocks:
                        old[key] = Pending(None, old[key].blocks, old[key].keep)
                    else:
                        del old[key]
            elif before.blocks:
                young[key] = Pending(c.record, before.blocks + blocks, c.keep if blocks else before.keep)
            else:
                young[key] = c

    def _recover(self) -> None:
        """Take in the journal of a server that was killed."""
        for number, data in self._db.execute("SELECT number, data FROM journal ORDER BY number"):
            changes = _decoder.decode(data)
            found = versions(self._db, [c.unique_id for c in changes])
            # what is not newer than its row was written there, or belongs to a stream that was deleted
            newer = [c for c in changes if found.get(c.unique_id, c.record.version) < c.record.version]
            self._enter(number, len(data), newer)


def versions(db: sqlite3.Connection, ids: Sequence[str]) -> dict[str, int]:
    """Return the versions in the rows of these streams."""
    sql = "SELECT unique_id, version FROM streams WHERE unique_id IN (SELECT value FROM json_each(?))"
    return dict(db.execute(sql, (json.dumps(ids),)).fetchall())


def insert(db: sqlite3.Connection, changes: Sequence[Change]) -> int:
    """Write the rows of new streams, and return how many did not exist."""
    return db.execute(_INSERT, joined([(c.unique_id, c.record.version, c.record.data) for c in changes])).rowcount


def put(db: sqlite3.Connection, some: Sequence[tuple[str, Change | Pending]]) -> None:
    """Write records and blocks to the rows of their streams."""
    rows = [(key, one.record.version, one.record.data) for key, one in some if one.record is not None]
    if rows:
        db.execute(_UPDATE, joined(rows))
    blocks = [(key, number, data) for key, one in some for number, data in one.blocks if number >= one.keep]
    if blocks:
        db.execute(_BLOCKS, joined(blocks))
    old = [(key, one.keep) for key, one in some if one.blocks and one.keep > 0]
    if old:
        db.executemany(_TRIM, old)


def joined(rows: Sequence[tuple[str, int, bytes]]) -> tuple[str, bytes]:
    """Return rows of an id, a number and bytes as the two parameters of a statement."""
    places, at = [], 1
    for key, number, data in rows:
        places.append((key, number, at, len(data)))
        at += len(data)
    return json.dumps(places), b"".join(data for _, _, data in rows)
