"""The surprisals of served streams are those of score, however they are pushed, moved and brought back."""

from __future__ import annotations

import asyncio
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from numpy.typing import NDArray

pytest.importorskip("msgspec", reason="the server needs msgspec")
pytest.importorskip("starlette", reason="the server needs starlette")
pytest.importorskip("httpx", reason="the tests of the server need httpx")

from serving import FixedRule, client, core, push, run

import ostinato
import zoo
from ostinato.data.sequences import SequenceSet
from ostinato.errors import DataError
from ostinato.inference.live.rows import Rows
from ostinato.inference.score import score
from ostinato.inference.stream import Stream
from ostinato.model import SequenceModel
from ostinato.serve.batcher import Batcher
from ostinato.serve.held import Asked
from ostinato.serve.schema import Event, Push


def wanted(model: SequenceModel, data: SequenceSet, row: int) -> NDArray[np.float64]:
    found = score(model, data)
    return found.surprisal[found.offsets[row] : found.offsets[row + 1]]


def close(got: list[float | None], want: NDArray[np.float64]) -> None:
    np.testing.assert_allclose([np.nan if v is None else v for v in got], want, atol=1e-5)


def waves(count: int, steps: int) -> NDArray[np.float64]:
    rng = np.random.default_rng(3)
    y = 50 + 10 * np.sin(np.arange(steps) / 8 + rng.random((count, 1)) * 6) + rng.standard_normal((count, steps))
    y[rng.random(y.shape) < 0.05] = np.nan
    return y


def values(y: NDArray[np.float64]) -> list[float | None]:
    return [None if np.isnan(v) else float(v) for v in y]


@pytest.mark.parametrize("pair", [p for p in zoo.PAIRS if p[0] not in zoo.WORDS and p[1] in ("ar", "gru")], ids=str)
def test_rows_of_any_model_step_as_score_does(pair: tuple[str, str]) -> None:
    model, data = zoo.fitted(*pair), zoo.made(pair[0])
    rows = Rows(model, spacing=1.0 if data.step is None else float(data.step[0]))
    which = [b for b in range(len(data)) if len(data[b])]
    state, last = rows.start(len(which)), np.full((len(which), model.channels), np.nan)
    got: list[NDArray[np.float64]] = [np.zeros(0)] * len(which)
    for a, z in ((0, 1), (1, 4), (4, 100_000)):  # in three pieces of uneven lengths
        some = [i for i, b in enumerate(which) if len(data[b]) > a]
        parts = [data[which[i]][a:z] for i in some]
        lengths = np.array([len(part) for part in parts])
        ids = [data.ids[which[i]] for i in some]
        found = rows.step(ids, np.concatenate(parts), lengths, tuple(s[some] for s in state), last[some])
        for whole, after in zip(state, found.state, strict=True):
            whole[some] = after
        for i, part, nats in zip(some, parts, np.split(found.surprisal, np.cumsum(lengths)[:-1]), strict=True):
            got[i], last[i] = np.concatenate([got[i], nats]), part[-1]
    for i, b in enumerate(which):
        np.testing.assert_allclose(got[i], wanted(model, data, b), atol=1e-5)


@pytest.mark.parametrize("kind", ["series", "channels", "nonnegative", "counts", "prices"])
def test_quantiles_of_a_batch_are_those_of_a_stream(kind: str) -> None:
    model, data = zoo.fitted(kind, "gru"), zoo.made(kind)
    row = int(np.argmax(data.lengths))
    stream, rows, p = zoo.live(model, data, row), Rows(model), (0.1, 0.5, 0.9)
    state, last = rows.start(1), np.full((1, model.channels), np.nan)
    for y in data[row][:6]:
        ahead = rows.ahead([data.ids[row]], state, last if rows.carries_price else None, p)[:, 0]
        np.testing.assert_allclose(ahead, stream.quantiles(p), rtol=1e-5)
        found = rows.step([data.ids[row]], y[None], np.array([1]), state, last, p)
        np.testing.assert_allclose(found.quantiles[:, 0], ahead, rtol=1e-4)
        stream.update(y[None])
        state, last = found.state, y[None]


