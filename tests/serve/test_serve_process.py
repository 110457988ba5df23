"""A server in a process of its own: killed, drained, fuzzed over a WebSocket, and looked at in a browser."""

from __future__ import annotations

import asyncio
import contextlib
import http.client
import itertools
import json
import random
import shutil
import signal
import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("msgspec", reason="the server needs msgspec")
pytest.importorskip("httpx", reason="the tests of the server need httpx")
pytest.importorskip("websockets", reason="uvicorn[standard] brings websockets")

import websockets
from serving import Server

import zoo
from ostinato.inference.live.rows import Rows
from ostinato.model_file import save_model

HEAD = (
    "POST /v1/events HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: {length}\r\n\r\n"
)


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("model") / "model.ost"
    save_model(zoo.fitted("series", "gru"), path)
    return path


@pytest.fixture(scope="module")
def server(model: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    found = Server(model, tmp_path_factory.mktemp("streams"), "--body", "100000", "--timeout", "2")
    yield found
    words = found.close()
    assert found.process.returncode == 0, words
    assert "Traceback" not in words


def value(key: int, number: int) -> float:
    return round(50 + 10 * float(np.sin(number / 8 + key)), 6)


def kept(server: Server, answered: list[int]) -> None:
    """Every answered event is in its stream once; the answer of one more may have been lost on the way."""
    for key, number in enumerate(answered):
        if number:
            seq = server.ask("GET", f"/v1/streams/{key}")[1]["seq"]
            assert number <= seq <= number + 1, "an answered event is lost, or one was applied twice"


def test_what_was_answered_survives_kills(model: Path, tmp_path: Path) -> None:
    answered, told, rng = [0] * 8, [dict[int, float]() for _ in range(8)], random.Random(5)

    def load(port: int, key: int) -> None:
        line = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
        with contextlib.closing(line), contextlib.suppress(OSError, http.client.HTTPException):
            while True:
                number = answered[key] + 1
                body = json.dumps({"y": value(key, number), "seq": number})
                line.request("POST", f"/v1/streams/{key}/events", body, {"content-type": "application/json"})
                answer = json.loads(line.getresponse().read())
                event = answer["events"][0]
                assert event["seq"] == number
                if "surprisal" in event:
                    told[key][number] = event["surprisal"]
                answered[key] = number

    for _ in range(3):
        server = Server(model, tmp_path)
        kept(server, answered)
        threads = [threading.Thread(target=load, args=(server.port, key)) for key in range(8)]
        for thread in threads:
            thread.start()
        until, end = sum(answered) + rng.randrange(11, 50), time.monotonic() + 60
        while sum(answered) < until and time.monotonic() < end:
            time.sleep(0.002)
        server.close(signal.SIGKILL)
        for thread in threads:
            thread.join()
    assert sum(answered) > 30
    assert any(told)
    rows = Rows(zoo.fitted("series", "gru"))
    for key, number in enumerate(answered):
        y = np.array([[value(key, i + 1)] for i in range(number)])
        want = rows.step(["a"], y, np.array([number]), rows.start(1)).surprisal
        for i, nats in told[key].items():
            assert nats == pytest.approx(want[i - 1], abs=1e-5)


#: A save of a SQLite store hangs for ever while there is a file of this name, as on a network drive that is gone. The
#: end of the server then waits for it less long than usual.
HANGS = """
import os, threading
from ostinato.serve import access, batcher
from ostinato.serve.store_sqlite import SQLiteStore
save = SQLiteStore.save
def hang(self, changes):
    while os.path.exists({path!r}):
        access.END = batcher.END = 0.5
        threading.Event().wait()
    return save(self, changes)
SQLiteStore.save = hang
"""


def test_sigterm_ends_a_server_whose_store_hangs_and_what_was_answered_is_kept(model: Path, tmp_path: Path) -> None:
    path = f"{tmp_path}/hang"
    server = Server(model, tmp_path / "streams", first=HANGS.format(path=path))
    for number in range(1, 4):
        assert server.ask("POST", "/v1/streams/a/events", {"y": 50.0, "seq": number})[0] == 200
    Path(path).touch()
    answers: list[int] = []
    waits = threading.Thread(
        target=lambda: answers.append(server.ask("POST", "/v1/streams/a/events", {"y": 50.0, "seq": 4})[0])
    )
    waits.start()
    while "ostinato_events_waiting 1" not in server.text("/metrics"):
        time.sleep(0.01)
    words = server.close()  # it waits for a minute at most, where the end has 25 seconds
    waits.join()
    assert answers == [503]
    assert server.process.returncode == 0
    assert "the store is left open: a call of it hangs; every event that was answered is kept" in words
    assert "Traceback" not in words
    Path(path).unlink()
    again = Server(model, tmp_path / "streams")
    try:
        assert again.ask("GET", "/v1/streams/a")[1]["seq"] == 3
        assert again.ask("POST", "/v1/streams/a/events", {"y": 50.0, "seq": 4})[1]["events"][0]["status"] == "applied"
    finally:
        again.close()


def messages(rng: random.Random) -> Iterator[str | bytes]:
    """Yield messages that are wrong in many ways, and some that are right."""
    right = {"unique_id": "fuzz", "y": 50.0}
    odd: list[Any] = [None, True, -1, 1e400, 10**40, "", "x" * 300, [], {}, [1, 2], {"y": 1}, "\ud800", float("nan")]
    while True:
        match rng.randrange(6):
            case 0:
                yield json.dumps(
                    {**right, rng.choice([*right, "ds", "seq", "events", "level", "ref", "z"]): rng.choice(odd)}
                )
            case 1:
                text = json.dumps(right)
                cut = rng.randrange(len(text))
                yield text[:cut] + chr(rng.randrange(32, 0x2FFF)) + text[cut + 1 :]
            case 2:
                yield rng.randbytes(rng.randrange(64))
            case 3:
                yield "[" * rng.randrange(1, 2000)
            case 4:
                yield json.dumps([right] * rng.randrange(4) + [rng.choice(odd)] * rng.randrange(2))
            case _:
                yield json.dumps(right)


def test_ten_thousand_odd_messages_are_each_answered(server: Server) -> None:
    rng = random.Random(1)

    async def main() -> list[Any]:
        found: list[Any] = []
        async with websockets.connect(f"ws://127.0.0.1:{server.port}/v1/live", compression=None) as line:
            made = messages(rng)
            for _ in range(100):
                for _ in range(100):
                    await line.send(next(made))
                found += [json.loads(await line.recv()) for _ in range(100)]
        return found

    found = asyncio.run(main())
    assert len(found) == 10_000
    flat = [one for answer in found for one in (answer if isinstance(answer, list) else [answer])]
    assert sum("events" in one for one in flat) > 2000
    assert sum("error" in one for one in flat) > 2000
    assert not any("the server failed" in str(one.get("error")) for one in flat)
    assert server.ask("GET", "/v1/streams/fuzz")[0] == 200


def test_a_text_that_is_no_utf8_closes_the_socket_without_a_traceback(server: Server) -> None:
    """The fixture looks for one in the log of the server."""
    frame = bytes([0x81, 0x82, 0, 0, 0, 0, 0xFF, 0xFE])
    head = "GET /v1/live HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    key = "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\nSec-WebSocket-Version: 13\r\n\r\n"
    with socket.create_connection(("127.0.0.1", server.port), timeout=20) as line:
        line.sendall((head + key).encode())
        with line.makefile("rb") as answer:
            while answer.readline().strip():
                pass
            line.sendall(frame)
            assert answer.read(4) == bytes([0x88, 2]) + (1007).to_bytes(2, "big")


def test_a_page_of_another_site_may_not_open_a_socket(server: Server) -> None:
    async def main() -> None:
        uri = f"ws://127.0.0.1:{server.port}/v1/live"
        async with websockets.connect(uri, additional_headers={"Origin": f"http://127.0.0.1:{server.port}"}):
            pass
        with pytest.raises(websockets.exceptions.InvalidStatus):
            async with websockets.connect(uri, additional_headers={"Origin": "http://evil.example"}):
                pass

    asyncio.run(main())


def test_idle_sockets_and_slow_clients_do_not_stop_others(server: Server) -> None:
    async def main() -> None:
        uri = f"ws://127.0.0.1:{server.port}/v1/live"
        lines = [await websockets.connect(uri, compression=None, ping_interval=None) for _ in range(300)]
        slow = []
        for _ in range(20):  # bodies that never end
            reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
            writer.write(HEAD.format(length=50).encode() + b"{")
            slow.append((reader, writer))
        async with websockets.connect(uri, compression=None) as line:
            await line.send('{"unique_id":"quick","y":50.0}')
            assert "surprisal" in json.loads(await line.recv())["events"][0]
        answers = [await asyncio.wait_for(reader.read(), 20) for reader, _ in slow]
        assert all(answer.startswith(b"HTTP/1.1 408") for answer in answers)
        for _, writer in slow:
            writer.close()
        for line in lines:
            await line.close()

    asyncio.run(main())


def test_a_body_of_ten_megabytes_is_refused(server: Server) -> None:
    with socket.create_connection(("127.0.0.1", server.port), timeout=20) as line:
        line.sendall(HEAD.format(length=10_000_000).encode())
        assert line.recv(200).startswith(b"HTTP/1.1 413")
    assert server.ask("GET", "/healthz")[0] == 200


@pytest.mark.parametrize("chunked", [True, False], ids=["chunked", "with a length"])
def test_a_client_that_sends_too_much_reads_why(server: Server, chunked: bool) -> None:
    """A connection that was closed while the body arrived was reset, and the answer was lost with it."""
    part = b"x" * 65_536
    for _ in range(5):
        head = HEAD.format(length=80 * len(part))
        if chunked:
            head = head.replace(f"Content-Length: {80 * len(part)}", "Transfer-Encoding: chunked")
        with socket.create_connection(("127.0.0.1", server.port), timeout=20) as line:
            line.sendall(head.encode())
            for _ in range(80):
                line.sendall(b"10000\r\n" + part + b"\r\n" if chunked else part)
            if chunked:
                line.sendall(b"0\r\n\r\n")
            answer = b"".join(iter(lambda: line.recv(65_536), b""))
        assert answer.startswith(b"HTTP/1.1 413")
        assert b"at most 100,000 bytes are read" in answer
    assert server.ask("GET", "/healthz")[0] == 200


#: How many parts of the legends reach beyond the figure that they belong to.
_LEAVES_ITS_FIGURE = """[...document.querySelectorAll('figcaption span')].filter((one) =>
    one.getBoundingClientRect().right > one.closest('figure').getBoundingClientRect().right + 1).length"""


@pytest.mark.skipif(not shutil.which("chromium"), reason="the page is tested in Chromium")
def test_the_page_shows_streams_and_marks_an_alarm(model: Path, tmp_path: Path) -> None:
    browsers = pytest.importorskip("playwright.sync_api", reason="the page is tested with playwright")
    server = _watched(model, tmp_path)
    complaints: list[str] = []
    try:
        with browsers.sync_playwright() as play:
            browser = play.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"])
            for width, scheme in itertools.product((400, 1400), ("light", "dark")):
                key = f"{scheme}/{width}"
                page = browser.new_page(viewport={"width": width, "height": 900}, color_scheme=scheme)
                page.on("console", lambda one: complaints.append(one.text))
                page.on("pageerror", lambda one: complaints.append(str(one)))
                page.goto(f"http://127.0.0.1:{server.port}/")
                _watch(server, page, f"/v1/streams/{key.replace('/', '%2F')}/events", key)
                assert page.evaluate("document.documentElement.scrollWidth") <= width
                assert page.evaluate(_LEAVES_ITS_FIGURE) == 0
                page.close()
            browser.close()
    finally:
        server.close()
    assert not complaints


@pytest.mark.skipif(not shutil.which("chromium"), reason="the page is tested in Chromium")
def test_the_page_of_a_text_shows_its_characters(tmp_path: Path) -> None:
    """They were shown as the numbers of their code points, as a line of values."""
    browsers = pytest.importorskip("playwright.sync_api", reason="the page is tested with playwright")
    save_model(zoo.fitted("text", "gru"), tmp_path / "model.ost")
    server, complaints = Server(tmp_path / "model.ost", tmp_path / "streams"), list[str]()
    try:
        server.ask("POST", "/v1/streams/a/events", {"y": "abc"})
        with browsers.sync_playwright() as play:
            browser = play.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"])
            page = browser.new_page(viewport={"width": 400, "height": 900})
            page.on("console", lambda one: complaints.append(one.text))
            page.on("pageerror", lambda one: complaints.append(str(one)))
            page.goto(f"http://127.0.0.1:{server.port}/")
            page.locator("#latest", has_text="Event 1: \u201cc\u201d; expected \u201c").wait_for()
            server.ask("POST", "/v1/streams/a/events", {"y": "ba" * 100})
            page.locator("#latest", has_text="Event 2: \u201ca\u201d").wait_for()
            signs = page.locator("#nats .sign").all_text_contents()
            assert "".join(signs).endswith("baba")
            assert len(signs) < 30
            assert not page.locator("#values").is_visible()
            assert page.evaluate("document.documentElement.scrollWidth") <= 400
            browser.close()
    finally:
        server.close()
    assert not complaints


def _watch(server: Server, page: Any, path: str, key: str) -> None:
    """Push to a stream, and see the chart move and an alarm marked."""
    for number in range(1, 30):
        server.ask("POST", path, {"y": value(1, number)})
    page.locator("#streams button", has_text=key).press("Enter")
    page.locator("#latest", has_text="Event 29:").wait_for()
    assert page.inner_text("#chart-title") == key
    assert page.get_attribute("#streams [aria-current]", "data-id") == key
    before = page.get_attribute("#values .line", "d")
    server.ask("POST", path, {"y": value(1, 30)})
    page.locator("#latest", has_text="Event 30:").wait_for()
    assert page.get_attribute("#values .line", "d") != before
    marks = page.locator("#values .mark").count()
    server.ask("POST", path, {"y": 5000.0})
    page.locator("#values .mark").nth(marks).wait_for()
    assert "Event 31" in page.inner_text("#alarm-list")


def _watched(model: Path, store: Path) -> Server:
    """Return a server with alarms, whose threshold comes from a made reference."""
    rng = np.random.default_rng(0)
    rows = "\n".join(f"{50 + 10 * np.sin(i / 8) + rng.standard_normal():.4f}" for i in range(400))
    (store / "reference.csv").write_text(f"y\n{rows}\n")
    return Server(model, store / "streams", "--alarm", "0.001", "--reference", str(store / "reference.csv"))
