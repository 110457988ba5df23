"""A server that is cut off from its store under load: is every answered event in its stream, and none twice?

Usage: python benchmarks/serve_cuts.py [--store redis postgresql] [--cuts down requests answers] [--seconds 8]. It needs
root. The store and the server are in two namespaces of networks, and the link between them is cut and mended. A client
for each stream pushes numbered events all the time, and pushes again what was refused or not answered. Meanwhile
/healthz is asked whether the server lives, and /readyz what is wrong. In the end the surprisals that were answered, and
the number of each stream, are held against one pass of the model over what was sent.
"""
# ruff: noqa: E402 - the folders of the tests are put on the path first

from __future__ import annotations

import argparse
import sys
import tempfile
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

sys.path[:0] = [str(Path(__file__).parents[1] / "tests"), str(Path(__file__).parents[1] / "tests" / "serve")]

import networks
import real_servers
from serve_kills import Load, check
from serving import Server

import zoo
from ostinato.model_file import save_model

#: The most seconds from the mending of a link until every stream is answered again.
MOST = 60.0
#: The pushes that are refused one after the other while the link is cut. None of them may wait for a time-out: together
#: they would take longer than ``MOST``.
MANY = 300
#: The events of each stream that are answered before each cut.
BETWEEN = 30


@dataclass(frozen=True)
class Cut:
    """What was seen of a cut.

    Attributes:
        how: How the link was cut.
        refused: The seconds until a push was refused.
        later: The longest that a push took to be refused after that, in seconds.
        unready: The seconds until /readyz said that the store does not answer.
        healthy: The longest that /healthz took, in seconds.
        back: The seconds from the mending of the link until every stream was answered again.
        status: What /readyz said.
    """

    how: str
    refused: float
    later: float
    unready: float
    healthy: float
    back: float
    status: str


def cuts(
    model: Path, scheme: str, folder: Path, hows: Sequence[str], *, options: str = "", seconds: float = 0.0
) -> tuple[list[Cut], int, int]:
    """Cut a server off from its store, in one way after another.

    Args:
        model: A model file of ``zoo.fitted("series", "gru")``.
        scheme: The store, one of ``real_servers.SERVERS``.
        folder: An empty folder for it.
        hows: The ways, of ``networks.CUTS``.
        options: What follows the URL of the store, such as its time-outs.
        seconds: How long each cut lasts at least; it lasts until a push is refused and /readyz says why.

    Returns:
        What was seen, the number of events that were answered, and of those whose first answer was lost.

    Raises:
        AssertionError: An event was lost or applied twice, or the server did not recover.
    """
    with networks.linked() as link:
        make = real_servers.SERVERS[scheme][0]
        store = link.inside(lambda: make(folder, host=link.there).start(), there=True)
        try:
            return link.inside(lambda: _pushed(link, model, store.url + options, hows, seconds))
        finally:
            link.inside(store.kill, there=True)


def _pushed(
    link: networks.Link, model: Path, url: str, hows: Sequence[str], seconds: float
) -> tuple[list[Cut], int, int]:
    server, stop = Server(model, url), threading.Event()
    loads = [Load(key, [server]) for key in range(4)]
    threads = [threading.Thread(target=load.run, args=(stop,)) for load in loads]
    found = []
    try:
        for thread in threads:
            thread.start()
        for number, how in enumerate(hows, 1):
            before = [load.answered for load in loads]
            _until(lambda old=before: all(load.answered > n + BETWEEN for load, n in zip(loads, old, strict=True)))
            found.append(_cut(link, server, how, seconds, number))
            before = [load.answered for load in loads]
            begun = time.monotonic()
            link.mend()
            # two more answers: the first may have been on its way before the link was mended
            _until(lambda old=before: all(load.answered > n + 1 for load, n in zip(loads, old, strict=True)))
            found[-1] = replace(found[-1], back=time.monotonic() - begun)
            _until(lambda: server.ask("GET", "/readyz")[0] == 200)
            # what was refused is pushed again, and applied once
            answer = _push(server, number)[1]["events"][0]
            assert answer["status"] in {"applied", "repeated"}, answer
            assert server.ask("GET", "/v1/streams/refused")[1]["seq"] == number
        stop.set()
        for thread in threads:
            thread.join()
        for load in loads:
            check(server, load.key, load.answered, load.told)
    finally:
        stop.set()
        server.close()
    return found, sum(load.answered for load in loads), sum(load.repeated for load in loads)


def _cut(link: networks.Link, server: Server, how: str, seconds: float, number: int) -> Cut:
    """Cut the link until a push is refused and /readyz says why."""
    link.cut(how)
    begun = time.monotonic()
    refused: list[float] = []

    def push() -> None:
        status, answer = _push(server, number)
        assert status == 503, (status, answer)
        refused.append(time.monotonic() - begun)

    pushing = threading.Thread(target=push)
    pushing.start()
    unready, healthy, status = 0.0, 0.0, ""
    while not (refused and unready and time.monotonic() - begun > seconds):
        assert time.monotonic() - begun < MOST, "no push is refused, or the server says that it is ready"
        assert pushing.is_alive() or refused, "a push was not refused"
        asked = time.monotonic()
        assert server.ask("GET", "/healthz")[0] == 200
        healthy = max(healthy, time.monotonic() - asked)
        code, said = server.ask("GET", "/readyz")
        if code == 503 and not unready:
            unready, status = time.monotonic() - begun, said["status"]
        time.sleep(0.05)
    pushing.join()
    later = 0.0
    for _ in range(MANY):
        asked = time.monotonic()
        assert asked - begun < MOST + seconds, "pushes to a store that does not answer wait for it"
        code, answer = _push(server, number)
        later = max(later, time.monotonic() - asked)
        assert code == 503, (code, answer)
        assert link.there not in str(answer), answer  # the address of the store is nobody's business
    return Cut(how, refused[0], later, unready, healthy, 0.0, status)


def _push(server: Server, number: int) -> tuple[int, Any]:
    """Push the event of a number to a stream of its own."""
    return server.ask("POST", "/v1/streams/refused/events", {"y": 50.0, "seq": number})


def _until(done: object) -> None:
    """Wait until something is so."""
    assert callable(done)
    begun = time.monotonic()
    while not done():
        assert time.monotonic() - begun < MOST, "the server did not recover"
        time.sleep(0.02)


def main() -> None:
    """Cut each store off, and print what was seen."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--store", nargs="+", default=list(real_servers.SERVERS), choices=list(real_servers.SERVERS))
    parser.add_argument("--cuts", nargs="+", default=list(networks.CUTS), choices=networks.CUTS)
    parser.add_argument("--seconds", type=float, default=8.0, help="that each cut lasts at least")
    given = parser.parse_args()
    if reason := networks.refusal():
        raise SystemExit(reason)
    for scheme in given.store:
        with tempfile.TemporaryDirectory() as folder:
            model, place = Path(folder) / "model.ost", Path(folder) / "store"
            save_model(zoo.fitted("series", "gru"), model)
            place.mkdir()
            found, answered, repeated = cuts(model, scheme, place, given.cuts, seconds=given.seconds)
        print(f"{scheme}: {answered:,} events answered, each applied once ", end="")
        print(f"({repeated} had been applied before their answer was lost)")
        for one in found:
            print(f"  {one.how:<10} refused after {one.refused:5.2f} s, then within {one.later:.3f} s, ", end="")
            print(f"/readyz after {one.unready:5.2f} s ({one.status}), /healthz at most {one.healthy:.3f} s, ", end="")
            print(f"all streams answered {one.back:.2f} s after the link was mended", flush=True)


if __name__ == "__main__":
    main()
