"""A text on disk is the text in memory: same values, split, digest, likelihood and bytes; and its cache is its own."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import os
import zipfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

import ostinato
from ostinato.data import alphabet, corpus, sequences
from ostinato.data import split as split_module
from ostinato.data.alphabet import Alphabet
from ostinato.data.lines import decode, decoded
from ostinato.data.spelled import in_paragraphs, respelled
from ostinato.data.spelling import spelling_from_json
from ostinato.data.split import split
from ostinato.errors import DataError, WriteError
from ostinato.record import Rung
from ostinato.training import within
from ostinato.training.material import material_of
from ostinato.training.within import spread

TEXT = "the cat sat on the mat,\r\nthe dog \N{HANGUL SYLLABLE GANG} sat on a log.\n" * 90


@pytest.fixture(autouse=True)
def _small(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(corpus, "LARGE", 1000)
    monkeypatch.setattr(corpus, "READ", 777)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


def both(folder: Path, text: str = TEXT) -> tuple[ostinato.SequenceSet, ostinato.SequenceSet]:
    """Return a text in memory, and the same one on disk."""
    path = folder / "a.txt"
    path.write_bytes(text.encode())
    on_disk = ostinato.read(path, kind="text", per_line=False)
    assert on_disk.on_disk
    with pytest.MonkeyPatch.context() as m:
        m.setattr(corpus, "LARGE", 1 << 40)
        in_memory = ostinato.read(path, kind="text", per_line=False)
    assert not in_memory.on_disk
    return in_memory, on_disk


def test_it_is_the_same_text(tmp_path: Path) -> None:
    a, b = both(tmp_path)
    assert np.array_equal(a.values, b.values)
    assert b.values.dtype.itemsize == 2
    assert (a.ids, a.digest) == (b.ids, b.digest)
    assert np.array_equal(split(a).stops, split(b).stops)
    for part in ("train", "known", "held-out"):
        assert np.array_equal(split(a).take(part, a).values, split(b).take(part, b).values)
    for name in ("byte", "jamo"):
        spelling = spelling_from_json({"name": name})
        assert np.array_equal(respelled(a, spelling).values, respelled(b, spelling).values)


def test_several_files_are_joined_on_disk(tmp_path: Path) -> None:
    for name in "abc":
        (tmp_path / f"{name}.txt").write_text(TEXT + name)
    data = ostinato.read(str(tmp_path / "*.txt"), kind="text", per_line=False)
    assert data.on_disk
    assert data.ids == ("a", "b", "c")
    assert data.take([2, 0]).on_disk
    assert "".join(map(chr, data.take([2, 0])[1][:, 0])) == TEXT.replace("\r\n", "\n") + "a"


def test_what_needs_every_symbol_is_found_while_they_are_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A second start has digest and alphabet without a look at the symbols; of several texts, too."""
    for name, last in (("a", "\N{BLACK STAR}"), ("b", "z"), ("c", "\N{WHITE STAR}")):
        (tmp_path / f"{name}.txt").write_text(TEXT + last)
    texts = [ostinato.read(str(tmp_path / name), kind="text", per_line=False) for name in ("a.txt", "*.txt")]
    with pytest.MonkeyPatch.context() as m:
        m.setattr(corpus, "LARGE", 1 << 40)
        in_memory = [ostinato.read(str(tmp_path / name), kind="text", per_line=False) for name in ("a.txt", "*.txt")]
    for module in (alphabet, sequences):
        monkeypatch.setattr(module, "blocks", None)
        monkeypatch.setattr(module, "joined", None, raising=False)
    for on_disk, other in zip(texts, in_memory, strict=True):
        assert on_disk.digest == other.digest
        with monkeypatch.context() as m:
            m.setattr(alphabet, "blocks", corpus.blocks)
            known = split(other).take("known", other)
            expected = material_of(other, split(other)).encoding
            assert Alphabet.fit(known) == expected
        assert material_of(on_disk, split(on_disk)).encoding == expected
        assert replace(on_disk, ids=tuple(f"{key}2" for key in on_disk.ids)).values is on_disk.values


def test_the_digest_is_that_of_these_sequences(tmp_path: Path) -> None:
    a, b = both(tmp_path)
    named, part = (replace(d, ids=("other",)) for d in (a, b)), (d.stretches([(0, 5, 900)]) for d in (a, b))
    for x, y in (named, part):
        assert x.digest == y.digest != a.digest


