"""A large batch is stepped while the one before it is saved; what is not saved is never answered as if it were."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Callable, Sequence

import numpy as np
import pytest

pytest.importorskip("msgspec", reason="the server needs msgspec")
pytest.importorskip("starlette", reason="the server needs starlette")
pytest.importorskip("httpx", reason="the tests of the server need httpx")

from serving import core, run

import zoo
from ostinato.errors import OstinatoError
from ostinato.inference.live.rows import Rows
from ostinato.serve import access
from ostinato.serve import batcher as batching
from ostinato.serve.auth import Kept, Token
from ostinato.serve.errors import RefusedError, UnexpectedError
from ostinato.serve.held import Asked
from ostinato.serve.order import OrderError
from ostinato.serve.reach import Reach
from ostinato.serve.reads import Reads
from ostinato.serve.schema import NamedPush, Result
from ostinato.serve.snapshot import Snapshot
from ostinato.serve.store import Change, Store, StoreError
from ostinato.serve.store_memory import MemoryStore

Make = Callable[..., Store]


@pytest.fixture
def slow(monkeypatch: pytest.MonkeyPatch) -> Make:
    """What returns a store whose saves take a moment, and of which those that are True fail as a whole.

    After a ``StoreError``, all that waits is refused; after a fault of the server, only what the save held.
    """
    monkeypatch.setattr(access, "PAUSE", 0.001)

    def make(fails: Sequence[bool], error: Exception | None = None) -> Store:
        store, left = MemoryStore(), list(fails)
        keep = store.save
        store.durable = True

        def save(changes: Sequence[Change]) -> set[str]:
            time.sleep(0.004)
            if left and left.pop(0):
                raise error or StoreError("the disk is full")
            return keep(changes)

        monkeypatch.setattr(store, "save", save)
        return store

    return make


def value(key: int, number: int) -> float:
    return 50 + 5 * float(np.sin(key + number / 3))


def asked(keys: Sequence[int], number: int) -> list[Asked]:
    pushes = [NamedPush(unique_id=f"s{key}", y=value(key, number), seq=number) for key in keys]
    return [Asked(one.unique_id, one) for one in pushes]


def test_a_batch_that_rests_on_a_failed_save_is_judged_again(slow: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(batching, "BESIDE", 2)
    store = slow([False, True], RuntimeError("a fault"))

    async def main() -> None:
        async with core(zoo.fitted("series", "gru"), store) as batcher:
            await batcher.push_all(asked([1, 2, 3], 1))  # a stream that comes from the store waits for the save
            first, then, same = asked([1, 2], 2), asked([1], 3) + asked([3], 2), asked([2, 2], 2)
            rounds = [asyncio.create_task(batcher.push_all(some)) for some in (first,)]
            while not batcher._flying:
                await asyncio.sleep(0)
            rounds += [asyncio.create_task(batcher.push_all(some)) for some in (then, same)]
            while len(batcher._flying) < 2:
                await asyncio.sleep(0)
            await asyncio.gather(*rounds)
            assert all(isinstance(one.outcome, UnexpectedError) for one in first)
            assert isinstance(then[0].outcome, OrderError)  # the event before it was not kept
            assert isinstance(then[1].outcome, Result)
            # the event was repeated while its first save was on its way, which failed
            assert [one.outcome.events[0].status for one in same if isinstance(one.outcome, Result)] == [
                "applied",
                "repeated",
            ]
            seen = {key: Snapshot.from_bytes(one.data).seq for key, one in store.load(["s1", "s2", "s3"]).items()}
            assert seen == {"s1": 1, "s2": 2, "s3": 2}

    run(main)


def test_a_repeated_event_is_not_answered_before_its_save(slow: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(batching, "BESIDE", 2)
    store = slow([False, True], RuntimeError("a fault"))

    async def main() -> None:
        async with core(zoo.fitted("series", "gru"), store) as batcher:
            await batcher.push_all(asked([1, 2], 1))
            first, again = asked([1, 2], 2), asked([1, 2], 2)
            failing = asyncio.create_task(batcher.push_all(first))
            while not batcher._flying:
                await asyncio.sleep(0)
            await batcher.push_all(again)  # a batch of events that are in memory, and saves nothing
            await failing
            assert all(isinstance(one.outcome, UnexpectedError) for one in first)
            assert [e.status for one in again if isinstance(one.outcome, Result) for e in one.outcome.events] == [
                "applied",
                "applied",
            ]

    run(main)


def test_what_is_on_its_way_when_the_store_fails_is_refused_with_it(
    slow: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(batching, "BESIDE", 2)
    store = slow([False, True])

    async def main() -> None:
        async with core(zoo.fitted("series", "gru"), store) as batcher:
            await batcher.push_all(asked([1, 2, 3], 1))
            rounds = [asked([1, 2], 2), asked([1], 3) + asked([3], 2), asked([2, 2], 2)]
            tasks = [asyncio.create_task(batcher.push_all(rounds[0]))]
            while not batcher._flying:
                await asyncio.sleep(0)
            tasks += [asyncio.create_task(batcher.push_all(some)) for some in rounds[1:]]
            await asyncio.gather(*tasks)
            assert all(isinstance(one.outcome, StoreError) for some in rounds for one in some)
            seen = {key: Snapshot.from_bytes(one.data).seq for key, one in store.load(["s1", "s2", "s3"]).items()}
            assert seen == {"s1": 1, "s2": 1, "s3": 1}
            while batcher.access.failed is not None:
                await asyncio.sleep(0)
            again = asked([1, 2, 3], 2)
            await batcher.push_all(again)
            assert [e.status for one in again if isinstance(one.outcome, Result) for e in one.outcome.events] == [
                "applied"
            ] * 3

    run(main)


def test_an_event_whose_save_failed_is_shown_once(slow: Make) -> None:
    store = slow([False, True])

    async def main() -> None:
        async with core(zoo.fitted("series", "gru"), store) as batcher:
            reads = Reads(Reach(batcher))
            await batcher.push_all(asked([1], 1))
            await reads.history("s1", 0)  # it is watched from now on
            for _ in range(2):
                await batcher.push_all(asked([1], 2))
                while batcher.access.failed is not None:
                    await asyncio.sleep(0)
            assert [one["seq"] for one in (await reads.history("s1", 0))["events"]] == [1, 2]

    run(main)


def test_nothing_else_is_done_while_a_save_is_on_its_way(slow: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(batching, "BESIDE", 2)
    store = slow([])

    async def main() -> None:
        async with core(zoo.fitted("series", "gru"), store) as batcher:
            pushed = asyncio.create_task(batcher.push_all(asked([1, 2], 1)))
            while not batcher._flying:
                await asyncio.sleep(0)
            assert not store.count()

            async def look() -> int:
                return store.count()

            assert await batcher.alone(look) == 2
            await pushed

    run(main)


def test_a_stream_may_leave_memory_while_others_of_its_batch_are_read(
    slow: Make, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(batching, "BESIDE", 2)
    store = slow([])

    async def main() -> None:
        async with core(zoo.fitted("series", "gru"), store, resident=3) as batcher:
            await batcher.push_all(asked([1, 2, 3], 1))
            saved = asyncio.create_task(batcher.push_all(asked([4, 5], 1)))  # 1 leaves memory once these are saved
            while not batcher._flying:
                await asyncio.sleep(0)
            then = asked([1, 6], 2) + asked([2], 2)
            then[1].push.seq = None
            await batcher.push_all(then)
            await saved
            assert all(isinstance(one.outcome, Result) for one in then)
            assert {f"s{key}" for key in (1, 2, 3)} - set(batcher.streams.resident)

    run(main)
    assert not caplog.records  # no fault was met on the way


def test_a_limit_of_streams_counts_those_that_are_being_saved(slow: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(batching, "BESIDE", 2)
    monkeypatch.setattr(batching, "MOST", 2)
    store = slow([])
    token = Token(Kept("a", "", streams=3))

    def owned(keys: Sequence[int]) -> list[Asked]:
        return [Asked(one.unique_id, one.push, token) for one in asked(keys, 1)]

    async def main() -> None:
        async with core(zoo.fitted("series", "gru"), store) as batcher:
            first, then = owned([1, 2]), owned([3, 4])
            # the second batch is read from the store before the first one is saved
            await asyncio.gather(batcher.push_all(first), batcher.push_all(then))
            assert all(isinstance(one.outcome, Result) for one in first)
            assert [isinstance(one.outcome, RefusedError) for one in then] == [False, True]
            assert batcher.applier.count == store.count() == 3

    run(main)


@pytest.mark.parametrize("seed", range(3))
def test_what_was_answered_is_kept_once_when_saves_fail_at_random(
    seed: int, slow: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(batching, "BESIDE", 4)
    rng, model = random.Random(seed), zoo.fitted("series", "gru")
    store: Store = slow([rng.random() < 0.3 for _ in range(60)])
    told: dict[tuple[int, int], float | None] = {}
    streams, last = 12, 8

    async def main() -> None:
        async with core(model, store) as batcher:

            async def send(seed: int) -> None:
                """Push the next event of some streams until all are answered; others push the same events."""
                own, done = random.Random(seed), dict.fromkeys(range(streams), 0)
                while left := [key for key, number in done.items() if number < last]:
                    some = own.sample(left, min(len(left), 8))
                    batch = [asked([key], done[key] + 1)[0] for key in some]
                    await batcher.push_all(batch)
                    for key, one in zip(some, batch, strict=True):
                        assert isinstance(one.outcome, Result | OstinatoError)
                        if isinstance(one.outcome, Result):
                            done[key] += 1
                            (event,) = one.outcome.events
                            if event.surprisal is not None:
                                before = told.setdefault((key, done[key]), event.surprisal)
                                assert before == pytest.approx(event.surprisal, abs=1e-5)

            await asyncio.gather(*[send(i) for i in range(4)])
            assert not batcher._flying

    run(main)
    rows = Rows(model)
    for key in range(streams):
        y = np.array([[value(key, i + 1)] for i in range(last)])
        want = rows.step([f"s{key}"], y, np.array([last]), rows.start(1)).surprisal
        got = [told[key, i + 1] for i in range(last)]
        np.testing.assert_allclose(np.array(got, dtype=float), want, atol=1e-5)
