"""The routes: who may ask, what is refused, and how an error is told."""

from __future__ import annotations

import asyncio
import json
import logging
import re
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import quote

import numpy as np
import pytest

pytest.importorskip("msgspec", reason="the server needs msgspec")
pytest.importorskip("starlette", reason="the server needs starlette")
pytest.importorskip("httpx", reason="the tests of the server need httpx")

import httpx
from serving import client, core, push, run
from starlette.websockets import WebSocket

import ostinato
import zoo
from ostinato.data.read import read
from ostinato.inference.forecast import forecast
from ostinato.model import SequenceModel
from ostinato.serve import gate
from ostinato.serve.app import make_app
from ostinato.serve.auth import Token, Tokens, add
from ostinato.serve.durations import LIMITS, Durations
from ostinato.serve.errors import RefusedError
from ostinato.serve.gate import OPEN, Limits
from ostinato.serve.intake import Intake
from ostinato.serve.live import _Arrived, answered, live
from ostinato.serve.openapi import document
from ostinato.serve.routes import ROUTES
from ostinato.serve.snapshot import BLOCK
from ostinato.serve.store import Change, Record, Store, StoreError
from ostinato.serve.store_memory import MemoryStore
from ostinato.serve.stream_forecasts import events
from ostinato.serve.watch import Watch

_BYTES = {"content-type": "application/octet-stream"}
EVERY = [*((one.method, one.path) for one in ROUTES), ("GET", "/metrics"), ("GET", "/openapi.json")]


def problem(answer: httpx.Response) -> str:
    return str(answer.json()["error"]["what"])


def test_every_route_but_the_open_ones_needs_a_token(tmp_path: Path) -> None:
    secret = add(tmp_path / "tokens.json", "sensors", None, None, None)
    assert secret not in (tmp_path / "tokens.json").read_text()
    assert (tmp_path / "tokens.json").stat().st_mode & 0o777 == 0o600

    async def main() -> None:
        limits = Limits(Tokens(tmp_path / "tokens.json"))
        async with core(zoo.fitted("series", "ar")) as batcher, client(batcher, limits) as http:
            for method, path in EVERY:
                for given in ({}, {"authorization": "Bearer x"}, {"authorization": f"Basic {secret}"}):
                    answer = await http.request(method, path.format(unique_id="a"), headers=given)
                    assert answer.status_code == 401, (method, path)
                    assert answer.headers["www-authenticate"] == "Bearer"
            for path in OPEN:
                assert (await http.get(path)).status_code == 200, path
            good = {"authorization": f"Bearer {secret}"}
            assert (await http.get("/v1/streams", headers=good)).status_code == 200
            assert not batcher.streams.resident

    run(main)


def test_without_tokens_only_local_names_are_answered() -> None:
    async def main() -> None:
        async with core(zoo.fitted("series", "ar")) as batcher, client(batcher) as http:
            for host, status in (("localhost:8000", 200), ("127.0.0.1", 200), ("[::1]:80", 200), ("evil.example", 403)):
                assert (await http.get("/v1/streams", headers={"host": host})).status_code == status, host

    run(main)


def test_a_token_has_limits_of_its_own(tmp_path: Path) -> None:
    path = tmp_path / "tokens.json"
    secret = add(path, "small", 0.5, 1, 2000)

    async def main() -> None:
        async with core(zoo.fitted("series", "ar")) as batcher, client(batcher, Limits(Tokens(path))) as http:
            http.headers["authorization"] = f"Bearer {secret}"
            assert (await http.post("/v1/streams/a/events", json={"y": 50})).status_code == 200
            second = await http.post("/v1/streams/b/events", json={"y": 50})
            assert second.status_code == 403
            assert "allows no more than 1" in problem(second)
            large = await http.post("/v1/streams/a/events", json={"events": [{"y": 50.0}] * 500})
            assert large.status_code == 413
            many = await http.post("/v1/streams/a/events", json={"events": [{"y": 50.0}] * 40})
            assert many.status_code == 429
            assert int(many.headers["retry-after"]) >= 1
            assert list(batcher.streams.resident) == ["a"]

    run(main)


def test_every_way_to_begin_a_stream_looks_at_the_limit_of_the_token(tmp_path: Path) -> None:
    path = tmp_path / "tokens.json"
    secret = add(path, "small", None, 2, None)

    async def main() -> None:
        tokens = Tokens(path)
        async with core(zoo.fitted("series", "ar")) as batcher, client(batcher, Limits(tokens)) as http:
            http.headers["authorization"] = f"Bearer {secret}"
            assert (await http.post("/v1/streams/a/events", json={"y": 50})).status_code == 200
            kept = (await http.get("/v1/streams/a/snapshot")).content
            ways: dict[str, Callable[[str], Awaitable[httpx.Response]]] = {
                "push": lambda key: http.post(f"/v1/streams/{key}/events", json={"y": 50}),
                "fork": lambda key: http.post("/v1/streams/a/fork", json={"to": key}),
                "restore": lambda key: http.put(f"/v1/streams/{key}/snapshot", content=kept, headers=_BYTES),
            }
            for name, way in ways.items():
                assert (await way(name)).status_code in {200, 201}
                for other, again in ways.items():
                    refused = await again(f"{name}-{other}")
                    assert refused.status_code == 403
                    assert "has 2 streams, and the token allows no more than 2" in problem(refused)
                assert (await way(name)).status_code == (200 if name == "push" else 409)
                assert batcher.applier.count == batcher.store.count() == 2
                assert (await http.delete(f"/v1/streams/{name}")).status_code == 204
            many = [{"unique_id": key, "y": 50} for key in ("b", "c")]
            token = tokens.find(f"Bearer {secret}".encode())
            intake = Intake(batcher)
            (answer,) = await answered(intake, [json.dumps(many)], token, 10_000)
            assert ["error" in one for one in json.loads(answer)] == [False, True]

    run(main)


