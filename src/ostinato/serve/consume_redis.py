"""Events from a Redis stream: several servers share them as one consumer group, and each event is applied once."""

from __future__ import annotations

import asyncio
import json
import time
from typing import TYPE_CHECKING, Any, Final, Protocol, TypeAlias
from urllib.parse import urlsplit

from ostinato.data.extras import missing
from ostinato.errors import ConfigError, OstinatoError
from ostinato.serve.order import OrderError

if TYPE_CHECKING:
    from ostinato.serve.schema import Push, Result

#: The schemes of the URLs that events come from.
SCHEMES: Final = ("redis", "rediss", "valkey", "valkeys")
#: How many entries are asked for at once, and the milliseconds that a server waits for some.
_MANY, _WAIT = 512, 1000
#: An entry that a server took and did not acknowledge for so many milliseconds is given to another.
_LOST = 30_000
#: The seconds before events are tried again that the server had no room for, or whose store was gone.
_PAUSE = 0.5
#: The seconds that an event waits for those before it, which another server of the group may have taken, and how many
#: may wait. It is longer than ``_LOST``, so that what a server had taken that ended comes first.
_GAP, _MOST = 45.0, 4096
#: The entries that wait for events before them.
Early: TypeAlias = dict[bytes, "asyncio.Task[None]"]


class Pusher(Protocol):
    """What events are pushed to: the batcher of a server."""

    async def push(self, unique_id: str, push: Push) -> Result:
        """Apply the events of one stream, and return when they are saved."""


def check(url: str) -> None:
    """Check that events can come from a URL.

    Raises:
        ConfigError: Its scheme is none of Redis.
    """
    if urlsplit(url).scheme not in SCHEMES:
        raise ConfigError(
            f"events come from a stream of Redis, got {url}", fix="write it as --events redis://127.0.0.1:6379/0"
        )


async def consume(
    batcher: Pusher, url: str, *, stream: str = "ostinato:events", group: str = "ostinato", name: str = "server"
) -> None:
    """Apply the events of a Redis stream until the task is cancelled.

    An entry has the fields ``unique_id`` and ``event``, a push as JSON such as {"y": 5.1, "ds": ..., "seq": 17}. Each
    event needs its sequence number: an entry may be delivered twice, and only its number tells. An entry is
    acknowledged after its events are saved. One that is refused goes to the stream ``STREAM:refused`` with the reason.

    Args:
        batcher: What the events are pushed to.
        url: redis://HOST:PORT/DB, or the same with rediss or valkey.
        stream: The key of the stream.
        group: The name of the consumer group, which all servers share.
        name: The name of this server in the group, different for each.
    """
    try:
        from redis import RedisError
        from redis.asyncio import Redis
    except ImportError as error:
        raise missing("events from a Redis stream", "redis", "redis") from error
    db: Any = Redis.from_url(url.replace("valkey", "redis", 1) if url.startswith("valkey") else url)
    own, since = True, "0"  # first what this server took before it ended
    early: Early = {}
    task = asyncio.current_task()
    assert task is not None
    try:
        # the client of Redis may take a cancellation for a time-out and try again, so it is looked for here too
        while not task.cancelling():
            try:
                await _make(db, stream, group)
                if not own:
                    # at times also what a server that is gone had taken
                    _, lost, *_ = await db.xautoclaim(stream, group, name, _LOST, "0", count=_MANY)
                    await _apply(batcher, db, lost, stream, group, early)
                found = await db.xreadgroup(group, name, {stream: since}, count=_MANY, block=_WAIT)
                entries = found[0][1] if found else []
                await _apply(batcher, db, entries, stream, group, early)
                if own:
                    own, since = bool(entries), entries[-1][0] if entries else ">"
                while len(early) > _MOST:
                    await asyncio.sleep(_PAUSE)
            except (RedisError, OSError, _AgainError):
                own, since = True, "0"
                await asyncio.sleep(_PAUSE)
    finally:
        for waiting in early.values():
            waiting.cancel()  # its entry stays with the group, which gives it out again
        await asyncio.gather(*early.values(), return_exceptions=True)
        await db.aclose()


