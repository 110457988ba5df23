"""Checkpointing changes only the memory used: all backbones keep outputs, states and gradients in any segments."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from catalogue import CATALOGUE, D, H, build, names
from torch import Tensor

from ostinato.errors import ConfigError
from ostinato.gradients import checkpointed
from ostinato.gradients.methods import CheckpointedBPTT
from ostinato.layers.gru import GRU
from ostinato.layers.recurrence import Recurrence
from ostinato.layers.stack import Stack
from ostinato.shapes import State

T, B = 9, 5
every = pytest.mark.parametrize("name", names())
ragged = pytest.mark.parametrize("lengths", [None, (9, 0, 4, 1, 9)], ids=["whole", "ragged"])


def given(r: Recurrence) -> tuple[Tensor, State]:
    """Return x (T, B, D), and a state that real inputs lead to."""
    x = torch.randn(T + 6, B, r.input_size, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    with torch.no_grad():
        return x[6:].clone(), r.unroll(x[:6])[1]


def sent_back(
    r: Recurrence, lengths: tuple[int, ...] | None, method: CheckpointedBPTT | None, *, outputs: bool = True
) -> list[Tensor]:
    """Return h (optional), the last state, and the gradients of a fixed function of both."""
    x, start = given(r)
    x, start = x.requires_grad_(), tuple(s.requires_grad_() for s in start)
    n = None if lengths is None else torch.tensor(lengths)
    if not method:
        h, last = r.unroll(x, start, n)
    elif outputs:
        h, last = checkpointed.unroll(r, x, start, n, method=method)
    else:
        h, last = None, checkpointed.last_state(r, x, start, n, method=method)
    ends = list(last)
    if outputs and h is not None:
        there = torch.ones(T, B, dtype=torch.bool) if n is None else torch.arange(T)[:, None] < n
        ends.insert(0, torch.where(there[..., None], h, 0.0))
    g = torch.Generator().manual_seed(2)
    loss = sum((e * torch.randn(e.shape, generator=g, dtype=e.dtype)).sum() for e in ends)
    assert isinstance(loss, Tensor)
    asked = (x, *start, *r.parameters())
    return [*ends, *torch.autograd.grad(loss, asked, allow_unused=True, materialize_grads=True)]


@every
@ragged
@pytest.mark.parametrize("segments", [2, 4, T, 3 * T])
@pytest.mark.parametrize("outputs", [True, False], ids=["all", "last"])
def test_checkpointing_changes_no_result(
    name: str, lengths: tuple[int, ...] | None, segments: int, outputs: bool
) -> None:
    r = build(CATALOGUE[name].make)
    found = sent_back(r, lengths, CheckpointedBPTT(segments), outputs=outputs)
    torch.testing.assert_close(found, sent_back(r, lengths, None, outputs=outputs), rtol=1e-12, atol=1e-12)


@every
def test_one_segment_stores_everything(name: str) -> None:
    r = build(CATALOGUE[name].make)
    for one, true in zip(sent_back(r, None, CheckpointedBPTT(1)), sent_back(r, None, None), strict=True):
        assert torch.equal(one, true)


def test_only_tensors_that_require_it_have_a_gradient() -> None:
    r = build(lambda: GRU(D, H))
    r.get_parameter("weight_hh_l0").requires_grad_(False)
    x, _ = given(r)
    (last,) = checkpointed.last_state(r, x, method=CheckpointedBPTT(3))
    last.sum().backward()  # type: ignore[no-untyped-call]
    assert x.grad is None
    assert r.get_parameter("weight_hh_l0").grad is None
    assert r.get_parameter("weight_ih_l0").grad is not None


def test_dropout_repeats_its_random_numbers() -> None:
    """The gradient is the finite difference of the computed function under the same random numbers."""
    r = Stack([GRU(D, H), GRU(H, H)], dropout=0.5).double().train()
    x, _ = given(r)
    start = torch.get_rng_state()

    def loss(x: Tensor) -> Tensor:
        torch.set_rng_state(start)
        h, _ = checkpointed.unroll(r, x, method=CheckpointedBPTT(3))
        return h.square().sum()

    value = loss(x.requires_grad_())
    following = torch.get_rng_state()
    (slope,) = torch.autograd.grad(value, x)
    assert torch.equal(torch.get_rng_state(), following)
    along = 1e-6 * torch.randn(x.shape, dtype=x.dtype, generator=torch.Generator().manual_seed(3))
    with torch.no_grad():
        expected = (loss(x + along) - loss(x - along)) / 2
    torch.testing.assert_close((slope * along).sum(), expected, rtol=1e-6, atol=1e-12)


def test_the_gradient_uses_the_weights_of_functional_call() -> None:
    """Weights given to functional_call are gone when the gradient is computed."""

    class Whole(torch.nn.Module):
        def __init__(self, method: CheckpointedBPTT) -> None:
            super().__init__()
            self.r, self.method = build(lambda: GRU(D, H)), method

        def forward(self, x: Tensor) -> Tensor:
            return checkpointed.unroll(self.r, x, method=self.method)[0]

    found = []
    for segments in (1, 4):
        whole = Whole(CheckpointedBPTT(segments))
        x, _ = given(whole.r)
        other = {k: (0.5 * p.detach()).requires_grad_() for k, p in whole.named_parameters()}
        h = torch.func.functional_call(whole, other, (x,))
        found.append(torch.autograd.grad(h.square().sum(), list(other.values())))
    torch.testing.assert_close(found[1], found[0], rtol=1e-12, atol=1e-12)


def test_weights_changed_in_between_are_refused() -> None:
    r = build(lambda: GRU(D, H))
    (last,) = checkpointed.last_state(r, given(r)[0], method=CheckpointedBPTT(3))
    with torch.no_grad():
        r.get_parameter("weight_hh_l0").add_(1)
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        last.sum().backward()  # type: ignore[no-untyped-call]


def calls(memory: str, steps: int) -> list[int]:
    """Return the number of steps of each unroll of a GRU, in both passes."""
    r, seen = GRU(D, H).eval(), []
    run = r.unroll

    def watched(x: Tensor, *rest: Any) -> tuple[Tensor, State]:
        seen.append(len(x))
        return run(x, *rest)

    r.unroll = watched  # type: ignore[method-assign, assignment]
    (last,) = checkpointed.last_state(r, torch.randn(steps, 1, D), method=CheckpointedBPTT(memory_limit=memory))
    last.sum().backward()  # type: ignore[no-untyped-call]
    return seen[1:]  # without the run that measures a step


def test_a_lower_memory_limit_gives_more_segments() -> None:
    few, many = calls("100kB", 5000), calls("40kB", 5000)
    assert 1 < max(many) < max(few) < 5000
    assert sum(few) == sum(many) == 2 * 5000
    assert calls("1GB", 5000) == [5000]
    with pytest.raises(ConfigError, match=r"5,000 steps do not fit in the memory limit of 1kB\n.* kB or more"):
        calls("1kB", 5000)


def test_no_steps() -> None:
    r = build(lambda: GRU(D, H))
    x, start = given(r)
    for method in (CheckpointedBPTT(3), CheckpointedBPTT(memory_limit="1MB")):
        h, last = checkpointed.unroll(r, x[:0], start, method=method)
        assert h.shape == (0, B, H)
        assert torch.equal(last[0], start[0])


@pytest.mark.parametrize("text", ["", "200", "MB", "-1MB", "0MB", "2 potatoes", "1e3MB", "\u0662MB", "1ib"])
def test_unreadable_amounts_of_memory_are_refused(text: str) -> None:
    with pytest.raises(ConfigError, match="must be an amount of memory"):
        CheckpointedBPTT(memory_limit=text)


@pytest.mark.parametrize(
    ("text", "count"), [("200MB", 200_000_000), ("1.5 GiB", 3 << 29), ("64kib", 65536), (" 7 b ", 7)]
)
def test_amounts_of_memory_are_read(text: str, count: int) -> None:
    assert CheckpointedBPTT(memory_limit=text).bytes == count


def test_unusable_options_are_refused() -> None:
    for segments in (0, -1):
        with pytest.raises(ConfigError, match=f"must be at least 1, got {segments}"):
            CheckpointedBPTT(segments)
    for both in ((), (2, "1MB")):
        with pytest.raises(ConfigError, match="not both"):
            CheckpointedBPTT(*both)
