"""The wrapper of the kernels for GPUs, with the launches emulated on the CPU, against the references of the cells."""

from __future__ import annotations

from functools import cache
from typing import Any

import pytest
import torch
from cuda_emulation import Emulated, EmulatedLinear
from torch import Tensor

from ostinato.ops.cuda import linear, recurrence, support
from ostinato.ops.cuda.contract import CELLS
from ostinato.ops.cuda.unroll import unroll
from ostinato.ops.engine.call import Call
from ostinato.ops.engine.decomposed import by_reference
from ostinato.ops.engine.places import Places
from ostinato.ops.engine.unroll import unroll as unroll_on_cpu
from ostinato.ops.linear import reference as linear_reference
from ostinato.ops.weights import Weights

T, B, D = 6, 11, 3
LENGTHS = torch.tensor([6, 0, 3, 6, 1, 2, 5, 4, 6, 1, 3])
OFFSETS = torch.cat([torch.zeros(1, dtype=torch.int64), LENGTHS.cumsum(0)])
SIZES = (torch.arange(T)[:, None] < LENGTHS).sum(1)
LAYOUTS = {
    "padded": Places(),
    "reversed": Places(reverse=True),
    "lengths": Places(LENGTHS),
    "lengths reversed": Places(LENGTHS, reverse=True),
    "ragged": Places.ragged(OFFSETS),
    "ragged reversed": Places.ragged(OFFSETS, reverse=True),
    "packed": Places.packed(SIZES),
    "packed reversed": Places.packed(SIZES, reverse=True),
}


@pytest.fixture(autouse=True)
def emulated(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recurrence, "kernels", cache(lambda variant, _device: Emulated(variant)))
    monkeypatch.setattr(linear, "kernels", cache(lambda paired, _device: EmulatedLinear(paired)))
    monkeypatch.setattr(support, "prepare", lambda *_: None)
    monkeypatch.setattr(support, "common", list)


def inputs(cell: str, places: Places, hidden: int = 5, bias: bool = True) -> list[Any]:
    """x, the states and the weights of a call."""
    g, form = torch.Generator().manual_seed(1), CELLS[cell]

    def make(*shape: int) -> Tensor:
        return (torch.randn(*shape, generator=g) * 0.7).requires_grad_()

    count = len(places.lengths) if places.lengths is not None else B
    x = make(T, B, D) if places.base is None else make(int(LENGTHS.sum()), D)
    states = [make(count, hidden) for _ in range(1 + form.cell_state)]
    GH = form.gates * hidden
    biases = [make(GH), make(GH)] if bias else [None, None]
    return [x, states, make(GH, D), make(GH, hidden), *biases]


def compare(cell: str, places: Places, given: list[Any]) -> None:
    x, states, w_ih, w_hh, b_ih, b_hh = given
    c0 = states[1] if len(states) == 2 else None
    layout = places.lengths, places.base, places.column, places.reverse
    expected = by_reference(Call(cell, x, states[0], c0, w_ih, w_hh, b_ih, b_hh, None, *layout))
    found = unroll(cell, x, tuple(states), Weights(w_ih, w_hh, b_ih, b_hh), places)
    assert found is not None
    y, last = found
    weights = [torch.randn(t.shape, generator=torch.Generator().manual_seed(7)) for t in expected]
    leaves = [t for t in (x, *states, w_ih, w_hh, b_ih, b_hh) if t is not None]
    of = [
        torch.autograd.grad(sum((r * w).sum() for r, w in zip(results, weights, strict=True)), leaves)  # type: ignore[arg-type]
        for results in (expected, (y, *last))
    ]
    for a, b in zip(expected, (y, *last), strict=True):
        torch.testing.assert_close(b, a, rtol=1e-5, atol=1e-6)
    for a, b in zip(*of, strict=True):
        torch.testing.assert_close(b, a, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("cell", CELLS)
def test_a_launch_gives_the_results_and_gradients_of_the_reference(cell: str, layout: str) -> None:
    places = LAYOUTS[layout]
    compare(cell, places, inputs(cell, places))


@pytest.mark.parametrize("cell", CELLS)
def test_a_network_without_bias(cell: str) -> None:
    compare(cell, Places(), inputs(cell, Places(), bias=False))


@pytest.mark.parametrize("kind", [torch.float32, torch.complex64])
@pytest.mark.parametrize("lengths", [None, LENGTHS])
def test_the_linear_recurrence(kind: torch.dtype, lengths: Tensor | None) -> None:
    g = torch.Generator().manual_seed(2)
    u, h0, a = (torch.randn(*s, dtype=kind, generator=g).requires_grad_() for s in ((T, B, 5), (B, 5), (5,)))
    found = linear.unroll(u, (h0,), a, lengths)
    assert found is not None
    h, (last,) = found
    h_expected, (last_expected,) = linear_reference.unroll(u, (h0,), a, lengths)
    if lengths is not None:
        h_expected = h_expected * (torch.arange(T)[:, None] < lengths)[..., None]
    torch.testing.assert_close(h, h_expected)
    torch.testing.assert_close(last, last_expected)
    w, v = torch.randn(h.shape, dtype=kind, generator=g), torch.randn(last.shape, dtype=kind, generator=g)
    of = [
        torch.autograd.grad((torch.view_as_real(z) if z.is_complex() else z).sum(), (u, h0, a))
        for z in ((h * w).sum() + (last * v).sum(), (h_expected * w).sum() + (last_expected * v).sum())
    ]
    for one, other in zip(*of, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("cell", CELLS)
def test_resets_cut_rows_as_the_engine_does(cell: str) -> None:
    x, states, *weights = inputs(cell, Places(LENGTHS))
    marks = torch.rand(T, B, generator=torch.Generator().manual_seed(3)) < 0.3
    given = cell, x, tuple(states), Weights(*weights), Places(LENGTHS)
    found = unroll(*given, resets=marks)
    assert found is not None
    expected = unroll_on_cpu(*given, resets=marks)
    torch.testing.assert_close(found[0], expected[0], rtol=1e-5, atol=1e-6)
    for a, b in zip(found[1], expected[1], strict=True):
        torch.testing.assert_close(a, b, rtol=1e-5, atol=1e-6)


def test_backward_runs_twice_and_after_the_outputs_were_changed() -> None:
    x, states, *weights = inputs("gru", Places())
    found = unroll("gru", x, tuple(states), Weights(*weights))
    assert found is not None
    y, _ = found
    loss = (y * 2.0).sum()
    first = torch.autograd.grad(loss, x, retain_graph=True)
    with torch.no_grad():
        y.zero_()
    torch.testing.assert_close(torch.autograd.grad(loss, x), first)