class _AgainError(Exception):
    """The server could not take an event now; it stays with this server and is tried again."""


async def _make(db: Any, stream: str, group: str) -> None:
    """Make the consumer group if there is none; entries from before it count too."""
    from redis import ResponseError

    try:
        await db.xgroup_create(stream, group, id="0", mkstream=True)
    except ResponseError as error:
        if "BUSYGROUP" not in str(error):
            raise


async def _apply(batcher: Pusher, db: Any, entries: list[Any], stream: str, group: str, early: Early) -> None:
    """Apply entries: those of one stream in their order, those of different streams together."""
    series: dict[bytes, list[Any]] = {}
    for entry in entries:
        if entry[0] not in early:
            series.setdefault((entry[1] or {}).get(b"unique_id", b""), []).append(entry)
    done = await asyncio.gather(*(_in_order(batcher, db, some, stream, group, early) for some in series.values()))
    if not all(done):
        raise _AgainError


async def _in_order(batcher: Pusher, db: Any, entries: list[Any], stream: str, group: str, early: Early) -> bool:
    """Apply the entries of one stream, and return whether all of them are done with, or wait for those before them."""
    for number, fields in entries:
        try:
            unique_id, push = _read(fields)
            await batcher.push(unique_id, push)
        except OstinatoError as error:
            if error.exit_code == 1:  # the store is gone, or too much waits: not the fault of the event
                return False
            if isinstance(error, OrderError) and _first(push) > error.expected:
                early[number] = asyncio.create_task(_wait(batcher, db, (number, fields), stream, group, early))
                continue
            await _put_aside(db, (number, fields), stream, error)
        await db.xack(stream, group, number)
    return True


async def _wait(batcher: Pusher, db: Any, entry: Any, stream: str, group: str, early: Early) -> None:
    """Apply an entry as soon as the events before it are in, which another server of the group may have taken."""
    number, fields = entry
    unique_id, push = _read(fields)
    end, pause = time.monotonic() + _GAP, 0.02
    try:
        while True:
            await asyncio.sleep(pause)
            pause = min(2 * pause, 1.0)
            try:
                await batcher.push(unique_id, push)
            except OstinatoError as error:
                waits = error.exit_code == 1 or (isinstance(error, OrderError) and time.monotonic() < end)
                if waits:
                    continue
                await _put_aside(db, entry, stream, error)
            await db.xack(stream, group, number)
            return
    finally:
        early.pop(number, None)


async def _put_aside(db: Any, entry: Any, stream: str, error: OstinatoError) -> None:
    """Keep an entry that cannot be applied, with the reason."""
    number, fields = entry
    await db.xadd(f"{stream}:refused", {**(fields or {}), "entry": number, "error": str(error)}, maxlen=10_000)


def _first(push: Push) -> int:
    """Return the number of the first event of a push, each of which has one."""
    from msgspec import UNSET

    first = push.seq if push.events is UNSET else push.events[0].seq
    assert first is not None
    return first


def _read(fields: dict[bytes, bytes] | None) -> tuple[str, Push]:
    """Return the id and the push of an entry.

    Raises:
        DataError: A field is missing or cannot be read, or an event has no sequence number.
    """
    import msgspec

    from ostinato.errors import DataError
    from ostinato.serve.schema import Push

    fix = 'write the fields unique_id and event, such as {"y": 5.1, "seq": 17}'
    if not fields or b"unique_id" not in fields or b"event" not in fields:
        raise DataError("the entry lacks unique_id or event", fix=fix)
    try:
        unique_id = fields[b"unique_id"].decode()
        push = msgspec.json.decode(fields[b"event"], type=Push)
    except (ValueError, msgspec.MsgspecError) as error:
        raise DataError(f"the entry cannot be read: {error}", fix=fix) from error
    given = json.loads(fields[b"event"])
    if any(event.get("seq") is None for event in given.get("events", [given])):
        raise DataError("an event has no sequence number, so that it could be applied twice", fix=fix)
    return unique_id, push
