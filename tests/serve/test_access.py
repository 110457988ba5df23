"""A store that hangs or fails: what waits is refused at once, what comes too, and the server goes on by itself."""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import Sequence

import numpy as np
import pytest

pytest.importorskip("msgspec", reason="the server needs msgspec")
pytest.importorskip("starlette", reason="the server needs starlette")
pytest.importorskip("httpx", reason="the tests of the server need httpx")

from serving import client, core, push, run

import zoo
from ostinato.inference.live.rows import Rows
from ostinato.serve import access
from ostinato.serve.batcher import Batcher
from ostinato.serve.calls import unfinished
from ostinato.serve.schema import Push
from ostinato.serve.snapshot import Snapshot
from ostinato.serve.store import Change, Record, StoreError
from ostinato.serve.store_memory import MemoryStore

WORDS = "connection to server at 192.0.2.2, port 5432 failed: FATAL: no entry for user anna"
#: What a store does while it does not answer: nothing for ever, or it fails after all.
ENDS = {"kept": None, "lost": StoreError("the disk is gone")}


class Hanging(MemoryStore):  # type: ignore[misc]
    """A store whose calls do not return for as long as it is told so.

    Attributes:
        calls: The names of the calls that were begun.
        hung: Set once a call hangs.
        go: Set while no call hangs.
        end: What a call that hung raises in the end; None lets it do what it was asked for.
    """

    def __init__(self, *, shared: bool) -> None:
        super().__init__()
        self.durable, self.shared = True, shared
        self.calls: list[str] = []
        self.hung, self.go = threading.Event(), threading.Event()
        self.go.set()
        self.end: StoreError | None = None

    def _begin(self, name: str) -> None:
        self.calls.append(name)
        if not self.go.is_set():
            self.hung.set()
            self.go.wait()
            if self.end is not None:
                raise self.end

    def load(self, ids: Sequence[str]) -> dict[str, Record]:
        self._begin("load")
        return super().load(ids)

    def save(self, changes: Sequence[Change]) -> set[str]:
        self._begin("save")
        return super().save(changes)

    def ping(self) -> None:
        self._begin("ping")
        super().ping()


