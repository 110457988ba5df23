"""What ends the process that decodes ends another process, and is an error here."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path

import polars as pl
import pytest

from ostinato.data import stored
from ostinato.errors import DataError
from ostinato.scale import plan
from ostinato.scale.arrange import chunks, deal
from ostinato.scale.series import load


@pytest.fixture
def fresh() -> Iterator[None]:
    stored._decoder.cache_clear()
    yield
    stored._decoder.cache_clear()


def query(path: Path) -> bytes:
    return bytes(pl.scan_parquet(path).serialize())


@pytest.mark.usefixtures("fresh")
def test_a_query_that_ends_its_process_is_an_error_and_the_next_one_runs(tmp_path: Path) -> None:
    pl.DataFrame({"y": [1.0, 2.0]}).write_parquet(tmp_path / "a.parquet")
    stored.survived(query(tmp_path / "a.parquet"), "Query", "a")
    stored._decoder()._child.kill()
    with pytest.raises(DataError, match="damaged"):
        stored.survived(query(tmp_path / "a.parquet"), "Query", "a")
    stored.survived(query(tmp_path / "a.parquet"), "Query", "a")
    # an error of the query itself is left to the caller, and the process lives
    before = stored._decoder()
    stored.survived(query(tmp_path / "missing.parquet"), "Query", "missing")
    assert stored._decoder() is before


READS: dict[str, tuple[str, Callable[[plan.ParquetPanel, Path], object]]] = {
    "footer": ("pyarrow.parquet.read_metadata(raw", lambda panel, folder: plan.plan(panel.source)),
    "first rows and parts": ("pl.LazyFrame.deserialize(raw)", lambda panel, folder: load(panel, panel.parts[0])),
    "row groups": ("json.load(raw)", lambda panel, folder: deal(panel, folder, next(iter(chunks(panel))))),
}


@pytest.mark.parametrize("name", READS)
@pytest.mark.usefixtures("fresh")
def test_every_read_of_a_panel_is_tried_in_another_process(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "panel.parquet"
    pl.DataFrame({"unique_id": ["a"] * 9 + ["b"] * 9, "y": [1.5 * t for t in range(18)]}).write_parquet(path)
    panel, (call, read) = plan.plan(path), READS[name]
    stored._decoder.cache_clear()
    assert call in stored._CHILD
    monkeypatch.setattr(stored, "_CHILD", stored._CHILD.replace(call, f"__import__('os').abort() or {call}"))
    with pytest.raises(DataError, match="cannot read the file as Parquet: it is damaged") as error:
        read(panel, tmp_path)
    assert str(path) in str(error.value.where)


def test_what_is_tried_is_what_is_read(tmp_path: Path) -> None:
    path = tmp_path / "a.parquet"
    pl.DataFrame({"y": [1.0, 2.0]}).write_parquet(path)
    with stored.Decoder() as decoder:
        assert decoder.answer(query(path), "Query") == b"y"
        assert decoder.answer(str(path).encode(), "Footer") == b"y"
        assert decoder.answer(json.dumps([str(path), 10, [0], ["y"]]).encode(), "Groups") == b"y"
        assert decoder.answer(json.dumps([str(path), 10, [7], ["y"]]).encode(), "Groups") == b"n"
        assert decoder.answer(path.read_bytes(), "Parquet") == b"y"
        assert decoder.answer(b"PAR1", "Parquet") == b"n"
