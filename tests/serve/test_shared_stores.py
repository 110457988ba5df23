"""Stores that several servers share: the laws of a store, two writers, servers and networks that fail."""

from __future__ import annotations

import random
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator

import pytest
import real_servers
from real_servers import SERVERS, Server, lacking, make

from ostinato.errors import ConfigError
from ostinato.serve.store import Change, Record, Store, StoreError
from warm import programs


@pytest.fixture(scope="module", params=list(SERVERS))
def server(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    scheme = request.param
    if reason := lacking(scheme):
        pytest.skip(reason)
    running = SERVERS[scheme][0](tmp_path_factory.mktemp(scheme)).start()
    yield running
    running.kill()


@pytest.fixture
def store(server: Server) -> Iterator[Store]:
    found = make(server.url)
    for key in found.ids():
        found.delete(key)
    yield found
    found.close()


def test_a_stream_is_saved_once_by_each_version(store: Store) -> None:
    assert store.durable
    assert store.shared
    first = Change("a", Record(7, b"one"), new=True)
    assert store.save([first]) == set()
    assert store.save([first]) == {"a"}
    assert store.save([Change("a", Record(8, b"two"))]) == set()
    refused = [
        Change("a", Record(8, b"again")),
        Change("a2", Record(2, b"none")),
        Change("b", Record(1, b""), new=True),
    ]
    assert store.save(refused) == {"a", "a2"}
    assert store.load(["a", "b", "c"]) == {"a": Record(8, b"two"), "b": Record(1, b"")}
    assert store.count() == 2


def test_great_versions_and_odd_ids_are_kept_exactly(store: Store) -> None:
    """2^53 + 1 is no number of Lua, and the order of ids is that of their bytes."""
    ids = ["Zebra", "a/../b", "é", "가", "a:b", "%41", "x" * 256, "a b"]
    great = 2**53 + 1
    assert store.save([Change(key, Record(great, key.encode()), new=True) for key in ids]) == set()
    assert store.save([Change("é", Record(great, b"no"))]) == {"é"}
    assert store.save([Change("é", Record(great + 1, bytes(range(256))))]) == set()
    assert store.load(["é"])["é"] == Record(great + 1, bytes(range(256)))
    ordered = sorted(ids, key=str.encode)
    assert store.ids() == ordered
    assert store.ids(after=ordered[2], limit=3) == ordered[3:6]


def test_blocks_are_replaced_trimmed_and_wiped(store: Store) -> None:
    store.save([Change("a", Record(1, b""), new=True, blocks=((1, b"x"), (2, b"y"), (10, b"z")))])
    assert store.blocks("a") == [(1, b"x"), (2, b"y"), (10, b"z")]
    store.save([Change("a", Record(2, b""), blocks=((10, b"w"), (11, b"v")), keep=2)])
    assert store.blocks("a") == [(2, b"y"), (10, b"w"), (11, b"v")]
    store.save([Change("a", Record(3, b""), wipe=True, blocks=((0, b"new"),))])
    assert store.blocks("a") == [(0, b"new")]
    assert store.save([Change("a", Record(9, b""), wipe=True)]) == {"a"}
    assert store.blocks("a") == [(0, b"new")]
    assert store.delete("a")
    assert not store.delete("a")
    assert store.blocks("a") == []
    assert store.ids() == []


def test_two_writers_lose_and_repeat_nothing(server: Server, store: Store) -> None:
    """Each adds one to ten streams at a time, from what it read; each addition is refused or kept."""
    ids = [f"s{k}" for k in range(10)]
    store.save([Change(key, Record(1, b"0"), new=True) for key in ids])
    kept = [0, 0]

    def write(who: int) -> None:
        own, rng = make(server.url), random.Random(who)
        for _ in range(60):
            some = rng.sample(ids, 4)
            held = own.load(some)
            changes = [Change(k, Record(r.version + 1, str(int(r.data) + 1).encode())) for k, r in held.items()]
            kept[who] += len(changes) - len(own.save(changes))
        own.close()

    writers = [threading.Thread(target=write, args=(who,)) for who in (0, 1)]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
    total = sum(int(record.data) for record in store.load(ids).values())
    assert total == sum(kept)
    assert min(kept) > 0


def test_what_was_saved_survives_the_death_of_the_server(server: Server, store: Store) -> None:
    for version in range(1, 30):
        assert store.save([Change("a", Record(version, b"%d" % version), new=version == 1)]) == set()
    server.kill()
    with pytest.raises(StoreError, match="the store of streams failed"):
        store.save([Change("a", Record(30, b"lost"))])
    server.start()
    assert store.load(["a"])["a"] == Record(29, b"29")
    assert store.save([Change("a", Record(30, b"30"))]) == set()


def test_two_counters_killed_in_turn_count_every_event_once(server: Server, store: Store) -> None:
    """Whoever is killed, the event without an answer is given to the other one, and the sum is exact."""
    events, rng = 60, random.Random(4)

    def begun() -> subprocess.Popen[str]:
        command = [str(programs() / "python"), str(real_servers.__file__), server.url]
        return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    counters, kills, event = [begun(), begun()], 0, 1
    try:
        while event <= events:
            who = event % 2
            one = counters[who]
            assert one.stdin is not None
            assert one.stdout is not None
            one.stdin.write(f"{event}\n")
            one.stdin.flush()
            if event % 15 == 0:
                threading.Event().wait(rng.random() * 0.004)
                one.send_signal(signal.SIGKILL)
                rest, _ = one.communicate()
                answered = rest.strip() == str(event)
                kills, counters[who] = kills + 1, begun()
                other = counters[1 - who]
                assert other.stdin is not None
                assert other.stdout is not None
                if not answered:
                    other.stdin.write(f"{event}\n")
                    other.stdin.flush()
                    assert other.stdout.readline() == f"{event}\n"
            else:
                assert one.stdout.readline() == f"{event}\n"
            event += 1
    finally:
        for one in counters:
            one.kill()
            one.communicate()
    assert kills == 4
    assert store.load(["s"])["s"] == Record(events, f"{events} {events * (events + 1) // 2}".encode())


@pytest.mark.parametrize("scheme", SERVERS)
def test_a_missing_library_is_named_with_its_extra(scheme: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, SERVERS[scheme][2], None)
    with pytest.raises(ConfigError, match="which is not installed") as error:
        make(f"{scheme}://127.0.0.1:1/0")
    assert f"ostinato[{scheme}]" in str(error.value)
