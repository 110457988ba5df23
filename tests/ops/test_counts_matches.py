"""The matches of adaptive counts: what they expect, against a search of the whole text, and what they may not know."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from ostinato.errors import ModelFileError
from ostinato.layers.counts import Counts
from ostinato.ops.counts.form import MATCHES, CountsState, Tree
from ostinato.ops.counts.past import MATCHED
from ostinato.ops.engine import extension

V = 5
IMPLEMENTATIONS = ["reference"] + ([] if extension.ABSENT else ["native"])
every = pytest.mark.parametrize("implementation", IMPLEMENTATIONS)


def empty(implementation: str, slots: int = 1024) -> Counts:
    """Counts that have learned nothing."""
    none = np.zeros(0, dtype=np.int64)
    return Counts.fit(none, np.array([0]), [1] * V, slots=slots, implementation=implementation)


def text(seed: int, length: int) -> list[int]:
    """Symbols in phrases that return, with errors in them."""
    rng = np.random.default_rng(seed)
    phrases = [rng.integers(0, V, 30).tolist() for _ in range(3)]
    found: list[int] = []
    while len(found) < length:
        found += phrases[rng.integers(3)][rng.integers(10) :]
        found[-1] = int(rng.integers(V))
    return found[:length]


def expected(state: CountsState) -> list[int]:
    """What the matches of a row expect, -1 for none."""
    history, places = state.history[0, 0].tolist(), state.path[0, MATCHED:].reshape(-1, 2).tolist()
    return [history[at] - 1 if n else -1 for at, n in places]


def searched(symbols: list[int], least: int) -> list[int]:
    """What a match of so many symbols expects after each symbol, by a search of all that came before."""
    found, place = list[int](), None
    for t in range(len(symbols)):
        known = symbols[: t + 1]
        place = place + 1 if place is not None and known[place] == symbols[t] else None
        if place is None and t + 1 >= least:
            last = known[-least:]
            starts = [i for i in range(t + 1 - least) if known[i : i + least] == last]
            place = starts[-1] + least if starts else None
        found.append(-1 if place is None else known[place])
    return found


@every
def test_a_match_expects_what_a_search_of_the_text_finds(implementation: str) -> None:
    counts, symbols = empty(implementation, slots=1 << 14), text(1, 300)
    state = CountsState(*counts.owned(counts.initial_state(1), learns=True))
    counts.settle_(torch.tensor([[V]]), state)
    found = []
    for symbol in symbols:
        counts.settle_(torch.tensor([[symbol]]), state)
        found.append(expected(state))
    for k, least in enumerate(MATCHES):
        assert [one[k] for one in found] == searched(symbols, least)
        assert sum(one[k] >= 0 for one in found) > 50


@every
def test_a_row_that_does_not_learn_follows_matches_and_remembers_nothing(implementation: str) -> None:
    counts, symbols = empty(implementation), text(2, 100)
    counts.learn(np.array(symbols), np.array([0, 100]))
    kept = counts.history.clone(), counts.trust.clone()
    state = CountsState(*counts.owned(counts.initial_state(1)))
    counts.settle_(torch.tensor([V, *symbols[:20]])[:, None], state)
    assert expected(state) == [symbols[20]] * len(MATCHES)
    assert torch.equal(counts.history, kept[0])
    assert torch.equal(counts.trust, kept[1])


@every
def test_a_new_text_begins_without_a_match(implementation: str) -> None:
    counts, symbols = empty(implementation), text(3, 100)
    counts.learn(np.array(symbols), np.array([0, 100]))
    state = CountsState(*counts.owned(counts.initial_state(1), learns=True))
    counts.settle_(torch.tensor([V, *symbols[:20], V])[:, None], state)
    assert expected(state) == [-1] * len(MATCHES)


@every
def test_what_follows_a_long_match_is_probable_and_the_rest_is_not_lost(implementation: str) -> None:
    counts, symbols = empty(implementation), text(4, 60)
    counts.learn(np.array(symbols * 3), np.array([0, 180]))
    out, _ = counts.unroll(torch.tensor([V, *symbols[:40]], dtype=torch.float32)[:, None, None])
    p = out[-1, 0].double().exp()
    assert p[symbols[40]] > 0.9
    assert bool((p > 0).all())
    assert p.sum().item() == pytest.approx(1, abs=1e-5)


@every
@pytest.mark.parametrize("size", [1, 2, 64])
def test_a_ring_that_is_full_goes_on_in_chunks_as_in_one_piece(implementation: str, size: int) -> None:
    symbols = torch.tensor([V, *text(5, 90), V, *text(6, 60)])[:, None]
    counts = empty(implementation, slots=size)
    one = CountsState(*counts.owned(counts.initial_state(1), learns=True))
    other = CountsState(*counts.owned(counts.initial_state(1), learns=True))
    pieces = [symbols[i : i + 7] for i in range(0, len(symbols), 7)]
    whole = counts.settle_(symbols, one)
    parts = torch.cat([counts.settle_(part, other) for part in pieces])
    assert torch.equal(whole, parts)
    for a, b in zip(one, other, strict=True):
        assert torch.equal(a, b)


@every
@pytest.mark.parametrize("tail", [12, 16, 40])
def test_a_match_ends_where_what_was_learned_ends(implementation: str, tail: int) -> None:
    """In a full ring the oldest symbol lies after the newest one, but it did not follow it."""
    size, symbols = 64, np.random.default_rng(8).integers(0, V, 150)
    counts = empty(implementation, slots=size)
    counts.learn(symbols, np.array([0, len(symbols)]))
    x = torch.tensor([V, *symbols[-tail:].tolist()], dtype=torch.float32)[:, None, None]
    ahead = []
    for oldest in range(1, V + 1):
        counts.history[0, len(symbols) % size] = oldest
        ahead.append(counts.unroll(x)[0][-1])
    for other in ahead[1:]:
        assert torch.equal(other, ahead[0])


@pytest.mark.skipif(bool(extension.ABSENT), reason="the specification takes minutes for a text of this length")
@pytest.mark.parametrize("slots", [None, 1 << 16])
def test_a_long_text_in_odd_pieces_and_saved_in_its_middle_is_learned_as_one(
    slots: int | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With 65,536 slots the ring is full after a third of the text."""
    symbols, cut = np.array(text(9, 210_000)), 123_457
    offsets = np.array([0, cut, len(symbols)])
    one = Counts.fit(symbols, offsets, [1] * V, slots=slots)
    monkeypatch.setattr("ostinato.layers.counts.BLOCK", 4_099)
    first = Counts(V, len(one.slots), len(one.path))
    for name in (*Tree._fields, "letter"):
        getattr(first, name).copy_(getattr(one, name))
    first.learn(symbols[:cut], np.array([0, cut]))
    second = Counts.empty(first.config())
    second.load_state_dict({name: tensor.clone() for name, tensor in first.state_dict().items()})
    second.learn(symbols[cut:], np.array([0, len(symbols) - cut]))
    for name, tensor in one.state_dict().items():
        assert torch.equal(tensor, second.state_dict()[name]), name


@every
def test_the_probability_that_is_asserted_is_the_one_that_is_learned_from(implementation: str) -> None:
    counts = empty(implementation)
    one, other = (CountsState(*counts.owned(counts.initial_state(1), learns=True)) for _ in range(2))
    symbols = torch.tensor([V, *text(7, 120)])
    nats = counts.settle_(symbols[:, None], one)[1:, 0]
    ahead = counts.unroll_(symbols[:, None, None].float(), other)[:-1, 0]
    asserted = ahead.gather(-1, symbols[1:, None])[:, 0].double()
    torch.testing.assert_close(nats, asserted, rtol=0, atol=1e-5)
    assert torch.equal(one.history, other.history)


@pytest.mark.parametrize("least", [[0, 12], [5, 17], [-1, 3]])
def test_matches_that_the_path_cannot_hold_are_refused(least: list[int]) -> None:
    counts = empty("reference")
    held = {**counts.state_dict(), "matches": torch.tensor(least, dtype=torch.int32)}
    with pytest.raises(ModelFileError, match="least lengths of matches"):
        counts.load_state_dict(held)
