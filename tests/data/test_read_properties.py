"""Laws of the readers: data that are written and read are unchanged, whatever the file form."""

from __future__ import annotations

import gzip
from pathlib import Path
from typing import Literal

import numpy as np
import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from numpy.testing import assert_array_equal

from ostinato.data.read import read
from ostinato.data.sequences import SequenceSet
from ostinato.errors import DataError

Panel = dict[str, list[float | None]]

quick = settings(deadline=None, max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
# a series of values below 1e-150 alone is refused, see tests/faults/test_fault_types.py
cells = st.one_of(st.none(), st.floats(-1e12, 1e12).map(lambda x: x if abs(x) >= 1e-150 else 0.0))
rows = st.lists(cells, max_size=12).filter(lambda x: not x or any(c is not None for c in x))
SURROGATES: tuple[Literal["Cs"]] = ("Cs",)
names = st.text(st.characters(codec="utf-8", categories=("L", "N", "S")), min_size=1, max_size=6)
words = st.text(st.characters(codec="utf-8", exclude_categories=SURROGATES, exclude_characters="\0\r"), max_size=15)


@st.composite
def panels(draw: st.DrawFn) -> Panel:
    """Series of any length with missing values, at least one with a step in it."""
    keys = draw(st.lists(names, min_size=1, max_size=4, unique=True))
    panel = {key: draw(rows) for key in keys}
    panel[keys[0]] = panel[keys[0]] or [1.5]
    return panel


def long(panel: Panel, seed: int = 0) -> pl.DataFrame:
    """Return the panel with one step per row; the series are mixed, and each is in order of time."""
    steps = [(key, t, y) for key, x in panel.items() for t, y in enumerate(x)]
    order = np.random.default_rng(seed).permutation(len(steps))
    queues = {key: iter([s for s in steps if s[0] == key]) for key in panel}
    mixed = [next(queues[steps[i][0]]) for i in order]
    return pl.DataFrame(mixed, schema={"unique_id": pl.String, "ds": pl.Int64, "y": pl.Float64}, orient="row")


def same(data: SequenceSet, panel: Panel) -> None:
    filled = {key: x for key, x in panel.items() if x}
    assert set(data.ids) == set(filled)
    for b, key in enumerate(data.ids):
        assert_array_equal(data[b][:, 0], np.array(filled[key], dtype=np.float64))
    assert data.offsets.tolist() == np.cumsum([0, *(len(filled[key]) for key in data.ids)]).tolist()


@quick
@given(panels(), st.integers(0, 99), st.sampled_from([",", "\t", ";"]), st.booleans())
def test_csv(tmp_path: Path, panel: Panel, seed: int, separator: str, packed: bool) -> None:
    path = tmp_path / ("t.csv.gz" if packed else "t.csv")
    raw = long(panel, seed).write_csv(separator=separator, quote_style="non_numeric").encode()
    path.write_bytes(gzip.compress(raw) if packed else raw)
    same(read(path), panel)


@quick
@given(panels(), st.integers(0, 99))
def test_frames(panel: Panel, seed: int) -> None:
    frame = long(panel, seed)
    for source in (frame, frame.to_pandas()):
        same(read(source), panel)


@settings(quick, max_examples=10)  # each file is read in a process of its own first, and then as a frame of polars
@given(panels(), st.integers(0, 99))
def test_parquet(tmp_path: Path, panel: Panel, seed: int) -> None:
    long(panel, seed).write_parquet(tmp_path / "t.parquet")
    same(read(tmp_path / "t.parquet"), panel)


@quick
@given(panels())
def test_arrays_keep_sequences_of_length_0(panel: Panel) -> None:
    data = read({key: np.array(x, dtype=np.float64) for key, x in panel.items()})
    assert data.ids == tuple(panel)
    assert data.lengths.tolist() == [len(x) for x in panel.values()]
    for x, y in zip(data, panel.values(), strict=True):
        assert_array_equal(x[:, 0], np.array(y, dtype=np.float64))


@quick
@given(st.integers(1, 20), st.integers(1, 4), st.integers(0, 99))
def test_wide_is_long(length: int, width: int, seed: int) -> None:
    table = np.random.default_rng(seed).normal(size=(length, width))
    channels = [f"c{d}" for d in range(width)]
    wide = pl.DataFrame({"ds": range(length), **{c: table[:, d] for d, c in enumerate(channels)}})
    tall = wide.unpivot(index="ds", variable_name="unique_id", value_name="y")
    one, several = read(wide), read(tall)
    assert one.channels == tuple(channels) == several.ids
    for d in range(width):
        assert_array_equal(one.values[:, d], several[d][:, 0])


@quick
@given(st.lists(words, min_size=1, max_size=8).filter(any), st.sampled_from([",", "\t"]))
def test_words_in_a_column(tmp_path: Path, texts: list[str], separator: str) -> None:
    path = tmp_path / "t.csv"
    pl.DataFrame({"n": range(len(texts)), "said": texts}).write_csv(path, separator=separator, quote_style="always")
    data = read(path, kind="text", target="said")
    assert ["".join(map(chr, x[:, 0])) for x in data] == texts


@quick
@given(st.lists(words.filter(lambda w: "\n" not in w and "\ufeff" not in w), min_size=1, max_size=8).filter(any))
def test_lines(tmp_path: Path, texts: list[str]) -> None:
    path = tmp_path / "t.txt"
    path.write_bytes("".join(f"{w}\n" for w in texts).encode())
    data = read(path, kind="text", per_line=True)
    assert ["".join(map(chr, x[:, 0])) for x in data] == texts


@quick
@given(st.data(), panels().filter(lambda p: sum(map(len, p.values())) > 1))
def test_an_error_names_the_line_an_editor_shows(tmp_path: Path, data: st.DataObject, panel: Panel) -> None:
    frame = long(panel).with_columns(pl.lit("two\nlines").alias("note")).select("unique_id", "ds", "note", "y")
    blocks = frame.write_csv(quote_style="non_numeric").replace("two\nlines", "two\0lines").splitlines()
    at = data.draw(st.integers(1, len(blocks) - 1))
    blocks[at] = blocks[at].rsplit(",", 1)[0] + ",oops"
    blanks = [data.draw(st.integers(0, 2)) for _ in blocks]
    text = "".join("\n" * n + block.replace("\0", "\n") + "\n" for n, block in zip(blanks, blocks, strict=True))
    path = tmp_path / "t.csv"
    path.write_text(text)
    start = text[: text.index(",oops")].rindex('"two') + 1
    line = text.count("\n", 0, start) + 1
    with pytest.raises(DataError, match=rf"cannot read 'oops' in column 'y' as a number\nwhere: .*, line {line}\n"):
        read(path, target="y", kind="series")
