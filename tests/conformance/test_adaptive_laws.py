"""The laws of every adaptive memory: those of the other recurrences, with states that learn and states that do not."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from ostinato.layers.counts import Counts
from ostinato.ops.counts.form import network_input
from ostinato.ops.engine import extension
from ostinato.shapes import State

T, B, V = 14, 4, 7
LENGTHS = (14, 0, 5, 1)
IMPLEMENTATIONS = ["reference"] + ([] if extension.ABSENT else ["native"])
every = pytest.mark.parametrize("implementation", IMPLEMENTATIONS)
network = pytest.mark.parametrize("network", [False, True], ids=["alone", "mixed"])
learning = pytest.mark.parametrize("learns", [True, False], ids=["learns", "frozen"])


def counts(implementation: str, *, network: bool = False, steps: int = 150, symbols: int = V) -> Counts:
    rng = np.random.default_rng(3)
    x = np.minimum(rng.geometric(0.4, steps) - 1, symbols - 1)
    made = Counts.fit(
        x,
        np.array([0, steps // 2, steps]),
        [s % 3 for s in range(symbols)],
        network=network,
        slots=256,
        implementation=implementation,
    )
    if network:
        made.weights[:, network_input(made.form)] = 0.4  # as if the network had earned a weight
    return made


def inputs(r: Counts, steps: int = T, rows: int = B, seed: int = 1) -> Tensor:
    """Return random symbols with a start among them, then random log probabilities of a network, (T, B, D)."""
    g = torch.Generator().manual_seed(seed)
    x = torch.randint(0, r.output_size, (steps, rows, 1), generator=g).float()
    x[0], x[steps // 2, -1] = r.output_size, r.output_size
    if not r.network:
        return x
    return torch.cat([x, torch.randn(steps, rows, r.output_size, generator=g).log_softmax(-1)], -1)


def start(r: Counts, rows: int, *, learns: bool) -> State:
    return r.owned(r.initial_state(rows), learns=learns)


def same(a: State, b: State) -> None:
    for one, other in zip(a, b, strict=True):
        torch.testing.assert_close(one, other, rtol=0, atol=0)


@every
@network
@learning
@settings(deadline=None, max_examples=5)
@given(cuts=st.sets(st.integers(0, T), max_size=4))
def test_any_chunking_is_one_pass(implementation: str, network: bool, learns: bool, cuts: set[int]) -> None:
    r = counts(implementation, network=network)
    x, state = inputs(r), start(r, B, learns=learns)
    whole, last = r.unroll(x, state)
    pieces = []
    for a, z in itertools.pairwise([0, *sorted(cuts), T]):
        h, state = r.unroll(x[a:z], state)
        pieces.append(h)
    assert torch.equal(torch.cat(pieces), whole)
    same(state, last)


@every
@network
@learning
@pytest.mark.parametrize("lengths", [None, LENGTHS], ids=["whole", "ragged"])
def test_a_batch_equals_its_rows(
    implementation: str, network: bool, learns: bool, lengths: tuple[int, ...] | None
) -> None:
    r = counts(implementation, network=network)
    x, state = inputs(r), start(r, B, learns=learns)
    h, last = r.unroll(x, state, None if lengths is None else torch.tensor(lengths))
    for b, n in enumerate(lengths or (T,) * B):
        row, end = r.unroll(x[:n, b : b + 1], tuple(s[b : b + 1] for s in state))
        assert torch.equal(h[:n, b : b + 1], row)
        same(tuple(s[b : b + 1] for s in last), end)


@every
@network
@learning
def test_the_probabilities_sum_to_one(implementation: str, network: bool, learns: bool) -> None:
    r = counts(implementation, network=network)
    h, _ = r.unroll(inputs(r), start(r, B, learns=learns))
    torch.testing.assert_close(h.double().exp().sum(-1), torch.ones(T, B, dtype=torch.float64), rtol=0, atol=2e-6)


@every
@network
def test_no_step_looks_at_its_own_symbol(implementation: str, network: bool) -> None:
    r = counts(implementation, network=network)
    x = inputs(r)
    other = x.clone()
    other[9:, :, 0] = (other[9:, :, 0] + 1) % V
    h, _ = r.unroll(x, start(r, B, learns=True))
    h_other, _ = r.unroll(other, start(r, B, learns=True))
    assert torch.equal(h[:9], h_other[:9])
    assert not torch.equal(h[9:], h_other[9:])


@every
@learning
def test_unroll_and_step_leave_the_state_they_are_given(implementation: str, learns: bool) -> None:
    r = counts(implementation)
    state = start(r, B, learns=learns)
    kept = tuple(s.clone() for s in state)
    r.unroll(inputs(r), state)
    r.step(state, inputs(r)[1])
    same(state, kept)


@every
def test_a_frozen_state_changes_nothing_that_was_learned(implementation: str) -> None:
    r = counts(implementation)
    before = {name: b.clone() for name, b in r.named_buffers()}
    state = start(r, B, learns=False)
    h, last = r.unroll(inputs(r), state)
    again, _ = r.unroll(inputs(r), r.restarted(last, torch.ones(B, dtype=torch.bool)))
    assert torch.equal(h, again)
    for name, b in r.named_buffers():
        assert torch.equal(b, before[name]), name


@every
@network
def test_it_is_saved_with_what_it_learned(implementation: str, network: bool) -> None:
    r = counts(implementation, network=network)
    other = Counts.empty(r.config())
    other.implementation = implementation
    other.load_state_dict(r.state_dict())
    x = inputs(r)
    assert torch.equal(r.unroll(x, start(r, B, learns=True))[0], other.unroll(x, start(other, B, learns=True))[0])


@every
def test_what_was_learned_can_be_kept(implementation: str) -> None:
    r = counts(implementation)
    x = inputs(r, rows=1)
    state = start(r, 1, learns=True)
    r.unroll_(x, state)
    expected, _ = r.unroll(x, r.restarted(state, torch.ones(1, dtype=torch.bool)))
    r.absorb(state)
    assert torch.equal(r.unroll(x, start(r, 1, learns=True))[0], expected)


@pytest.mark.skipif(bool(extension.ABSENT), reason=extension.ABSENT or "")
@network
@pytest.mark.parametrize("symbols", [1, 2, 5, 40])
def test_the_engine_equals_the_reference(network: bool, symbols: int) -> None:
    fast, slow = (counts(i, network=network, steps=400, symbols=symbols) for i in ("native", "reference"))
    assert torch.equal(fast.slots, slow.slots)
    for name, b in fast.named_buffers():
        torch.testing.assert_close(b, slow.get_buffer(name), rtol=1e-5, atol=1e-5)
    x = inputs(fast)
    (h, state), (h_slow, state_slow) = (r.unroll(x, start(r, B, learns=True)) for r in (fast, slow))
    torch.testing.assert_close(h, h_slow, rtol=1e-4, atol=1e-4)
    assert torch.equal(state[3], state_slow[3])


@every
def test_it_learns_what_repeats(implementation: str) -> None:
    r = counts(implementation)
    x = torch.tensor([V, *([0, 3, 1, 6, 6, 2] * 12)]).float()[:, None, None]
    h, _ = r.unroll(x, start(r, 1, learns=True))
    nats = -h[:-1, 0].gather(1, x[1:, :, 0].long())[:, 0]
    assert nats[-12:].mean() < 0.3 * nats[:12].mean()


@every
@network
@learning
def test_what_is_settled_is_what_was_predicted(implementation: str, network: bool, learns: bool) -> None:
    r = counts(implementation, network=network)
    x = inputs(r, rows=1)
    h, expected = r.unroll(x, start(r, 1, learns=learns))
    state = start(r, 1, learns=learns)
    symbols = x[..., 0].long()
    nats = r.settle_(symbols, state, x[..., 1:] if network else None)
    real = symbols[1:, 0] < V
    predicted = h[:-1, 0].gather(1, symbols[1:].clamp(max=V - 1))[:, 0]
    torch.testing.assert_close(nats[1:, 0][real].float(), predicted[real], rtol=1e-5, atol=1e-5)
    same(state, expected)
