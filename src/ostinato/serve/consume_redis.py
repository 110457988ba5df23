"""Events from a Redis stream: several servers share them as one consumer group, and each event is applied once."""

from __future__ import annotations

import asyncio
import heapq
import logging
import time
from typing import TYPE_CHECKING, Any, Final, Protocol, TypeAlias, final
from urllib.parse import urlsplit

from ostinato.data.extras import missing
from ostinato.errors import ConfigError, OstinatoError
from ostinato.serve.errors import BusyError
from ostinato.serve.order import OrderError
from ostinato.serve.store import StoreError, check_address

if TYPE_CHECKING:
    from ostinato.serve.schema import Push, Result

_LOG = logging.getLogger("ostinato.serve")
#: The schemes of the URLs that events come from.
SCHEMES: Final = ("redis", "rediss", "valkey", "valkeys")
#: How many entries are asked for at once, and the milliseconds that a server waits for some.
_MANY, _WAIT = 512, 1000
#: The milliseconds after which an entry that a server took and did not acknowledge goes to another server.
_LOST = 30_000
#: The seconds for a connection and for an answer, besides those that a server waits for events.
_PATIENCE = 5.0
#: The seconds before events are tried again that the server had no room for, or whose store was gone.
_PAUSE = 0.5
#: The seconds that an event waits for those before it, which another server of the group may have taken, and how many
#: may wait. It is longer than ``_LOST``, so that what a server had taken that ended comes first.
_GAP, _MOST = 45.0, 4096
#: The seconds between the tries of an event that waits, at first and at last.
_SOON, _LATER = 0.02, 1.0
#: The most entries that are kept with the reason why they cannot be applied.
_REFUSED: Final = 10_000
#: An entry may be in the hands of two servers, if one of them was slow: who acknowledges it first puts it aside.
_PUT_ASIDE: Final = """
if redis.call('XACK', KEYS[1], ARGV[1], ARGV[2]) == 0 then return 0 end
redis.call('XADD', KEYS[2], 'MAXLEN', ARGV[3], '*', unpack(ARGV, 4))
return 1
"""
#: What is not the fault of an event: the store is gone, or too much waits.
_PASSING = (StoreError, BusyError)
#: An entry that waits: the number of its event and its own, when it has waited long enough, and its fields.
_Entry: TypeAlias = tuple[int, bytes, float, dict[bytes, bytes]]


class Pusher(Protocol):
    """What events are pushed to: the batcher of a server."""

    async def push(self, unique_id: str, push: Push) -> Result:
        """Apply the events of one stream, and return when they are saved."""


def check(url: str) -> None:
    """Check that events can come from a URL.

    Raises:
        ConfigError: Its scheme is none of Redis, or it cannot be taken apart.
    """
    check_address(url)
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
    db: Any = Redis.from_url(
        url.replace("valkey", "redis", 1) if url.startswith("valkey") else url,
        socket_timeout=_PATIENCE,
        socket_connect_timeout=_PATIENCE,
        socket_keepalive=True,
    )
    own, since, gone = True, "0", False  # first what this server took before it ended
    taken = _Taken(batcher, db, stream, group)
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
                    await taken.apply(lost)
                found = await db.xreadgroup(group, name, {stream: since}, count=_MANY, block=_WAIT)
                entries = found[0][1] if found else []
                await taken.apply(entries)
                if own:
                    own, since = bool(entries), entries[-1][0] if entries else ">"
                while taken.waiting > _MOST:
                    await asyncio.sleep(_PAUSE)
                if gone:
                    _LOG.warning("Redis answers again, and its events go on")
                    gone = False
                if taken.dropped():
                    own, since = True, "0"  # a task gave entries back, which are still this server's
            except (RedisError, OSError, _AgainError) as error:
                if not gone and not isinstance(error, _AgainError):
                    _LOG.warning("Redis does not answer, and its events wait: %s", type(error).__name__)
                    gone = True
                own, since = True, "0"
                await asyncio.sleep(_PAUSE)
    finally:
        await taken.close()
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


