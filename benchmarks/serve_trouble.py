"""A server in trouble: what happens, does it still answer, and is every answered event in its stream, and none twice?

Usage: python benchmarks/serve_trouble.py [--parts disk redis postgresql clock slow body many sockets]. ``disk`` needs
root, for a file system of its own that is filled. ``redis`` and ``postgresql`` are started, killed and started again.
``clock`` sets the clock of the server back by a day, and then the times of the events. ``slow`` are clients that never
end their body, and one that reads no answer. ``body`` has ten megabytes. ``many`` are 100,000 pushes to one stream, and
``sockets`` 1,000 idle WebSockets, then three with pings. Each prints a line.
"""
# ruff: noqa: E402 - the folders of the tests are put on the path first

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import re
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import websockets

sys.path[:0] = [str(Path(__file__).parents[1] / "tests"), str(Path(__file__).parents[1] / "tests" / "serve")]

import real_servers
from serve_kills import Load, check, value
from serving import Server

import zoo
from ostinato.inference.live.rows import Rows
from ostinato.model_file import save_model

#: The most seconds that the server may take to answer again.
MOST = 60.0
HEAD = (
    "POST /v1/events HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: {length}\r\n\r\n"
)
#: The clock of the server is a day behind while there is a file of this name.
CLOCK = """
import os, time
now, nanoseconds = time.time, time.time_ns
behind = lambda: 86400 if os.path.exists({path!r}) else 0
time.time, time.time_ns = lambda: now() - behind(), lambda: nanoseconds() - behind() * 10**9
"""


def until(done: Callable[[], bool]) -> float:
    """Wait until something is so, and return the seconds."""
    begun = time.monotonic()
    while not done():
        assert time.monotonic() - begun < MOST, "the server did not recover"
        time.sleep(0.02)
    return time.monotonic() - begun


def memory(server: Server) -> int:
    """Return the resident memory of a server in MB."""
    found = re.search(r"VmRSS:\s+(\d+)", Path(f"/proc/{server.pid}/status").read_text())
    assert found is not None
    return int(found.group(1)) // 1000


def ready(server: Server) -> bool:
    """Whether the server says that its store answers."""
    return server.ask("GET", "/readyz")[0] == 200


@contextlib.contextmanager
def pushing(server: Server) -> Iterator[list[Load]]:
    """Yield clients that push all the time; in the end, every answered event must be in its stream once."""
    stop, loads = threading.Event(), [Load(key, [server]) for key in range(4)]
    threads = [threading.Thread(target=load.run, args=(stop,)) for load in loads]
    for thread in threads:
        thread.start()
    try:
        until(lambda: all(load.answered > 30 for load in loads))
        yield loads
        before = [load.answered for load in loads]
        until(lambda: all(load.answered > n + 30 for load, n in zip(loads, before, strict=True)))
    finally:
        stop.set()
        for thread in threads:
            thread.join()
    for load in loads:
        check(server, load.key, load.answered, load.told)


def broken(server: Server, loads: list[Load], mend: Callable[[], object]) -> str:
    """Wait until a store fails, mend it after some seconds, and say what happened."""
    unready = until(lambda: not ready(server))
    asked = time.monotonic()
    code, answer = server.ask("POST", "/v1/streams/refused/events", {"y": 50.0, "seq": 1})
    refused, before = time.monotonic() - asked, sum(load.answered for load in loads)
    assert code == 503, (code, answer)
    assert server.ask("GET", "/healthz")[0] == 200
    time.sleep(3)
    assert sum(load.answered for load in loads) == before, "a push was answered that cannot be kept"
    mend()
    back = until(lambda: ready(server))
    served = until(lambda: sum(load.answered for load in loads) > before)
    found = (
        f"/readyz 503 after {unready:.2f} s, a push 503 in {refused:.3f} s; mended, it is ready after {back:.2f} s, "
    )
    return f"{found}and the next event is answered after {back + served:.2f} s"


def kept(loads: list[Load]) -> str:
    """Say what is in the streams, which ``pushing`` has checked."""
    return f"{sum(load.answered for load in loads):,} events, each applied once"


