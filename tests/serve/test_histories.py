"""A history says what its events are: a model of another kind never reads it, and stores of earlier releases load."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ostinato.shapes import Array

pytest.importorskip("msgspec", reason="the server needs msgspec")
pytest.importorskip("starlette", reason="the server needs starlette")
pytest.importorskip("httpx", reason="the tests of the server need httpx")

from serving import client, core, push, run

import zoo
from ostinato.inference.alarm_rule import AlarmRule, Alarms
from ostinato.inference.live.rows import Rows
from ostinato.inference.stream import Stream
from ostinato.serve.changes import Changes
from ostinato.serve.order import Order
from ostinato.serve.reach import Reach
from ostinato.serve.snapshot import NUMBERS, TEXT, UNMARKED, Snapshot, history_dtype
from ostinato.serve.store import Change, Record
from ostinato.serve.store_memory import MemoryStore
from ostinato.serve.streams import Streams

#: Events of a model of each kind, and the kind in the words of a refusal.
EVENTS: dict[str, tuple[list[Any], str]] = {
    "series": ([49.5, 50.25, 51.0], "numbers of 1 channel"),
    "counts": ([104.0, 105.0], "numbers of 1 channel"),  # the code points of "hi"
    "channels": ([[1.0, 2.0], [1.5, 2.5], [1.0, 2.0]], "numbers of 2 channels"),
    "text": (["ab"], "text"),
}
PAIRS = [(a, b) for a in EVENTS for b in EVENTS if EVENTS[a][1] != EVENTS[b][1]]


@pytest.mark.parametrize(("times", "again"), [(20, 1), (16, 16)])  # 16 leave nothing but full blocks
@pytest.mark.parametrize(("before", "after"), PAIRS)
def test_a_swap_to_a_model_of_another_kind_is_refused_by_name(
    before: str, after: str, times: int, again: int, tmp_path: Path
) -> None:
    old, new = zoo.fitted(before, "gru"), zoo.fitted(after, "gru")
    (ys, held), (others, read) = EVENTS[before], EVENTS[after]

    async def main() -> None:
        async with core(old, str(tmp_path)) as batcher, client(batcher, reload=lambda: (new, None)) as http:
            await push(batcher, "a", *ys * times, first=1)
            refused = await http.post("/v1/model", json={"streams": "replay"})
            assert refused.status_code == 422
            assert all(
                one in refused.json()["error"]["what"] for one in (f"the new model reads {read}", f"which hold {held}")
            )
            await push(batcher, "a", *ys * again)  # the model before goes on
            assert (await http.post("/v1/model", json={"streams": "fresh"})).status_code == 200
            (first,) = await push(batcher, "a", others[0])
            async with core(new) as alone:
                assert [first.surprisal] == pytest.approx([(await push(alone, "a", others[0]))[0].surprisal], abs=1e-5)
        async with core(new, str(tmp_path)) as batcher, client(batcher) as http:
            events = (await http.get("/v1/streams/a/history")).json()["events"]
            assert {one["seq"] for one in events} == {len(ys) * (times + again) + 1}  # nothing else is left

    run(main)


@pytest.mark.parametrize(("before", "after"), PAIRS)
def test_a_store_of_another_kind_is_not_replayed(before: str, after: str, tmp_path: Path) -> None:
    old, new = zoo.fitted(before, "gru"), zoo.fitted(after, "gru")
    y = EVENTS[after][0][0]

    async def main() -> None:
        async with core(old, str(tmp_path)) as batcher:
            await push(batcher, "a", *EVENTS[before][0] * 20)
        async with core(new, str(tmp_path)) as batcher, core(new) as alone:
            got, want = await push(batcher, "a", y), await push(alone, "a", y)
            assert [e.surprisal for e in got] == pytest.approx([e.surprisal for e in want], abs=1e-5)
            assert await Changes(Reach(batcher), batcher.applier).snapshot("a")

    run(main)


def test_a_swap_without_streams_is_not_refused() -> None:
    new = zoo.fitted("text", "gru")

    async def main() -> None:
        async with core(zoo.fitted("series", "gru")) as batcher, client(batcher, reload=lambda: (new, None)) as http:
            assert (await http.post("/v1/model", json={"streams": "replay"})).status_code == 200

    run(main)


def _unmarked(streams: Streams, y: list[float]) -> MemoryStore:
    """A store with the stream "a" as earlier releases wrote it: it does not say what its history holds."""
    batch = streams.served.rows.step(["a"], np.array(y)[:, None], np.array([len(y)]), streams.served.rows.start(1))
    last, memory = np.full((1, 2, 0), np.nan), np.zeros((1, 0))
    row = streams.served.layout.pack([*(s.numpy() for s in batch.state), last, memory]).tobytes()
    events = np.zeros(len(y), dtype=streams.served.event)
    events["y"][:, 0], events["seq"] = y, np.arange(1, len(y) + 1)
    data = Snapshot(streams.served.digest[:16], len(y), len(y), 0, row, events.tobytes(), Order().to_bytes()).to_bytes()
    assert data[:4] == UNMARKED
    store = MemoryStore()
    store.save([Change("a", Record(7, data), new=True)])
    return store


class Counted(AlarmRule):
    """A rule without alarms that remembers the number of events."""

    width = 1

    def start(self) -> Array:
        return np.zeros(1)

    def step(self, surprisal: Array, values: Array, expected: Array, memory: Array) -> tuple[Alarms, Array]:
        return np.zeros(len(surprisal), dtype=np.uint8), memory + 1

    def words(self) -> str:
        return "none"


def test_a_stream_of_another_rule_of_alarms_is_shown_its_whole_history(tmp_path: Path) -> None:
    """The state has another size with it; the latest events alone would leave another state than the one before."""
    model, y = zoo.fitted("series", "gru"), (50 + 5 * np.sin(np.arange(34) / 3)).tolist()

    async def main() -> None:
        async with core(model, str(tmp_path)) as batcher, core(model) as alone:
            await push(batcher, "a", *y[:33])
            want = (await push(alone, "a", *y))[-1].surprisal
        async with core(model, str(tmp_path), rule=Counted()) as batcher:
            (told,) = await push(batcher, "a", y[33], first=34)
            assert told.surprisal == pytest.approx(want, abs=1e-5)

    run(main)


def test_events_that_wait_do_not_outlive_a_swap_to_a_model_of_another_kind() -> None:
    new = zoo.fitted("series", "gru")

    async def main() -> None:
        async with (
            core(zoo.fitted("text", "gru"), late=2) as batcher,
            client(batcher, reload=lambda: (new, None)) as http,
        ):
            await push(batcher, "a", "ab", first=1)
            (held,) = await push(batcher, "a", "ab", first=3)
            assert held.status == "held"
            assert (await http.post("/v1/model", json={"streams": "fresh"})).status_code == 200
            told = await push(batcher, "a", 50.0, 50.5, first=2)
            assert [(e.seq, e.status) for e in told] == [(2, "applied"), (3, "applied")]

    run(main)


@pytest.mark.parametrize("channels", [2, 38])  # an event of 38 channels is as long as 13 of one
def test_a_history_of_other_channels_is_not_read_as_numbers_of_these(channels: int) -> None:
    streams = Streams(zoo.fitted("series", "gru"))
    events = np.zeros(1, dtype=history_dtype(channels))
    events["seq"], events["y"] = 1, 50.0
    assert channels == 2 or not events.nbytes % streams.served.event.itemsize
    record = Snapshot(b"another model   ", 1, 1, 0, b"", events.tobytes(), symbols=NUMBERS).to_bytes()
    streams.bring(["a"], {"a": Record(7, record)}, {})
    assert streams.resident["a"].wipe
    assert not streams.resident["a"].tail


@pytest.mark.parametrize("name", ["gru", "lstm"])
def test_a_store_of_an_earlier_release_loads_and_is_marked_with_its_next_save(name: str) -> None:
    """The model that wrote it goes on from the state, and another one is shown the history."""
    old, model, y = zoo.fitted("series", "gru"), zoo.fitted("series", name), [49.0, 50.5, 51.25, 50.0]
    store, rows = _unmarked(Streams(old), y[:3]), Rows(model)
    want = rows.step(["a"], np.array(y)[:, None], np.array([4]), rows.start(1)).surprisal[3:]

    async def main() -> None:
        async with core(model, store) as batcher:
            got = await push(batcher, "a", y[3], first=4)
            assert [e.surprisal for e in got] == pytest.approx(want, abs=1e-5)
            assert store.load(["a"])["a"].data[:4] == NUMBERS

    run(main)


def test_numbers_of_an_earlier_release_are_not_replayed_as_text() -> None:
    text, store = zoo.fitted("text", "gru"), _unmarked(Streams(zoo.fitted("series", "gru")), [49.5, 50.0, 51.0])
    want = float(Stream(text).update("a").surprisal.sum())

    async def main() -> None:
        async with core(text, store) as batcher:
            assert (await push(batcher, "a", "a"))[0].surprisal == pytest.approx(want, abs=1e-5)
            assert store.load(["a"])["a"].data[:4] == TEXT

    run(main)
