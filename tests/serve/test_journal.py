"""The journal of a SQLite store: whatever is saved, killed or refused, the store is as one in memory that was not."""

from __future__ import annotations

import random
import shutil
import sqlite3
from pathlib import Path

import pytest

pytest.importorskip("msgspec", reason="the server needs msgspec")

from ostinato.serve import journal
from ostinato.serve.store import Change, Record, StoreError
from ostinato.serve.store_memory import MemoryStore
from ostinato.serve.store_sqlite import SQLiteStore

KEYS = list("abcdef")


def opened(folder: Path) -> SQLiteStore:
    store = SQLiteStore(str(folder))
    store._db.execute("PRAGMA synchronous = OFF")  # the tests lose no power
    return store


def killed(store: SQLiteStore, folder: Path) -> SQLiteStore:
    """Return a store on what a kill at this moment would leave in the folder."""
    folder.mkdir()
    for name in ("streams.db", "streams.db-wal"):
        shutil.copy(store.folder / name, folder / name)
    return opened(folder)


def rows(store: SQLiteStore, sql: str) -> tuple[int, ...]:
    found: tuple[int, ...] = store._db.execute(sql).fetchone()
    return found


class Writer:
    """What a server may save: streams that begin, go on, begin again, and are out of date."""

    def __init__(self, seed: int) -> None:
        self.rng, self.oracle = random.Random(seed), MemoryStore()
        self.clock, self.block = 1000, dict.fromkeys(KEYS, 0)

    def change(self, key: str, size: int) -> Change:
        rng, kept = self.rng, self.oracle.load([key]).get(key)
        data = rng.randbytes(rng.randrange(size))
        if kept is None:
            self.clock, self.block[key] = self.clock + 1000, 0
            return Change(key, Record(self.clock, data), new=True)
        version = kept.version + (1 if rng.random() < 0.95 else 2)
        wipe = rng.random() < 0.1
        first = 0 if wipe else self.block[key]
        blocks = tuple((first + i, rng.randbytes(rng.randrange(20))) for i in range(rng.randrange(3)))
        if version == kept.version + 1:
            self.block[key] = first + len(blocks)
        return Change(key, Record(version, data), False, blocks, max(first + len(blocks) - 3, 0), wipe)

    def check(self, store: SQLiteStore) -> None:
        assert store.load(KEYS) == self.oracle.load(KEYS)
        assert store.ids() == self.oracle.ids()
        assert {key: store.blocks(key) for key in KEYS} == {key: self.oracle.blocks(key) for key in KEYS}


@pytest.mark.parametrize("seed", range(6))
def test_the_store_is_as_one_in_memory(seed: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(journal, "ENOUGH", 400)
    monkeypatch.setattr(journal, "_TOGETHER", 2)
    monkeypatch.setattr(journal, "_DELETED", 60)
    writer, store, cut = Writer(seed), opened(tmp_path / "0"), 0
    for turn in range(1, 250):
        match writer.rng.randrange(20):
            case 0:
                key = writer.rng.choice(KEYS)
                assert store.delete(key) == writer.oracle.delete(key)
            case 1:
                after = killed(store, tmp_path / str(turn))
                store.close()
                store = after
            case 2:
                store.close()
                store = opened(store.folder)
                assert rows(store, "SELECT count(*) FROM journal") == (0,)
            case 3:
                some = [Change(key, one, blocks=((9, b"x"),)) for key, one in writer.oracle.load(KEYS).items()]
                assert store.save(some) == {change.unique_id for change in some}
            case _:
                some = [writer.change(key, 60) for key in writer.rng.sample(KEYS, writer.rng.randrange(1, 5))]
                assert store.save(some) == writer.oracle.save(some)
        writer.check(store)
        cut = max(cut, *rows(store, "SELECT ifnull(min(number), 0) FROM journal"))
    assert cut > 1
    store.close()


def begun(folder: Path, keys: list[str]) -> SQLiteStore:
    store = opened(folder)
    assert store.save([Change(key, Record(100, b""), new=True) for key in keys]) == set()
    return store


def test_a_stream_begins_again_while_its_row_follows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(journal, "ENOUGH", 0)
    store = begun(tmp_path, ["a"])
    assert store.save([Change("a", Record(101, b"old"), blocks=((0, b"x"),))]) == set()
    assert store.save([Change("a", Record(102, b"new"), wipe=True)]) == set()
    assert store.blocks("a") == []
    assert store.save([Change("a", Record(103, b"next"))]) == set()
    assert store.load(["a"]) == {"a": Record(103, b"next")}
    store.close()


def test_the_journal_is_bounded_however_large_the_saves_are(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(journal, "ENOUGH", 4000)
    monkeypatch.setattr(journal, "_DELETED", 1000)
    keys = [f"s{i}" for i in range(48)]
    store, most = begun(tmp_path, keys), 0
    for turn in range(1, 200):
        some = [keys[(12 * turn + i) % 48] for i in range(12)]
        versions = {key: one.version for key, one in store.load(some).items()}
        assert store.save([Change(key, Record(versions[key] + 1, bytes(100))) for key in some]) == set()
        most = max(most, *rows(store, "SELECT sum(length(data)) FROM journal"))
    assert most < 5 * 4000
    store.close()


def test_a_long_journal_of_a_killed_server_is_folded_a_little_at_a_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    keys = [f"s{i}" for i in range(300)]
    first = begun(tmp_path / "a", keys)
    assert first.save([Change(key, Record(101, b"x")) for key in keys]) == set()
    store = killed(first, tmp_path / "b")
    first.close()
    monkeypatch.setattr(journal, "ENOUGH", 0)
    for version in range(102, 122):
        assert store.save([Change("s0", Record(version, b"y"))]) == set()
    assert 0 < rows(store, "SELECT count(*) FROM streams WHERE version > 100")[0] < 50
    store.close()


def test_a_damaged_journal_is_named(tmp_path: Path) -> None:
    opened(tmp_path).close()
    db = sqlite3.connect(tmp_path / "streams.db")
    with db:
        db.execute("INSERT INTO journal VALUES (1, x'c1ff')")
    db.close()
    with pytest.raises(StoreError, match="failed"):
        SQLiteStore(str(tmp_path))


def test_a_folder_from_before_the_journal_goes_on(tmp_path: Path) -> None:
    begun(tmp_path, ["a"]).close()
    db = sqlite3.connect(tmp_path / "streams.db")
    with db:
        db.execute("DROP TABLE journal")
    db.close()
    store = opened(tmp_path)
    assert store.save([Change("a", Record(101, b"x"))]) == set()
    assert store.load(["a"]) == {"a": Record(101, b"x")}
    store.close()