@final
class _Taken:
    """The entries that this server took, until they are applied or put aside.

    An entry whose events come before their turn waits for those before it, which another server of the group may have
    taken. One task for each stream tries its entries in the order of their numbers.
    """

    def __init__(self, batcher: Pusher, db: Any, stream: str, group: str) -> None:
        self._batcher, self._db, self._stream, self._group = batcher, db, stream, group
        #: The numbers of the entries that wait, and the entries themselves as a heap for each stream.
        self._early: set[bytes] = set()
        self._heaps: dict[str, list[_Entry]] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._dropped = False

    def dropped(self) -> bool:
        """Return whether a task gave entries back since the last call, because Redis did not answer."""
        dropped, self._dropped = self._dropped, False
        return dropped

    @property
    def waiting(self) -> int:
        """The number of entries that wait for events before them."""
        return len(self._early)

    async def apply(self, entries: list[Any]) -> None:
        """Apply entries: those of one stream in their order, those of different streams together.

        Raises:
            _AgainError: The server could not take some now.
        """
        series: dict[bytes, list[Any]] = {}
        for entry in entries:
            if entry[0] not in self._early:
                series.setdefault((entry[1] or {}).get(b"unique_id", b""), []).append(entry)
        done = await asyncio.gather(*map(self._in_order, series.values()))
        if not all(done):
            raise _AgainError

    async def close(self) -> None:
        """Let go of the entries that wait; they stay with the group, which gives them out again."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _in_order(self, entries: list[Any]) -> bool:
        """Apply the entries of one stream; return whether all are done with, or wait for those before them."""
        for number, fields in entries:
            try:
                unique_id, push = _read(fields)
                await self._batcher.push(unique_id, push)
            except _PASSING:
                return False
            except OstinatoError as error:
                if isinstance(error, OrderError) and _first(push) > error.expected:
                    self._keep(unique_id, (_first(push), number, time.monotonic() + _GAP, fields))
                    continue
                await self._put_aside(number, fields, error)
                continue
            await self._db.xack(self._stream, self._group, number)
        return True

    def _keep(self, unique_id: str, one: _Entry) -> None:
        """Let an entry wait for those before it."""
        self._early.add(one[1])
        heap = self._heaps.get(unique_id)
        if heap is None:
            heap = self._heaps[unique_id] = []
            task = asyncio.create_task(self._wait(unique_id, heap))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
        heapq.heappush(heap, one)

    async def _wait(self, unique_id: str, heap: list[_Entry]) -> None:
        """Apply the entries of a stream that wait, each as soon as the events before it are in."""
        from redis import RedisError

        pause, number = _SOON, b""
        try:
            while heap:
                await asyncio.sleep(pause)
                _, number, end, fields = one = heapq.heappop(heap)
                try:
                    await self._batcher.push(*_read(fields))
                except OstinatoError as error:
                    if isinstance(error, _PASSING) or (isinstance(error, OrderError) and time.monotonic() < end):
                        heapq.heappush(heap, one)
                        pause = min(max(2 * pause, _SOON), _LATER)
                        continue
                    await self._put_aside(number, fields, error)
                else:
                    await self._db.xack(self._stream, self._group, number)
                self._early.discard(number)
                pause = 0.0  # the next one may have its turn now
        except (RedisError, OSError) as error:
            # what is left stays with this server in the group, and ``consume`` takes it again
            _LOG.warning("Redis does not answer, and events that wait are given back: %s", type(error).__name__)
            self._dropped = True
        finally:
            del self._heaps[unique_id]
            self._early.difference_update([number, *(left for _, left, *_ in heap)])

    async def _put_aside(self, number: bytes, fields: dict[bytes, bytes] | None, error: OstinatoError) -> None:
        """Acknowledge an entry that cannot be applied, and keep it with the reason, unless another server has."""
        words: dict[Any, Any] = {**(fields or {}), "entry": number, "error": str(error)}
        flat = [part for pair in words.items() for part in pair]
        await self._db.eval(
            _PUT_ASIDE, 2, self._stream, f"{self._stream}:refused", self._group, number, _REFUSED, *flat
        )


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

    from ostinato.data.json_words import TwiceError, json_words, loads
    from ostinato.errors import DataError
    from ostinato.serve.ids import check_id
    from ostinato.serve.reading import checked
    from ostinato.serve.schema import Push

    fix = 'write the fields unique_id and event, such as {"y": 5.1, "seq": 17}'
    if not fields or b"unique_id" not in fields or b"event" not in fields:
        raise DataError("the entry lacks unique_id or event", fix=fix)
    try:
        unique_id = check_id(fields[b"unique_id"].decode())
        push = checked(msgspec.json.decode(fields[b"event"], type=Push))
        given = loads(fields[b"event"])
    except TwiceError as error:
        raise DataError(f"the entry cannot be read: {json_words(error)}", fix="write each field once") from error
    except (ValueError, msgspec.MsgspecError) as error:
        raise DataError(f"the entry cannot be read: {error}", fix=fix) from error
    if any(event.get("seq") is None for event in given.get("events", [given])):
        raise DataError("an event has no sequence number, so that it could be applied twice", fix=fix)
    return unique_id, push
