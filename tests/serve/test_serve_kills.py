"""Two servers on one store that are killed in turn under load: every answered event is applied once."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest

pytest.importorskip("msgspec", reason="the server needs msgspec")
pytest.importorskip("starlette", reason="the server needs starlette")
pytest.importorskip("uvicorn", reason="the server needs uvicorn")
pytest.importorskip("httpx", reason="the tests of the server need httpx")

import serve_kills
from real_servers import SERVERS, program

import zoo
from ostinato.model_file import save_model


@pytest.mark.parametrize("scheme", SERVERS)
def test_two_servers_killed_in_turn_apply_each_event_once(scheme: str, tmp_path: Path) -> None:
    make, programs, package = SERVERS[scheme]
    if importlib.util.find_spec(package) is None or program(*programs) is None:
        pytest.skip(f"{package} and {' or '.join(programs)} are needed")
    model, place = tmp_path / "model.ost", tmp_path / "store"
    save_model(zoo.fitted("series", "gru"), model)
    place.mkdir()
    store = make(place).start()
    try:
        answered, _ = serve_kills.kills(model, store.url, 2, servers=2, streams=4)
    finally:
        store.kill()
    assert answered > 4