def test_a_thousand_streams_in_random_order_with_eviction_and_a_restart(tmp_path: Path) -> None:
    model, y = zoo.fitted("series", "gru"), waves(1000, 12)
    got: list[list[float | None]] = [[] for _ in y]
    rng = np.random.default_rng(0)

    async def feed(batcher: Batcher, until: int) -> None:
        left = [b for b in range(len(y)) if len(got[b]) < until]
        while left:
            some = rng.choice(left, size=min(len(left), int(rng.integers(1, 400))), replace=False)
            sizes = [int(rng.integers(1, 5)) for _ in some]
            parts = [values(y[b, len(got[b]) : min(until, len(got[b]) + n)]) for b, n in zip(some, sizes, strict=True)]
            told = await asyncio.gather(*[push(batcher, f"s{b}", *part) for b, part in zip(some, parts, strict=True)])
            for b, events in zip(some, told, strict=True):
                got[b] += [event.surprisal for event in events]
            left = [b for b in left if len(got[b]) < until]

    async def half(until: int) -> None:
        async with core(model, str(tmp_path), resident=300) as batcher:
            await feed(batcher, until)
            assert len(batcher.streams.resident) <= 300

    run(lambda: half(6))
    run(lambda: half(12))
    data = SequenceSet("series", y.reshape(-1, 1), np.arange(0, y.size + 1, 12), tuple(f"s{b}" for b in range(1000)))
    found = score(model, data).surprisal
    assert np.isnan(found).any()
    close([nats for one in got for nats in one], found)


@pytest.mark.parametrize("kind", ["text", "lines", "bytes"])
def test_text_is_served_as_score_scores_it(kind: str) -> None:
    model, data = zoo.fitted(kind, "gru"), zoo.made(kind)
    row = int(np.argmax(data.lengths))
    text = zoo.as_text(data[row])
    want = wanted(model, data, row)
    end = "\n" if data.terminated else ""

    async def main() -> tuple[float, float]:
        async with core(model) as batcher:
            pieces = [text[:1], text[1:3], text[3:] + end]
            total = 0.0
            for piece in pieces:
                (event,) = await push(batcher, "a", piece)
                assert event.surprisal is not None
                total += event.surprisal
            (again,) = await push(batcher, "b", text + end)
            (more,) = await push(batcher, "a", text + end)
            assert again.surprisal is not None
            if end:  # a line that has ended is a sequence, and the next begins anew
                assert more.surprisal == pytest.approx(again.surprisal, abs=1e-4)
            return total, again.surprisal

    total, at_once = run(main)
    assert total == pytest.approx(float(np.nansum(want)), abs=1e-4 * max(1, len(want)))
    assert at_once == pytest.approx(total, abs=1e-4)


@pytest.mark.parametrize("adapt", [None, False])
@pytest.mark.parametrize("ends", [False, True])
def test_a_served_text_goes_on_learning_unless_it_is_frozen(ends: bool, adapt: bool | None) -> None:
    words, new = "the cat sat on the mat and the dog sat on the log\n", "the hog sat on a log\na dog; the hog\n" * 3
    parts = [w for w in words.split() for _ in range(9)] if ends else [words * 12]
    points = np.array([ord(c) for part in parts for c in part], dtype=np.int32).reshape(-1, 1)
    offsets = np.cumsum([0, *map(len, parts)], dtype=np.int64)
    ids = tuple(f"t{i}" for i in range(len(parts)))
    data = SequenceSet("text", points, offsets, ids, terminated=ends, meta={"alphabet": "characters"})
    model = ostinato.fit(data, model="counts", budget=ostinato.Budget(None, 8)).model
    assert isinstance(model, SequenceModel)
    want = Stream(model, adapt=adapt).update(new).surprisal

    async def main() -> float:
        async with core(model, adapt=adapt) as batcher:
            told = await push(batcher, "a", *[new[i : i + 7] for i in range(0, len(new), 7)])
            return sum(event.surprisal or 0.0 for event in told)

    assert run(main) == pytest.approx(float(want.sum()), abs=1e-3)


def test_a_fork_and_a_snapshot_go_on_from_the_same_state(tmp_path: Path) -> None:
    model, y = zoo.fitted("series", "gru"), waves(1, 60)[0]
    want = Rows(model).step(["a"], y[:, None], np.array([60]), Rows(model).start(1)).surprisal

    async def main() -> None:
        async with core(model, str(tmp_path / "here")) as batcher, client(batcher) as http:
            await push(batcher, "a", *values(y[:40]))
            assert (await http.post("/v1/streams/a/fork", json={"to": "b"})).status_code == 201
            assert (await http.post("/v1/streams/a/fork", json={"to": "b"})).status_code == 409
            await push(batcher, "a", *values(-y[40:]))
            close([e.surprisal for e in await push(batcher, "b", *values(y[40:50]))], want[40:50])
            snapshot = (await http.get("/v1/streams/b/snapshot")).content
            history = (await http.get("/v1/streams/b/history")).json()["events"]
            assert [e["seq"] for e in history] == list(range(1, 51))
        async with core(model, str(tmp_path / "there")) as batcher, client(batcher) as http:
            put = await http.put(
                "/v1/streams/c%2F1/snapshot", content=snapshot, headers={"content-type": "application/octet-stream"}
            )
            assert put.status_code == 200, put.text
            assert put.json()["seq"] == 50
            close([e.surprisal for e in await push(batcher, "c/1", *values(y[50:]), first=51)], want[50:])
            assert (await http.get("/v1/streams/c%2F1/history")).json()["events"][:50] == history
            for damaged in (snapshot[:100], b"", snapshot[:-8], b"x" * 100, snapshot.replace(b"state_0", b"state_9")):
                refused = await http.put(
                    "/v1/streams/d/snapshot", content=damaged, headers={"content-type": "application/octet-stream"}
                )
                assert refused.status_code == 422, refused.text
        other = zoo.fitted("series", "ar")
        async with core(other) as batcher, client(batcher) as http:
            refused = await http.put(
                "/v1/streams/c/snapshot", content=snapshot, headers={"content-type": "application/octet-stream"}
            )
            assert refused.status_code == 409
            assert "belongs to the model" in refused.json()["error"]["what"]

    run(main)