@pytest.mark.parametrize("model", ["ar", "counts", "lstm", "mixture"])
def test_a_fit_looks_at_as_much_of_a_long_text_as_of_a_longer_one(
    model: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[int] = []
    monkeypatch.setattr(within, "RATES", dict.fromkeys(within.RATES, (1, 400, 400)))
    monkeypatch.setattr(corpus.Look, "at", lambda own, key, at=corpus.Look.at: _counted(at(own, key), seen))
    for module in (alphabet, sequences, split_module):
        monkeypatch.setattr(module, "blocks", None)
    looked_at = []
    for times in (400, 1600):
        path = tmp_path / f"{times}.txt"
        path.write_text("the cat sat on the mat\n" * times)
        data = ostinato.read(path, kind="text", per_line=False)
        seen.clear()
        ostinato.fit(data, model=model, budget=ostinato.Budget(None, 3), hidden=4, embedding=3, max_order=2, threads=1)
        looked_at.append(sum(seen))
    assert looked_at[1] < 1.2 * looked_at[0]


def _counted(found: NDArray[Any], seen: list[int]) -> NDArray[Any]:
    seen.append(found.size)
    return found


def test_a_spelling_is_written_once(tmp_path: Path) -> None:
    _, data = both(tmp_path)
    respelled(data, spelling_from_json({"name": "jamo"}))
    written = {p: p.stat().st_mtime_ns for p in (tmp_path / "cache").rglob("*.points")}
    assert len(written) == 2
    respelled(data, spelling_from_json({"name": "jamo"}))
    assert {p: p.stat().st_mtime_ns for p in written} == written


def test_it_is_fitted_and_scored_as_in_memory(tmp_path: Path) -> None:
    a, b = both(tmp_path)
    for kind in ("ar", "counts", "lstm"):
        fits = [
            ostinato.fit(d, model=kind, budget=ostinato.Budget(None, 3), hidden=4, embedding=3, max_order=2, threads=1)
            for d in (a, b)
        ]
        held_out = [[r.held_out for r in f.table if isinstance(r, Rung)] for f in fits]
        assert len(held_out[0]) == len(fits[0].table)
        assert held_out[0] == pytest.approx(held_out[1], abs=1e-6)
        assert any("on disk" in note for note in fits[1].notes)
        x, y = (ostinato.score(fits[0].model, d) for d in (a, b))
        np.testing.assert_allclose(x.surprisal, y.surprisal, atol=1e-5)
        assert (x.units, x.steps.tolist()) == (y.units, y.steps.tolist())
        assert x.most_surprising(3)[0].step == y.most_surprising(3)[0].step


def test_the_cache_is_used_once_and_belongs_to_the_content(tmp_path: Path) -> None:
    _, data = both(tmp_path)
    path, (kept,) = tmp_path / "a.txt", (tmp_path / "cache").rglob("*.points")
    written = kept.stat().st_mtime_ns
    ostinato.read(path, kind="text", per_line=False)
    os.utime(path, (1, 1))  # another time, the same content
    assert ostinato.read(path, kind="text", per_line=False).digest == data.digest
    assert kept.stat().st_mtime_ns == written
    path.write_bytes(TEXT.replace("mat", "rat").encode())
    changed = ostinato.read(path, kind="text", per_line=False)
    assert "rat" in "".join(map(chr, changed[0][:40, 0]))
    assert "mat" in "".join(map(chr, data[0][:40, 0]))  # what was mapped before stays


@pytest.mark.parametrize("damage", ["cut", "flip", "facts", "empty"])
def test_a_damaged_cache_is_written_again(tmp_path: Path, damage: str) -> None:
    _, data = both(tmp_path)
    (kept,) = (tmp_path / "cache").rglob("*.points")
    whole, digest = kept.read_bytes(), data.digest
    del data
    flipped = whole[:100] + bytes([whole[100] ^ 1]) + whole[101:]
    kept.write_bytes({"cut": whole[:-30], "flip": flipped, "facts": whole[:-20] + whole[-19:], "empty": b""}[damage])
    again = ostinato.read(tmp_path / "a.txt", kind="text", per_line=False)
    assert again.digest == digest
    assert kept.read_bytes() == whole


def test_a_folder_that_cannot_be_written_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    (tmp_path / "a.txt").write_text(TEXT)
    with pytest.raises(WriteError, match="cache folder"):
        ostinato.read(tmp_path / "a.txt", kind="text", per_line=False)


@pytest.mark.parametrize(
    ("raw", "what"),
    [
        (b"ab\r\ncd\n\xff" + b"e" * 2000, "line 3, byte 1"),
        (b"a" * 1500 + b"\xed\xa0\x80" + b"e" * 900, "line 1, byte 1501"),
        (b"ab\n" * 700 + b"\xe2\x82", "line 701, byte 1"),
        (b"\xff\xfe" + b"a\0" * 1000 + b"a", "UTF-16"),
    ],
)
def test_bytes_that_are_no_text_are_named_as_in_memory(tmp_path: Path, raw: bytes, what: str) -> None:
    path = tmp_path / "a.txt"
    path.write_bytes(raw)
    said = []
    for large in (1000, 1 << 40):
        with pytest.MonkeyPatch.context() as m:
            m.setattr(corpus, "LARGE", large)
            with pytest.raises(DataError) as error:
                ostinato.read(path, kind="text", per_line=False)
        said.append(str(error.value))
    assert what in said[0]
    assert said[0] == said[1]


@settings(max_examples=80, deadline=None)
@given(st.text(st.sampled_from("ab\r\n\ufeff\u20ac\U0001f600"), max_size=30), st.integers(1, 9))
def test_text_that_comes_in_blocks_is_the_same(text: str, size: int) -> None:
    raw = text.encode()
    parts = [raw[i : i + size] for i in range(0, len(raw), size)]
    if raw[:3] == b"\xef\xbb\xbf":
        parts = [raw[:3] + raw[3 : 3 + size], *(raw[i : i + size] for i in range(3 + size, len(raw), size))]
    assert "".join(decoded(parts, "a")) == decode(raw, "a")


@given(st.lists(st.text(st.sampled_from("ab \n"), max_size=12), max_size=6))
def test_paragraphs_are_the_text(parts: list[str]) -> None:
    assert "".join(in_paragraphs(parts)) == "".join(parts)


@given(st.lists(st.integers(1, 50), min_size=1, max_size=5), st.integers(1, 120))
def test_stretches_lie_in_their_spans(lengths: list[int], most: int) -> None:
    spans = [(b, 3, 3 + n) for b, n in enumerate(lengths)]
    found = spread(spans, most)
    assert sum(z - a for _, a, z in found) <= max(most, 1)
    assert all(3 <= a < z <= 3 + lengths[b] for b, a, z in found)
    assert found[-1][2] == spans[-1][2]
    steps = [(b, i) for b, a, z in found for i in range(a, z)]
    assert len(set(steps)) == len(steps)


LINE = "the cat sat on \N{HANGUL SYLLABLE GANG}"


@pytest.mark.parametrize(
    ("raw", "lines"),
    [
        pytest.param(f"{LINE}\n".encode() * 60, 60, id="LF"),
        pytest.param(f"{LINE}\r\n".encode() * 60, 60, id="CRLF"),
        pytest.param(f"{LINE}\r".encode() * 60, 60, id="CR"),
        pytest.param(f"{LINE}\n{LINE}\r\n{LINE}\r".encode() * 20, 60, id="mixed"),
        pytest.param(f"{LINE}\u2028x\x0b\x0c\x85y\n".encode() * 60, 60, id="ends of Unicode alone"),
        pytest.param(f"\ufeff{LINE}\r\n".encode() + f"\ufeff{LINE}\n".encode() * 59, 60, id="byte order marks"),
        pytest.param(f"{LINE}\n".encode() * 60 + b"the end", 61, id="no last end"),
        pytest.param(f"{LINE}\n".encode() * 60 + b"the end\r", 61, id="a last CR"),
    ],
)
def test_an_odd_text_is_the_same_packed_and_on_disk(raw: bytes, lines: int, tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_bytes(raw)
    on_disk = ostinato.read(tmp_path / "a.txt", kind="text", per_line=False)
    assert on_disk.on_disk
    assert int((on_disk.values == ord("\n")).sum()) == lines - (not raw.endswith((b"\n", b"\r")))
    for ending, content in packed(raw).items():
        path = tmp_path / f"a.txt.{ending}"
        path.write_bytes(content)
        in_memory = ostinato.read(path, kind="text", per_line=False)
        assert np.array_equal(in_memory.values, on_disk.values), ending
        assert len(ostinato.read(path, kind="text", per_line=True)) == lines, ending


@pytest.mark.parametrize(
    ("bad", "message"), [(b"abc \xff", "0xff"), ("\uac15".encode()[:2], "0xea"), (b"\xed\xa0\x80", "0xed")]
)
def test_bytes_that_are_no_text_are_named_alike_packed_and_on_disk(bad: bytes, message: str, tmp_path: Path) -> None:
    raw = f"{LINE}\n".encode() * 60 + bad
    told = set()
    for ending, content in {"": raw, **packed(raw)}.items():
        path = tmp_path / f"a.txt{ending and '.'}{ending}"
        path.write_bytes(content)
        with pytest.raises(DataError, match=message) as error:
            ostinato.read(path, kind="text", per_line=False)
        # the encoding that they may have instead is guessed from the bytes around them, on disk from fewer
        told.add(str(error.value).replace(path.name, "a.txt").partition("\nfix")[0])
    assert len(told) == 1


def packed(raw: bytes) -> dict[str, bytes]:
    """Return bytes packed in every form that is read, by the ending of its name."""
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as file:
        file.writestr("a.txt", raw)
    zstd = pa.compress(raw, codec="zstd", asbytes=True)
    return {
        "gz": gzip.compress(raw), "bz2": bz2.compress(raw), "xz": lzma.compress(raw), "zst": zstd,
        "zip": archive.getvalue(),
    }  # fmt: skip
