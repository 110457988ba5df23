"""A server whose network to its store is cut under load: it says so, loses nothing, and goes on by itself."""

from __future__ import annotations

import contextlib
import os
import socket
import struct
import time
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import pytest

pytest.importorskip("msgspec", reason="the server needs msgspec")
pytest.importorskip("starlette", reason="the server needs starlette")
pytest.importorskip("uvicorn", reason="the server needs uvicorn")
pytest.importorskip("httpx", reason="the tests of the server need httpx")

import networks
import serve_cuts
from real_servers import SERVERS, lacking, make

import zoo
from ostinato.model_file import save_model
from ostinato.serve.store import Change, Record, Store, StoreError
from ostinato.serve.store_postgresql import PostgreSQLStore

T = TypeVar("T")
#: What makes the time-outs of a store short, after its URL.
SOON = {
    "redis": "?socket_timeout=0.5&socket_connect_timeout=0.5",
    "postgresql": "?connect_timeout=2&tcp_user_timeout=500",
}


def _again(call: Callable[[], T]) -> T:
    """What a store answers soon after its network works again."""
    for _ in range(6):
        with contextlib.suppress(StoreError):
            return call()
        time.sleep(0.2)
    return call()


@pytest.fixture(params=list(SERVERS))
def scheme(request: pytest.FixtureRequest) -> str:
    name: str = request.param
    if reason := lacking(name) or networks.refusal():
        pytest.skip(reason)
    return name


def test_a_server_that_is_cut_off_loses_and_repeats_nothing(scheme: str, tmp_path: Path) -> None:
    model, place = tmp_path / "model.ost", tmp_path / "store"
    save_model(zoo.fitted("series", "gru"), model)
    place.mkdir()
    hows = ["requests", "answers"]
    found, answered, _ = serve_cuts.cuts(model, scheme, place, hows, options=SOON[scheme])
    assert [cut.how for cut in found] == hows
    assert {cut.status for cut in found} == {"the store does not answer"}
    assert answered > 2 * 4 * serve_cuts.BETWEEN


@pytest.mark.parametrize("how", networks.CUTS)
def test_a_cut_network_is_an_error_and_no_second_save(how: str, scheme: str, tmp_path: Path) -> None:
    with networks.linked() as link:
        running = link.inside(lambda: SERVERS[scheme][0](tmp_path, host=link.there).start(), there=True)

        def saves() -> None:
            store: Store = make(running.url + SOON[scheme])
            assert store.save([Change("a", Record(1, b"1"), new=True)]) == set()
            link.cut(how)
            with pytest.raises(StoreError):
                store.save([Change("a", Record(2, b"2"))])
            link.mend()
            # it is unknown whether it was kept: what waited in the network may still arrive, but over no later save
            held = _again(lambda: store.load(["a"])["a"])
            assert held in (Record(1, b"1"), Record(2, b"2"))
            refused = store.save([Change("a", Record(held.version + 1, b"next"))])
            held = store.load(["a"])["a"]
            assert held.version in (2, 3)
            assert held == Record(held.version, b"2" if refused else b"next")
            time.sleep(0.5)
            assert store.load(["a"])["a"] == held
            store.close()

        try:
            link.inside(saves)
        finally:
            link.inside(running.kill, there=True)


def test_a_session_that_is_cut_off_in_a_transaction_gives_its_locks_back(tmp_path: Path) -> None:
    """PostgreSQL hears nothing of the end of the other side, and would wait for two hours."""
    if reason := lacking("postgresql") or networks.refusal():
        pytest.skip(reason)
    with networks.linked() as link:
        running = link.inside(lambda: SERVERS["postgresql"][0](tmp_path, host=link.there).start(), there=True)

        def cut_off() -> None:
            store = make(running.url)
            assert isinstance(store, PostgreSQLStore)
            store.save([Change("a", Record(1, b"1"), new=True)])
            with contextlib.suppress(StoreError), store._reported() as db:
                db.execute("SELECT 1 FROM ostinato_streams FOR UPDATE")
                # the kernel may send late that the answer has come; without it the other side asks again
                time.sleep(0.3)
                link.cut("down")
                with socket.socket(fileno=os.dup(db.fileno())) as end:  # as if this machine had lost its power
                    end.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                db.close()
            link.mend()
            assert _again(lambda: store.save([Change("a", Record(2, b"2"))])) == set()
            assert store.load(["a"])["a"] == Record(2, b"2")
            store.close()

        try:
            link.inside(cut_off)
        finally:
            link.inside(running.kill, there=True)
