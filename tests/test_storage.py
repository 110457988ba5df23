"""A model file is complete or refused, and an earlier file is never lost."""

from __future__ import annotations

import errno
import hashlib
import json
import os
from pathlib import Path

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from ostinato.errors import ModelFileError
from ostinato.storage import atomic_write, load_bundle, save_bundle

TENSORS = {
    "a": torch.arange(6.0).reshape(2, 3).t(),
    "n": torch.zeros(0, 4),
    "i": torch.tensor([1, 2], dtype=torch.int64),
    "b": torch.tensor([True, False]),
    "r": torch.get_rng_state()[:16],
}
DOCUMENT = {"name": "한국", "numbers": [1, 2.5, None]}


@pytest.fixture(scope="module")
def good(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("files") / "m.ost"
    save_bundle(path, TENSORS, DOCUMENT)
    return path


def test_there_and_back(good: Path) -> None:
    tensors, document = load_bundle(good)
    assert document == DOCUMENT
    assert tensors.keys() == TENSORS.keys()
    assert all(torch.equal(tensors[k], v) and tensors[k].dtype == v.dtype for k, v in TENSORS.items())


def test_the_same_content_is_the_same_bytes(good: Path, tmp_path: Path) -> None:
    save_bundle(tmp_path / "again.ost", dict(reversed(TENSORS.items())), DOCUMENT)
    assert (tmp_path / "again.ost").read_bytes() == good.read_bytes()


@settings(deadline=None, max_examples=150)
@given(st.data())
def test_any_flipped_bit_is_refused(good: Path, tmp_path_factory: pytest.TempPathFactory, data: st.DataObject) -> None:
    raw = bytearray(good.read_bytes())
    raw[data.draw(st.integers(0, len(raw) - 1))] ^= 1 << data.draw(st.integers(0, 7))
    bad = tmp_path_factory.mktemp("bad") / "m.ost"
    bad.write_bytes(raw)
    with pytest.raises(ModelFileError):
        load_bundle(bad)


def swapped(raw: bytes) -> bytes:
    """Return a model file whose header gives two tensors of one type and shape each other's bytes; its length stays."""
    size = int.from_bytes(raw[:8], "little")
    header = json.loads(raw[8 : 8 + size])
    header["x"]["data_offsets"], header["y"]["data_offsets"] = header["y"]["data_offsets"], header["x"]["data_offsets"]
    text = json.dumps(header, separators=(",", ":"), ensure_ascii=False).encode()
    return raw[:8] + text.ljust(size) + raw[8 + size :]


def test_a_header_that_swaps_two_tensors_is_refused(tmp_path: Path) -> None:
    """The digest covers the names and the places as well as the bytes, so only who signs anew can swap them."""
    save_bundle(tmp_path / "m.ost", {"x": torch.ones(3), "y": torch.zeros(3)}, DOCUMENT)
    raw = swapped((tmp_path / "m.ost").read_bytes())
    (tmp_path / "m.ost").write_bytes(raw)
    with pytest.raises(ModelFileError, match="altered"):
        load_bundle(tmp_path / "m.ost")
    (tmp_path / "m.ost").write_bytes(raw[:-32] + hashlib.sha256(raw[:-32]).digest())
    assert torch.equal(load_bundle(tmp_path / "m.ost")[0]["x"], torch.zeros(3))  # so the swap itself was right


@settings(deadline=None, max_examples=60)
@given(st.data())
def test_any_cut_is_refused(good: Path, tmp_path_factory: pytest.TempPathFactory, data: st.DataObject) -> None:
    raw = good.read_bytes()
    bad = tmp_path_factory.mktemp("bad") / "m.ost"
    bad.write_bytes(raw[: data.draw(st.integers(0, len(raw) - 1))])
    with pytest.raises(ModelFileError):
        load_bundle(bad)


def test_a_newer_format_says_so(good: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ostinato.storage.bundles.VERSION", 3)
    save_bundle(tmp_path / "m.ost", TENSORS, DOCUMENT)
    monkeypatch.undo()
    with pytest.raises(ModelFileError, match="format 3, expected 2 or lower"):
        load_bundle(tmp_path / "m.ost")


def test_a_path_without_a_file_is_refused(tmp_path: Path) -> None:
    for path in (tmp_path, tmp_path / "absent.ost"):
        with pytest.raises(ModelFileError, match="cannot read the model file"):
            load_bundle(path)


def test_nan_is_not_json(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="JSON"):
        save_bundle(tmp_path / "m.ost", {}, {"x": float("nan")})
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("call", ["fsync", "fdopen"])
@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EACCES, errno.EIO])
def test_a_failed_write_loses_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, call: str, number: int) -> None:
    path = tmp_path / "m.ost"
    atomic_write(path, b"earlier")

    def fail(*_: object, **__: object) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(os, call, fail)
    with pytest.raises(ModelFileError, match="cannot write the file"):
        atomic_write(path, b"later")
    monkeypatch.undo()
    assert path.read_bytes() == b"earlier"
    assert [p.name for p in tmp_path.iterdir()] == ["m.ost"]


def test_a_file_beyond_the_limit_of_its_size(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise OSError(errno.EFBIG, os.strerror(errno.EFBIG))

    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(ModelFileError, match="ulimit -f"):
        atomic_write(tmp_path / "m.ost", b"x")


def test_a_folder_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(ModelFileError, match="cannot write the file") as info:
        atomic_write(tmp_path / "no" / "m.ost", b"x")
    assert "make the folder first" in (info.value.fix or "")


@pytest.mark.skipif(not Path("/dev/zero").exists(), reason="this system has no /dev/zero")
def test_a_file_without_an_end_is_refused() -> None:
    with pytest.raises(ModelFileError, match="not a model file"):
        load_bundle("/dev/zero")