def test_a_message_of_a_websocket_has_the_limit_of_a_body(tmp_path: Path) -> None:
    add(tmp_path / "tokens.json", "small", None, None, 60)

    async def main() -> None:
        async with core(zoo.fitted("series", "ar")) as batcher:
            intake = Intake(batcher)
            short, wide = (json.dumps({"unique_id": name, "y": 50}, ensure_ascii=False) for name in ("a", "가" * 20))
            assert len(wide) < 60 < len(wide.encode())
            found = await answered(intake, [short, wide, wide.encode(), short], None, 60)
            for one in found[1:3]:
                refused = json.loads(one)["error"]
                size = len(wide.encode())
                assert refused["what"] == f"the message has {size} bytes, and at most 60 bytes are read"
                assert refused["fix"] == "send fewer events in each"
            assert ["error" in one for one in found] == [False, True, True, False]
            (one,) = await answered(intake, ["{"], None, 60)
            assert json.loads(one)["error"]["what"].startswith("the message cannot be read: ")

    run(main)


@pytest.mark.parametrize("method", ["GET", "HEAD", "PUT", "DELETE", "OPTIONS"])
@pytest.mark.parametrize("path", ["/v1/events", "/v1/streams/a/events"])
def test_the_path_of_pushes_has_no_other_method(method: str, path: str) -> None:
    async def main() -> None:
        async with core(zoo.fitted("series", "ar")) as batcher, client(batcher) as http:
            found = await http.request(method, path)
            assert (found.status_code, found.headers["allow"]) == (405, "POST")
            assert (await http.post("/v1/streams/a/event", json={})).status_code == 404

    run(main)


def test_paths_beyond_a_burst_are_refused_and_do_not_block_the_token(tmp_path: Path) -> None:
    path = tmp_path / "tokens.json"
    secret = add(path, "sensor", 2.0, None, None)

    async def main() -> None:
        async with core(zoo.fitted("series", "ar")) as batcher, client(batcher, Limits(Tokens(path))) as http:
            http.headers["authorization"] = f"Bearer {secret}"
            assert (await http.post("/v1/streams/a/events", json={"y": 50.0})).status_code == 200
            for name, body in (
                ("forecast", {"horizon": 12, "n_paths": 500}),
                ("sample", {"length": 1000, "n_samples": 7}),
            ):
                found = await http.post(f"/v1/streams/a/{name}", json=body)
                assert found.status_code == 403
                assert "and the token may send 20 at once" in found.json()["error"]["what"]
            assert (await http.post("/v1/streams/a/forecast", json={"horizon": 1})).status_code == 200
            assert (await http.post("/v1/streams/a/events", json={"y": 50.0})).status_code == 200

    run(main)


@pytest.mark.parametrize("kind", ["ar", "gru"])
def test_a_larger_model_counts_for_more(kind: str) -> None:
    model = zoo.fitted("series", kind)
    size = sum(w.numel() for w in model.parameters())
    assert events(model, 20, 500, 12) == 60
    assert events(model, 200_000 - size, 500, 12) == 600
    assert events(model, 0, 1, 1) == 1


