"""A stream without events leaves memory, and its next event finds it as it was."""

from __future__ import annotations

import asyncio
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("msgspec", reason="the server needs msgspec")
pytest.importorskip("starlette", reason="the server needs starlette")
pytest.importorskip("httpx", reason="the tests of the server need httpx")

from serving import core, push, run

import zoo
from ostinato.inference.stream import Stream
from ostinato.serve import leaving
from ostinato.serve.leaving import let_leave


@pytest.mark.parametrize("kept", ["none", "folder"])
def test_an_idle_stream_leaves_memory_and_comes_back(
    kept: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(leaving, "_LEAST", 0.01)
    model = zoo.fitted("series", "gru")
    values = [50.0, 51.0, 49.0, 52.0]
    want = Stream(model).update(values).surprisal

    async def main() -> list[float | None]:
        async with core(model, kept if kept == "none" else str(tmp_path)) as batcher:
            found, streams = [], batcher.streams
            task = asyncio.create_task(let_leave(batcher, 0.02))
            for value in values:
                found += [one.surprisal for one in await push(batcher, "a", value)]
                async with asyncio.timeout(20):
                    while "a" in streams.resident:
                        await asyncio.sleep(0.005)
            task.cancel()
            return found

    np.testing.assert_allclose(np.array(run(main), dtype=float), want, atol=1e-5)


def test_a_stream_with_events_stays_in_memory() -> None:
    async def main() -> None:
        async with core(zoo.fitted("series", "gru")) as batcher:
            await push(batcher, "a", 50.0)
            assert batcher.streams.idle_for(3600) == []
            assert batcher.streams.idle_for(-1) == ["a"]
            assert list(batcher.streams.resident) == ["a"]

    run(main)