@pytest.mark.parametrize("replay", [True, False])
def test_a_new_model_is_shown_the_history_or_begins_afresh(replay: bool, tmp_path: Path) -> None:
    old, new, y = zoo.fitted("series", "gru"), zoo.fitted("series", "lstm"), waves(1, 60)[0]
    rows = Rows(new)
    start = 0 if replay else 40
    want = rows.step(["a"], y[start:, None], np.array([60 - start]), rows.start(1)).surprisal[40 - start :]

    async def main() -> list[float | None]:
        async with core(old, str(tmp_path)) as batcher, client(batcher, reload=lambda: (new, None)) as http:
            await push(batcher, "a", *values(y[:40]))
            how = "replay" if replay else "fresh"
            before = asyncio.create_task(push(batcher, "other", *values(y[:5])))  # a push on its way is not lost
            swapped = await http.post("/v1/model", json={"streams": how})
            assert swapped.status_code == 200, swapped.text
            assert len(await before) == 5
            return [e.surprisal for e in await push(batcher, "a", *values(y[40:]), first=41)]

    close(run(main), want)


def test_a_history_of_text_is_read_in_the_spelling_that_it_was_written_in(tmp_path: Path) -> None:
    """A model of jamo is shown characters as their text, and a model of numbers is not shown a text at all."""
    corpus = tmp_path / "corpus.txt"
    corpus.write_text("하나 둘 셋 넷, 다시 하나 둘 셋.\n" * 60, encoding="utf-8")
    character, jamo = (
        ostinato.fit(corpus, model="counts", vocabulary=name, seed=0).model.likelihood("serve")
        for name in ("character", "jamo")
    )
    numbers = zoo.fitted("series", "gru")
    past, now = "하나 둘", " 셋 넷"
    rows = Stream(jamo)
    rows.update(past)
    want = float(rows.update(now).surprisal.sum())
    fresh = float(Stream(jamo).update(now).surprisal.sum())
    assert abs(want - fresh) > 0.1

    async def pushed(model: SequenceModel, key: str, y: Any) -> float | None:
        async with core(model, str(tmp_path / "streams")) as batcher:
            return (await push(batcher, key, y))[0].surprisal

    run(lambda: pushed(character, "a", past))
    run(lambda: pushed(character, "b", past))
    assert run(lambda: pushed(jamo, "a", now)) == pytest.approx(want, abs=1e-4)
    first = numbers_first(numbers)
    assert run(lambda: pushed(numbers, "b", 50.0)) == pytest.approx(first, abs=1e-5)


def numbers_first(model: SequenceModel) -> float:
    return float(Stream(model).update([50.0]).surprisal[0])


def test_a_model_that_cannot_be_frozen_is_refused_and_the_one_before_goes_on() -> None:
    old, new = zoo.fitted("series", "gru"), zoo.fitted("sound", "filter")

    async def main() -> None:
        async with core(old, adapt=False) as batcher, client(batcher, reload=lambda: (new, None)) as http:
            before = (await http.get("/v1/model")).json()
            assert (await http.post("/v1/model", json={"streams": "fresh"})).status_code == 422
            assert (await http.get("/v1/model")).json() == before
            assert batcher.streams.replay
            assert len(await push(batcher, "a", 50.0)) == 1

    run(main)


