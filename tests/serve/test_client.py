"""The client of a server: what it sends, what it reads, and what it repeats."""

from __future__ import annotations

import datetime
import json
import math
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import numpy as np
import pytest

from ostinato.client import Client, Event, EventResult, Next, Push, Pushed, ServerError, transport
from ostinato.errors import ConfigError, DataError


class Recorder(BaseHTTPRequestHandler):
    """Answers what a test laid down, and keeps what came."""

    protocol_version = "HTTP/1.1"
    came: list[tuple[str, str, Any, str | None]]
    answers: list[tuple[int, Any, dict[str, str]] | None]

    def _answer(self) -> None:
        body = self.rfile.read(int(self.headers.get("content-length") or 0))
        binary = self.headers.get("content-type") == "application/octet-stream"
        token = self.headers.get("authorization")
        self.came.append((self.command, self.path, body if binary else json.loads(body or b"null"), token))
        answer = self.answers.pop(0)
        if answer is None:  # the connection breaks without an answer
            self.close_connection = True
            return
        status, found, headers = answer
        content = found if isinstance(found, bytes) else json.dumps(found).encode()
        self.send_response(status)
        for name, value in {**headers, "content-length": str(len(content))}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(content)

    do_GET = do_POST = do_PUT = do_DELETE = _answer  # noqa: N815 - the names of http.server

    def log_message(self, *given: Any) -> None:
        """Keep quiet."""


@pytest.fixture
def recorder() -> Iterator[type[Recorder]]:
    class Own(Recorder):
        came, answers = [], []

    server = ThreadingHTTPServer(("127.0.0.1", 0), Own)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    Own.url = f"http://127.0.0.1:{server.server_port}"  # type: ignore[attr-defined]
    yield Own
    server.shutdown()
    server.server_close()


@pytest.fixture
def client(recorder: type[Recorder], monkeypatch: pytest.MonkeyPatch) -> Iterator[Client]:
    monkeypatch.setattr(transport, "_PAUSES", (0.0,) * 4)
    with Client(recorder.url, "secret") as found:  # type: ignore[attr-defined]
        yield found


def _told(seq: int) -> dict[str, Any]:
    return {"unique_id": "a", "seq": seq, "events": [{"seq": seq, "status": "applied", "surprisal": 1.5}]}


def test_a_push_and_its_answer(client: Client, recorder: type[Recorder]) -> None:
    recorder.answers.append((200, {**_told(3), "next": {"quantiles": [[1.0], [2.0]]}}, {}))
    found = client.push("a/b 가", Event(math.nan, "2024-01-31", 2), np.float64(5), [1.0, math.nan], next=(0.1, 0.9))
    events = [{"y": None, "ds": "2024-01-31", "seq": 2}, {"y": 5.0}, {"y": [1.0, None]}]
    path = "/v1/streams/a%2Fb%20%EA%B0%80/events"
    assert recorder.came == [("POST", path, {"events": events, "next": [0.1, 0.9]}, "Bearer secret")]
    assert found == Pushed("a", 3, [EventResult(3, "applied", 1.5)], next=Next([[1.0], [2.0]]))


def test_times_and_numbers_of_libraries_are_sent_as_text_and_numbers(client: Client, recorder: type[Recorder]) -> None:
    times: list[Any] = [
        datetime.datetime(2024, 1, 31, 13, tzinfo=datetime.UTC),
        datetime.date(2024, 1, 31),
        np.datetime64("2024-01-31T13:00"),
        np.int64(5),
        7,
    ]
    recorder.answers.append((200, _told(5), {}))
    client.push("a", *[Event(1.0, ds, np.int64(i + 1)) for i, ds in enumerate(times)])  # type: ignore[arg-type]
    sent = recorder.came[0][2]["events"]
    assert [one["ds"] for one in sent] == ["2024-01-31T13:00:00+00:00", "2024-01-31", "2024-01-31T13:00", 5, 7]
    assert [one["seq"] for one in sent] == [1, 2, 3, 4, 5]


@pytest.mark.parametrize(
    ("call", "said"),
    [
        (lambda client: client.push("", 1.0), "'' is not an id"),
        (lambda client: client.push_many([Push("\ud800", [Event(1.0)])]), "is not an id"),
        (lambda client: client.push_many([Push(5, [Event(1.0)])]), "5 is not an id"),  # type: ignore[arg-type]
        (lambda client: client.streams(after="\ud800"), "is not an id"),
        (lambda client: client.push("a", "\ud800"), "is not a value"),
        (lambda client: client.push("a", 1.0, level=95), "level is 95, expected a list"),
        (lambda client: client.push("a", 1.0, next=0.5), "next is 0.5, expected a list"),
    ],
)
def test_what_cannot_be_sent_is_refused_here(
    client: Client, recorder: type[Recorder], call: Callable[[Client], object], said: str
) -> None:
    with pytest.raises(DataError, match=said):
        call(client)
    assert recorder.came == []


def test_a_batch_has_an_error_in_the_place_of_what_was_refused(client: Client, recorder: type[Recorder]) -> None:
    error = {"unique_id": "b", "error": {"what": "no", "fix": "do", "expected_seq": 4}}
    recorder.answers.append((200, {"results": [_told(1), error]}, {}))
    good, bad = client.push_many([Push("a", [Event(1.0, seq=1)]), Push("b", [Event(2.0, seq=9)])])
    assert isinstance(good, Pushed)
    assert isinstance(bad, ServerError)
    assert (bad.what, bad.expected_seq) == ("no", 4)


