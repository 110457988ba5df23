"""Events from a Redis stream: each is applied once, in order, whatever is delivered twice or refused."""

from __future__ import annotations

import asyncio
import importlib.util
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import real_servers
from real_servers import Server, program

from ostinato.errors import DataError

pytest.importorskip("msgspec", reason="msgspec is not installed")
pytest.importorskip("redis", reason="redis is not installed")
if importlib.util.find_spec("ostinato.serve.schema") is None:
    pytest.skip("the server is not here", allow_module_level=True)
if program("valkey-server", "redis-server") is None:
    pytest.skip("redis-server is not installed", allow_module_level=True)

import redis.asyncio

from ostinato.serve import consume_redis
from ostinato.serve.consume_redis import consume
from ostinato.serve.errors import UnexpectedError
from ostinato.serve.order import OrderError
from ostinato.serve.schema import Push, Result
from ostinato.serve.store import StoreError


class Applied:
    """Takes events as a server does: by number, each once."""

    def __init__(self, fails: int = 0, *, ordered: bool = False) -> None:
        self.events: dict[str, list[int]] = {}
        self.fails, self.ordered = fails, ordered

    async def push(self, unique_id: str, push: Push) -> Result:
        if self.fails:
            self.fails -= 1
            raise StoreError("the store is gone")
        if push.y == -2.0:
            raise UnexpectedError("the server failed")
        if push.y == -1.0:
            raise DataError("the model cannot take the value -1")
        held = self.events.setdefault(unique_id, [])
        assert push.seq is not None
        if push.seq > len(held) + 1 and self.ordered:
            raise OrderError("an event is missing", expected=len(held) + 1, fix="send it")
        if push.seq not in held:
            held.append(push.seq)
        return Result(unique_id, push.seq, [])


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    running = real_servers.redis(tmp_path_factory.mktemp("events")).start()
    yield running
    running.kill()


def _run(server: Server, entries: list[dict[str, Any]], taker: Applied, *, taken_by: str = "") -> dict[str, int]:
    """Consume entries until none is left, and return the numbers of pending and refused ones."""

    async def run() -> dict[str, int]:
        db: Any = redis.asyncio.Redis.from_url(server.url)
        await db.flushdb()
        for entry in entries:
            await db.xadd("ostinato:events", entry)
        if taken_by:  # a server took them and ended before it acknowledged
            await db.xgroup_create("ostinato:events", "ostinato", id="0")
            await db.xreadgroup("ostinato", taken_by, {"ostinato:events": ">"})
        task = asyncio.create_task(consume(taker, server.url, name="one"))
        for _ in range(400):
            await asyncio.sleep(0.01)
            groups = await db.xinfo_groups("ostinato:events") if await db.exists("ostinato:events") else []
            if groups and groups[0]["pending"] == 0 and groups[0]["lag"] == 0:
                break
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        refused = await db.xlen("ostinato:events:refused")
        pending = groups[0]["pending"]
        await db.aclose()
        return {"pending": pending, "refused": refused}

    return asyncio.run(run())


def _entry(unique_id: str, seq: int, y: float = 1.0) -> dict[str, Any]:
    return {"unique_id": unique_id, "event": json.dumps({"y": y, "seq": seq})}


def test_events_are_applied_in_order_and_acknowledged(server: Server) -> None:
    taker = Applied()
    entries = [_entry(key, seq) for seq in range(1, 30) for key in ("a", "b")]
    assert _run(server, [*entries, *entries], taker) == {"pending": 0, "refused": 0}
    assert taker.events == {"a": list(range(1, 30)), "b": list(range(1, 30))}


