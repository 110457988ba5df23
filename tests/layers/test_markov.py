"""The Markov chain of symbols: counts by hand, the laws of a recurrence, and a distribution after every context."""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Callable, Collection
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from ostinato.errors import ConfigError, DataError
from ostinato.layers.markov import Markov

Ints = NDArray[np.int64]
V = 4


def joined(rows: list[list[int]]) -> tuple[Ints, Ints]:
    values = np.array([s for row in rows for s in row], dtype=np.int64)
    return values, np.cumsum([0, *map(len, rows)], dtype=np.int64)


def some(seed: int = 0, rows: int = 30) -> tuple[Ints, Ints]:
    """Sequences whose symbols depend on their past, of lengths 0 to 11, with missing symbols."""
    g, out = np.random.default_rng(seed), []
    for _ in range(rows):
        row = [int(g.integers(V))]
        for _ in range(int(g.integers(12))):
            row.append(int((row[-1] + g.choice([1, 1, 1, 2, 0])) % V))
        out.append([s if g.random() > 0.1 else -1 for s in row[: int(g.integers(13))]])
    return joined(out)


def chain(order: int = 3) -> Markov:
    return Markov.fit(*some(), V, order, criterion="given")


#: How often each pair of a context and the symbol after it was seen, for each order.
Counts = list[Counter[tuple[tuple[int, ...], int]]]
#: The symbols that stood before each pair, for each order; a pair with none before it has its place instead.
Older = list[dict[tuple[tuple[int, ...], int], set[object]]]


def has_context(past: list[int], k: int, t: int) -> bool:
    """Whether step t, with -1 and then t symbols in its past, has a context of k symbols that no gap interrupts."""
    if k > len(past) or -1 in past[len(past) - k + 1 :]:
        return False
    return not k or past[-k] != -1 or k == t + 1


def pairs_of(rows: list[list[int]], order: int) -> tuple[Counts, Older]:
    """The counts of all pairs in rows, and the symbols before them."""
    raw: Counts = [Counter() for _ in range(order + 1)]
    left: Older = [{} for _ in range(order + 1)]
    for b, row in enumerate(rows):
        for t, w in enumerate(row):
            past = [-1, *row[:t]]
            for k in range(order + 1):
                if w < 0 or not has_context(past, k, t):
                    break
                key = (tuple(past[len(past) - k :]), w)
                raw[k][key] += 1
                older = past[-k - 1] if k < len(past) else -1
                left[k].setdefault(key, set()).add(older if older >= 0 else (b, t))
    return raw, left


def discounts(counts: Collection[int]) -> list[float]:
    """The discounts of counts of 0, 1, 2, and 3 or more (Chen and Goodman 1999, equation 26)."""
    n = [sum(v == i for v in counts) for i in range(1, 5)]
    d = [0.0, 0.5, 1.0, 1.5]
    for i in (1, 2, 3):
        if n[0] and n[i - 1]:
            estimate = i - (i + 1) * n[0] / (n[0] + 2 * n[1]) * n[i] / n[i - 1]
            d[i] = estimate if 0 < estimate < i else d[i]
    return d


def by_definition(rows: list[list[int]], order: int, context: tuple[int, ...], vocabulary: int) -> NDArray[np.float64]:
    """P(. | context), oldest first with -1 for the start, from dictionaries and the recursion of the paper."""
    raw, left = pairs_of(rows, order)

    def p(k: int, c: tuple[int, ...]) -> NDArray[np.float64]:
        below = np.full(vocabulary, 1 / vocabulary) if k == 0 else p(k - 1, c[1:])
        counts = dict(raw[k]) if k == order else {key: len(s) for key, s in left[k].items()}
        d = discounts(counts.values())
        here = {w: v for (key, w), v in counts.items() if key == c}
        if not here:
            return below
        out = sum(d[min(v, 3)] for v in here.values()) * below
        for w, v in here.items():
            out[w] += v - d[min(v, 3)]
        return out / sum(here.values())

    while len(context) > order:
        context = context[1:]
    # an unseen context is replaced by the longest part of its end that was seen
    while context and not any(key[0] == context for key in raw[len(context)]):
        context = context[1:]
    return p(len(context), context)


