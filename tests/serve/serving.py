"""What the tests of the server share: cores in the process, and a server in a process of its own."""

from __future__ import annotations

import asyncio
import contextlib
import json
import signal
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import AsyncIterator, Callable, Coroutine
from pathlib import Path
from typing import Any, TypeVar

import httpx
import numpy as np

from ostinato.inference.alarm_rule import AlarmRule, Alarms
from ostinato.model import SequenceModel
from ostinato.serve.app import make_app
from ostinato.serve.batcher import Batcher
from ostinato.serve.gate import Gate, Limits
from ostinato.serve.schema import Event, EventResult, Push, Result
from ostinato.serve.store import Store, open_store
from ostinato.serve.streams import Streams
from ostinato.shapes import Array
from warm import programs

T = TypeVar("T")

#: What a server runs.
_SERVE = """import os
with open(__file__ + ".pid", "w") as told:
    told.write(str(os.getpid()))
os.environ["OMP_NUM_THREADS"] = "1"
import torch
torch.set_num_threads(1)
{first}
from ostinato.cli.main import main
main()
"""


class FixedRule(AlarmRule):
    """An alarm on each surprisal above a number of nats."""

    width = 0

    def __init__(self, nats: float) -> None:
        self.nats = nats

    def start(self) -> Array:
        return np.zeros(0)

    def step(self, surprisal: Array, values: Array, expected: Array, memory: Array) -> tuple[Alarms, Array]:
        return (surprisal > self.nats).astype(np.uint8), memory

    def words(self) -> str:
        return f"alarm above {self.nats:.4g} nats"


def run(call: Callable[[], Coroutine[Any, Any, T]]) -> T:
    return asyncio.run(call())


@contextlib.asynccontextmanager
async def core(
    model: SequenceModel,
    store: Store | str = "none",
    *,
    rule: AlarmRule | None = None,
    resident: int = 1000,
    **how: Any,
) -> AsyncIterator[Batcher]:
    """Yield the core of a server that takes pushes."""
    batcher = Batcher(
        Streams(model, rule, **how), open_store(store) if isinstance(store, str) else store, resident=resident
    )
    batcher.start()
    try:
        yield batcher
    finally:
        await batcher.close()


@contextlib.asynccontextmanager
async def client(
    batcher: Batcher,
    limits: Limits | None = None,
    reload: Callable[[], tuple[SequenceModel, AlarmRule | None]] | None = None,
) -> AsyncIterator[httpx.AsyncClient]:
    """Yield a client of the application around a core."""
    app: Gate = make_app(batcher, limits or Limits(), reload)
    async with httpx.AsyncClient(
        transport=httpx.ASGITransport(app=app, raise_app_exceptions=False), base_url="http://127.0.0.1"
    ) as found:
        yield found


async def push(batcher: Batcher, key: str, *ys: Any, first: int | None = None) -> list[EventResult]:
    """Push values to a stream, and return what was told of each."""
    events = [Event(y, seq=None if first is None else first + i) for i, y in enumerate(ys)]
    found: Result = await batcher.push(key, Push(events=events))
    return found.events


class Server:
    """A server in a process of its own, forked as ``warm`` says, on a port that was free; it may run some lines first.

    Its torch and its engine have one thread. ``process`` is the program that waits for it and hands signals on; ``pid``
    is the process that serves.
    """

    def __init__(self, model: Path, store: Path | str, *more: str, first: str = "") -> None:
        import socket

        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        script = model.with_name(f"serve-{self.port}.py")
        script.write_text(_SERVE.format(first=first))
        words = ["serve", str(model), "--store", str(store), "--port", str(self.port), *more]
        self.process = subprocess.Popen([programs() / "python", script, *words], stderr=subprocess.PIPE)
        for _ in range(1200):
            with contextlib.suppress(OSError):
                self.ask("GET", "/healthz")
                self.pid = int(Path(f"{script}.pid").read_text())
                return
            if self.process.poll() is not None:
                break
            time.sleep(0.05)
        raise RuntimeError(f"the server did not start: {self.close()}")

    def ask(self, method: str, path: str, body: Any = None, **headers: str) -> tuple[int, Any]:
        """Return the status and the JSON of an answer."""
        data = None if body is None else json.dumps(body).encode()
        kind = {"content-type": "application/json"} if body is not None else {}
        request = urllib.request.Request(
            f"http://127.0.0.1:{self.port}{path}", data, {**kind, **headers}, method=method
        )
        try:
            with urllib.request.urlopen(request, timeout=30) as answer:
                return answer.status, json.loads(answer.read() or b"null")
        except urllib.error.HTTPError as error:
            with error:
                return error.code, json.loads(error.read() or b"null")

    def text(self, path: str) -> str:
        """Return the text of an answer."""
        with urllib.request.urlopen(f"http://127.0.0.1:{self.port}{path}", timeout=30) as answer:
            return str(answer.read().decode())

    def close(self, how: int = signal.SIGTERM) -> str:
        """End the server, and return what it wrote on standard error."""
        self.process.send_signal(how)
        _, words = self.process.communicate(timeout=60)
        return words.decode()