def test_a_store_that_is_gone_for_a_while_loses_nothing(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(consume_redis, "_PAUSE", 0.01)
    taker = Applied(fails=3)
    assert _run(server, [_entry("a", seq) for seq in range(1, 9)], taker) == {"pending": 0, "refused": 0}
    assert taker.events == {"a": list(range(1, 9))}


@pytest.mark.parametrize("who", ["one", "another"])
def test_what_a_server_took_before_it_ended_is_applied(
    server: Server, who: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(consume_redis, "_LOST", 0)
    monkeypatch.setattr(consume_redis, "_WAIT", 50)
    taker = Applied()
    assert _run(server, [_entry("a", 1), _entry("a", 2)], taker, taken_by=who) == {"pending": 0, "refused": 0}
    assert taker.events == {"a": [1, 2]}


def test_what_cannot_be_applied_is_put_aside_with_its_reason(server: Server) -> None:
    taker = Applied()
    bad: list[dict[str, Any]] = [
        {"unique_id": "a"},
        {"unique_id": "a", "event": "{"},
        {"unique_id": "a", "event": '{"y": 1}'},
        {"unique_id": "a", "event": '{"y": 1, "seq": 1, "seq": 2}'},
        {"unique_id": "a", "event": '{"y": 1, "events": [{"y": 1, "seq": 1}]}'},
        _entry("a\n", 1),
        _entry("a", 1, -1.0),
        _entry("a", 1, -2.0),
    ]
    assert _run(server, [*bad, _entry("a", 2)], taker) == {"pending": 0, "refused": 8}
    assert taker.events == {"a": [2]}


def test_an_event_waits_for_those_before_it_which_another_server_may_have_taken(server: Server) -> None:
    taker = Applied(ordered=True)
    order = [3, 1, 6, 2, 5, 4, 8, 7]
    assert _run(server, [_entry("a", seq) for seq in order], taker) == {"pending": 0, "refused": 0}
    assert taker.events == {"a": list(range(1, 9))}


def test_an_event_whose_forerunner_never_comes_is_put_aside(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(consume_redis, "_GAP", 0.1)
    taker = Applied(ordered=True)
    assert _run(server, [_entry("a", 1), _entry("a", 3), _entry("b", 1)], taker) == {"pending": 0, "refused": 1}
    assert taker.events == {"a": [1], "b": [1]}


def test_events_that_wait_follow_at_once_when_a_gap_closes(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(consume_redis, "_SOON", 0.2)  # each try of its own would take a minute
    taker = Applied(ordered=True)
    assert _run(server, [_entry("a", seq) for seq in range(300, 0, -1)], taker) == {"pending": 0, "refused": 0}
    assert taker.events == {"a": list(range(1, 301))}


def test_an_entry_in_the_hands_of_two_servers_is_put_aside_once(server: Server) -> None:
    async def run() -> tuple[int, int]:
        db: Any = redis.asyncio.Redis.from_url(server.url)
        await db.flushdb()
        number = await db.xadd("ostinato:events", {"unique_id": "a"})
        await db.xgroup_create("ostinato:events", "ostinato", id="0")
        await db.xreadgroup("ostinato", "slow", {"ostinato:events": ">"})
        await db.xclaim("ostinato:events", "ostinato", "quick", 0, [number])
        for _ in range(2):
            taken = consume_redis._Taken(Applied(), db, "ostinato:events", "ostinato")
            await taken.apply([(number, {b"unique_id": b"a"})])
        refused = await db.xlen("ostinato:events:refused")
        pending = (await db.xinfo_groups("ostinato:events"))[0]["pending"]
        await db.aclose()
        return refused, pending

    assert asyncio.run(run()) == (1, 0)


def test_a_redis_that_is_gone_is_in_the_log_and_what_waits_is_taken_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(consume_redis, "_PAUSE", 0.05)
    running = real_servers.redis(tmp_path).start()
    taker = Applied(ordered=True)

    async def until(done: Callable[[], bool]) -> None:
        for _ in range(600):
            if done():
                return
            await asyncio.sleep(0.01)
        raise AssertionError(caplog.messages)

    async def run() -> None:
        db: Any = redis.asyncio.Redis.from_url(running.url)
        await db.xadd("ostinato:events", _entry("a", 2))
        await db.aclose()
        task = asyncio.create_task(consume(taker, running.url, name="one"))
        await until(lambda: "a" in taker.events)
        running.kill()
        await until(lambda: any("Redis does not answer" in one for one in caplog.messages))
        running.start()
        await until(lambda: any("Redis answers again" in one for one in caplog.messages))
        db = redis.asyncio.Redis.from_url(running.url)
        await db.xadd("ostinato:events", _entry("a", 1))
        await until(lambda: taker.events.get("a") == [1, 2])
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        await db.aclose()

    try:
        asyncio.run(run())
    finally:
        running.kill()