def test_numbered_events_are_repeated_until_they_are_answered(client: Client, recorder: type[Recorder]) -> None:
    busy = (503, {"error": {"what": "busy"}}, {"retry-after": "0"})
    recorder.answers += [(200, {"unique_id": "a", "seq": 6}, {}), None, busy, (200, _told(7), {})]
    stream = client.stream("a")
    assert stream.push(2.5).seq == stream.seq == 7
    assert [body for _, _, body, _ in recorder.came[1:]] == [{"events": [{"y": 2.5, "seq": 7}]}] * 3


def test_events_without_numbers_are_sent_once(client: Client, recorder: type[Recorder]) -> None:
    recorder.answers.append(None)
    with pytest.raises(ServerError, match="gave no answer") as error:
        client.push("a", 1.0)
    assert error.value.status == 0
    assert len(recorder.came) == 1


def test_an_error_carries_the_words_of_the_server(client: Client, recorder: type[Recorder]) -> None:
    recorder.answers += [(409, {"error": {"what": "late", "where": "a", "fix": "f", "expected_seq": 3}}, {})]
    with pytest.raises(ServerError) as error:
        client.push("a", Event(1.0, seq=1))
    given = error.value
    assert (given.status, given.what, given.where, given.fix, given.expected_seq) == (409, "late", "a", "f", 3)
    recorder.answers.append((500, b"<html>", {}))
    with pytest.raises(ServerError, match="status 500"):
        client.fork("a", "b")


def test_every_other_route(client: Client, recorder: type[Recorder]) -> None:
    answers: list[Any] = [{"streams": [{"unique_id": "a"}]}, {}, {"quantiles": [[1.0]]}, {"top": [["a", 0.3]]}]
    answers += [{"y": 1}, {"y": 2}, {}, {}, {"events": [{"seq": 8}]}, b"\x00\x01", b"", {}, {}, {}]
    recorder.answers += [(200, one, {}) for one in answers]
    assert client.streams("x y", 5) == [{"unique_id": "a"}]
    client.delete("a")
    assert client.next("a", (0.5,)).quantiles == [[1.0]]
    assert client.next("a", top=1).top == [("a", 0.3)]
    assert client.forecast("a", 3, level=[80]) == {"y": 1}
    assert client.sample("a", 4, seed=1) == {"y": 2}
    client.fork("a", "b")
    client.reset("a")
    assert client.history("a", 7) == [{"seq": 8}]
    assert client.snapshot("a") == b"\x00\x01"
    client.restore("a", b"\x00\x01")
    client.model()
    client.reload("fresh")
    assert client.ready()
    assert [f"{method} {path}" for method, path, _, _ in recorder.came] == [
        "GET /v1/streams?after=x+y&limit=5",
        "DELETE /v1/streams/a",
        "GET /v1/streams/a/next?p=0.5",
        "GET /v1/streams/a/next?top=1",
        "POST /v1/streams/a/forecast",
        "POST /v1/streams/a/sample",
        "POST /v1/streams/a/fork",
        "POST /v1/streams/a/reset",
        "GET /v1/streams/a/history?after=7",
        "GET /v1/streams/a/snapshot",
        "PUT /v1/streams/a/snapshot",
        "GET /v1/model",
        "POST /v1/model",
        "GET /readyz",
    ]
    assert recorder.came[10][2] == b"\x00\x01"


@pytest.mark.parametrize(
    "answer", [b"<html>", b"[]", b"{}", b"null", b'{"unique_id":"a","seq":1,"events":[1]}', b"\xff"]
)
def test_an_answer_of_another_server_is_refused(client: Client, recorder: type[Recorder], answer: bytes) -> None:
    for call in (lambda: client.push("a", 1.0), client.streams):
        recorder.answers[:] = [(200, answer, {})]
        with pytest.raises(ServerError, match="not from ostinato serve"):
            call()


def test_unknown_fields_of_a_later_server_are_left_out(client: Client, recorder: type[Recorder]) -> None:
    recorder.answers += [(200, {**_told(1), "events": [{"seq": 1, "status": "applied", "mood": "good"}]}, {})]
    assert client.push("a", 1.0).events == [EventResult(1, "applied")]


@pytest.mark.parametrize("value", [math.inf, 10**400, b"x", object(), {"a": 1}, [1.0, math.inf]])
def test_a_value_that_no_stream_has_is_not_sent(client: Client, recorder: type[Recorder], value: Any) -> None:
    with pytest.raises(DataError):
        client.push("a", value)
    assert not recorder.came


@pytest.mark.parametrize("key", ["\ud800", None, 5])
def test_an_id_that_is_none_is_not_sent(client: Client, recorder: type[Recorder], key: Any) -> None:
    with pytest.raises(DataError, match="is not an id of a stream"):
        client.push(key, 1.0)
    assert not recorder.came


@pytest.mark.parametrize("url", ["http://127.0.0.1:99999", "http://[::1"])
def test_half_an_address_is_refused(url: str) -> None:
    with pytest.raises(ConfigError, match="is not the address of a server"):
        Client(url)


@pytest.mark.parametrize("token", ["a\r\nX: y", "토큰", "a b"])
def test_a_token_that_no_header_can_hold_is_refused(token: str) -> None:
    with pytest.raises(ConfigError, match="characters that cannot be part of a token"):
        Client("http://127.0.0.1:8000", token)


def test_a_wrong_address_is_refused() -> None:
    with pytest.raises(ConfigError, match="is not the address of a server"):
        Client("127.0.0.1:8000")


def test_the_client_needs_no_library() -> None:
    code = "import ostinato.client, sys; print(*(m for m in ('numpy', 'torch', 'polars') if m in sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert not done.stdout.split()