def test_bigram_by_hand() -> None:
    # a b a b | a c: after a: b twice, c once. Pairs of order 1: (^,a) 2, (a,b) 2, (b,a) 1, (a,c) 1, so n1 = 2, n2 = 2,
    # n3 = 0: Y = 2 / 6, D1 = 1 - 2 Y = 1/3, D2 = 2 - 0 is out of range: 1. Order 0 counts what differs on the left:
    # a after b and twice after the start: 3; b after a: 1; c after a: 1. n1 = 2, n2 = 0, n3 = 1: D1 = 1 - 0 is out of
    # range: 1/2, and D3 = 3/2.
    data = joined([[0, 1, 0, 1], [0, 2]])
    model = Markov.fit(*data, 3, 1, criterion="given")
    taken = (1.5 + 0.5 + 0.5) / 5
    unigram = np.array([(3 - 1.5) / 5, 0.5 / 5, 0.5 / 5]) + taken / 3
    after_a = np.array([0, (2 - 1) / 3, (1 - 1 / 3) / 3]) + (1 + 1 / 3) / 3 * unigram
    after_b = np.array([1 - 1 / 3, 0, 0]) + 1 / 3 * unigram
    first = np.array([(2 - 1) / 2, 0, 0]) + 1 / 2 * unigram
    h, _ = model.unroll(torch.tensor([0, 1, 2]).reshape(3, 1, 1))
    expected = np.stack([after_a, after_b, unigram])  # nothing ever followed c
    np.testing.assert_allclose(h[:, 0].exp().numpy(), expected, rtol=1e-5)
    np.testing.assert_allclose(model.first().exp().numpy(), first, rtol=1e-5)
    nats = model.log_prob_of(*joined([[0, 1, 0], [1]]))
    np.testing.assert_allclose(np.exp(nats), [first[0], after_a[1], after_b[0], first[1]], rtol=1e-6)


@pytest.mark.parametrize("order", [0, 1, 2, 4])
def test_it_equals_the_recursion_of_the_paper(order: int) -> None:
    values, offsets = some(3)
    rows = [values[a:z].tolist() for a, z in itertools.pairwise(offsets)]
    model = Markov.fit(values, offsets, V, order, criterion="given")
    row = [2, 3, 0, 1, 3, 3]
    h, _ = model.unroll(torch.tensor(row).reshape(-1, 1, 1))
    for t in range(len(row) + 1):
        expected = by_definition(rows, order, (-1, *row[:t]), V)
        got = model.first() if t == 0 else h[t - 1, 0]
        np.testing.assert_allclose(got.exp().numpy(), expected, rtol=1e-5, err_msg=str(t))


@pytest.mark.parametrize("order", [0, 1, 3, 6])
def test_log_prob_of_is_the_unroll(order: int) -> None:
    model, (values, offsets) = chain(order), some(1)
    nats = model.log_prob_of(values, offsets)
    for a, z in itertools.pairwise(offsets):
        h, _ = model.unroll(torch.from_numpy(values[a:z]).reshape(-1, 1, 1))
        table = torch.cat([model.first()[None], h[:, 0]])[:-1].numpy()
        for t, s in enumerate(values[a:z]):
            assert nats[a + t] == pytest.approx(table[t, s] if s >= 0 else 0.0, abs=1e-5)


def test_log_prob_of_is_the_unroll_where_a_context_has_more_symbols_than_one_number_holds() -> None:
    rng, V = np.random.default_rng(4), 1000  # six symbols of 10 bits are in one number
    values = np.tile(rng.integers(0, V, 30), 6)
    values[rng.integers(0, 180, 12)] = rng.integers(-1, V, 12)
    offsets = np.array([0, 100, 180])
    model = Markov.fit(values, offsets, V, 9, criterion="given")
    nats = model.log_prob_of(values, offsets)
    for a, z in itertools.pairwise(offsets):
        h, _ = model.unroll(torch.from_numpy(values[a:z]).reshape(-1, 1, 1))
        table = torch.cat([model.first()[None], h[:, 0]])[:-1].double().numpy()
        own = values[a:z]
        expected = np.where(own < 0, 0.0, table[np.arange(z - a), own])
        np.testing.assert_allclose(nats[a:z], expected, atol=1e-5)


@pytest.mark.parametrize("order", [0, 1, 3, 6])
def test_log_prob_is_the_unroll_in_chunks(order: int) -> None:
    model = chain(order)
    x = torch.randint(-1, V, (9, 4, 1), generator=torch.Generator().manual_seed(2))
    h, (last,) = model.unroll(x)
    table = torch.cat([model.first().expand(1, 4, V), h[:-1]])
    expected = torch.where(x < 0, 0.0, table.gather(-1, x.clamp(min=0)))
    for cut in (0, 1, 5, 9):
        one, state = model.log_prob(x[:cut], model.initial_state(4))
        two, (end,) = model.log_prob(x[cut:].double().where(x[cut:] >= 0, torch.nan), state)
        torch.testing.assert_close(torch.cat([one, two]), expected)
        assert torch.equal(end, last)


