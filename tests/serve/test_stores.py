"""Laws that every store keeps."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

pytest.importorskip("msgspec", reason="the server needs msgspec")

from ostinato.errors import ConfigError
from ostinato.serve.store import Change, Record, Store, StoreError, open_store

#: What opens an empty store; a store that needs a server skips by name without it.
STORES_UNDER_TEST: dict[str, Callable[[Path], Store]] = {
    "memory": lambda _: open_store("none"),
    "sqlite": lambda folder: open_store(str(folder / "streams")),
}


@pytest.fixture(params=sorted(STORES_UNDER_TEST))
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Store]:
    found = STORES_UNDER_TEST[request.param](tmp_path)
    yield found
    found.close()


def begin(key: str, version: int = 100, data: bytes = b"one") -> Change:
    return Change(key, Record(version, data), new=True)


def test_what_is_saved_is_loaded(store: Store) -> None:
    assert store.save([begin("a"), begin("b", data=b"\x00\xff" * 400)]) == set()
    assert store.load(["a", "b", "c"]) == {"a": Record(100, b"one"), "b": Record(100, b"\x00\xff" * 400)}
    assert store.count() == 2
    store.ping()


def test_a_change_is_saved_on_the_version_before_it_alone(store: Store) -> None:
    store.save([begin("a"), begin("b")])
    changes = [Change("a", Record(101, b"two")), Change("b", Record(102, b"far")), Change("c", Record(7, b"none"))]
    assert store.save(changes) == {"b", "c"}
    assert store.load(["a", "b", "c"]) == {"a": Record(101, b"two"), "b": Record(100, b"one")}
    assert store.save([Change("a", Record(101, b"again"))]) == {"a"}


def test_a_stream_begins_once(store: Store) -> None:
    assert store.save([begin("a")]) == set()
    assert store.save([begin("a", 500), begin("b")]) == {"a"}
    assert store.load(["a", "b"]) == {"a": Record(100, b"one"), "b": Record(100, b"one")}


def test_blocks_are_kept_replaced_trimmed_and_wiped(store: Store) -> None:
    store.save([begin("a"), begin("b")])
    store.save([Change("a", Record(101, b""), blocks=((0, b"x"), (1, b"y")))])
    store.save([Change("a", Record(102, b""), blocks=((1, b"z"), (2, b"w")), keep=1)])
    assert store.blocks("a") == [(1, b"z"), (2, b"w")]
    assert store.blocks("b") == []
    store.save([Change("a", Record(103, b""), blocks=((0, b"new"),), wipe=True)])
    assert store.blocks("a") == [(0, b"new")]


def test_blocks_of_a_refused_change_are_not_kept(store: Store) -> None:
    store.save([begin("a")])
    assert store.save([Change("a", Record(300, b""), blocks=((0, b"x"),))]) == {"a"}
    assert store.blocks("a") == []


def test_a_deleted_stream_is_gone_with_its_blocks(store: Store) -> None:
    store.save([begin("a")])
    store.save([Change("a", Record(101, b""), blocks=((0, b"x"),))])
    assert store.delete("a")
    assert not store.delete("a")
    assert store.load(["a"]) == {}
    assert store.save([Change("a", Record(102, b""))]) == {"a"}
    assert store.save([begin("a")]) == set()
    assert store.blocks("a") == []


def test_ids_are_listed_in_the_order_of_their_bytes(store: Store) -> None:
    keys = ["b", "a/../c", "é", "z", "Z", "a b", "\U0001f600", "'; DROP TABLE streams; --"]
    store.save([begin(key) for key in keys])
    ordered = sorted(keys, key=str.encode)
    assert store.ids() == ordered
    assert store.ids("a b", 3) == ordered[ordered.index("a b") + 1 :][:3]


def test_an_unknown_store_is_refused() -> None:
    with pytest.raises(ConfigError, match="mongo:// is unknown"):
        open_store("mongo://host")


def test_two_servers_do_not_use_one_folder(tmp_path: Path) -> None:
    first = open_store(str(tmp_path))
    with pytest.raises(StoreError, match="another server uses the folder"):
        open_store(str(tmp_path))
    first.close()
    open_store(f"sqlite:{tmp_path}").close()


def test_a_folder_that_cannot_be_used_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    with pytest.raises(StoreError, match="failed"):
        open_store(str(tmp_path / "file"))


def test_a_full_disk_saves_nothing_and_says_so(tmp_path: Path) -> None:
    store = open_store(str(tmp_path))
    store.save([begin("a")])
    store._db.execute("PRAGMA max_page_count = 8")  # type: ignore[attr-defined]
    with pytest.raises(StoreError, match="full"):
        store.save([Change("a", Record(101, b"x")), begin("b", data=b"y" * 200_000)])
    assert store.load(["a", "b"]) == {"a": Record(100, b"one")}
    store._db.execute("PRAGMA max_page_count = 100000")  # type: ignore[attr-defined]
    assert store.save([Change("a", Record(101, b"x"))]) == set()
    store.close()


def test_sqlite_syncs_each_commit(tmp_path: Path) -> None:
    store = open_store(str(tmp_path))
    assert store._db.execute("PRAGMA synchronous").fetchone() == (2,)  # type: ignore[attr-defined]
    assert store._db.execute("PRAGMA journal_mode").fetchone() == ("wal",)  # type: ignore[attr-defined]
    assert (tmp_path / "streams.db").stat().st_mode & 0o777 == 0o600
    other = sqlite3.connect(f"file:{tmp_path / 'streams.db'}?mode=ro", uri=True)  # a backup may read while it runs
    assert other.execute("SELECT count(*) FROM streams").fetchone() == (0,)
    other.close()
    store.close()


def test_a_file_of_a_later_release_is_refused_by_its_format(tmp_path: Path) -> None:
    open_store(str(tmp_path)).close()
    with sqlite3.connect(tmp_path / "streams.db") as db:
        assert db.execute("PRAGMA user_version").fetchone() == (3,)
        db.execute("PRAGMA user_version = 4")
    db.close()
    with pytest.raises(StoreError, match=r"the streams have format 4, and this release .* up to 3"):
        open_store(str(tmp_path))
    with sqlite3.connect(tmp_path / "streams.db") as db:
        db.execute("PRAGMA user_version = 1")  # an earlier release
    db.close()
    open_store(str(tmp_path)).close()


def test_the_log_is_copied_beside_the_saves(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ostinato.serve.checkpoints._ENOUGH", 100_000)
    store = open_store(str(tmp_path))
    store.save([begin("a", version=1)])
    for version in range(2, 400):
        assert store.save([Change("a", Record(version, bytes(20_000)))]) == set()
    grown = (tmp_path / "streams.db-wal").stat().st_size
    assert grown < 398 * 20_000 / 2  # it began again at its start
    assert store.load(["a"])["a"].version == 399
    store.close()
    again = open_store(str(tmp_path))
    assert again.load(["a"])["a"].version == 399
    again.close()
