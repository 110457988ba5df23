"""A server of live streams under load from a second process: events a second, latency, processor time and memory.

The model has a GRU of 64 units on an autoregression, with random weights: the work of a step does not depend on them.
Loops are bounded in count and in time, and everything stays on the loopback. Run: python benchmarks/serve.py [--help]
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import os
import random
import re
import select
import shutil
import signal
import socket as socket_
import subprocess
import sys
import tempfile
import time
from collections import deque
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

HEAD = "POST {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\nContent-Length: {length}\r\n\r\n"

#: Half of the single pushes a second that a server must take.
HALF = 1500


def model_file(path: Path, hidden: int = 64, order: int = 24) -> None:
    """Write a model with a GRU of this size."""
    import torch

    from ostinato.assemble import Architecture, assemble
    from ostinato.data.encoding import fit_encoding
    from ostinato.data.sequences import SequenceSet
    from ostinato.description import Description
    from ostinato.layers.ar import AR
    from ostinato.layers.autoregression import fit_ar
    from ostinato.model_file import save_model

    rng, n = np.random.default_rng(0), 4000
    y = 50 + 10 * np.sin(np.arange(n) / 8)[:, None] + rng.standard_normal((n, 1))
    data = SequenceSet("series", y, np.array([0, n], dtype=np.int64), ("a",))
    encoding = fit_encoding(data, by_id=False)
    encoded = encoding.encode(data)
    base = AR.from_fits([fit_ar(encoded.values[:, 0].double().numpy(), encoded.offsets, order, order=order)])
    shape = {"ar": {"order": base.order, "channels": 1, "trend": False, "volatility": False}}
    parts = Architecture("gru", "student_t", 1, hidden, 1, 0.3, 6, 3, shape)
    source = {"kind": "series", "channels": ["y"], "count": False}
    torch.manual_seed(1)
    model = assemble(parts, encoding, Description("gru", "series", {"parts": parts.to_json()}, source), base)
    save_model(model.eval(), path)


class Server:
    """A server in a process of its own."""

    def __init__(self, model: Path, store: str, port: int, *more: str, trace: Path | None = None) -> None:
        self.port = port
        start = "from ostinato.cli.main import main; main()"
        if trace is not None:
            start = f"import sys; sys.path.insert(0, {str(Path(__file__).parent)!r}); import serve; "
            start += f"serve.traced({str(trace)!r}); from ostinato.cli.main import main; main()"
        command = [sys.executable, "-c", start, "serve", str(model)]
        self.process = subprocess.Popen(
            [*command, "--store", store, "--port", str(port), *more],
            stderr=subprocess.DEVNULL,
            env={**os.environ, "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"},
        )
        for _ in range(2400):
            try:
                self.get("/readyz")
                return
            except OSError:
                time.sleep(0.05)
        raise RuntimeError("the server does not start")

    def get(self, path: str) -> str:
        import urllib.request

        with urllib.request.urlopen(f"http://127.0.0.1:{self.port}{path}", timeout=30) as answer:
            return str(answer.read().decode())

    def metric(self, name: str) -> float:
        found = re.search(rf"^ostinato_{name}(?:{{[^}}]*}})? (\S+)$", self.get("/metrics"), re.M)
        assert found is not None
        return float(found[1])

    def pushes(self) -> tuple[list[float], list[int]]:
        """Return the classes of durations of pushes that the server counts: their upper ends, and the numbers."""
        text = self.get("/metrics")
        found = re.findall(r'^ostinato_push_seconds_bucket\{le="([^"]+)"\} (\S+)$', text, re.M)
        many = np.diff([0, *(int(float(count)) for _, count in found)])
        return [float(limit) for limit, _ in found], many.tolist()

    def stop(self, how: int = signal.SIGTERM) -> None:
        self.process.send_signal(how)
        self.process.wait(60)


def traced(path: str) -> None:
    """In a server: write how long each push waited, was stepped, was saved and was answered, when the server ends."""
    import atexit

    from ostinato.serve.applier import Applier
    from ostinato.serve.batcher import Batcher

    rows: list[tuple[float, ...]] = []
    stepped: dict[int, tuple[float, float]] = {}
    saved: dict[str, float] = {}
    push_all, step, save, clock = Batcher.push_all, Applier.step, Applier.save_changes, time.perf_counter

    async def pushed(self: Any, asked: Any) -> None:
        begun = clock()
        await push_all(self, asked)
        if len(asked) == 1:
            (one,) = asked
            (first, last), kept = stepped.pop(id(one), (begun, begun)), saved.get(one.unique_id, begun)
            rows.append((first - begun, last - first, kept - last, clock() - kept, clock() - begun))

    async def step_(self: Any, asked: Any) -> Any:
        begun = clock()
        works = await step(self, asked)
        if len(asked) < 1000:
            end = clock()
            stepped.update((id(one), (begun, end)) for one in asked)
        return works

    async def save_(self: Any, works: Any, changes: Any) -> Any:
        refused = await save(self, works, changes)
        saved.update(dict.fromkeys([work.held.unique_id for work in works], clock()))
        return refused

    Batcher.push_all, Applier.step, Applier.save_changes = pushed, step_, save_  # type: ignore[method-assign]
    atexit.register(lambda: Path(path).write_text(json.dumps(rows), encoding="utf-8"))


class Line:
    """A connection that is kept alive, with requests one after the other; bytes go out as they are, made before."""

    async def open(self, port: int) -> Line:
        self.reader, self.writer = await asyncio.open_connection("127.0.0.1", port, limit=2**24)
        return self

    async def post(self, path: str, body: bytes) -> tuple[int, bytes]:
        return await self.send(HEAD.format(path=path, length=len(body)).encode() + body)

    async def send(self, request: bytes) -> tuple[int, bytes]:
        self.writer.write(request)
        head = await self.reader.readuntil(b"\r\n\r\n")
        at = head.index(b"content-length: ") + 16
        return int(head[9:12]), await self.reader.readexactly(int(head[at : head.index(b"\r", at)]))


async def single(port: int, streams: int, seconds: float, lines: int) -> tuple[int, list[float]]:
    """Push single events over HTTP, as fast as they are answered."""
    took: list[float] = []
    made = []
    for i in range(streams):
        body = b'{"y":%.3f}' % (50 + i % 7 / 7)
        made.append(HEAD.format(path=f"/v1/streams/s{i}/events", length=len(body)).encode() + body)
    end = time.perf_counter() + seconds

    async def run(line: Line, rng: random.Random) -> None:
        while time.perf_counter() < end:
            begun = time.perf_counter()
            status, _ = await line.send(made[rng.randrange(len(made))])
            assert status == 200, status
            took.append(time.perf_counter() - begun)

    every = [await Line().open(port) for _ in range(lines)]
    begun = time.perf_counter()
    await asyncio.gather(*[run(line, random.Random(i)) for i, line in enumerate(every)])
    return int(len(took) / (time.perf_counter() - begun)), took


def latency(port: int, streams: int, seconds: float, lines: int, rate: float) -> dict[str, list[float]]:
    """Push single events at a rate, with an empty request for comparison, and time each part of the way.

    Arrivals are at random. A request is due at a moment that does not depend on those before it, and the machine may
    wake this process later: what it was late by is a part of its own, as is a connection that is still busy.
    Every tenth request asks ``/healthz``, which neither steps nor saves anything: it is the floor of this server.
    """
    rng = random.Random(0)
    nothing = b"GET /healthz HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"
    body = b'{"y":50.5}'
    made = [HEAD.format(path=f"/v1/streams/s{i}/events", length=len(body)).encode() + body for i in range(streams)]
    took: dict[str, list[float]] = {"late": [], "floor": [], "push": [], "whole": []}
    every = {}
    poll = select.epoll()
    for _ in range(lines):
        one = socket_.create_connection(("127.0.0.1", port))
        one.setsockopt(socket_.IPPROTO_TCP, socket_.TCP_NODELAY, 1)
        every[one.fileno()] = one
        poll.register(one, select.EPOLLIN)
    free, busy = deque(every.values()), dict[int, tuple[bool, float, float]]()
    answer: dict[int, bytes] = {}
    now = begun = time.perf_counter()
    due = begun + rng.expovariate(rate * 10 / 9)
    while due < begun + seconds or busy:
        while due <= now and free and due < begun + seconds:
            one, request = free.popleft(), nothing if rng.random() < 0.1 else made[rng.randrange(streams)]
            now = time.perf_counter()
            one.send(request)
            busy[one.fileno()] = (request is nothing, due, now)
            due += rng.expovariate(rate * 10 / 9)
        wait = max(due - time.perf_counter(), 0.0) if free and due < begun + seconds else 1.0
        for number, _ in poll.poll(wait):
            answer[number] = answer.get(number, b"") + every[number].recv(65_536)
            if not answer[number].endswith(b"}"):
                continue  # the head came alone
            now = time.perf_counter()
            assert answer.pop(number).startswith(b"HTTP/1.1 200")
            floor, planned, sent = busy.pop(number)
            free.append(every[number])
            took["late"].append(sent - planned)
            if floor:
                took["floor"].append(now - sent)
            else:
                took["push"].append(now - sent)
                took["whole"].append(now - planned)
        now = time.perf_counter()
    for one in every.values():
        one.close()
    return took


async def batched(port: int, streams: int, seconds: float, size: int) -> tuple[int, list[float]]:
    """Push events of many streams in one request, two requests at a time."""
    took: list[float] = []
    end = time.perf_counter() + seconds
    rng = random.Random(0)

    async def run(line: Line) -> None:
        bodies = []
        for _ in range(8):
            some = rng.sample(range(streams), size)
            pushes = ",".join(f'{{"unique_id":"s{i}","y":{50 + rng.random():.3f}}}' for i in some)
            bodies.append(f'{{"pushes":[{pushes}]}}'.encode())
        turn = 0
        while time.perf_counter() < end:
            begun = time.perf_counter()
            status, _ = await line.post("/v1/events", bodies[turn % 8])
            assert status == 200, status
            turn += 1
            took.append(time.perf_counter() - begun)

    every = [await Line().open(port) for _ in range(2)]
    begun = time.perf_counter()
    await asyncio.gather(*[run(line) for line in every])
    return int(size * len(took) / (time.perf_counter() - begun)), took


def frame(text: bytes) -> bytes:
    """Return a message of a WebSocket client, under a mask of zeros, which changes nothing."""
    size = len(text)
    head = bytes([0x81, 0x80 | size]) if size < 126 else b"\x81\xfe" + size.to_bytes(2, "big")
    return head + bytes(4) + text


async def message(reader: asyncio.StreamReader) -> bytes:
    """Return the next message of the server, without its head."""
    size = (await reader.readexactly(2))[1]
    if size >= 126:
        size = int.from_bytes(await reader.readexactly(2 if size == 126 else 8), "big")
    return await reader.readexactly(size)


async def socket(
    port: int, streams: int, seconds: float, sockets: int, window: int, many: int = 1
) -> tuple[int, list[float]]:
    """Push over WebSockets, with several messages on their way in each, of one event or of many."""
    took: list[float] = []
    pushes = [b'{"unique_id":"s%d","y":%.3f}' % (i, 50 + i % 7 / 7) for i in range(streams)]
    made = [
        frame(pushes[i] if many == 1 else b"[" + b",".join(pushes[i : i + many]) + b"]")
        for i in range(0, streams, many)
    ]
    end = time.perf_counter() + seconds
    key = b"Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
    key += b"Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n"

    async def run(seed: int) -> None:
        rng = random.Random(seed)
        reader, writer = await asyncio.open_connection("127.0.0.1", port, limit=2**24)
        writer.write(b"GET /v1/live HTTP/1.1\r\nHost: 127.0.0.1\r\n" + key)
        assert b" 101 " in await reader.readuntil(b"\r\n\r\n")
        sent: list[float] = []

        def send() -> None:
            sent.append(time.perf_counter())
            writer.write(made[rng.randrange(len(made))])

        for _ in range(window):
            send()
        for turn in range(10_000_000):
            answer = await message(reader)
            assert b'"error"' not in answer, answer
            took.append(time.perf_counter() - sent[turn])
            if time.perf_counter() < end:
                send()
            elif turn + 1 == len(sent):
                writer.close()
                return

    begun = time.perf_counter()
    await asyncio.gather(*[run(i) for i in range(sockets)])
    return int(many * len(took) / (time.perf_counter() - begun)), took


def quantile_of(limits: list[float], counts: NDArray[np.int64], p: float) -> float:
    """Return a quantile of durations that are counted in classes, in seconds; within a class they are spread evenly."""
    whole = np.cumsum(counts)
    at = int(np.searchsorted(whole, p * whole[-1]))
    low, high = (limits[at - 1] if at else 0.0), limits[at]
    within = (p * whole[-1] - (whole[at - 1] if at else 0)) / counts[at]
    return low if np.isinf(high) else low + float(within) * (high - low)


def report(name: str, server: Server, load: Callable[[], tuple[float, list[float]]]) -> float:
    """Run a load, and print its line of the table."""
    cpu, events = server.metric("process_cpu_seconds_total"), server.metric("events_total")
    rate: float
    limits, before = server.pushes()
    own = time.process_time()
    rate, took = load()
    own = time.process_time() - own
    used = server.metric("process_cpu_seconds_total") - cpu
    many = server.metric("events_total") - events
    p50, p99 = np.quantile(took, [0.5, 0.99]) * 1000
    inside = 1000 * quantile_of(limits, np.array(server.pushes()[1]) - np.array(before), 0.99)
    times = "".join(f"{one:>11.1f}" for one in (p50, p99, inside))
    print(f"{name:<44}{int(rate):>10,}{times}{1e6 * used / many:>14.1f}{1e6 * own / many:>12.1f}", flush=True)
    return rate


def at_rate(streams: int, seconds: float, late: list[float]) -> tuple[float, list[float]]:
    """Push at half of the load that is asked for, and add by how much the load itself was late."""
    found = latency(8301, streams, seconds, 64, HALF)
    late.extend(found["late"])
    return len(late) / seconds, found["push"]


def loads(folder: Path, model: Path, seconds: float, streams: int) -> None:
    """Print the table of loads, with and without a durable store.

    The p99 of the client is from sent to answered; that of the server, from the queue of pushes to the answer.
    """
    print(f"{streams:,} streams, {seconds:g} s each")
    heads = "".join(f"{one:>11}" for one in ("client p50", "client p99", "server p99"))
    print(f"{'load':<44}{'events/s':>10}{heads}{'CPU us/event':>14}{'of load':>12}")
    some = min(5000, streams)
    every: dict[str, Callable[[], tuple[float, list[float]]]] = {
        "first push of every stream": lambda: asyncio.run(batched(8301, streams, seconds / 2, some)),
        "batches of 5,000": lambda: asyncio.run(batched(8301, streams, seconds, some)),
        "single HTTP, 64 connections": lambda: asyncio.run(single(8301, streams, seconds, 64)),
        "WebSocket, 16 x 64": lambda: asyncio.run(socket(8301, streams, seconds, 16, 64)),
        "WebSocket, 4 x 8 of 100": lambda: asyncio.run(socket(8301, streams, seconds, 4, 8, 100)),
    }
    for store, words in ((str(folder / "streams"), "SQLite, durable"), ("none", "memory")):
        server = Server(model, store, 8301)
        try:
            for name, load in every.items():
                report(f"{words}: {name}", server, load)
            late: list[float] = []
            load = partial(at_rate, streams, seconds, late)
            report(f"{words}: single HTTP, {HALF:,} a second, from sent", server, load)
            p50, p99 = np.quantile(late, [0.5, 0.99]) * 1000
            print(f"{'  by which the load itself was late':<54}{p50:>11.1f}{p99:>11.1f}", flush=True)
        finally:
            server.stop()


def parts(folder: Path, model: Path, seconds: float, streams: int, rate: float = HALF) -> None:
    """Print where the time of a single push goes at half of the load that is asked for."""
    disk = folder / "disk"
    sync = []
    with disk.open("wb", buffering=0) as file:
        for _ in range(300):
            file.write(bytes(8192))
            begun = time.perf_counter()
            os.fdatasync(file.fileno())
            sync.append(time.perf_counter() - begun)
            time.sleep(0.002)
    print(f"single pushes at {rate:,.0f} a second, ms{'p50':>38}{'p90':>9}{'p99':>9}{'most':>9}")
    rows = {"one fdatasync of 8 kB, nothing else at work": sync}
    for store, words in ((str(folder / "half"), "durable"), ("none", "memory")):
        trace = folder / "trace.json"
        server = Server(model, store, 8305, trace=trace)
        try:
            asyncio.run(batched(8305, streams, 2, min(5000, streams)))
            latency(8305, streams, 1, 64, rate)
            used = server.metric("process_cpu_seconds_total")
            found = latency(8305, streams, seconds, 64, rate)
            used = (server.metric("process_cpu_seconds_total") - used) / len(found["late"])
            print(f"{words}: {1e6 * used:.0f} us of the server's processor a request")
        finally:
            server.stop()
        rows |= {
            f"{words}, client: late start of the load itself": found["late"],
            f"{words}, client: /healthz, the floor, from sent": found["floor"],
            f"{words}, client: push, from sent to answered": found["push"],
            f"{words}, client: push, from due, with the late start": found["whole"],
        }
        inside = np.array(json.loads(trace.read_text(encoding="utf-8")))[-len(found["push"]) :]
        stages = ("waits for a batch", "is stepped", "is saved", "is answered", "push, from read to answered")
        rows |= {f"{words}, server: {name}": inside[:, i].tolist() for i, name in enumerate(stages)}
    for name, took in rows.items():
        figures = "".join(f"{q:>9.2f}" for q in np.quantile(took, [0.5, 0.9, 0.99, 1]) * 1000)
        print(f"{name:<60}{figures}", flush=True)


def memory(folder: Path, model: Path, streams: int, resident: int) -> None:
    """Print the memory of a server with many streams, of which so many may stay in memory."""
    server = Server(model, str(folder / f"many-{resident}"), 8302, "--resident", str(resident))
    try:
        before = server.metric("process_resident_bytes")

        async def fill() -> None:
            line = await Line().open(8302)
            for _ in range(2):
                for first in range(0, streams, 5000):
                    pushes = ",".join(f'{{"unique_id":"s{i}","y":50.5}}' for i in range(first, first + 5000))
                    status, _ = await line.post("/v1/events", f'{{"pushes":[{pushes}]}}'.encode())
                    assert status == 200

        asyncio.run(fill())
        after = server.metric("process_resident_bytes")
        each = (after - before) / streams
        state = server.metric("state_bytes")
        print(f"memory: {before / 1e6:.0f} MB empty, {after / 1e6:.0f} MB with {streams:,} streams", end="")
        print(f", at most {resident:,} of them in memory", end="")
        print(f": {each:.0f} bytes a stream, of which {state:.0f} are its state")
    finally:
        server.stop()


def hard(folder: Path, model: Path, sockets: int = 1000, pushes: int = 100_000) -> None:
    """Open WebSockets that say nothing, then push many events to one stream in pushes of 1,000."""
    server = Server(model, str(folder / "hard"), 8304)
    hello = b"GET /v1/live HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
    hello += b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n"

    async def run() -> tuple[float, float]:
        idle = [await Line().open(8304) for _ in range(sockets)]
        for one in idle:
            one.writer.write(hello)
            assert b" 101 " in await one.reader.readuntil(b"\r\n\r\n")
        line, begun = await Line().open(8304), time.perf_counter()
        for first in range(0, pushes, 1000):
            events = ",".join(f'{{"y":{50 + i % 7 / 7:.3f},"seq":{first + i + 1}}}' for i in range(1000))
            status, _ = await line.post("/v1/streams/one/events", f'{{"events":[{events}]}}'.encode())
            assert status == 200, status
        many, begun = time.perf_counter() - begun, time.perf_counter()
        status, _ = await line.post("/v1/streams/two/events", b'{"y":50}')
        assert status == 200, status
        one_push = time.perf_counter() - begun
        idle[-1].writer.write(frame(b'{"unique_id":"three","y":50}'))
        assert b'"error"' not in await message(idle[-1].reader)
        return many, one_push

    try:
        many, one_push = asyncio.run(run())
        seq = json.loads(server.get("/v1/streams/one"))["seq"]
        print(
            f"{sockets:,} idle WebSockets; {pushes:,} events to one stream in {many:.1f} s, the last is number {seq:,}"
        )
        print(f"then a push to another stream {1e3 * one_push:.1f} ms, and an idle WebSocket answers")
        assert seq == pushes
    finally:
        server.stop()


def peers(folder: Path, model: Path, count: int = 3000) -> None:
    """Print the processor time of one event: a batch of one here, ONNX with states passed by the caller, and river."""
    import ostinato
    from ostinato.export.check import Runtime

    fitted = ostinato.load_model(model)
    ostinato.export_onnx(fitted, folder / "model.onnx")
    stream, runtime = ostinato.Stream(fitted), Runtime(str(folder / "model.onnx"))
    steps: dict[str, Callable[[float], object]] = {
        "ostinato Stream": lambda v: stream.update([v]),
        "ONNX in onnxruntime, states by the caller": lambda v: runtime.step(np.array([[v]])),
    }
    with contextlib.suppress(ImportError):
        from river.anomaly import HalfSpaceTrees  # type: ignore[import-not-found]

        trees = HalfSpaceTrees(limits={"y": (40, 60)})
        steps["river HalfSpaceTrees"] = lambda v: (trees.score_one({"y": v}), trees.learn_one({"y": v}))
    y = (50 + np.random.default_rng(0).standard_normal(count)).tolist()
    for name, step in steps.items():
        begun = time.process_time()
        for v in y:
            step(v)
        print(f"{name:<44}{1e6 * (time.process_time() - begun) / count:>10.1f} us of processor an event", flush=True)


def value(key: str, number: int) -> float:
    """Return the value of an event, which no order of pushes changes."""
    return round(50 + 10 * float(np.sin(number / 8 + int(key[1:]))), 6)


def kept(server: Server, answered: dict[str, int]) -> None:
    """Check that every answered event is in its stream once; the answer of one more may have been lost on the way."""
    for key, number in answered.items():
        seq = json.loads(server.get(f"/v1/streams/{key}"))["seq"]
        assert number <= seq <= number + 1, (key, number, seq)


def kills(folder: Path, model: Path, times: int, seed: int = 0) -> None:
    """Kill the server at random moments under load; every answered event must be in its state exactly once."""
    from ostinato.inference.live.rows import Rows
    from ostinato.model_file import load_model

    rng, store = random.Random(seed), folder / "killed"
    answered: dict[str, int] = {}
    told: dict[str, dict[int, float]] = {}
    streams = [f"k{i}" for i in range(50)]

    async def load(port: int, server: Server, after: float) -> None:
        async def run(key: str) -> None:
            line = await Line().open(port)
            while True:
                number = answered.get(key, 0) + 1
                status, body = await line.post(
                    f"/v1/streams/{key}/events", json.dumps({"y": value(key, number), "seq": number}).encode()
                )
                assert status == 200, body
                (event,) = json.loads(body)["events"]
                assert event["seq"] == number
                if "surprisal" in event:
                    told.setdefault(key, {})[number] = event["surprisal"]
                answered[key] = number

        tasks = [asyncio.create_task(run(key)) for key in streams]
        await asyncio.sleep(after)
        server.process.send_signal(signal.SIGKILL)
        for done in await asyncio.gather(*tasks, return_exceptions=True):
            assert isinstance(done, OSError | EOFError), done

    for turn in range(times):
        server = Server(model, str(store), 8303)
        kept(server, answered)
        asyncio.run(load(8303, server, 0.05 + rng.random() * 0.8))
        server.process.wait(30)
        if (turn + 1) % 10 == 0:
            print(f"  {turn + 1} kills, {sum(answered.values()):,} events answered", flush=True)
    model_ = load_model(model).likelihood("score")
    rows, worst = Rows(model_), 0.0
    for key, number in answered.items():
        y = np.array([[value(key, i + 1)] for i in range(number)])
        want = rows.step([key], y, np.array([number]), rows.start(1)).surprisal
        worst = max([worst, *(abs(want[i - 1] - nats) for i, nats in told[key].items())])
    print(f"kills: {times}, events answered: {sum(answered.values()):,}, none lost, none twice; ", end="")
    compared = sum(map(len, told.values()))
    print(f"largest difference of {compared:,} surprisals from score: {worst:.1e} nats")
    assert compared
    assert worst < 1e-5


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("parts", nargs="*", default=["loads", "parts", "memory", "hard", "peers", "kills"])
    parser.add_argument("--seconds", type=float, default=5.0)
    parser.add_argument("--streams", type=int, default=10_000)
    parser.add_argument("--many", type=int, default=100_000)
    parser.add_argument("--kills", type=int, default=50)
    given = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="ostinato-serve-"))
    try:
        model = folder / "model.ost"
        model_file(model)
        if "loads" in given.parts:
            loads(folder, model, given.seconds, given.streams)
        if "parts" in given.parts:
            parts(folder, model, given.seconds, given.streams)
        if "memory" in given.parts:
            for resident in (given.many, given.many // 10):
                memory(folder, model, given.many, resident)
        if "hard" in given.parts:
            hard(folder, model)
        if "peers" in given.parts:
            peers(folder, model)
        if "kills" in given.parts:
            kills(folder, model, given.kills)
    finally:
        shutil.rmtree(folder)


if __name__ == "__main__":
    main()
