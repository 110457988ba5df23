"""States of streams in PostgreSQL, which several servers may share."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from typing import Any, final

from ostinato.data.extras import missing
from ostinato.errors import ConfigError
from ostinato.serve.store import Change, Record, Store, StoreError

#: Seconds for a connection; a statement has twice as many.
_PATIENCE = 5
# What ends a session whose other side is gone. The kernel alone takes minutes here, and hours at the server, where a
# session that was cut off within a transaction holds its locks for so long. An option in the URL comes before these.
_HERE = {
    "connect_timeout": _PATIENCE,
    "tcp_user_timeout": 1000 * _PATIENCE,
    "keepalives_idle": _PATIENCE,
    "keepalives_interval": 1,
    "keepalives_count": 3,
}
_THERE = {
    "statement_timeout": f"{2 * _PATIENCE}s",
    "lock_timeout": f"{_PATIENCE}s",
    "idle_in_transaction_session_timeout": f"{_PATIENCE}s",
    "tcp_user_timeout": f"{_PATIENCE}s",
    "tcp_keepalives_idle": f"{_PATIENCE}s",
    "tcp_keepalives_interval": "1s",
    "tcp_keepalives_count": "3",
}
_SCHEMA = """
CREATE TABLE IF NOT EXISTS ostinato_streams (
    unique_id text COLLATE "C" PRIMARY KEY, version bigint NOT NULL, data bytea NOT NULL
) WITH (fillfactor = 70);
CREATE TABLE IF NOT EXISTS ostinato_blocks (
    unique_id text COLLATE "C", number bigint, data bytea NOT NULL, PRIMARY KEY (unique_id, number)
);
"""
# rows are locked in one order, so that two servers never wait for each other
_LOCK = "SELECT unique_id, version FROM ostinato_streams WHERE unique_id = ANY(%s) ORDER BY unique_id FOR UPDATE"
_UPDATE = """
UPDATE ostinato_streams AS held SET version = given.version, data = given.data
FROM unnest(%s::text[], %s::bigint[], %s::bytea[]) AS given (unique_id, version, data)
WHERE held.unique_id = given.unique_id
"""
_INSERT = """
INSERT INTO ostinato_streams
SELECT * FROM unnest(%s::text[], %s::bigint[], %s::bytea[]) AS given (unique_id, version, data) ORDER BY unique_id
ON CONFLICT DO NOTHING RETURNING unique_id
"""
_BLOCKS = """
INSERT INTO ostinato_blocks SELECT * FROM unnest(%s::text[], %s::bigint[], %s::bytea[])
ON CONFLICT (unique_id, number) DO UPDATE SET data = excluded.data
"""
_TRIM = """
DELETE FROM ostinato_blocks AS held USING unnest(%s::text[], %s::bigint[]) AS given (unique_id, keep)
WHERE held.unique_id = given.unique_id AND held.number < given.keep
"""


@final
class PostgreSQLStore(Store):
    """Streams in two tables of PostgreSQL; a save is one transaction.

    A save is durable unless the server's fsync or synchronous_commit is off.

    Args:
        url: postgresql://USER:PASSWORD@HOST:PORT/DATABASE, as libpq reads it.
    """

    shared = True

    def __init__(self, url: str) -> None:
        try:
            import psycopg
        except ImportError as error:
            raise missing("a store in PostgreSQL", "psycopg", "postgresql") from error
        self._psycopg = psycopg
        self._connection: Any = None
        try:
            known = psycopg.conninfo.conninfo_to_dict(url)
        except psycopg.ProgrammingError:  # whose words may hold the password
            raise ConfigError(
                "cannot parse the address of the store",
                fix="write it as postgresql://user:password@host:5432/name, with %40 for an @ in the password",
            ) from None
        there = " ".join(f"-c {name}={value}" for name, value in _THERE.items())
        self._options: dict[str, Any] = {"options": there, **_HERE, **known}
        self._where = f"postgresql://{known.get('host', '')}:{known.get('port', 5432)}/{known.get('dbname', '')}"
        with self._reported() as db:
            # two servers that start together would both find no table
            db.execute("SELECT pg_advisory_xact_lock(7305804402566)")
            db.execute(_SCHEMA)
            settings = [db.execute(f"SHOW {name}").fetchone()[0] for name in ("fsync", "synchronous_commit")]
        self.durable = "off" not in settings

    def load(self, ids: Sequence[str]) -> dict[str, Record]:
        """Return the records of these streams (see ``Store.load``)."""
        sql = "SELECT unique_id, version, data FROM ostinato_streams WHERE unique_id = ANY(%s)"
        with self._reported() as db:
            return {key: Record(version, bytes(data)) for key, version, data in db.execute(sql, (list(ids),))}

    def save(self, changes: Sequence[Change]) -> set[str]:
        """Keep changes in one transaction, each by compare-and-set (see ``Store.save``)."""
        if not changes:
            return set()
        old, new = [c for c in changes if not c.new], [c for c in changes if c.new]
        with self._reported() as db:
            held = dict(db.execute(_LOCK, ([c.unique_id for c in old],)).fetchall()) if old else {}
            kept = [c for c in old if held.get(c.unique_id) == c.record.version - 1]
            if kept:
                db.execute(_UPDATE, _columns(kept))
            if new:
                inserted = {key for (key,) in db.execute(_INSERT, _columns(new))}
                kept += [c for c in new if c.unique_id in inserted]
            self._save_blocks(db, kept)
        return {c.unique_id for c in changes} - {c.unique_id for c in kept}

    def delete(self, unique_id: str) -> bool:
        """Delete a stream (see ``Store.delete``)."""
        with self._reported() as db:
            gone = db.execute("DELETE FROM ostinato_streams WHERE unique_id = %s", (unique_id,)).rowcount > 0
            db.execute("DELETE FROM ostinato_blocks WHERE unique_id = %s", (unique_id,))
        return bool(gone)

    def ids(self, after: str = "", limit: int = 1000) -> list[str]:
        """Return ids in order (see ``Store.ids``)."""
        sql = "SELECT unique_id FROM ostinato_streams WHERE unique_id > %s ORDER BY unique_id LIMIT %s"
        with self._reported() as db:
            return [key for (key,) in db.execute(sql, (after, limit))]

    def count(self) -> int:
        """Return the number of streams."""
        with self._reported() as db:
            return int(db.execute("SELECT count(*) FROM ostinato_streams").fetchone()[0])

    def blocks(self, unique_id: str) -> list[tuple[int, bytes]]:
        """Return the blocks of a stream (see ``Store.blocks``)."""
        sql = "SELECT number, data FROM ostinato_blocks WHERE unique_id = %s ORDER BY number"
        with self._reported() as db:
            return [(number, bytes(data)) for number, data in db.execute(sql, (unique_id,))]

    def ping(self) -> None:
        """Return if the database can be reached and written to."""
        with self._reported() as db:
            # a lock needs a server that takes writes, and leaves nothing behind
            db.execute("LOCK TABLE ostinato_blocks IN ROW EXCLUSIVE MODE")

    def close(self) -> None:
        """Close the connection."""
        if self._connection is not None:
            self._connection.close()

    def _save_blocks(self, db: Any, kept: Sequence[Change]) -> None:
        """Write the blocks of changes that were kept, and delete those that are not wanted."""
        wiped = [c.unique_id for c in kept if c.wipe]
        if wiped:
            db.execute("DELETE FROM ostinato_blocks WHERE unique_id = ANY(%s)", (wiped,))
        blocks = [(c.unique_id, number, data) for c in kept for number, data in c.blocks]
        if blocks:
            ids, numbers, data = (list(column) for column in zip(*blocks, strict=True))
            db.execute(_BLOCKS, (ids, numbers, data))
        trimmed = [c for c in kept if c.blocks and c.keep > 0]
        if trimmed:
            db.execute(_TRIM, ([c.unique_id for c in trimmed], [c.keep for c in trimmed]))

    @contextlib.contextmanager
    def _reported(self) -> Iterator[Any]:
        """Yield a connection in a transaction, and turn the errors of PostgreSQL into ``StoreError``.

        A connection that failed is not used again, so that a server that comes back is found.
        """
        try:
            if self._connection is None or self._connection.closed:
                self._connection = self._psycopg.connect(**self._options)
            with self._connection.transaction():
                yield self._connection
        except (self._psycopg.Error, OSError) as error:
            self.close()
            self._connection = None
            raise StoreError(
                f"the store of streams failed: {str(error).strip()}",
                where=self._where,
                fix="check that PostgreSQL runs and has room",
            ) from error


def _columns(changes: Sequence[Change]) -> tuple[list[str], list[int], list[bytes]]:
    """Return ids, versions and data of changes."""
    return (
        [c.unique_id for c in changes],
        [c.record.version for c in changes],
        [c.record.data for c in changes],
    )