@pytest.fixture(params=[False, True], ids=["own", "shared"])
def store(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Hanging:
    monkeypatch.setattr(access, "PATIENCE", 0.05)
    monkeypatch.setattr(access, "PAUSE", 0.01)
    return Hanging(shared=request.param)


async def hangs(batcher: Batcher, store: Hanging, key: str) -> asyncio.Task[object]:
    """Push the second event of a stream to a store that does not answer any more, and return once it hangs."""
    store.go.clear()
    pushed = asyncio.create_task(push(batcher, key, 51.0, first=2))
    await asyncio.to_thread(store.hung.wait)
    return pushed


@pytest.mark.parametrize("end", ENDS)
def test_a_store_that_hangs_stops_nobody_and_loses_nothing(end: str, store: Hanging) -> None:
    keys = ["a", "b", "c"]
    told: dict[str, list[float | None]] = {key: [] for key in keys}

    async def main() -> None:
        async with core(zoo.fitted("series", "gru"), store) as batcher:
            for key in keys:
                told[key] += [one.surprisal for one in await push(batcher, key, 50.0, first=1)]
            first = await hangs(batcher, store, "a")
            queued = [asyncio.create_task(push(batcher, key, 51.0, first=2)) for key in ("b", "c", "new")]
            found = await asyncio.gather(first, *queued, return_exceptions=True)
            assert all(isinstance(one, StoreError) for one in found)
            begun = len(store.calls)
            for _ in range(20):  # those that come later, in memory or not, while the first call still hangs
                for key in ("a", "b", "other"):
                    with pytest.raises(StoreError, match="does not answer"):
                        await push(batcher, key, 51.0, first=2)
            assert len(store.calls) == begun
            store.end = ENDS[end]
            store.go.set()
            while batcher.access.failed is not None:
                await asyncio.sleep(0.001)
            seen = store.load([*keys, "new"])  # the save that hung may be kept; those after it never began
            seqs = {key: Snapshot.from_bytes(one.data).seq for key, one in seen.items()}
            assert seqs == {"a": 2 if end == "kept" else 1, "b": 1, "c": 1}
            for key in keys:
                (one,) = await push(batcher, key, 51.0, first=2)
                told[key].append(one.surprisal)
                (one,) = await push(batcher, key, 52.0, first=3)
                told[key].append(one.surprisal)
            seen = store.load([*keys, "other"])
            assert {key: Snapshot.from_bytes(one.data).seq for key, one in seen.items()} == dict.fromkeys(keys, 3)

    run(main)
    rows = Rows(zoo.fitted("series", "gru"))
    want = rows.step(["a"], np.array([[50.0], [51.0], [52.0]]), np.array([3]), rows.start(1)).surprisal
    for key in keys:
        np.testing.assert_allclose(np.array(told[key], dtype=float), want, atol=1e-5)


def test_a_call_that_was_refused_is_never_begun(store: Hanging) -> None:
    async def main() -> None:
        way = access.Access(store)
        store.go.clear()
        first = asyncio.create_task(way.ask(store.load, ["a"]))
        await asyncio.to_thread(store.hung.wait)
        saved = asyncio.create_task(way.ask(store.save, [Change("a", Record(1, b"1"), new=True)]))
        assert all(isinstance(one, StoreError) for one in await asyncio.gather(first, saved, return_exceptions=True))
        store.go.set()
        while way.failed is not None:
            await asyncio.sleep(0.001)
        assert "save" not in store.calls
        assert await way.ask(store.load, ["a"]) == {}
        await way.close()

    run(main)


def test_calls_that_wait_their_turn_are_not_late(store: Hanging, monkeypatch: pytest.MonkeyPatch) -> None:
    """The patience is with each call, not with all of those before it."""
    monkeypatch.setattr(access, "PATIENCE", 0.5)
    load = store.load

    def slow(ids: Sequence[str]) -> dict[str, Record]:
        threading.Event().wait(0.1)
        return load(ids)

    async def main() -> None:
        way = access.Access(store)
        found = await asyncio.gather(*[way.ask(slow, ["a"]) for _ in range(12)])
        assert found == [{}] * 12
        await way.close()

    run(main)


def test_an_end_waits_for_a_store_that_hung(store: Hanging) -> None:
    async def main() -> None:
        async with core(zoo.fitted("series", "gru"), store) as batcher:
            await push(batcher, "a", 50.0, first=1)
            with pytest.raises(StoreError):
                await (await hangs(batcher, store, "a"))
            store.go.set()

    run(main)


def test_an_end_does_not_wait_for_a_store_that_hangs(
    store: Hanging, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    for module in ("access", "batcher"):
        monkeypatch.setattr(f"ostinato.serve.{module}.END", 0.05)
    closed: list[bool] = []
    monkeypatch.setattr(store, "close", lambda: closed.append(True))

    async def main() -> None:
        async with core(zoo.fitted("series", "gru"), store) as batcher:
            await push(batcher, "a", 50.0, first=1)
            with pytest.raises(StoreError):
                await (await hangs(batcher, store, "a"))
            assert unfinished()

    run(main)
    assert not closed
    assert "the store is left open: a call of it hangs; every event that was answered is kept" in caplog.messages
    store.go.set()
    while not closed or unfinished():
        threading.Event().wait(0.001)


def test_the_client_is_told_a_plain_sentence_and_the_log_the_rest(
    store: Hanging, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The library of PostgreSQL names the address and the user of the store in its errors."""
    monkeypatch.setattr(access, "PATIENCE", 60.0)  # no call hangs here, and a busy machine is slow
    away = [True]

    def fails(*_: object) -> None:
        if away[0]:
            raise StoreError(WORDS + "\n  Is the server running?", where="postgresql://192.0.2.2:5432/streams")

    store.load = store.save = store.ping = fails  # type: ignore[method-assign, assignment]
    both = [{"unique_id": key, "y": 50.0} for key in ("a", "b")]

    async def main() -> None:
        async with core(zoo.fitted("series", "gru"), store) as batcher, client(batcher) as http:
            for _ in range(2):  # the call that failed, and one that is refused after it
                for answer in (
                    await http.post("/v1/streams/a/events", json={"y": 50.0, "seq": 1}),
                    await http.post("/v1/events", json={"pushes": both}),
                    await http.get("/v1/streams/a"),
                ):
                    assert answer.status_code == 503
                    assert answer.headers["retry-after"] == "1"
                    assert answer.json()["error"]["what"] == "the store of streams failed"
                    assert not [word for word in ("192.0.2.2", "anna", "5432", "postgresql") if word in answer.text]
            away[0] = False
            while batcher.access.failed is not None:
                await asyncio.sleep(0.001)

    with caplog.at_level(logging.WARNING, "ostinato.serve"):
        run(main)
    said = [one.getMessage() for one in caplog.records]
    assert said == [
        f"events are refused: {WORDS}; Is the server running? (postgresql://192.0.2.2:5432/streams)",
        "the store of streams works again",
    ]


def test_a_question_that_is_a_fault_does_not_end_the_asking(store: Hanging, monkeypatch: pytest.MonkeyPatch) -> None:
    answers = [RuntimeError("a fault"), StoreError("gone"), RuntimeError("a fault")]

    def ping() -> None:
        if answers:
            raise answers.pop()

    monkeypatch.setattr(store, "ping", ping)

    async def main() -> None:
        async with core(zoo.fitted("series", "gru"), store) as batcher:
            store.end = StoreError("gone")
            first = await hangs(batcher, store, "a")
            store.go.set()
            with pytest.raises(StoreError):
                await first
            while batcher.access.failed is not None:
                await asyncio.sleep(0.001)
            assert not answers
            assert (await batcher.push("a", Push(y=50.0, seq=1))).seq == 1

    run(main)
