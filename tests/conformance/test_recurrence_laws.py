"""The laws of every recurrence: one test for each law and entry of the catalogue."""

from __future__ import annotations

import itertools
from collections.abc import Callable

import pytest
import torch
from catalogue import CATALOGUE, build, names
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from ostinato.layers.recurrence import Recurrence
from ostinato.shapes import State

T, B = 9, 5
LENGTHS = (9, 0, 4, 1, 9)
every = pytest.mark.parametrize("name", names())
fast = pytest.mark.parametrize("name", names(fast=True))
ragged = pytest.mark.parametrize(
    "lengths", [None, LENGTHS, (T,) * B, (0,) * B], ids=["whole", "ragged", "full", "empty"]
)


def recurrence(name: str) -> Recurrence:
    return build(CATALOGUE[name].make)


def inputs(r: Recurrence, steps: int = T, rows: int = B, seed: int = 1) -> tuple[Tensor, State]:
    """Return random inputs, (T, B, D), and a state that the recurrence reached from zero by random inputs."""
    g = torch.Generator().manual_seed(seed)
    before = torch.randn(6, rows, r.input_size, generator=g, dtype=torch.float64)
    with torch.no_grad():
        _, state = r.unroll(before)
    return torch.randn(steps, rows, r.input_size, generator=g, dtype=torch.float64), state


def same(a: Tensor, b: Tensor) -> None:
    torch.testing.assert_close(a, b, rtol=1e-10, atol=1e-10)


def same_state(a: State, b: State) -> None:
    assert len(a) == len(b)
    for one, other in zip(a, b, strict=True):
        same(one, other)


def valid(h: Tensor, lengths: tuple[int, ...] | None) -> Tensor:
    """Return the hidden states, (T, B, H), with zero after the end of each row."""
    if lengths is None:
        return h
    return h * (torch.arange(len(h))[:, None] < torch.tensor(lengths))[..., None]


def run(r: Recurrence, lengths: tuple[int, ...] | None) -> tuple[Tensor, State, tuple[Tensor, ...]]:
    """Return the outputs, the last state, and the gradients of a fixed random functional of both.

    The gradients are those of x, of the initial state and of every weight.
    """
    x, state = inputs(r)
    x.requires_grad_()
    start = tuple(s.clone().requires_grad_() for s in state)
    h, last = r.unroll(x, start, None if lengths is None else torch.tensor(lengths))
    h = valid(h, lengths)
    g = torch.Generator().manual_seed(2)

    def weigh(y: Tensor) -> Tensor:
        return (y * torch.randn(y.shape, generator=g, dtype=y.dtype)).sum()

    loss = weigh(h) + sum(weigh(s) for s in last)
    # with rows of length 0 a gradient can be None in one implementation and zero in another: both count as zero
    gradients = torch.autograd.grad(loss, (x, *start, *r.parameters()), allow_unused=True, materialize_grads=True)
    return h, last, gradients


@every
@settings(deadline=None, max_examples=4)
@given(cuts=st.sets(st.integers(0, T), max_size=4))
def test_any_chunking_is_one_pass(name: str, cuts: set[int]) -> None:
    r = recurrence(name)
    x, state = inputs(r)
    with torch.no_grad():
        whole, last = r.unroll(x, state)
        pieces = []
        for a, z in itertools.pairwise([0, *sorted(cuts), T]):
            h, state = r.unroll(x[a:z], state)
            pieces.append(h)
    same(torch.cat(pieces), whole)
    same_state(state, last)


@every
@settings(deadline=None, max_examples=4)
@given(cut=st.integers(0, T), lengths=st.lists(st.integers(0, T), min_size=B, max_size=B))
def test_any_chunking_is_one_pass_with_rows_that_end(name: str, cut: int, lengths: list[int]) -> None:
    r, n = recurrence(name), torch.tensor(lengths)
    x, state = inputs(r)
    with torch.no_grad():
        whole, last = r.unroll(x, state, n)
        first, state = r.unroll(x[:cut], state, n.clamp(max=cut))
        second, state = r.unroll(x[cut:], state, (n - cut).clamp(min=0))
    same(valid(torch.cat([first, second]), tuple(lengths)), valid(whole, tuple(lengths)))
    same_state(state, last)


@every
@ragged
def test_a_batch_equals_its_rows(name: str, lengths: tuple[int, ...] | None) -> None:
    r = recurrence(name)
    x, state = inputs(r)
    with torch.no_grad():
        h, last = r.unroll(x, state, None if lengths is None else torch.tensor(lengths))
        for b, n in enumerate(lengths or (T,) * B):
            row, end = r.unroll(x[:n, b : b + 1], tuple(s[b : b + 1] for s in state))
            same(h[:n, b : b + 1], row)
            same_state(tuple(s[b : b + 1] for s in last), end)


@every
def test_rows_of_length_zero_keep_their_state(name: str) -> None:
    r = recurrence(name)
    x, state = inputs(r)
    with torch.no_grad():
        _, last = r.unroll(x, state, torch.tensor(LENGTHS))
    for before, after in zip(state, last, strict=True):
        assert torch.equal(before[1], after[1])


@every
def test_rows_that_start_anew_begin_at_the_start_and_the_others_go_on(name: str) -> None:
    r = recurrence(name)
    x, state = inputs(r)
    anew = torch.arange(B) % 2 == 0
    with torch.no_grad():
        (h, last), (h_on, last_on) = r.unroll(x, r.restarted(state, anew)), r.unroll(x, state)
        h_new, last_new = r.unroll(x)
    same(h, torch.where(anew[:, None], h_new, h_on))
    for one, new, on in zip(last, last_new, last_on, strict=True):
        same(one[anew], new[anew])
        same(one[~anew], on[~anew])


