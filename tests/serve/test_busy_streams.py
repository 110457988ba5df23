"""Streams that are deleted, reset, forked, moved and read while pushes wait, and a model that is swapped meanwhile.

Whatever the order, each answered event must have the surprisal that its stream gives it from its beginning on.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("msgspec", reason="the server needs msgspec")
pytest.importorskip("starlette", reason="the server needs starlette")
pytest.importorskip("httpx", reason="the tests of the server need httpx")

import httpx
from serving import client, core, run

import zoo
from ostinato.inference.live.rows import Rows

_BYTES = {"content-type": "application/octet-stream"}
#: An event of a stream: its value, its number and its surprisal.
Told = tuple[float, int, float]


async def moved(http: httpx.AsyncClient, url: str, other: str) -> httpx.Response:
    kept = await http.get(f"{url}/snapshot")
    if kept.status_code != 200:
        return kept
    return await http.put(f"/v1/streams/{other}/snapshot", content=kept.content, headers=_BYTES)


#: What is done to a stream, whose id is in the first path, besides pushes; it may be too early for it.
DONE: list[Callable[[httpx.AsyncClient, str, str], Awaitable[httpx.Response]]] = [
    lambda http, url, _: http.delete(url),
    lambda http, url, _: http.post(f"{url}/reset"),
    lambda http, url, other: http.post(f"{url}/fork", json={"to": other}),
    moved,
    lambda http, _, __: http.post("/v1/model", json={"streams": "replay"}),
    lambda http, url, _: http.get(f"{url}/history"),
    lambda http, url, _: http.post(f"{url}/forecast", json={"horizon": 2, "n_paths": 2}),
]


async def pushes(http: httpx.AsyncClient, key: str, rng: random.Random, told: list[Told], many: int) -> None:
    """Push events one after the other."""
    for _ in range(many):
        y = round(50 + rng.gauss(0, 3), 3)
        (event,) = (await http.post(f"/v1/streams/{key}/events", json={"y": y})).json()["events"]
        told.append((y, event["seq"], event["surprisal"]))
        if rng.random() < 0.3:
            await asyncio.sleep(0)


async def disturbs(http: httpx.AsyncClient, keys: list[str], rng: random.Random) -> None:
    for number in range(60):
        key = rng.choice(keys)
        found = await rng.choice(DONE)(http, f"/v1/streams/{key}", f"{key}{number}")
        assert found.status_code < 500, found.text
        await asyncio.sleep(0)


def check(told: list[Told]) -> None:
    """Hold what was told of a stream against the model; number 1 is a new beginning."""
    begins = [i for i, (_, number, _) in enumerate(told) if number == 1]
    assert begins[0] == 0
    for a, b in zip(begins, [*begins[1:], len(told)], strict=True):
        ys, numbers, nats = zip(*told[a:b], strict=True)
        assert numbers == tuple(range(1, b - a + 1)), "an event is lost, or one was applied twice"
        rows = Rows(zoo.fitted("series", "gru"))
        want = rows.step(["a"], np.array(ys)[:, None], np.array([b - a]), rows.start(1)).surprisal
        np.testing.assert_allclose(nats, want, atol=1e-5)


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("durable", [True, False])
def test_what_is_done_to_a_stream_while_pushes_wait_leaves_it_whole(seed: int, durable: bool, tmp_path: Path) -> None:
    rng, told = random.Random(seed), {key: list[Told]() for key in "abc"}

    async def main() -> None:
        model, store = zoo.fitted("series", "gru"), str(tmp_path) if durable else "none"
        async with core(model, store, resident=2) as batcher, client(batcher, reload=lambda: (model, None)) as http:
            loads = [pushes(http, key, rng, seen, 40) for key, seen in told.items()]
            await asyncio.gather(*loads, disturbs(http, list(told), rng))
            for key, seen in told.items():
                await pushes(http, key, rng, seen, 2)

    run(main)
    for seen in told.values():
        check(seen)
