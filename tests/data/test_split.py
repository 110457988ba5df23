"""Train, validation and held-out: by time, by whole sequence, by name; equal sequences on the same side."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, reject, settings
from hypothesis import strategies as st

from ostinato.data.sequences import SequenceSet
from ostinato.data.split import BLOCKS, LEAST_BLOCK, Part, Split, split
from ostinato.errors import ConfigError, DataError
from ostinato.kinds import Kind


def made(rows: list[list[float]], kind: Kind = "series") -> SequenceSet:
    lengths = [len(r) for r in rows]
    values = np.array([v for r in rows for v in r], dtype=np.int32 if kind == "text" else np.float64).reshape(-1, 1)
    offsets = np.cumsum([0, *lengths], dtype=np.int64)
    return SequenceSet(kind, values, offsets, tuple(f"s{i}" for i in range(len(rows))))


def test_a_series_gives_its_end() -> None:
    data = made([list(range(100)), list(range(50)), [7]])
    cut = split(data, 0.1)
    assert cut.by_time
    assert cut.stops.tolist() == [[81, 90], [41, 45], [1, 1]]
    assert cut.take("known", data).values[-2:, 0].tolist() == [44, 7]
    assert cut.take("held-out", data).values[:, 0].tolist() == [*range(90, 100), *range(45, 50)]
    assert cut.words(data) == "split by time: training 123 steps, validation 13, held out 15"


@given(
    st.lists(st.lists(st.integers(0, 3), max_size=9), min_size=1, max_size=60),
    st.floats(0.05, 0.9),
    st.sampled_from(["text", "series"]),
    st.booleans(),
)
def test_every_step_falls_into_one_part(rows: list[list[int]], share: float, kind: Kind, ends: bool) -> None:
    data = made([[float(v) for v in row] for row in rows], kind)
    try:
        cut = split(data, share)
    except DataError:
        reject()
    lengths = data.lengths + ends
    parts: tuple[Part, ...] = ("train", "validation", "held-out")
    seen = [(b, t) for part in parts for b, a, z in cut.spans(part, data.lengths, lengths) for t in range(a, z)]
    assert sorted(seen) == [(b, t) for b, n in enumerate(lengths.tolist()) for t in range(n)]


def test_equal_texts_fall_on_the_same_side() -> None:
    rows = [[float(i % 40), 1.0, float(i % 7)] for i in range(400)]
    cut = split(made(rows, "text"), 0.2)
    assert not cut.by_time
    side: dict[tuple[float, ...], set[tuple[int, ...]]] = {}
    for row, stops in zip(rows, cut.stops.tolist(), strict=True):
        side.setdefault(tuple(row), set()).add(tuple(stops))
    assert all(len(s) == 1 for s in side.values())
    assert 0.05 < (cut.stops[:, 1] < 0).mean() < 0.4
    assert (cut.stops[:, 0] < cut.stops[:, 1]).any()


def test_many_short_series_without_times_are_held_out_whole() -> None:
    rows = [[float(i), 1.0, float(i % 7)] for i in range(100)]
    assert not split(made(rows), 0.2).by_time
    assert split(made([row * 50 for row in rows]), 0.2).by_time


def test_a_text_split_does_not_depend_on_the_order_of_the_file() -> None:
    rows = [[float(i), float(i * i % 97)] for i in range(200)]
    forward, back = (split(made(r, "text"), 0.3).stops for r in (rows, rows[::-1]))
    assert forward.tolist() == back[::-1].tolist()


def test_a_pattern_names_whole_sequences() -> None:
    data = made([[1.0, 2.0], [3.0], [4.0, 5.0]])
    cut = split(data, "s1")
    assert cut.take("known", data).ids == ("s0", "s2")
    assert cut.words(data) == "split by sequence: held out 1 of 3 whole sequences, validation on 2 others"


@pytest.mark.parametrize("share", [0.0, 1.0, -0.5, 2.0])
def test_an_invalid_share_is_refused(share: float) -> None:
    with pytest.raises(ConfigError, match="share"):
        split(made([[1.0, 2.0, 3.0]]), share)


@pytest.mark.parametrize("pattern", ["x*", "s*"])
def test_a_pattern_that_splits_nothing_is_refused(pattern: str) -> None:
    with pytest.raises(ConfigError, match="pattern"):
        split(made([[1.0], [2.0]]), pattern)


def test_too_little_to_split() -> None:
    with pytest.raises(DataError, match="too few"):
        split(made([[1.0]]), 0.1)


def steps_of(cut: Split, part: Part, data: SequenceSet) -> list[int]:
    """Return the numbers of the steps of a part, counted over all sequences, in the order of its spans."""
    spans, at = cut.spans(part, data.lengths, data.lengths), data.offsets
    return list(np.concatenate([np.zeros(0, int), *(np.arange(at[b] + a, at[b] + z) for b, a, z in spans)]))


@settings(deadline=None, max_examples=40)
@given(st.lists(st.integers(1, 60_000), min_size=1, max_size=3), st.floats(0.05, 0.5))
def test_the_validation_part_of_a_text_is_spread_over_it(lengths: list[int], share: float) -> None:
    text, series = (
        SequenceSet(kind, np.arange(sum(lengths))[:, None], np.cumsum([0, *lengths]), tuple(map(str, lengths)))
        for kind in ("text", "series")
    )
    try:
        cut, end = split(text, share), split(series, share)
    except DataError:
        reject()
    parts: tuple[Part, ...] = ("train", "validation", "held-out")
    assert sorted(step for part in parts for step in steps_of(cut, part, text)) == list(range(sum(lengths)))
    # as many steps in each part as when the validation part is the end, and the same ones are held out
    assert [len(steps_of(cut, part, text)) for part in parts] == [len(steps_of(end, part, series)) for part in parts]
    assert steps_of(cut, "held-out", text) == steps_of(end, "held-out", series)
    for part in parts:
        assert cut.take(part, text).values[:, 0].tolist() == steps_of(cut, part, text)
    spans = cut.spans("validation", text.lengths, text.lengths)
    for row, (train, known) in enumerate(end.stops.tolist()):
        own = [(a, z) for b, a, z in spans if b == row]
        if len(own) <= 1:
            assert train == 0 or known - train < 2 * LEAST_BLOCK
            continue
        assert len(own) <= BLOCKS
        assert all(z - a >= LEAST_BLOCK for a, z in own)
        assert own[-1][1] == known
        gaps = np.array([a for a, _ in own]) - [0, *(z for _, z in own[:-1])]
        assert gaps.min() > 0
        assert gaps.max() - gaps.min() <= 2


def test_the_split_says_that_the_validation_part_is_spread() -> None:
    text, series = made([[0.0] * 50_000], "text"), made([[0.0] * 50_000])
    assert split(text).words(text) == (
        "split by time: training 40,500 steps, validation 4,500 in 4 blocks spread over the text, held out 5,000"
    )
    assert split(series).words(series) == "split by time: training 40,500 steps, validation 4,500, held out 5,000"


def test_texts_held_out_by_name_leave_blocks_of_the_others() -> None:
    data = made([[0.0] * 30_000, [1.0] * 30_000, [2.0] * 30_000], "text")
    cut = split(data, "s1")
    assert len(cut.spans("validation", data.lengths, data.lengths)) == 4
    assert cut.words(data) == "split by sequence: held out 1 of 3 whole sequences, validation on 2 others"