@every
def test_copies_of_a_row_go_on_as_the_row_does(name: str) -> None:
    r = recurrence(name)
    x, state = inputs(r)
    with torch.no_grad():
        h, _ = r.unroll(x.repeat_interleave(3, dim=1), r.repeated(state, 3))
        expected, _ = r.unroll(x, state)
    same(h, expected.repeat_interleave(3, dim=1))


@every
def test_outputs_beyond_the_end_of_a_row_are_finite_and_have_no_effect(name: str) -> None:
    r = recurrence(name)
    x, state = inputs(r)
    lengths = torch.tensor(LENGTHS)
    other = torch.where((torch.arange(T)[:, None] < lengths)[..., None], x, 7 - x)
    with torch.no_grad():
        (h, last), (h_other, last_other) = r.unroll(x, state, lengths), r.unroll(other, state, lengths)
    assert h.isfinite().all()
    assert h_other.isfinite().all()
    same(valid(h, LENGTHS), valid(h_other, LENGTHS))
    same_state(last, last_other)


@every
def test_steps_are_an_unroll(name: str) -> None:
    r = recurrence(name)
    x, state = inputs(r)
    with torch.no_grad():
        whole, last = r.unroll(x, state)
        for t in range(T):
            state, h = r.step(state, x[t])
            same(h, whole[t])
    same_state(state, last)


@every
def test_the_future_has_no_effect_on_the_past(name: str) -> None:
    r = recurrence(name)
    x, state = inputs(r)
    other = x.clone()
    other[5:] += 1
    with torch.no_grad():
        same(r.unroll(x, state)[0][:5], r.unroll(other, state)[0][:5])


@every
def test_zero_steps_keep_the_state(name: str) -> None:
    r = recurrence(name)
    x, state = inputs(r)
    h, last = r.unroll(x[:0], state)
    assert h.shape == (0, B, r.output_size)
    assert all(torch.equal(a, b) for a, b in zip(last, state, strict=True))


@every
def test_shapes_and_the_default_state(name: str) -> None:
    r = recurrence(name)
    x, _ = inputs(r)
    start = r.initial_state(B)
    assert all(s.shape[0] == B and s.dtype == torch.float64 for s in start)
    h, last = r.unroll(x)
    assert h.shape == (T, B, r.output_size)
    assert [s.shape for s in last] == [s.shape for s in start]
    given_start, _ = r.unroll(x, start)
    assert torch.equal(h, given_start)


@every
def test_the_state_given_is_not_written_to(name: str) -> None:
    r = recurrence(name)
    x, state = inputs(r)
    before = [s.clone() for s in (x, *state)]
    with torch.no_grad():
        r.unroll(x, state, torch.tensor(LENGTHS))
        r.step(state, x[0])
    assert all(torch.equal(a, b) for a, b in zip(before, (x, *state), strict=True))


@every
def test_the_seed_and_the_weights_determine_the_recurrence(name: str) -> None:
    one, two, other = (build(CATALOGUE[name].make, seed) for seed in (0, 0, 1))
    x, _ = inputs(one)
    with torch.no_grad():
        same(one.unroll(x)[0], two.unroll(x)[0])
        other.load_state_dict(one.state_dict())
        assert torch.equal(one.unroll(x)[0], other.unroll(x)[0])


@fast
@ragged
def test_an_implementation_is_its_reference(name: str, lengths: tuple[int, ...] | None) -> None:
    reference = CATALOGUE[name].reference
    assert reference is not None
    h, last, gradients = run(recurrence(name), lengths)
    h_true, last_true, gradients_true = run(build(reference), lengths)
    same(h, h_true)
    same_state(last, last_true)
    assert len(gradients) == len(gradients_true)
    for one, true in zip(gradients, gradients_true, strict=True):
        same(one, true)


def functional(r: Recurrence, lengths: tuple[int, ...] | None) -> tuple[Callable[..., tuple[Tensor, ...]], State]:
    """Return the outputs and last state as a function of inputs, state and weights, and its arguments for gradcheck."""
    x, state = inputs(r, steps=4, rows=3)
    names = [name for name, _ in r.named_parameters()]

    class Unrolled(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.r = r

        def forward(self, x: Tensor, *state: Tensor) -> tuple[Tensor, ...]:
            h, last = self.r.unroll(x, state, None if lengths is None else torch.tensor(lengths))
            return (valid(h, lengths), *last)

    whole = Unrolled()

    def f(x: Tensor, *rest: Tensor) -> tuple[Tensor, ...]:
        weights = {f"r.{name}": w for name, w in zip(names, rest[len(state) :], strict=True)}
        out: tuple[Tensor, ...] = torch.func.functional_call(whole, weights, (x, *rest[: len(state)]))
        return out

    at = (x, *state, *(p.detach() for p in r.parameters()))
    return f, tuple(a.clone().requires_grad_() for a in at)


@every
@pytest.mark.parametrize("lengths", [None, (4, 0, 2)], ids=["whole", "ragged"])
def test_gradients_are_finite_differences(name: str, lengths: tuple[int, ...] | None) -> None:
    f, at = functional(recurrence(name), lengths)
    assert torch.autograd.gradcheck(f, at, fast_mode=True)