@pytest.mark.parametrize("order", [0, 1, 3])
def test_laws(order: int) -> None:
    """Chunks, rows and single steps give the result of one pass; a row of length 0 keeps its state."""
    model = chain(order)
    x = torch.randint(-1, V, (9, 4, 1), generator=torch.Generator().manual_seed(1))
    h, (last,) = model.unroll(x)
    assert torch.equal(h, model.unroll(x.float())[0])
    for cut in (0, 1, 5, 9):
        one, state = model.unroll(x[:cut])
        two, (end,) = model.unroll(x[cut:], state)
        torch.testing.assert_close(torch.cat([one, two]), h)
        assert torch.equal(end, last)
    lengths = torch.tensor([0, 9, 3, 1])
    ragged, (ends,) = model.unroll(x, model.unroll(x[:2])[1], lengths)
    assert torch.isfinite(ragged).all()
    for b, n in enumerate(lengths.tolist()):
        before = model.unroll(x[:2, b : b + 1])[1]
        alone, (end,) = model.unroll(x[:n, b : b + 1], before)
        torch.testing.assert_close(ragged[:n, b : b + 1], alone)
        assert torch.equal(ends[b : b + 1], end)
    state = model.initial_state(4)
    for t in range(9):
        state, now = model.step(state, x[t])
        torch.testing.assert_close(now, h[t])
    assert torch.equal(state[0], last)


def test_a_missing_symbol_hides_what_came_before_it() -> None:
    model = chain()
    one, _ = model.unroll(torch.tensor([1, 2, -1, 3]).reshape(-1, 1, 1))
    two, _ = model.unroll(torch.tensor([0.0, 0.0, float("nan"), 3.0]).reshape(-1, 1, 1))
    torch.testing.assert_close(one[2:], two[2:])
    start, _ = model.unroll(torch.tensor([3]).reshape(-1, 1, 1))
    assert not torch.allclose(one[3], start[0])  # missing is not the start


@settings(deadline=None, max_examples=30)
@given(
    st.lists(st.lists(st.integers(-1, 2), max_size=8), min_size=1, max_size=5),
    st.lists(st.integers(-1, 2), max_size=6),
    st.integers(0, 4),
)
def test_probabilities_sum_to_one(rows: list[list[int]], path: list[int], order: int) -> None:
    model = Markov.fit(*joined(rows), 3, order, criterion="given")
    h, _ = model.unroll(torch.tensor(path, dtype=torch.int64).reshape(-1, 1, 1))
    table = torch.cat([model.first()[None], h[:, 0]]).double()
    assert torch.isfinite(table).all()
    torch.testing.assert_close(table.exp().sum(-1), torch.ones(len(table), dtype=torch.float64), atol=1e-5, rtol=0)


def test_state_dict_round_trip() -> None:
    model, x = chain(), torch.tensor([1, 3, 0]).reshape(-1, 1, 1)
    other = Markov.empty(model.config())
    other.load_state_dict(model.state_dict())
    assert torch.equal(other.unroll(x)[0], model.unroll(x)[0])
    assert {b.dtype for b in model.state_dict().values()} == {torch.int64, torch.float32}


def test_the_order_is_chosen_on_held_out_data() -> None:
    held = some(9)
    best = Markov.fit(*some(), V, 6, held)
    nats = [chain(k).log_prob_of(*held).sum() for k in range(7)]
    assert best.order == int(np.argmax(nats)) > 0
    assert best.log_prob_of(*held).sum() == pytest.approx(max(nats), rel=1e-5)
    assert Markov.fit(*some(), V, 6).order > 0
    assert Markov.fit(*joined([[0, 1] * 50]), 2, 3).order > 0


def test_a_chain_fitted_to_no_data_is_uniform() -> None:
    model = Markov.fit(*joined([[], [-1, -1]]), 5, 3)
    torch.testing.assert_close(model.first().exp(), torch.full((5,), 0.2))


def test_mistakes_are_named() -> None:
    with pytest.raises(DataError, match="symbol 7 is outside the vocabulary"):
        Markov.fit(*joined([[0, 7]]), V, 1)
    with pytest.raises(ConfigError, match="must be at least 0, got -1"):
        Markov.fit(*joined([[0]]), V, -1)
    with pytest.raises(ValueError, match="symbol 4"):
        chain().unroll(torch.tensor([4]).reshape(1, 1, 1))


def test_names(shared_data: Callable[[str], Path]) -> None:
    """The nats of a held-out symbol of real names are well below the 2.25 of an add-one trigram model."""
    names = sorted(set(shared_data("text/names.txt").read_text().split()))
    rows = [[ord(c) - 97 for c in name] + [26] for name in names]
    train, held = joined([r for i, r in enumerate(rows) if i % 10]), joined(rows[::10])
    model = Markov.fit(*train, 27, 8, held)
    assert -model.log_prob_of(*held).mean() < 2.1
