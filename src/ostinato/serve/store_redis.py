"""States of streams in Redis or Valkey, which several servers may share."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from typing import Any, final
from urllib.parse import urlsplit

from ostinato.data.extras import missing
from ostinato.serve.store import Change, Record, Store, StoreError

#: Seconds for a connection and for an answer; a server that is cut off is noticed after them.
_PATIENCE = 5.0
_PREFIX = "ostinato:"
_IDS = _PREFIX + "ids"

# One change, compared and set as a whole: versions are compared as text, because numbers of Lua have 53 bits.
_SAVE = """
local version = redis.call('HGET', KEYS[1], 'version')
if ARGV[2] == '' then
  if version then return 0 end
elseif version ~= ARGV[2] then
  return 0
end
redis.call('HSET', KEYS[1], 'version', ARGV[3], 'data', ARGV[4])
redis.call('ZADD', KEYS[3], 0, ARGV[1])
if ARGV[5] == '1' then redis.call('DEL', KEYS[2]) end
for i = 7, #ARGV, 2 do redis.call('HSET', KEYS[2], ARGV[i], ARGV[i + 1]) end
local keep = tonumber(ARGV[6])
if keep > 0 and #ARGV > 6 then
  for _, number in ipairs(redis.call('HKEYS', KEYS[2])) do
    if tonumber(number) < keep then redis.call('HDEL', KEYS[2], number) end
  end
end
return 1
"""
_DELETE = """
redis.call('DEL', KEYS[2])
redis.call('ZREM', KEYS[3], ARGV[1])
return redis.call('DEL', KEYS[1])
"""


@final
class RedisStore(Store):
    """Streams in Redis: a hash for each, its history in a second one, and a sorted set of the ids.

    Each change is a script, which Redis runs as a whole. A save is durable if the server syncs its log on every write
    (``appendonly yes`` with ``appendfsync always``), or if it can be waited for (WAITAOF, from Redis 7.2 and Valkey 8).

    Args:
        url: redis://HOST:PORT/DB, rediss:// for TLS, or the same with valkey.
    """

    shared = True

    def __init__(self, url: str) -> None:
        try:
            import redis
            from redis.backoff import NoBackoff
            from redis.retry import Retry
        except ImportError as error:
            raise missing("a store in Redis", "redis", "redis") from error
        self._errors = redis.RedisError, OSError
        self._no_script = redis.exceptions.NoScriptError
        parts = urlsplit(url)
        self._where = f"{parts.scheme}://{parts.hostname or 'localhost'}:{parts.port or 6379}{parts.path}"
        # a save that is sent twice would be refused the second time, and look as if another server had been first
        self._db: Any = redis.Redis.from_url(
            url.replace("valkey", "redis", 1) if parts.scheme.startswith("valkey") else url,
            socket_timeout=_PATIENCE,
            socket_connect_timeout=_PATIENCE,
            socket_keepalive=True,
            retry=Retry(NoBackoff(), 0),
        )
        self._waits = False
        self._scripts: dict[str, str] = {}
        with self._reported():
            self._db.ping()
            self.durable = self._is_durable()

    def load(self, ids: Sequence[str]) -> dict[str, Record]:
        """Return the records of these streams (see ``Store.load``)."""
        with self._reported(), self._db.pipeline(transaction=False) as pipe:
            for key in ids:
                pipe.hmget(_PREFIX + "stream:" + key, "version", "data")
            found = pipe.execute()
        return {
            key: Record(int(version), data)
            for key, (version, data) in zip(ids, found, strict=True)
            if version is not None
        }

    def save(self, changes: Sequence[Change]) -> set[str]:
        """Keep changes, each by compare-and-set (see ``Store.save``)."""
        if not changes:
            return set()
        with self._reported():
            done = self._run(_SAVE, [(c.unique_id, _arguments(c)) for c in changes])
            if self._waits and any(done):
                local, _ = self._db.execute_command("WAITAOF", 1, 0, int(_PATIENCE * 1000))
                if local < 1:
                    raise StoreError("Redis did not sync its log in time", where=self._where, fix="look at its disk")
        return {change.unique_id for change, kept in zip(changes, done, strict=True) if not kept}

    def delete(self, unique_id: str) -> bool:
        """Delete a stream (see ``Store.delete``)."""
        with self._reported():
            return bool(self._run(_DELETE, [(unique_id, (unique_id,))])[0])

    def ids(self, after: str = "", limit: int = 1000) -> list[str]:
        """Return ids in order (see ``Store.ids``)."""
        low = b"(" + after.encode() if after else b"-"
        with self._reported():
            found: list[bytes] = self._db.zrangebylex(_IDS, low, b"+", start=0, num=limit)
        return [key.decode() for key in found]

    def count(self) -> int:
        """Return the number of streams."""
        with self._reported():
            return int(self._db.zcard(_IDS))

    def blocks(self, unique_id: str) -> list[tuple[int, bytes]]:
        """Return the blocks of a stream (see ``Store.blocks``)."""
        with self._reported():
            found: dict[bytes, bytes] = self._db.hgetall(_PREFIX + "blocks:" + unique_id)
        return sorted((int(number), data) for number, data in found.items())

    def ping(self) -> None:
        """Return if Redis can be reached and written to."""
        with self._reported():
            self._db.set(_PREFIX + "ping", 1, ex=60)

    def close(self) -> None:
        """Close the connections."""
        self._db.close()

    def _run(self, script: str, calls: Sequence[tuple[str, tuple[Any, ...]]]) -> list[Any]:
        """Return what a script returns for each stream, all in one round trip."""
        for _ in range(2):
            if script not in self._scripts:
                self._scripts[script] = self._db.script_load(script)
            with self._db.pipeline(transaction=False) as pipe:
                for key, arguments in calls:
                    keys = _PREFIX + "stream:" + key, _PREFIX + "blocks:" + key, _IDS
                    pipe.evalsha(self._scripts[script], 3, *keys, *arguments)
                found = pipe.execute(raise_on_error=False)
            errors = [one for one in found if isinstance(one, Exception)]
            if not errors:
                return list(found)
            if not all(isinstance(one, self._no_script) for one in errors) or len(errors) < len(found):
                raise errors[0]
            self._scripts.clear()  # a server that was started anew knows no scripts, and ran none of them
        raise errors[0]

    def _is_durable(self) -> bool:
        """Return whether a save survives a loss of power, by the settings of the server."""
        try:
            settings = {**self._db.config_get("appendonly"), **self._db.config_get("appendfsync")}
            major, minor = (int(v) for v in self._db.info("server")["redis_version"].split(".")[:2])
        except self._errors:
            return False  # a server that does not tell its settings promises nothing
        if settings.get("appendonly") != "yes":
            return False
        self._waits = settings.get("appendfsync") != "always" and (major, minor) >= (7, 2)
        return self._waits or settings.get("appendfsync") == "always"

    @contextlib.contextmanager
    def _reported(self) -> Iterator[None]:
        """Turn the errors of Redis and of the network into ``StoreError``."""
        try:
            yield
        except self._errors as error:
            raise StoreError(
                f"the store of streams failed: {error}", where=self._where, fix="check that Redis runs and has room"
            ) from error


def _arguments(change: Change) -> tuple[Any, ...]:
    """Return the arguments of the script for a change."""
    before = "" if change.new else str(change.record.version - 1)
    flat = [part for number, data in change.blocks for part in (str(number), data)]
    head = change.unique_id, before, str(change.record.version), change.record.data
    return (*head, "1" if change.wipe else "0", str(change.keep), *flat)
