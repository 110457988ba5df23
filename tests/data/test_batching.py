"""Every counted step is seen exactly once, aligned from chunk to chunk, and reset exactly where a piece begins."""

from __future__ import annotations

import numpy as np
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from ostinato.data.batching import Batch, aligned, apart, bucketed, pieces, whole
from ostinato.data.encoded import Encoded

LENGTHS = st.lists(st.integers(0, 40), min_size=1, max_size=8).filter(lambda x: sum(x) > 0)
#: Whether each step of up to 8 sequences is marked.
MARKS = st.lists(st.booleans(), min_size=320, max_size=320)


def encoded(lengths: list[int]) -> Encoded:
    values = torch.arange(sum(lengths), dtype=torch.float32)[:, None]
    flat = torch.zeros(len(lengths), 1)
    return Encoded(values, np.cumsum([0, *lengths], dtype=np.int64), flat, flat, flat, torch.zeros_like(values))


def counted(batches: list[Batch]) -> list[float]:
    return sorted(v for b in batches for v in b.x[b.weight].tolist())


@settings(deadline=None, max_examples=100)
@given(LENGTHS, st.integers(1, 50), st.integers(0, 9), st.integers(1, 60), st.lists(st.integers(1, 17), min_size=1))
def test_aligned_chunks_see_every_step_once(
    lengths: list[int], longest: int, warm: int, steps: int, windows: list[int]
) -> None:
    data = encoded(lengths)
    items = pieces([(b, 0, n) for b, n in enumerate(lengths) if n], longest, warm)
    asked = [*windows, *[windows[-1]] * 5000]
    batches = list(aligned(data, items, steps, lambda i: asked[i], warm))
    assert counted(batches) == list(range(sum(lengths)))
    before: list[tuple[int, int]] = []
    for batch, window in zip(batches, asked, strict=False):
        assert len(batch.rows) == 1 or len(batch.rows) * window <= steps
        fresh = [bool(r) for r in batch.reset]
        assert all(fresh[len(before) :]), "a row that was added begins a piece"
        for at, (row, start), reset in zip(before, zip(batch.rows, batch.starts, strict=True), fresh, strict=False):
            assert row < 0 or reset or at == (row, start), "a row goes on exactly where it stopped"
        before = [(row, start + window) for row, start in zip(batch.rows, batch.starts, strict=True)]


@settings(deadline=None, max_examples=40)
@given(LENGTHS, st.integers(1, 100), st.booleans())
def test_buckets_hold_every_piece_once(lengths: list[int], steps: int, shuffled: bool) -> None:
    data = encoded(lengths)
    items = pieces([(b, 0, n) for b, n in enumerate(lengths) if n], 1000, 0)
    batches = bucketed(items, steps, np.random.default_rng(0) if shuffled else None)
    assert counted([whole(data, b) for b in batches]) == list(range(sum(lengths)))
    for batch in batches:
        assert len(batch) == 1 or len(batch) * max(p.stop - p.first for p in batch) <= steps


@settings(deadline=None, max_examples=100)
@given(LENGTHS, MARKS, MARKS)
def test_spans_part_into_what_others_hold_and_what_they_do_not(
    lengths: list[int], taken: list[bool], held: list[bool]
) -> None:
    def runs(marked: list[bool]) -> list[tuple[int, int, int]]:
        at, out = np.cumsum([0, *lengths]), []
        for row, n in enumerate(lengths):
            edges = np.flatnonzero(np.diff([False, *marked[at[row] : at[row] + n], False])).tolist()
            out += [(row, a, z) for a, z in zip(edges[::2], edges[1::2], strict=True)]
        return out

    def steps(spans: list[tuple[int, int, int]]) -> list[tuple[int, int]]:
        return [(row, t) for row, a, z in spans for t in range(a, z)]

    spans, others = runs(taken), runs(held)
    outside, inside = apart(spans, others[::-1])
    assert steps(outside) == sorted(set(steps(spans)) - set(steps(others)))
    assert steps(inside) == sorted(set(steps(spans)) & set(steps(others)))
    assert all(a < z for _, a, z in [*outside, *inside])


def test_missing_values_are_not_counted() -> None:
    data = encoded([5])
    data.values[:][2] = torch.nan
    (batch,) = aligned(data, pieces([(0, 0, 5)], 10, 0), 10, 10)
    assert batch.weight[:, 0, 0].tolist() == [True, True, False, True, True]


def test_the_order_of_an_epoch_follows_from_its_seed() -> None:
    items = pieces([(b, 0, 5) for b in range(30)], 10, 0)
    first, again, other = (bucketed(items, 25, np.random.default_rng(s)) for s in (1, 1, 2))
    assert first == again != other
