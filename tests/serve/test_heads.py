"""The heads of requests: too large, too slow, or such that no WebSocket can be opened by them."""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Iterator
from typing import BinaryIO

import pytest

pytest.importorskip("msgspec", reason="the server needs msgspec")
pytest.importorskip("httpx", reason="the tests of the server need httpx")
pytest.importorskip("websockets", reason="uvicorn[standard] brings websockets")

from serving import Server

import zoo
from ostinato.model_file import save_model

UPGRADE = (
    b"GET /v1/live HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
    b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n"
)
STATUS = b"GET /v1/status HTTP/1.1\r\nHost: 127.0.0.1\r\n"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    folder = tmp_path_factory.mktemp("heads")
    save_model(zoo.fitted("series", "ar"), folder / "model.ost")
    found = Server(folder / "model.ost", folder / "streams", "--timeout", "2")
    yield found
    words = found.close()
    assert found.process.returncode == 0, words
    assert "Traceback" not in words


@contextlib.contextmanager
def line(server: Server) -> Iterator[socket.socket]:
    with socket.create_connection(("127.0.0.1", server.port), timeout=20) as found:
        yield found


def answer(found: socket.socket) -> bytes:
    """The status of an answer behind which the connection ends; empty if it was only ended."""
    with contextlib.suppress(ConnectionResetError):
        whole = b"".join(iter(lambda: found.recv(65_536), b""))
        return whole[9:12]
    return b""


def reply(read: BinaryIO) -> bytes:
    """The status of an answer behind which the connection goes on."""
    status = read.readline()[9:12]
    sizes = [int(one.split(b":")[1]) for one in iter(read.readline, b"\r\n") if one.startswith(b"content-length")]
    assert len(read.read(*sizes)) == sizes[0]
    return status


@pytest.mark.parametrize(
    "head",
    [b"GET /v1/st", STATUS, STATUS + b"X-Half: ", UPGRADE],
    ids=["half a line", "half a head", "half a header", "half a WebSocket"],
)
def test_a_head_that_does_not_end_is_refused(server: Server, head: bytes) -> None:
    with line(server) as found:
        found.sendall(head)
        assert answer(found) == b"408"


def test_a_connection_that_says_nothing_is_closed_without_a_word(server: Server) -> None:
    with line(server) as found:
        assert found.recv(100) == b""


def test_a_second_head_that_does_not_end_is_refused(server: Server) -> None:
    with line(server) as found, found.makefile("rb") as read:
        found.sendall(STATUS + b"\r\n")
        assert reply(read) == b"200"
        found.sendall(STATUS)
        assert read.read()[9:12] == b"408"


def test_a_head_without_end_is_refused_before_it_fills_the_memory(server: Server) -> None:
    sent = 0
    with line(server) as found:
        found.sendall(STATUS)
        with contextlib.suppress(ConnectionError):
            for number in range(2000):
                found.sendall(b"X-%d: " % number + b"x" * 9_990 + b"\r\n")
                sent += 10_000
        assert answer(found) in {b"431", b""}  # what was sent behind it may end the connection before it is read
    assert sent < 20_000_000
    assert server.ask("GET", "/healthz")[0] == 200


@pytest.mark.parametrize(
    "head",
    [
        b"GET /" + b"x" * 100_000 + b" HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n",
        STATUS + b"X: " + b"x" * 100_000 + b"\r\n\r\n",
    ],
    ids=["path", "header"],
)
def test_a_large_head_is_refused(server: Server, head: bytes) -> None:
    with line(server) as found:
        found.sendall(head)
        assert answer(found) == b"431"


@pytest.mark.parametrize(
    "more",
    [b"X: " + b"x" * 9000 + b"\r\n", b"X: y\r\n" * 300, b"X: \x01\r\n"],
    ids=["a long header", "many headers", "a control character"],
)
def test_a_websocket_whose_head_cannot_be_read_is_answered(server: Server, more: bytes) -> None:
    """It was left open, and then the server did not end in order; the fixture looks for its traceback."""
    with line(server) as found:
        found.sendall(UPGRADE + more + b"\r\n")
        assert answer(found) == b"400"


def test_requests_that_come_one_behind_the_other_are_each_answered(server: Server) -> None:
    """The bytes of a body do not count for the head behind it."""
    body = b'{"y": 50.0}' + b" " * 300_000
    push = b"POST /v1/streams/a/events HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n"
    with line(server) as found, found.makefile("rb") as read:
        for _ in range(3):
            found.sendall(push + b"Content-Length: %d\r\n\r\n" % len(body) + body + STATUS[:20])
            found.sendall(STATUS[20:] + b"\r\n")
            assert [reply(read), reply(read)] == [b"200", b"200"]
