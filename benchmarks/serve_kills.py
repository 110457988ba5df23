"""Servers that are killed under load: is every answered event in its stream, and none twice?

Usage: python benchmarks/serve_kills.py [--kills 50] [--store sqlite redis postgresql]. Redis and PostgreSQL are started
by the script, with two servers on each, which are killed in turn; SQLite has one server. A client for each stream
pushes numbered events; one whose answer is lost goes to the other server. In the end the surprisals that were answered,
and the number of each stream, are held against one pass of the model over what was sent. Each server is a process of
its own, forked from one that has imported everything, so that a start takes no seconds.
"""
# ruff: noqa: E402 - the folders of the tests are put on the path first

from __future__ import annotations

import argparse
import random
import signal
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

sys.path[:0] = [str(Path(__file__).parents[1] / "tests"), str(Path(__file__).parents[1] / "tests" / "serve")]

import real_servers
from serving import Server

import zoo
from ostinato.client import Client, Event, ServerError
from ostinato.inference.live.rows import Rows
from ostinato.model_file import save_model


def value(key: int, number: int) -> float:
    """The value of an event."""
    return round(50 + 10 * float(np.sin(number / 8 + key)), 6)


@dataclass
class Load:
    """A client that pushes to one stream.

    Attributes:
        key: The stream.
        running: The servers, of which some are replaced meanwhile.
        told: The surprisals that were answered, by the numbers of their events.
        answered: The number of the last event that was answered.
        repeated: How many of them had been applied before, their first answer lost.
    """

    key: int
    running: Sequence[Server]
    told: dict[int, float] = field(default_factory=dict)
    answered: int = 0
    repeated: int = 0

    def run(self, stop: threading.Event) -> None:
        """Push until it is stopped, to another server after each error."""
        turn = self.key
        while not stop.is_set():
            turn += 1
            port = self.running[turn % len(self.running)].port
            try:
                with Client(f"http://127.0.0.1:{port}", repeats=0, timeout=10) as client:
                    self._push(client, stop)
            except ServerError as error:
                if error.status not in {0, 503}:
                    raise
                time.sleep(0.02)

    def _push(self, client: Client, stop: threading.Event) -> None:
        while not stop.is_set():
            number = self.answered + 1
            one = client.push(str(self.key), Event(value(self.key, number), seq=number)).events[0]
            self.repeated += one.status == "repeated"
            if one.surprisal is not None:
                self.told[number] = one.surprisal
            self.answered = number


def kills(model: Path, store: str, count: int, *, servers: int, streams: int = 8, seed: int = 5) -> tuple[int, int]:
    """Kill servers in turn under load.

    Args:
        model: A model file of ``zoo.fitted("series", "gru")``.
        store: The store of all servers.
        count: The number of kills.
        servers: The number of servers.
        streams: The number of streams, each with a client of its own.
        seed: The seed of the moments.

    Returns:
        The number of events that were answered, and of those that had been applied before their answer was lost.

    Raises:
        AssertionError: An event was lost, or applied twice.
    """
    running: list[Server] = []
    rng, stop = random.Random(seed), threading.Event()
    loads = [Load(key, running) for key in range(streams)]
    threads = [threading.Thread(target=load.run, args=(stop,)) for load in loads]
    try:
        running += [Server(model, store) for _ in range(servers)]
        for thread in threads:
            thread.start()
        for kill in range(count):
            time.sleep(0.1 + 0.4 * rng.random())
            running[kill % servers].close(signal.SIGKILL)
            running[kill % servers] = Server(model, store)
        time.sleep(0.3)
        stop.set()
        for thread in threads:
            thread.join()
        for load in loads:
            check(running[0], load.key, load.answered, load.told)
    finally:
        stop.set()
        for server in running:
            server.close()
    return sum(load.answered for load in loads), sum(load.repeated for load in loads)


def check(server: Server, key: int, number: int, told: dict[int, float]) -> None:
    """Check the stream of a server against one pass of the model.

    Args:
        server: A server.
        key: The stream.
        number: The number of the last event that was answered.
        told: The surprisals that were answered, by the numbers of their events.

    Raises:
        AssertionError: An event was lost, or applied twice.
    """
    assert number, "a stream was never answered"
    seq = server.ask("GET", f"/v1/streams/{key}")[1]["seq"]
    # the answer to one more event may have been lost
    assert number <= seq <= number + 1, f"stream {key}: {number} were answered, and {seq} are applied"
    rows = Rows(zoo.fitted("series", "gru"))
    y = np.array([[value(key, i + 1)] for i in range(number)])
    whole = rows.step([str(key)], y, np.array([number]), rows.start(1)).surprisal
    np.testing.assert_allclose(list(told.values()), whole[np.array(list(told)) - 1], atol=1e-5)


def main() -> None:
    """Kill the servers of each store, and print what was found."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=50)
    parser.add_argument("--seed", type=int, default=5, help="of the moments of the kills")
    parser.add_argument("--store", nargs="+", default=["sqlite", *real_servers.SERVERS])
    given = parser.parse_args()
    for scheme in given.store:
        with tempfile.TemporaryDirectory() as folder:
            model = Path(folder) / "model.ost"
            save_model(zoo.fitted("series", "gru"), model)
            place = Path(folder) / "store"
            place.mkdir()
            make: Callable[[Path], real_servers.Server] | None = real_servers.SERVERS.get(scheme, (None,))[0]
            server = None if make is None else make(place).start()
            try:
                found = kills(
                    model,
                    str(place) if server is None else server.url,
                    given.kills,
                    servers=1 if server is None else 2,
                    seed=given.seed,
                )
            finally:
                if server is not None:
                    server.kill()
        print(f"{scheme}: {given.kills} kills, {found[0]:,} events answered, each applied once ", end="")
        print(f"({found[1]} had been applied before their answer was lost)", flush=True)


if __name__ == "__main__":
    main()
