"""The client against the real server: every method, with and without a token."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

pytest.importorskip("msgspec", reason="the server needs msgspec")
pytest.importorskip("starlette", reason="the server needs starlette")
pytest.importorskip("uvicorn", reason="the server needs uvicorn")
pytest.importorskip("httpx", reason="the tests of the server need httpx")

from serving import Server

import zoo
from ostinato.client import Client, Event, Push, Pushed, ServerError
from ostinato.model_file import save_model
from ostinato.serve.auth import add


@pytest.mark.parametrize("guarded", [False, True], ids=["open", "token"])
def test_every_method(guarded: bool, tmp_path: Path) -> None:
    save_model(zoo.fitted("series", "gru"), tmp_path / "model.ost")
    tokens = tmp_path / "tokens.json"
    secret = add(tokens, "tests", None, None, None) if guarded else None
    server = Server(tmp_path / "model.ost", "none", *(["--tokens", str(tokens)] if guarded else []))
    url = f"http://127.0.0.1:{server.port}"
    try:
        with Client(url, secret) as client:
            _use(client)
        if guarded:
            with Client(url, "wrong") as stranger:
                with pytest.raises(ServerError, match="no valid token") as refused:
                    stranger.model()
                assert refused.value.status == 401
    finally:
        words = server.close()
    assert "Traceback" not in words


def _use(client: Client) -> None:
    assert client.ready()
    assert client.model()["channels"]
    stream = client.stream("a/b 가")
    told = stream.push(50.0, 51.0, 52.0, level=[95])
    assert [one.seq for one in told.events] == [1, 2, 3]
    assert told.events[-1].intervals is not None
    assert client.stream("a/b 가").seq == stream.seq == 3
    again = client.push("a/b 가", Event(52.0, seq=3), next=(0.1, 0.9))
    assert again.events[0].status == "repeated"
    assert again.next == client.next("a/b 가", (0.1, 0.9))
    good, bad = client.push_many([Push("c", [Event(50.0, seq=1)]), Push("c2", [Event(50.0, seq=9)])])
    assert isinstance(good, Pushed)
    assert isinstance(bad, ServerError)
    assert bad.expected_seq == 1
    assert [one["unique_id"] for one in client.streams()] == ["a/b 가", "c"]
    assert client.info("c")["seq"] == 1
    assert [one["y"] for one in client.history("a/b 가", 1)] == [[51.0], [52.0]]
    forecast = client.forecast("a/b 가", 4, n_paths=20, seed=1)
    assert forecast == client.forecast("a/b 가", 4, n_paths=20, seed=1)
    assert json.dumps(client.sample("a/b 가", 5, seed=1)) != json.dumps(client.sample("a/b 가", 5, seed=2))
    client.fork("a/b 가", "d")
    client.restore("e", client.snapshot("a/b 가"))
    twins = [client.push(key, 53.0).events[0].surprisal for key in ("a/b 가", "d", "e")]
    assert twins[0] == twins[1] == twins[2]
    client.reset("d")
    assert client.info("d")["seq"] == 0
    client.delete("d")
    with pytest.raises(ServerError, match="no stream") as missing:
        client.info("d")
    assert missing.value.status == 404
    assert client.reload("fresh")["sha256"] == client.model()["sha256"]
