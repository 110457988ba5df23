"""Train and held-out: by time, by whole sequence, by name; equal sequences on the same side."""

from __future__ import annotations

import numpy as np
import pytest

from ostinato.data.sequences import Kind, SequenceSet
from ostinato.data.split import split
from ostinato.errors import ConfigError, DataError


def made(rows: list[list[float]], kind: Kind = "series") -> SequenceSet:
    lengths = [len(r) for r in rows]
    values = np.array([v for r in rows for v in r], dtype=np.int32 if kind == "text" else np.float64).reshape(-1, 1)
    offsets = np.cumsum([0, *lengths], dtype=np.int64)
    return SequenceSet(kind, values, offsets, tuple(f"s{i}" for i in range(len(rows))))


def test_a_series_gives_its_end() -> None:
    cut = split(made([list(range(100)), list(range(50))]), 0.1)
    assert cut.by_time
    assert cut.train_stop.tolist() == [90, 45]
    assert cut.train(made([list(range(100)), list(range(50))])).values[-1, 0] == 44


def test_equal_texts_fall_on_the_same_side() -> None:
    rows = [[float(i % 40), 1.0, float(i % 7)] for i in range(400)]
    cut = split(made(rows, "text"), 0.2)
    assert not cut.by_time
    side: dict[tuple[float, ...], set[bool]] = {}
    for row, kept in zip(rows, cut.kept.tolist(), strict=True):
        side.setdefault(tuple(row), set()).add(kept)
    assert all(len(s) == 1 for s in side.values())
    assert 0.05 < 1 - cut.kept.mean() < 0.4


def test_a_text_split_does_not_depend_on_the_order_of_the_file() -> None:
    rows = [[float(i), float(i * i % 97)] for i in range(200)]
    forward, back = split(made(rows, "text"), 0.3).kept, split(made(rows[::-1], "text"), 0.3).kept
    assert forward.tolist() == back[::-1].tolist()


def test_a_pattern_names_whole_sequences() -> None:
    cut = split(made([[1.0, 2.0], [3.0], [4.0, 5.0]]), "s1")
    assert cut.kept.tolist() == [True, False, True]
    assert cut.words(made([[1.0, 2.0], [3.0], [4.0, 5.0]])) == "held out: 1 of 3 whole sequences"


@pytest.mark.parametrize("share", [0.0, 1.0, -0.5, 2.0])
def test_a_share_that_cannot_be(share: float) -> None:
    with pytest.raises(ConfigError, match="share"):
        split(made([[1.0, 2.0, 3.0]]), share)


@pytest.mark.parametrize("pattern", ["x*", "s*"])
def test_a_pattern_that_splits_nothing(pattern: str) -> None:
    with pytest.raises(ConfigError, match="pattern"):
        split(made([[1.0], [2.0]]), pattern)


def test_too_little_to_split() -> None:
    with pytest.raises(DataError, match="too few"):
        split(made([[1.0]]), 0.1)