@pytest.mark.parametrize("kind", ["series", "channels", "prices"])
def test_single_events_are_answered_and_remembered_as_lists_are(kind: str, tmp_path: Path) -> None:
    model, data, keys = zoo.fitted(kind, "gru"), zoo.made(kind), list("abcde")
    y: list[Any] = [values(row) if len(row) > 1 else values(row)[0] for row in data[int(np.argmax(data.lengths))][:45]]
    y[7] = None

    async def main() -> None:
        rule = FixedRule(-100.0 if kind == "prices" else 3.0)
        async with (
            core(model, str(tmp_path / "one"), rule=rule) as one,
            core(model, str(tmp_path / "many"), rule=rule) as many,
        ):
            for t in range(40):
                sent = {key: y[t + i] for i, key in enumerate(keys)}
                alone = [Asked(key, Push(sent[key], seq=t + 1)) for key in keys]
                lists = [Asked(key, Push(events=[Event(sent[key], seq=t + 1)])) for key in keys]
                if t % 5 == 3:  # one that is late, one that comes twice, and one that is wrong
                    more = [("a", Push(sent["a"], seq=t)), ("b", Push(sent["b"], seq=t + 1)), ("f", Push("text"))]
                    alone, lists = ([*some, *(Asked(*each) for each in more)] for some in (alone, lists))
                if t % 5 == 4:  # a stream that takes none of its events in
                    alone, lists = ([*some, Asked("g", Push(5.0, seq=9))] for some in (alone, lists))
                await one.push_all(alone)
                await many.push_all(lists)
                for a, b in zip(alone, lists, strict=True):
                    assert repr(a.outcome) == repr(b.outcome)
            for key in keys:
                x, z = one.streams.resident[key], many.streams.resident[key]
                assert (x.tail, x.block, x.steps, x.alarms) == (z.tail, z.block, z.steps, z.alarms)
                assert one.store.blocks(key) == many.store.blocks(key)
                assert len(one.store.blocks(key)) == 2
            assert one.streams.counts.alarms == many.streams.counts.alarms > 0

    run(main)


def test_an_alarm_is_given_and_remembered() -> None:
    async def main() -> None:
        async with core(zoo.fitted("series", "gru"), rule=FixedRule(8.0)) as batcher:
            told = await push(batcher, "a", 50.0, 51.0, 5000.0, None, first=1)
            assert [e.alarm for e in told] == [False, False, True, False]
            assert [e.evidence for e in told] == [None, None, "surprisal", None]
            again = await push(batcher, "a", 50.0, 51.0, 5000.0, None, first=1)
            assert [(e.status, e.alarm) for e in again] == [
                ("repeated", alarm) for alarm in (False, False, True, False)
            ]
            assert [e.surprisal for e in again] == [e.surprisal for e in told]
            assert [e.evidence for e in again] == [e.evidence for e in told]
            assert batcher.streams.resident["a"].alarms == 1

    run(main)


def test_a_push_that_leaves_out_many_steps_is_refused_as_a_whole(tmp_path: Path) -> None:
    """Each step that is left out costs as much as an event: a few lines of JSON could stop the server for minutes."""
    hours = pl.datetime_range(datetime(2024, 1, 1), datetime(2024, 3, 1), "1h", eager=True)
    y = np.random.default_rng(0).standard_normal(len(hours))
    pl.DataFrame({"ds": hours.dt.to_string("iso:strict"), "y": y}).write_csv(tmp_path / "hourly.csv")
    model = ostinato.fit(tmp_path / "hourly.csv", model="ar", seed=0).model.likelihood("serve")
    gaps = [Event(0.0, ds=(datetime(2024, 3, 2) + timedelta(hours=1000 * k)).isoformat()) for k in range(3)]

    async def main() -> None:
        async with core(model) as batcher:
            with pytest.raises(DataError, match="leave out 1,998 steps, and a push may leave out 1,600"):
                await batcher.push("a", Push(events=gaps))
            assert "a" not in batcher.streams.resident
            for k, one in enumerate(gaps):
                told = (await batcher.push("a", Push(events=[one]))).events
                assert [(e.seq, e.skipped) for e in told] == [(k + 1, 999 if k else 0)]

    run(main)


def test_times_leave_steps_out_as_read_does() -> None:
    model = zoo.fitted("series", "gru")
    y = np.array([50.0, 51.0, np.nan, np.nan, 52.0])
    want = Rows(model).step(["a"], y[:, None], np.array([5]), Rows(model).start(1)).surprisal

    async def main() -> None:
        async with core(model) as batcher, client(batcher) as http:
            source = batcher.streams.served.model.description.source
            assert source.get("calendar") is None  # the clock of this model counts rows, so times leave nothing out
            told = (
                await batcher.push(
                    "a",
                    Push(
                        events=[
                            Event(50.0, ds="2024-01-01"),
                            Event(51.0, ds="2024-01-02"),
                            Event(52.0, ds="2024-01-05"),
                        ]
                    ),
                )
            ).events
            assert [e.skipped for e in told] == [0, 0, 0]
            late = await http.post("/v1/streams/a/events", json={"y": 1.0, "ds": "2024-01-03"})
            assert late.status_code == 409
            assert "out of order" in late.json()["error"]["what"]
            told = await push(batcher, "b", 50.0, 51.0, None, None, 52.0)
            close([e.surprisal for e in told], want)

    run(main)
