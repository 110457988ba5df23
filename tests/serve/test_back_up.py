"""A back-up that is taken while the server saves holds whole commits, and all that was answered before it began."""

from __future__ import annotations

import sqlite3
import threading
from pathlib import Path

import pytest

pytest.importorskip("msgspec", reason="the server needs msgspec")

from ostinato.serve.store import Change, Record, open_store

KEYS = [f"s{i}" for i in range(20)]


def content(key: str, version: int) -> bytes:
    return f"{key} {version} ".encode() * 40


@pytest.mark.parametrize("pages", [-1, 3])
def test_a_back_up_under_load_is_restored_elsewhere(
    tmp_path: Path, pages: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ostinato.serve.journal.ENOUGH", 100_000)
    monkeypatch.setattr("ostinato.serve.checkpoints._ENOUGH", 200_000)
    store, saved, ended = open_store(str(tmp_path / "streams")), [1], threading.Event()
    store.save([Change(key, Record(1, content(key, 1)), new=True) for key in KEYS])

    def save() -> None:
        while not ended.is_set():
            version = saved[-1] + 1
            assert not store.save([Change(key, Record(version, content(key, version))) for key in KEYS])
            saved.append(version)

    saver = threading.Thread(target=save)
    saver.start()
    try:
        while saved[-1] < 30:
            pass
        (tmp_path / "elsewhere").mkdir()
        before = saved[-1]
        source = sqlite3.connect(tmp_path / "streams" / "streams.db", timeout=30)
        copy = sqlite3.connect(tmp_path / "elsewhere" / "streams.db")
        source.backup(copy, pages=pages)
        after = saved[-1] + 1
        source.close()
        copy.close()
    finally:
        ended.set()
        saver.join()
        store.close()
    restored = open_store(str(tmp_path / "elsewhere"))
    found = restored.load(KEYS)
    (version,) = {one.version for one in found.values()}  # all streams are of one commit
    assert before <= version <= after
    assert {key: one.data for key, one in found.items()} == {key: content(key, version) for key in KEYS}
    assert not restored.save([Change(key, Record(version + 1, b"on")) for key in KEYS])
    restored.close()