def disk(model: Path, folder: Path) -> str:
    """Fill the disk under load, and empty it again."""
    place, filler = folder / "disk", folder / "disk" / "filler"
    place.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=16m", "tmpfs", str(place)], check=True)
    try:
        server = Server(model, place / "streams")
        try:
            with pushing(server) as loads:
                with contextlib.suppress(OSError), filler.open("wb", buffering=0) as file:
                    while True:
                        file.write(bytes(4096))
                found = broken(server, loads, filler.unlink)
        finally:
            words = server.close()
        assert "Traceback" not in words, words
        return f"{found}; {kept(loads)}"
    finally:
        subprocess.run(["umount", str(place)], check=True)


def store(scheme: str, model: Path, folder: Path) -> str:
    """Kill a store under load, and start it again."""
    place = folder / scheme
    place.mkdir()
    far = real_servers.SERVERS[scheme][0](place).start()
    server = Server(model, far.url)
    try:
        with pushing(server) as loads:
            far.kill()
            found = broken(server, loads, far.start)
    finally:
        words = server.close()
        far.kill()
    assert "Traceback" not in words, words
    return f"{found}; {kept(loads)}"


def clock(model: Path, folder: Path) -> str:
    """Set the clock of the server back under load, then the times of events."""
    path = folder / "behind"
    server = Server(model, folder / "clock", first=CLOCK.format(path=str(path)))
    try:
        with pushing(server) as loads:
            path.touch()
            for seq in (1, 2):  # a stream that begins while the clock is behind, is deleted, and begins again
                assert server.ask("POST", "/v1/streams/new/events", {"y": 50.0, "seq": seq})[0] == 200
            assert server.ask("DELETE", "/v1/streams/new")[0] == 204
            assert server.ask("POST", "/v1/streams/new/events", {"y": 50.0, "seq": 1})[0] == 200
            uptime = server.ask("GET", "/v1/status")[1]["uptime"]
            assert uptime >= 0, uptime
            path.unlink()
        codes = [
            server.ask(
                "POST", "/v1/streams/timed/events", {"y": 50.0, "seq": seq, "ds": f"2024-01-01T00:00:{second:02d}"}
            )[0]
            for seq, second in ((1, 10), (2, 11), (3, 5), (3, 11), (3, 12))
        ]
    finally:
        words = server.close()
    assert "Traceback" not in words, words
    return f"{kept(loads)}; events whose times go back: {codes}"


def slow(model: Path, folder: Path) -> str:
    """Open bodies that never end, and push without reading an answer."""
    server = Server(model, folder / "slow")

    async def main() -> str:
        begun = time.monotonic()

        async def endless() -> tuple[bytes, float]:
            reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
            writer.write(HEAD.format(length=50).encode() + b"{")
            answer = await reader.read()
            writer.close()
            return answer, time.monotonic() - begun

        slow = asyncio.gather(*[endless() for _ in range(20)])
        uri = f"ws://127.0.0.1:{server.port}/v1/live"
        async with websockets.connect(uri, compression=None, max_queue=1, ping_interval=None) as deaf:
            sent, before = 0, memory(server)
            with contextlib.suppress(TimeoutError):
                while sent < 300_000:
                    body = json.dumps({"unique_id": "deaf", "y": value(0, sent + 1), "seq": sent + 1})
                    await asyncio.wait_for(deaf.send(body), 5)
                    sent += 1
            grown, asked = memory(server) - before, time.monotonic()
            code = (await asyncio.to_thread(server.ask, "POST", "/v1/streams/other/events", {"y": 50.0}))[0]
            took = time.monotonic() - asked
            told = [json.loads(await deaf.recv())["events"][0]["seq"] for _ in range(sent)]
        assert code == 200, code
        assert told == list(range(1, sent + 1)), "an answer is lost"
        answers = await asyncio.wait_for(slow, MOST)
        ended = max(seconds for _, seconds in answers)
        assert all(answer.startswith(b"HTTP/1.1 408") for answer, _ in answers), answers
        found = f"20 bodies that never end: 408 within {ended:.1f} s; a client that reads nothing could send {sent:,} "
        found += f"pushes ({grown} MB more memory), meanwhile a push of another took {took:.3f} s, "
        return f"{found}and then it read all {sent:,} answers"

    try:
        return asyncio.run(main())
    finally:
        assert "Traceback" not in server.close()