def test_the_rate_of_a_token_counts_events_whichever_way_they_come(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, spent = tmp_path / "tokens.json", [0]
    secret = add(path, "sensor", 100.0, None, None)
    tokens = Tokens(path)
    monkeypatch.setattr(Token, "spend", lambda _, events: spent.append(events))
    many = {"unique_id": "a", "events": [{"y": 50.0}] * 3}
    token = tokens.find(f"Bearer {secret}".encode())

    async def main() -> None:
        async with core(zoo.fitted("series", "ar")) as batcher, client(batcher, Limits(tokens)) as http:
            http.headers["authorization"] = f"Bearer {secret}"
            for call, events in (
                (http.post("/v1/streams/a/events", json={"y": 50.0}), 1),
                (http.post("/v1/events", json={"pushes": [many, {"unique_id": "b", "y": 1.0}]}), 4),
                (http.post("/v1/streams/a/reset"), 1),
                (http.post("/v1/streams/a/fork", json={"to": "c"}), 1),
                (http.put("/v1/streams/d/snapshot", content=b"", headers=_BYTES), 1),
                (http.get("/v1/streams/a"), 1),
                (http.get("/v1/streams/a/history"), 1),
                (http.delete("/v1/streams/c"), 1),
                (http.get("/metrics"), 1),
                (http.post("/v1/streams/a/forecast", json={"horizon": 1, "n_paths": 2}), 1),
                (http.post("/v1/streams/a/forecast", json={"horizon": 12, "n_paths": 500}), 60),
                (http.post("/v1/streams/a/sample", json={"length": 1000, "n_samples": 7}), 70),
                (http.get("/healthz"), 0),  # what is open to all costs nobody's rate
                (http.get("/"), 0),
                (answered(Intake(batcher), [json.dumps([many])], token, 10_000), 3),
            ):
                before = sum(spent)
                await call
                assert sum(spent) - before == events

    run(main)


@pytest.mark.parametrize("path", [path for one in ROUTES if one.method == "GET" for path in [one.path]])
def test_a_token_whose_rate_is_used_up_reads_nothing(path: str, tmp_path: Path) -> None:
    tokens = tmp_path / "tokens.json"
    secret = add(tokens, "slow", 0.2, None, None)

    async def main() -> None:
        limits = Limits(Tokens(tokens))
        async with core(zoo.fitted("series", "ar")) as batcher, client(batcher, limits) as http:
            http.headers["authorization"] = f"Bearer {secret}"
            found = [await http.get(path.format(unique_id="a")) for _ in range(3)]
            assert [one.status_code == 429 for one in found] == [False, False, True]
            assert int(found[-1].headers["retry-after"]) >= 1
            assert (await http.get("/healthz")).status_code == 200

    run(main)


def test_a_websocket_is_opened_within_the_rate_of_its_token(tmp_path: Path) -> None:
    tokens = tmp_path / "tokens.json"
    head = (b"authorization", f"Bearer {add(tokens, 'slow', 0.2, None, None)}".encode())
    scope = {"type": "websocket", "path": "/v1/live", "raw_path": b"/v1/live", "headers": [head], "subprotocols": []}
    said: list[str] = []

    async def receive() -> dict[str, Any]:
        return {"type": "websocket.connect" if not said or said[-1] == "websocket.close" else "websocket.disconnect"}

    async def send(message: Any) -> None:
        said.append(message["type"])

    async def main() -> None:
        async with core(zoo.fitted("series", "ar")) as batcher:
            gate = make_app(batcher, Limits(Tokens(tokens)))
            for _ in range(3):
                said.append("websocket.close")
                await gate({**scope}, receive, send)

    run(main)
    assert [one for one in said if one == "websocket.accept"] == ["websocket.accept"] * 2
    assert said[-2:] == ["websocket.close", "websocket.close"]


def test_a_token_that_has_ended_ends_its_requests_and_its_websockets(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("ostinato.serve.auth._EACH", 0.0)
    path, event = tmp_path / "tokens.json", {"y": 50.0}
    old, other = (add(path, name, None, None, None) for name in ("a", "b"))
    heads = [{"Authorization": f"Bearer {one}"} for one in (old, other)]

    async def main() -> None:
        limits = Limits(Tokens(path))
        async with core(zoo.fitted("series", "ar")) as batcher, client(batcher, limits) as http:
            url, scope = "/v1/streams/a/events", limits.tokens
            assert scope is not None
            held = scope.find(heads[0]["Authorization"].encode())  # as an open WebSocket holds it
            assert [(await http.post(url, json=event, headers=h)).status_code for h in heads] == [200, 200]
            new = add(path, "a", None, None, None)
            heads.append({"Authorization": f"Bearer {new}"})
            assert [(await http.post(url, json=event, headers=h)).status_code for h in heads] == [401, 200, 200]
            with pytest.raises(RefusedError, match="the token has ended"):
                held.spend(1)
            path.write_text("{")  # a damaged file lets nobody in who was not, and nobody out
            assert [(await http.post(url, json=event, headers=h)).status_code for h in heads] == [401, 200, 200]
            assert "the tokens stay as they are" in caplog.text

    run(main)


def test_the_websocket_of_a_token_that_has_ended_is_closed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ostinato.serve.auth._EACH", 0.0)
    path = tmp_path / "tokens.json"
    secret = add(path, "a", None, None, None)
    token = Tokens(path).find(f"Bearer {secret}".encode())
    scope = {"type": "websocket", "path": "/v1/live", "headers": [], "subprotocols": [], "token": token}
    event = {"type": "websocket.receive", "text": json.dumps({"unique_id": "a", "y": 50.0})}
    sent: list[Any] = []

    async def main() -> None:
        arrived: asyncio.Queue[Any] = asyncio.Queue()

        async def send(message: Any) -> None:
            sent.append(message)

        async with core(zoo.fitted("series", "ar")) as batcher, asyncio.timeout(10):
            intake = Intake(batcher)
            for message in ({"type": "websocket.connect"}, event):
                arrived.put_nowait(message)
            served = asyncio.create_task(live(intake, 10_000, WebSocket(scope, arrived.get, send)))
            while len(sent) < 2:
                await asyncio.sleep(0)
            add(path, "a", None, None, None)  # another token of this name: the one before ends
            arrived.put_nowait(event)
            await served

    run(main)
    kinds = [message["type"].removeprefix("websocket.") for message in sent]
    assert kinds == ["accept", "send", "send", "close"]
    assert "the token has ended" in sent[2]["text"]
    assert sent[3]["code"] == 1008


@pytest.mark.parametrize("waiting", [0, 3], ids=["silent", "after messages"])
def test_a_websocket_is_closed_when_its_token_ends(
    waiting: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also one that says nothing any more."""
    monkeypatch.setattr("ostinato.serve.auth._EACH", 0.01)
    path = tmp_path / "tokens.json"
    secret = add(path, "a", None, None, None)
    tokens = Tokens(path)
    token = tokens.find(f"Bearer {secret}".encode())
    scope = {"type": "websocket", "path": "/v1/live", "headers": [], "subprotocols": [], "token": token}
    event = {"type": "websocket.receive", "text": json.dumps({"unique_id": "a", "y": 50.0})}
    sent: list[Any] = []

    async def main() -> None:
        arrived: asyncio.Queue[Any] = asyncio.Queue()

        async def send(message: Any) -> None:
            sent.append(message)

        async with core(zoo.fitted("series", "ar")) as batcher, asyncio.timeout(10):
            make_app(batcher, Limits(tokens))
            assert batcher.companions == [tokens.watch]
            watching = asyncio.create_task(tokens.watch())
            for message in ({"type": "websocket.connect"}, *[event] * waiting):
                arrived.put_nowait(message)
            served = asyncio.create_task(live(Intake(batcher), 10_000, WebSocket(scope, arrived.get, send)))
            while len(sent) < 1 + waiting:
                await asyncio.sleep(0)
            add(path, "a", None, None, None)
            await served
            assert not token.at_end
            watching.cancel()

    run(main)
    assert [message["type"].removeprefix("websocket.") for message in sent] == ["accept", *["send"] * waiting, "close"]
    assert sent[-1]["code"] == 1008


HOSTILE = [
    "../../etc/passwd",
    "a/b",
    "a b",
    "%2e%2e%2f",
    "é\U0001f600",
    "'; DROP TABLE streams; --",
    ".",
    "..",
    "events",
]


#: Joiners of emoji and of Persian, a wide space, and a sign of Unicode 16, which few releases of Python know.
HOSTILE += ["\U0001f468\u200d\U0001f469\u200d\U0001f467\ufe0f", "\u0645\u06cc\u200c\u062e", "a\u3000b", "\U0001fae9"]


@pytest.mark.parametrize("key", HOSTILE)
def test_an_id_that_looks_like_something_else_is_a_name(key: str, tmp_path: Path) -> None:
    async def main() -> None:
        async with core(zoo.fitted("series", "ar"), str(tmp_path / "s")) as batcher, client(batcher) as http:
            url = f"/v1/streams/{quote(key, safe='').replace('.', '%2E')}"
            answer = await http.post(f"{url}/events", json={"y": 50.0})
            assert answer.status_code == 200, answer.text
            assert answer.json()["unique_id"] == key
            assert (await http.get(url)).json()["seq"] == 1
            assert [one["unique_id"] for one in (await http.get("/v1/streams")).json()["streams"]] == [key]
            assert (await http.delete(url)).status_code == 204
            assert (await http.get(url)).status_code == 404

    run(main)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["s"]


@pytest.mark.parametrize("key", ["x" * 10_000, "a\nb", "\x00", "é" * 200, "\x7f", "a\u2028b", "a\u202eb"])
def test_an_id_that_cannot_be_one_is_refused(key: str) -> None:
    async def main() -> None:
        async with core(zoo.fitted("series", "ar")) as batcher, client(batcher) as http:
            answer = await http.post(f"/v1/streams/{quote(key, safe='')}/events", json={"y": 50.0})
            assert answer.status_code == 422
            many = await http.post("/v1/events", json={"pushes": [{"unique_id": key, "y": 50.0}]})
            assert "error" in many.json()["results"][0]
            assert not batcher.streams.resident

    run(main)


BODIES: list[tuple[Any, str]] = [
    (b"", "the body is empty"),
    (b"{", "cannot be read"),
    (b"[" * 100_000, "cannot be read"),
    (b'{"y": NaN}', "cannot be read"),
    (b"\xff\xfe", "cannot be read"),
    (b'{"y": -Infinity}', "JSON has no NaN and no Infinity"),
    (b'{"y": [1, nan]}', "send null where a value is missing"),
    (b'{"y": "a\\ud800"}', "half of a surrogate pair"),
    (b'{"y": 1} {"y": 2}', "trailing characters"),
    (b"{'y': 1}", "keys must be strings"),
    (b'{"y": 1e400}', "out of range"),
    ('{"y": 1}'.encode("utf-16"), "cannot be read"),
    ({"y": "1,5"}, "got text"),
    ({"y": True}, "cannot be read"),
    ({"y": 1.0, "x": 2}, "unknown field"),
    ({"pressure": 1.0, "seq": 1}, "put the values into y"),
    ({}, "either y or events"),
    ({"y": 1.0, "events": [{"y": 1.0}]}, "either y or events"),
    ({"events": []}, "cannot be read"),
    ({"y": 1.0, "seq": 0}, "cannot be read"),
    ({"y": "5"}, "got text"),
    ({"y": [1.0, 2.0]}, "has 2 values, expected 1"),
    ({"y": 1e300}, "cannot take the value"),
    ({"y": 1.0, "ds": "soon"}, "cannot read 'soon' as a time"),
    (b'{"y": 1.0, "y": 2.0}', "the field 'y' occurs twice"),
    (b'{"y": 1.0, "\\u0079": 2.0}', "the field 'y' occurs twice"),
    (b'{"events": [{"y": 1.0}, {"y": 1.0, "seq": 2, "seq": 3}]}', "the field 'seq' occurs twice"),
    ({"y": 1.0, "level": [100]}, "cannot be read"),
    ({"y": 1.0, "next": [0.0]}, "cannot be read"),
]


@pytest.mark.parametrize(("body", "what"), BODIES, ids=[str(b)[:30] for b, _ in BODIES])
def test_a_body_that_cannot_be_used_changes_nothing(body: Any, what: str) -> None:
    async def main() -> None:
        async with core(zoo.fitted("series", "gru")) as batcher, client(batcher) as http:
            await push(batcher, "a", 50.0)
            raw = body if isinstance(body, bytes) else json.dumps(body).encode()
            answer = await http.post("/v1/streams/a/events", content=raw, headers={"content-type": "application/json"})
            assert answer.status_code == 422
            assert what in f"{problem(answer)}: {answer.json()['error']['fix']}"
            assert batcher.streams.resident["a"].order.seq == 1

    run(main)


#: A field that is given twice in each body but that of an event, and its name.
TWICE = [
    ("POST", "/v1/events", '{"pushes": [{"unique_id": "a", "y": 1.0, "y": 2.0}]}', "y"),
    ("POST", "/v1/events", '{"pushes": [], "pushes": [{"unique_id": "a", "y": 1.0}]}', "pushes"),
    ("POST", "/v1/streams/a/forecast", '{"horizon": 2, "horizon": 3}', "horizon"),
    ("POST", "/v1/streams/a/fork", '{"to": "b", "to": "c"}', "to"),
]


@pytest.mark.parametrize(
    ("method", "path", "body", "name"), TWICE, ids=[path + body[:12] for _, path, body, _ in TWICE]
)
def test_a_field_that_is_given_twice_is_refused_in_every_body(method: str, path: str, body: str, name: str) -> None:
    async def main() -> None:
        async with core(zoo.fitted("series", "gru")) as batcher, client(batcher) as http:
            await push(batcher, "a", 50.0)
            found = await http.request(method, path, content=body, headers={"content-type": "application/json"})
            assert found.status_code == 422
            assert f"the field {name!r} occurs twice" in problem(found)
            intake = Intake(batcher)
            (one,) = await answered(intake, [f'{{"unique_id": "a", {body[1:]}'], None, 10_000)
            assert "error" in json.loads(one)
            (one,) = await answered(intake, ['[{"unique_id": "a", "y": 1.0, "y": 2.0}]'], None, 10_000)
            assert "the message cannot be read: the field 'y' occurs twice" in one
            assert batcher.streams.resident["a"].order.seq == 1

    run(main)


@pytest.mark.parametrize(
    ("body", "got"), [({"y": 5}, "the value 5"), ({"y": ""}, "no characters"), ({"y": None}, "none")]
)
def test_a_stream_of_text_says_what_it_got(body: Any, got: str) -> None:
    async def main() -> None:
        async with core(zoo.fitted("text", "gru")) as batcher, client(batcher) as http:
            answer = await http.post("/v1/streams/a/events", json=body)
            assert answer.status_code == 422
            assert f"text, got {got}" in problem(answer)

    run(main)


def test_a_push_is_refused_as_a_whole_and_its_neighbours_are_not() -> None:
    async def main() -> None:
        async with core(zoo.fitted("series", "gru")) as batcher, client(batcher) as http:
            pushes = [
                {"unique_id": "a", "events": [{"y": 50.0}, {"y": 1e300}], "ref": 1},
                {"unique_id": "a", "y": 51.0, "ref": 2},
                {"unique_id": "b", "events": [{"y": 50.0, "seq": 1}, {"y": 50.0, "seq": 3}]},
                {"unique_id": "c", "y": 50.0, "seq": 1},
                {"unique_id": "c", "y": 50.0, "seq": 1},
            ]
            answer = await http.post("/v1/events", json={"pushes": pushes})
            one, two, three, four, five = answer.json()["results"]
            assert one["error"]["where"] == "event 2 of the push"
            assert (two["seq"], two["ref"]) == (1, 2)
            assert three["error"]["expected_seq"] == 2
            assert four["events"][0]["status"] == "applied"
            assert five["events"][0]["status"] == "repeated"
            assert five["events"][0]["surprisal"] == four["events"][0]["surprisal"]
            assert sorted(batcher.streams.resident) == ["a", "c"]

    run(main)


def test_another_type_of_body_is_refused_so_that_a_form_of_another_site_cannot_push() -> None:
    async def main() -> None:
        async with core(zoo.fitted("series", "ar")) as batcher, client(batcher) as http:
            answer = await http.post("/v1/streams/a/events", content=b'{"y":1}', headers={"content-type": "text/plain"})
            assert answer.status_code == 415
            assert "access-control-allow-origin" not in answer.headers
            assert "default-src 'none'" in answer.headers["content-security-policy"]

    run(main)


def test_a_large_body_is_refused_before_its_end(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is left of it is thrown away for a moment, and then the connection ends."""
    monkeypatch.setattr(gate, "_LINGER", 0.05)

    async def main() -> None:
        async with core(zoo.fitted("series", "ar")) as batcher, client(batcher, Limits(body=1000)) as http:

            async def endless() -> Any:
                while True:
                    await asyncio.sleep(0)
                    yield b"x" * 100

            answer = await http.post("/v1/events", content=b"x" * 1001, headers={"content-type": "application/json"})
            assert answer.status_code == 413
            answer = await http.post("/v1/events", content=endless(), headers={"content-type": "application/json"})
            assert answer.status_code == 413

    run(main)


@pytest.mark.parametrize("name", ["forecast", "sample"])
def test_a_forecast_that_takes_minutes_is_refused_before_it_begins(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    paths, steps = {"forecast": ("n_paths", "horizon"), "sample": ("n_samples", "length")}[name]

    async def main() -> None:
        async with core(zoo.fitted("series", "gru")) as batcher, client(batcher) as http:
            await push(batcher, "a", 50.0)
            url, most = f"/v1/streams/a/{name}", {paths: 7, steps: 20}
            weights = sum(w.numel() for w in batcher.streams.served.model.parameters())
            size = weights + batcher.streams.served.start.nbytes // 4
            monkeypatch.setattr("ostinato.serve.stream_forecasts._MOST", 7 * 20 * size)
            assert (await http.post(url, json=most)).status_code == 200
            refused = await http.post(url, json={**most, paths: 100})
            assert refused.status_code == 422
            assert problem(refused) == "100 paths of 20 steps take too long with this model"
            fix = refused.json()["error"]["fix"]
            assert fix.startswith(f"lower {paths}: with so many steps, at most ")
            found = int(fix.rpartition(" ")[2])
            assert found >= 7
            assert (await http.post(url, json={**most, paths: found})).status_code == 200
            assert (await http.post(url, json={**most, paths: found + 1})).status_code == 422

    run(main)


def test_messages_that_wait_are_bounded_by_their_number_and_their_size() -> None:
    async def main() -> None:
        for size, most in ((1, 1024), (1_000_000, 4)):
            arrived, sent = _Arrived(), 0

            async def fill(size: int = size, arrived: _Arrived = arrived) -> None:
                nonlocal sent
                for _ in range(3000):
                    await arrived.put(bytes(size))
                    sent += 1
                arrived.end()

            filling = asyncio.create_task(fill())
            await asyncio.sleep(0.05)
            assert sent == most - 1  # the last one waits for room
            read = 0
            while some := await arrived.some():
                read += len(some)
                await asyncio.sleep(0)
            assert read == 3000
            await filling

    run(main)


def test_a_name_of_the_query_that_is_unknown_or_twice_is_refused() -> None:
    async def main() -> None:
        async with core(zoo.fitted("series", "ar")) as batcher, client(batcher) as http:
            await push(batcher, "a", 50.0)
            for one in ROUTES:
                names, url = [name for name, _ in one.query], one.path.format(unique_id="a")
                body = {"content": b"{}", "headers": _BYTES} if one.method in {"POST", "PUT"} else {}
                for query in ("limt=5", "x", *(f"{name}=1&{name}=2" for name in names if name != "p")):
                    found = await http.request(one.method, f"{url}?{query}", **body)  # type: ignore[arg-type]
                    assert found.status_code == 422, (one.path, query)
                    assert "the query has" in problem(found)
            assert (await http.get("/v1/streams/a/next?p=0.1&p=0.9")).status_code == 200
            wrong = (await http.get("/v1/streams?limt=5")).json()["error"]
            assert wrong == {"what": "the query has no 'limt'", "fix": "did you mean 'limit'? See /openapi.json"}

    run(main)


def test_a_packed_body_is_refused_by_its_name() -> None:
    async def main() -> None:
        async with core(zoo.fitted("series", "ar")) as batcher, client(batcher) as http:
            for coding, status in (("gzip", 415), ("br", 415), ("identity", 200)):
                headers = {"content-encoding": coding, "content-type": "application/json"}
                found = await http.post("/v1/streams/a/events", content=b'{"y": 50}', headers=headers)
                assert found.status_code == status
            assert problem(await http.post("/v1/events", content=b"x", headers={"content-encoding": "gzip"})) == (
                "the body is packed as 'gzip'"
            )

    run(main)


@pytest.mark.parametrize("key", ["e\u0301", "\u1112\u1161\u11ab", "\u212b"])
def test_a_stream_does_not_begin_under_an_id_that_looks_like_another(key: str) -> None:
    async def main() -> None:
        async with core(zoo.fitted("series", "ar")) as batcher, client(batcher) as http:
            await push(batcher, "a", 50.0)
            kept = (await http.get("/v1/streams/a/snapshot")).content
            url = f"/v1/streams/{quote(key)}"
            for found in (
                await http.post(f"{url}/events", json={"y": 50}),
                await http.post("/v1/streams/a/fork", json={"to": key}),
                await http.put(f"{url}/snapshot", content=kept, headers=_BYTES),
            ):
                assert found.status_code == 422
                assert "is not composed, so another id looks the same" in problem(found)
            many = await http.post("/v1/events", json={"pushes": [{"unique_id": key, "y": 50}]})
            assert "is not composed" in many.json()["results"][0]["error"]["what"]
            # a stream that an earlier release let in can be read, moved and deleted
            assert (await http.put("/v1/streams/b/snapshot", content=kept, headers=_BYTES)).status_code == 200
            await push(batcher, key, 50.0)
            assert (await http.get(url)).json()["seq"] == 1
            assert (await http.get(f"{url}/snapshot")).status_code == 200
            assert (await http.delete(url)).status_code == 204

    run(main)


def test_a_forecast_goes_on_from_the_state_as_the_verb_does() -> None:
    model, data = zoo.fitted("series", "gru"), zoo.made("series")
    row = next(b for b in range(len(data)) if data.lengths[b] > 4 and data[b][-1] == data[b][-1])
    alone = data.take([row])
    want = forecast(model, alone, 5, (80,), n_paths=50, seed=3)

    async def main() -> None:
        async with core(model) as batcher, client(batcher) as http:
            await push(batcher, data.ids[row], *[None if v != v else float(v) for v in alone.values[:, 0]])  # noqa: PLR0124
            url = f"/v1/streams/{data.ids[row]}"
            asked = {"horizon": 5, "level": [80], "n_paths": 50, "seed": 3}
            found = (await http.post(f"{url}/forecast", json=asked)).json()
            flat = [y for (y,) in found["forecast"]]
            assert flat == pytest.approx(want.frame["ostinato"].to_list(), rel=1e-4)
            low = [y for (y,) in found["intervals"]["lo-80"]]
            assert low == pytest.approx(want.frame["ostinato-lo-80"].to_list(), rel=1e-3)
            samples = (await http.post(f"{url}/sample", json={"length": 7, "n_samples": 3})).json()["samples"]
            assert [len(one) for one in samples] == [7, 7, 7]
            ahead = (await http.get(f"{url}/next?p=0.1&p=0.9")).json()["quantiles"]
            assert ahead[0][0] < ahead[1][0]
            assert (await http.get(f"{url}/next?p=2")).status_code == 422
            assert (await http.post(f"{url}/reset")).json()["seq"] == 0
            assert (await http.get(f"{url}/history")).json()["events"] == []

    run(main)


def test_a_model_of_few_values_is_in_doubt_behind_the_server_too() -> None:
    y = read(20 + np.random.default_rng(3).standard_normal(9).cumsum())
    model = ostinato.fit(y, model="ar").model
    assert isinstance(model, SequenceModel)
    want = forecast(model, y, 6, (80,), n_paths=500, seed=3)

    async def main() -> None:
        async with core(model, history=0) as batcher, client(batcher) as http:
            url = f"/v1/streams/{y.ids[0]}"
            await push(batcher, y.ids[0], *y.values[:, 0].tolist())
            asked = {"horizon": 6, "level": [80], "n_paths": 500, "seed": 3}
            found = (await http.post(f"{url}/forecast", json=asked)).json()
            assert found["notes"] == [note for note in want.notes if "fitted to only 9 values" in note] != []
            point = [value for (value,) in found["forecast"]]
            assert point == pytest.approx(want.frame["ostinato"].to_list(), rel=1e-4)
            low = [value for (value,) in found["intervals"]["lo-80"]]
            assert low == pytest.approx(want.frame["ostinato-lo-80"].to_list(), rel=1e-4)
            # full blocks of events are forgotten
            less = f"the 5 that are remembered of the {BLOCK + 5} steps of the stream"
            for many, said in ((BLOCK - 9, "no value of the stream is remembered"), (5, less)):
                await push(batcher, y.ids[0], *[20.0 + i % 3 for i in range(many)])
                assert said in (await http.post(f"{url}/forecast", json=asked)).json()["notes"][-1]
            refused = await http.post(f"{url}/forecast", json={**asked, "level": []})
            assert (refused.status_code, "level is empty" in refused.text) == (422, True)

    run(main)


@pytest.mark.parametrize(
    ("kind", "asked", "said"),
    [
        ("text", {"y": "a", "level": [95]}, "text has no quantiles, got level"),
        ("text", {"events": [{"y": "a"}], "level": [80, 95], "top": 2}, "text has no quantiles, got level"),
        ("text", {"y": "a", "next": [0.5]}, "text has no quantiles, got next"),
        ("series", {"y": 1.0, "top": 2}, "top is for text, and the stream takes numbers"),
    ],
)
def test_a_question_that_the_model_cannot_answer_is_refused_and_hurts_no_other_push(
    kind: str, asked: dict[str, Any], said: str
) -> None:
    y = "a" if kind == "text" else 1.0

    async def main() -> None:
        async with core(zoo.fitted(kind, "gru")) as batcher, client(batcher) as http:
            pushes = [{"unique_id": "a", **asked}, {"unique_id": "b", "y": y}]
            bad, good = (await http.post("/v1/events", json={"pushes": pushes})).json()["results"]
            assert said in bad["error"]["what"]
            assert good["seq"] == 1
            refused = await http.post("/v1/streams/a/events", json=asked)
            assert (refused.status_code, said in refused.text) == (422, True)
            query = "p=0.5" if kind == "text" else "top=2"
            assert (await http.get(f"/v1/streams/b/next?{query}")).status_code == 422

    run(main)


def test_a_stream_that_a_page_lists_has_the_intervals_of_its_past() -> None:
    """Those that ``next`` gives before each event, so that the chart of a stream chosen later is whole."""

    async def main() -> None:
        async with core(zoo.fitted("series", "gru")) as batcher, client(batcher) as http:
            for key in ("a", "b"):
                await push(batcher, key, 50.0, 51.0)
            assert [one["low"] for one in (await http.get("/v1/streams/a/history")).json()["events"]] == [None] * 2
            await http.get("/v1/streams?intervals=1")
            wanted = []
            for y in (49.0, 53.0, None):
                wanted.append((await http.get("/v1/streams/b/next?p=0.025&p=0.975")).json()["quantiles"])
                await push(batcher, "b", y)
            seen = (await http.get("/v1/streams/b/history")).json()["events"]
            assert [one["seq"] for one in seen] == [1, 2, 3, 4, 5]
            assert [one["y"] for one in seen] == [[50.0], [51.0], [49.0], [53.0], [None]]
            assert [one["low"] for one in seen[:2]] == [None] * 2
            for one, (low, high) in zip(seen[2:], wanted, strict=True):
                assert (one["low"], one["high"]) == (pytest.approx(low, rel=1e-5), pytest.approx(high, rel=1e-5))
            later = (await http.get("/v1/streams/b/history?after=3")).json()["events"]
            assert later == seen[3:]

    run(main)


@pytest.mark.parametrize(
    ("ds", "dated", "zone", "kept"),
    [
        (None, None, None, None),
        (7, False, None, 7),
        ("2026-03-01T12:30:00", True, None, 1_772_368_200_000_000),
        ("2026-03-01T12:30:00+01:00", True, "UTC", 1_772_364_600_000_000),
    ],
)
def test_a_history_says_what_its_times_are(ds: Any, dated: bool | None, zone: str | None, kept: int | None) -> None:
    """A page draws them below the chart, and must not take the number 7 for a date."""

    async def main() -> None:
        async with core(zoo.fitted("series", "gru")) as batcher, client(batcher) as http:
            pushed = await http.post("/v1/streams/a/events", json={"y": 50.0, "ds": ds})
            assert pushed.status_code == 200
            found = (await http.get("/v1/streams/a/history")).json()
            assert (found["dated"], found["zone"], found["events"][0]["ds"]) == (dated, zone, kept)

    run(main)


def test_a_list_for_another_client_keeps_no_intervals() -> None:
    """They take several times as long as the event."""

    async def main() -> None:
        async with core(zoo.fitted("series", "gru")) as batcher, client(batcher) as http:
            await push(batcher, "a", 50.0)
            for query, kept in (("", 0), ("?intervals=0", 0), ("?intervals=1", 1)):
                assert (await http.get(f"/v1/streams{query}")).status_code == 200
                assert len(batcher.streams.watch) == kept, query
            assert (await http.get("/v1/streams?intervals=2")).status_code == 422

    run(main)


def test_a_list_keeps_intervals_of_few_streams_and_of_one_that_is_chosen() -> None:
    watch = Watch()
    names = [f"s{i:03}" for i in range(100)]
    watch.glance(names)
    assert [name in watch for name in names] == [True] * 64 + [False] * 36
    watch.look("s099")
    watch.glance(names)
    assert ("s099" in watch, len(watch)) == (True, 64)


def test_a_stream_of_text_that_somebody_looks_at_takes_pushes() -> None:
    async def main() -> None:
        async with core(zoo.fitted("text", "gru")) as batcher, client(batcher) as http:
            for seen in (1, 2):
                assert (await http.post("/v1/streams/a/events", json={"y": "ab"})).json()["seq"] == seen
                assert (await http.get("/v1/streams/a/history")).json()["seq"] == seen

    run(main)


@pytest.mark.parametrize("kind", ["text", "lines", "bytes"])
def test_the_history_of_a_text_says_what_was_pushed_and_what_was_expected(kind: str) -> None:
    model, data = zoo.fitted(kind, "gru"), zoo.made(kind)
    text = zoo.as_text(data[int(np.argmax(data.lengths))])[:20] + ("\n" if data.terminated else "")

    async def main() -> None:
        async with core(model) as batcher, client(batcher) as http:
            told = [await push(batcher, "a", part) for part in (text[:1], text[1:7], text[7:])]
            for _ in range(2):  # from the history, and then from what is kept while somebody looks
                events = (await http.get("/v1/streams/a/history")).json()["events"]
                assert "".join(one["text"] for one in events) == text
                assert "".join(one["expected_text"] for one in events) == "".join(str(one.expected) for (one,) in told)
                assert [one["text"] for one in events if one["seq"] == 2] == list(text[1:7])
                assert [len(one["y"]) for one in events] == [1] * len(text)

    run(main)


def test_the_likeliest_characters_are_those_of_the_model() -> None:
    async def main() -> None:
        async with core(zoo.fitted("text", "gru")) as batcher, client(batcher) as http:
            answer = await http.post("/v1/streams/a/events", json={"y": "ab", "top": 3})
            top = answer.json()["next"]["top"]
            assert len(top) == 3
            assert [p for _, p in top] == sorted((p for _, p in top), reverse=True)
            sample = await http.post("/v1/streams/a/sample", json={"length": 5, "n_samples": 2})
            assert len(sample.json()["samples"]) == 2
            same = {"length": 30, "n_samples": 2, "top_k": 1, "min_p": 0.1}
            one, two = (await http.post("/v1/streams/a/sample", json=same)).json()["samples"]
            assert one == two
            stopped = await http.post("/v1/streams/a/sample", json={**same, "stop": [one[2]]})
            assert stopped.json()["samples"][0] == one[: one.index(one[2]) + 1]
            assert (await http.post("/v1/streams/a/forecast", json={})).status_code == 422

    run(main)


class Broken(Store):
    """A store that another holds, and that may be out of reach."""

    durable, shared = True, False

    def __init__(self) -> None:
        self.inner, self.away = MemoryStore(), False

    def _there(self) -> MemoryStore:
        if self.away:
            raise StoreError("the store is away")
        return self.inner

    def load(self, ids: Sequence[str]) -> dict[str, Record]:
        return self._there().load(ids)

    def save(self, changes: Sequence[Change]) -> set[str]:
        return self._there().save(changes)

    def delete(self, unique_id: str) -> bool:
        return self._there().delete(unique_id)

    def ids(self, after: str = "", limit: int = 1000) -> list[str]:
        return self._there().ids(after, limit)

    def count(self) -> int:
        return self._there().count()

    def blocks(self, unique_id: str) -> list[tuple[int, bytes]]:
        return self._there().blocks(unique_id)

    def ping(self) -> None:
        self._there()

    def close(self) -> None:
        self.inner.close()


def test_a_store_that_is_gone_and_back_loses_nothing_that_was_answered() -> None:
    store = Broken()

    async def main() -> None:
        async with core(zoo.fitted("series", "gru"), store) as batcher, client(batcher) as http:
            url = "/v1/streams/a/events"
            before = (await http.post(url, json={"y": 50.0, "seq": 1})).json()
            store.away = True
            refused = await http.post(url, json={"y": 51.0, "seq": 2})
            assert refused.status_code == 503
            assert refused.headers["retry-after"] == "1"
            assert (await http.get("/readyz")).status_code == 503
            assert (await http.get("/healthz")).status_code == 200
            store.away = False
            assert (await http.get("/readyz")).status_code == 200
            again = (await http.post(url, json={"events": [{"y": 50.0, "seq": 1}, {"y": 51.0, "seq": 2}]})).json()
            assert [e["status"] for e in again["events"]] == ["repeated", "applied"]
            assert again["events"][0]["surprisal"] == before["events"][0]["surprisal"]

    run(main)


def test_another_server_that_was_faster_is_followed() -> None:
    model, store = zoo.fitted("series", "gru"), MemoryStore()
    store.shared = True  # two cores on one store stand for two servers

    async def main() -> None:
        async with core(model, store) as one, core(model, store) as two:
            told = []
            for i in range(6):
                told += await push((one, two)[i % 2], "a", 50.0 + i, first=i + 1)
            again = await push(one, "a", *[50.0 + i for i in range(6)], first=1)
            assert [e.status for e in again] == ["repeated"] * 6
            async with core(model) as alone:
                want = await push(alone, "a", *[50.0 + i for i in range(6)])
            assert [e.surprisal for e in told] == pytest.approx([e.surprisal for e in want], abs=1e-5)

    run(main)


def test_many_pushes_to_one_stream_at_once_are_each_applied_once() -> None:
    async def main() -> None:
        async with core(zoo.fitted("series", "ar")) as batcher:
            await asyncio.gather(*[push(batcher, "a", 50.0) for _ in range(2000)])
            assert batcher.streams.resident["a"].order.seq == 2000
            assert batcher.applier.batches < 100

    run(main)


def test_an_end_answers_what_has_arrived(tmp_path: Path) -> None:
    async def main() -> None:
        async with core(zoo.fitted("series", "gru"), str(tmp_path)) as batcher:
            on_their_way = [asyncio.create_task(push(batcher, f"s{i % 7}", 50.0)) for i in range(500)]
            await asyncio.sleep(0)
        assert all(task.done() and task.result() for task in on_their_way)

    run(main)


def test_a_fault_stays_with_the_push_that_has_it(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    async def main() -> None:
        async with core(zoo.fitted("series", "ar")) as batcher, client(batcher) as http:
            real = batcher.streams.served.rows.step

            def step(ids: Sequence[str], *rest: Any) -> Any:
                if "bad" in ids:
                    raise RuntimeError("secret value 123456")
                return real(ids, *rest)

            monkeypatch.setattr(batcher.streams.served.rows, "step", step)
            pushes = [{"unique_id": key, "y": 50.0} for key in ("a", "bad", "b")]
            with caplog.at_level(logging.ERROR):
                found = (await http.post("/v1/events", json={"pushes": pushes})).json()["results"]
            assert ["error" in one for one in found] == [False, True, False]
            assert "bad" not in batcher.streams.resident

    run(main)


def test_the_document_names_every_route_and_every_error() -> None:
    found = document(guarded=True)
    assert sum(len(methods) for methods in found["paths"].values()) == len(ROUTES)
    assert {"Push", "Result", "Failed", "ForecastAsked"} <= set(found["components"]["schemas"])
    for methods in found["paths"].values():
        for one in methods.values():
            assert {"401", "413", "422", "429", "503"} <= set(one["responses"])
    assert "prefixItems" not in json.dumps(found)  # schemathesis, among others, cannot read it


def test_the_durations_of_pushes_are_a_histogram_that_prometheus_reads() -> None:
    async def main() -> None:
        async with core(zoo.fitted("series", "ar")) as batcher, client(batcher) as http:
            for _ in range(7):
                await push(batcher, "a", 50.0)
            await http.post("/v1/events", json={"pushes": [{"unique_id": key, "y": 50.0} for key in "bc"]})
            text = (await http.get("/metrics")).text
            name = "ostinato_push_seconds"
            ends = re.findall(r'^ostinato_push_seconds_bucket\{le="([^"]+)"\} (\d+)$', text, re.M)
            assert [float(end) for end, _ in ends] == [*LIMITS, float("inf")]
            counts = [int(count) for _, count in ends]
            assert counts == sorted(counts)
            assert counts[-1] == 8  # a request with many pushes is one
            assert f"{name}_count 8\n" in text
            assert f"# TYPE {name} histogram\n" in text

    run(main)


@pytest.mark.parametrize("seconds", [0.0, 0.0005, 0.00051, 1.0, 30.0, 31.0])
def test_a_duration_is_in_the_first_class_that_it_does_not_pass(seconds: float) -> None:
    found = Durations()
    found.add(seconds)
    ends = [*LIMITS, float("inf")]
    (at,) = [i for i, count in enumerate(found.counts) if count]
    assert seconds <= ends[at]
    assert not at or seconds > ends[at - 1]


def test_a_server_whose_clock_goes_back_has_been_up_for_no_less(monkeypatch: pytest.MonkeyPatch) -> None:
    async def main() -> None:
        async with core(zoo.fitted("series", "ar")) as batcher, client(batcher) as http:
            monkeypatch.setattr("time.time", lambda: 0.0)
            assert (await http.get("/v1/status")).json()["uptime"] >= 0

    run(main)


def test_metrics_and_logs_hold_no_payload(caplog: pytest.LogCaptureFixture) -> None:
    async def main() -> None:
        async with core(zoo.fitted("series", "ar")) as batcher, client(batcher) as http:
            with caplog.at_level(logging.DEBUG, logger="ostinato"):
                await http.post("/v1/streams/secret-id/events", json={"y": 51.2345})
                await http.post("/v1/streams/secret-id/events", json={"y": "secret-text"})
            text = (await http.get("/metrics")).text
            assert "ostinato_events_total 1" in text
            assert 'ostinato_requests_total{method="POST",status="422"} 1' in text
            for word in ("secret", "51.2345"):
                assert word not in text
                assert word not in caplog.text

    run(main)
