"""Are the surprisals of served streams those of score, however they are pushed, moved and brought back?

Usage: python benchmarks/serve_truth.py [--streams 1000] [--events 40] [--store sqlite redis postgresql]. Redis and
PostgreSQL are started by the script, with two servers on each; SQLite has one server. Four clients push random batches
of random streams, each batch to one of the servers. The servers keep a tenth of the streams in memory, and are ended
and started again after a quarter of the events. After half of them, some streams are forked and go on as their forks,
and others go on from their snapshots, on a server with a store of its own.
"""
# ruff: noqa: E402 - the folders of the tests are put on the path first

from __future__ import annotations

import argparse
import random
import sys
import tempfile
import time
import urllib.request
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

sys.path[:0] = [str(Path(__file__).parents[1] / "tests"), str(Path(__file__).parents[1] / "tests" / "serve")]

import real_servers
from serving import Server

import zoo
from ostinato.data.sequences import SequenceSet
from ostinato.inference.score import score
from ostinato.model_file import save_model

#: The clients that push at the same time, each to streams of its own.
CLIENTS = 4
#: The most streams in a batch, and the most events of each.
MOST, RUN = 100, 6


def waves(count: int, steps: int) -> NDArray[np.float64]:
    """Return noisy waves, (count, steps), of which one value in twenty is missing."""
    rng = np.random.default_rng(3)
    y = 50 + 10 * np.sin(np.arange(steps) / 8 + rng.random((count, 1)) * 6) + rng.standard_normal((count, steps))
    y[rng.random(y.shape) < 0.05] = np.nan
    return y


def scored(y: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the surprisals of one pass over whole sequences, (count, steps)."""
    ids = tuple(map(str, range(len(y))))
    data = SequenceSet("series", y.reshape(-1, 1), np.arange(0, y.size + 1, y.shape[1]), ids)
    return score(zoo.fitted("series", "gru"), data).surprisal.reshape(y.shape)


class Pushed:
    """Streams that are pushed, and what was answered.

    Attributes:
        y: The values, (count, steps).
        got: The surprisals that were answered, (count, steps).
        names: The id of each stream.
        at: The number of events of each stream that were answered.
    """

    def __init__(self, y: NDArray[np.float64]) -> None:
        self.y, self.got = y, np.full(y.shape, np.inf)
        self.names, self.at = list(map(str, range(len(y)))), [0] * len(y)

    def push(self, servers: Sequence[Server], until: int, which: range) -> None:
        """Push these streams up to an event, from several clients at once."""
        with ThreadPoolExecutor(CLIENTS) as clients:
            work = [clients.submit(self._client, servers, until, which[c::CLIENTS], c) for c in range(CLIENTS)]
            for one in work:
                one.result()

    def _client(self, servers: Sequence[Server], until: int, which: range, seed: int) -> None:
        rng = random.Random(f"{until} {seed}")
        while left := [b for b in which if self.at[b] < until]:
            some = rng.sample(left, min(len(left), rng.randint(1, MOST)))
            sizes = [min(rng.randint(1, RUN), until - self.at[b]) for b in some]
            pushes = [
                {"unique_id": self.names[b], "events": self._events(b, n)} for b, n in zip(some, sizes, strict=True)
            ]
            answer = asked(rng.choice(servers), "POST", "/v1/events", {"pushes": pushes})
            for b, n, told in zip(some, sizes, answer["results"], strict=True):
                assert "error" not in told, told
                self.got[b, self.at[b] : self.at[b] + n] = [e.get("surprisal", np.nan) for e in told["events"]]
                self.at[b] += n

    def _events(self, row: int, count: int) -> list[dict[str, Any]]:
        first = self.at[row]
        values = self.y[row, first : first + count]
        return [{"y": None if np.isnan(v) else float(v), "seq": first + i + 1} for i, v in enumerate(values)]


def asked(server: Server, method: str, path: str, body: Any = None) -> Any:
    """Return the JSON of an answer.

    Raises:
        AssertionError: The request was refused.
    """
    status, answer = server.ask(method, path, body)
    assert status < 300, (path, status, answer)
    return answer


def moved(key: str, old: Server, new: Server) -> None:
    """Carry a stream to another server in its snapshot."""
    where = f"/v1/streams/{key}/snapshot"
    with urllib.request.urlopen(f"http://127.0.0.1:{old.port}{where}", timeout=30) as answer:
        body = answer.read()
    kind = {"content-type": "application/octet-stream"}
    put = urllib.request.Request(f"http://127.0.0.1:{new.port}{where}", body, kind, method="PUT")
    urllib.request.urlopen(put, timeout=30).close()


def run(start: Callable[[], list[Server]], other: Callable[[], Server], y: NDArray[np.float64]) -> NDArray[np.float64]:
    """Push all streams, and return the surprisals that were answered."""
    made, (count, steps) = Pushed(y), y.shape
    all_of_them, some, others = range(count), range(count * 3 // 10), range(count * 3 // 10, count * 6 // 10)
    running = start()
    try:
        made.push(running, steps // 4, all_of_them)
        for server in running:
            server.close()
        running = start()
        made.push(running, steps // 2, all_of_them)
        for b in others:
            made.names[b] = f"fork of {b}"
            asked(running[b % len(running)], "POST", f"/v1/streams/{b}/fork", {"to": made.names[b]})
        made.push(running, steps, range(len(some), count))
        elsewhere = other()
        running.append(elsewhere)
        for b in some:
            moved(made.names[b], running[0], elsewhere)
        made.push([elsewhere], steps, some)
    finally:
        for server in running:
            server.close()
    return made.got


def main() -> None:
    """Push to servers of each store, and print the greatest difference from score."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--streams", type=int, default=1000)
    parser.add_argument("--events", type=int, default=40, help="of each stream")
    parser.add_argument("--store", nargs="+", default=["sqlite", *real_servers.SERVERS])
    given = parser.parse_args()
    y = waves(given.streams, given.events)
    want, few = scored(y), ("--resident", str(given.streams // 10))
    for scheme in given.store:
        begun = time.monotonic()
        with tempfile.TemporaryDirectory() as folder:
            model, place = Path(folder) / "model.ost", Path(folder) / "store"
            save_model(zoo.fitted("series", "gru"), model)
            place.mkdir()
            store = None if scheme == "sqlite" else real_servers.SERVERS[scheme][0](place).start()
            url, servers = (str(place), 1) if store is None else (store.url, 2)
            try:
                got = run(
                    lambda: [Server(model, url, *few) for _ in range(servers)],  # noqa: B023
                    lambda: Server(model, Path(folder) / "other", *few),  # noqa: B023
                    y,
                )
            finally:
                if store is not None:
                    store.kill()
        assert (np.isnan(got) == np.isnan(want)).all(), "a missing value has a surprisal, or another value has none"
        print(
            f"{scheme}: {y.size:,} events of {len(y):,} streams, {servers} servers, the surprisals differ from ", end=""
        )
        print(f"score by at most {np.nanmax(np.abs(got - want)):.1e} ({time.monotonic() - begun:.0f} s)", flush=True)


if __name__ == "__main__":
    main()