def body(model: Path, folder: Path) -> str:
    """Send ten megabytes, at once and in parts of unknown length."""
    server, found = Server(model, folder / "body"), []
    part = b"x" * 100_000
    try:
        for chunked in (False, True):
            head = HEAD.format(length=100 * len(part))
            if chunked:
                head = head.replace(f"Content-Length: {100 * len(part)}", "Transfer-Encoding: chunked")
            with socket.create_connection(("127.0.0.1", server.port), timeout=20) as line:
                line.sendall(head.encode())
                for _ in range(100):
                    line.sendall(b"%x\r\n%b\r\n" % (len(part), part) if chunked else part)
                if chunked:
                    line.sendall(b"0\r\n\r\n")
                found.append(line.makefile("rb").readline().decode().strip())
        assert server.ask("GET", "/healthz")[0] == 200
        return f"10 MB with its length, and without: {found}; memory {memory(server)} MB"
    finally:
        assert "Traceback" not in server.close()


def many(model: Path, folder: Path) -> str:
    """Push 100,000 events to one stream, one a push."""
    server, count = Server(model, folder / "many"), 100_000

    async def main() -> list[float]:
        told: list[float] = []
        async with websockets.connect(f"ws://127.0.0.1:{server.port}/v1/live", compression=None) as line:
            for first in range(0, count, 500):
                for i in range(first, first + 500):
                    await line.send(json.dumps({"unique_id": "one", "y": value(1, i + 1), "seq": i + 1}))
                told += [json.loads(await line.recv())["events"][0]["surprisal"] for _ in range(500)]
        return told

    try:
        begun = time.monotonic()
        told = asyncio.run(main())
        took, asked = time.monotonic() - begun, time.monotonic()
        assert server.ask("POST", "/v1/streams/other/events", {"y": 50.0})[0] == 200
        other = time.monotonic() - asked
        assert server.ask("GET", "/v1/streams/one")[1]["seq"] == count
        rows = Rows(zoo.fitted("series", "gru"))
        y = np.array([[value(1, i + 1)] for i in range(count)])
        whole = rows.step(["one"], y, np.array([count]), rows.start(1)).surprisal
        apart = float(np.abs(np.array(told) - whole).max())
        assert apart < 1e-5, apart
        return (
            f"{count:,} in {took:.1f} s, at most {apart:.1e} from one pass; then a push of another took {other:.3f} s"
        )
    finally:
        assert "Traceback" not in server.close()


def sockets(model: Path, folder: Path) -> str:
    """Open 1,000 WebSockets that say nothing, push meanwhile, and then send pings."""
    server = Server(model, folder / "sockets")

    def push() -> float:
        asked = time.monotonic()
        assert server.ask("POST", "/v1/streams/other/events", {"y": 50.0})[0] == 200
        return time.monotonic() - asked

    async def main() -> str:
        before, uri = memory(server), f"ws://127.0.0.1:{server.port}/v1/live"
        lines = [await websockets.connect(uri, compression=None, ping_interval=None) for _ in range(1000)]
        held, took = memory(server), [await asyncio.to_thread(push) for _ in range(20)]
        pings = asyncio.gather(*[_pings(line) for line in lines[:3]])
        meanwhile = [await asyncio.to_thread(push)]
        while not pings.done():
            meanwhile.append(await asyncio.to_thread(push))
            await asyncio.sleep(0.1)
        for line in lines[::100]:
            await line.send('{"unique_id":"late","y":50.0}')
            assert "surprisal" in json.loads(await line.recv())["events"][0]
        for line in lines:
            await line.close()
        found = f"1,000 idle WebSockets: {before} to {held} MB, a push at most {max(took):.3f} s; with 30,000 pings "
        return f"{found}{max(meanwhile):.3f} s; idle ones answer"

    try:
        return asyncio.run(main())
    finally:
        assert "Traceback" not in server.close()


async def _pings(line: Any) -> None:
    for _ in range(100):
        await asyncio.gather(*[await line.ping() for _ in range(100)])


PARTS: dict[str, Callable[[Path, Path], str]] = {
    "disk": disk,
    **{scheme: partial(store, scheme) for scheme in real_servers.SERVERS},
    "clock": clock,
    "slow": slow,
    "body": body,
    "many": many,
    "sockets": sockets,
}


def main() -> None:
    """Bring a server into each trouble, and print what happened."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--parts", nargs="+", default=list(PARTS), choices=list(PARTS))
    given = parser.parse_args()
    for name in given.parts:
        with tempfile.TemporaryDirectory() as folder:
            model = Path(folder) / "model.ost"
            save_model(zoo.fitted("series", "gru"), model)
            print(f"{name}: {PARTS[name](model, Path(folder))}", flush=True)


if __name__ == "__main__":
    main()
