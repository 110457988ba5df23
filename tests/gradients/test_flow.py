"""The gradient by lag against matrix products and finite differences; Lyapunov exponents against eigenvalues and QR."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch
from torch import Tensor

from ostinato.gradients.flow import gradient_norms, lyapunov
from ostinato.layers.build import build_backbone
from ostinato.layers.conv import CausalConv
from ostinato.layers.gru import GRU
from ostinato.layers.linear import LinearRNN
from ostinato.layers.lstm import LSTM
from ostinato.layers.recurrence import Recurrence
from ostinato.layers.rnn import RNN
from ostinato.layers.stack import Stack
from ostinato.shapes import State

T, B, D, H = 9, 3, 2, 5
CELLS: dict[str, Callable[[], Recurrence]] = {
    "rnn": lambda: RNN(D, H),
    "rnn, relu": lambda: RNN(D, H, "relu"),
    "rnn, identity": lambda: RNN(D, H, "identity"),
    "gru": lambda: GRU(D, H),
    "lstm": lambda: LSTM(D, H),
}


def made(make: Callable[[], Recurrence]) -> tuple[Recurrence, Tensor, State, Tensor]:
    """Return a backbone in float64, inputs (T, B, D), a state, and the direction (H,) of a linear loss."""
    torch.manual_seed(3)
    backbone = make().double().eval()
    state = tuple(torch.randn_like(s) for s in backbone.initial_state(B))
    return backbone, torch.randn(T, B, D, dtype=torch.float64), state, torch.randn(H, dtype=torch.float64)


def test_of_a_linear_network_they_are_powers_of_its_matrix() -> None:
    backbone, x, state, g = made(CELLS["rnn, identity"])
    (found,) = gradient_norms(backbone, x, state, lambda h: h @ g)
    W = backbone.get_parameter("weight_hh_l0").detach()
    for back in range(T):
        expected = (torch.linalg.matrix_power(W.t(), back) @ g).norm()
        torch.testing.assert_close(found[back], expected.expand(B), rtol=1e-10, atol=0)


@pytest.mark.parametrize("name", CELLS)
def test_they_are_the_slopes_of_the_loss_by_finite_differences(name: str) -> None:
    """Each state is moved a little in every direction, and the rest of the sequence is unrolled again."""
    backbone, x, state, g = made(CELLS[name])
    (found,) = gradient_norms(backbone, x, state, lambda h: torch.tanh(h @ g))
    epsilon = 1e-6
    for back in range(1, T):
        _, middle = backbone.unroll(x[: T - back], state)
        squares = torch.zeros(B, dtype=torch.float64)
        for i, part in enumerate(middle):
            for unit in range(part.shape[1]):
                ends = []
                for sign in (1, -1):
                    moved = [s.clone() for s in middle]
                    moved[i][:, unit] += sign * epsilon
                    ends.append(torch.tanh(backbone.unroll(x[T - back :], tuple(moved))[0][-1] @ g))
                squares += ((ends[0] - ends[1]).detach() / (2 * epsilon)) ** 2
        torch.testing.assert_close(found[back], squares.sqrt(), rtol=1e-6, atol=1e-10)


@pytest.mark.parametrize("name", ["rnn", "gru", "lstm", "linear", "conv"])
def test_a_stack_gives_one_norm_per_layer(name: str) -> None:
    torch.manual_seed(0)
    backbone = build_backbone(name, D, H, 2, 0.3).double().eval()
    x, state = torch.randn(T, B, D, dtype=torch.float64), backbone.initial_state(B)
    asked: list[Tensor] = []

    def loss(h: Tensor) -> Tensor:
        asked.append(h)
        return h.square().sum(-1)

    found = gradient_norms(backbone, x, state, loss)
    assert isinstance(backbone, Stack)
    assert [f.shape for f in found] == [(T, B)] * len(backbone.layers)
    torch.testing.assert_close(asked[0], backbone.unroll(x, state)[0][-1])
    if name != "linear":  # whose own state is not what it gives
        # with the residual connection the top layer's own output counts once
        torch.testing.assert_close(found[-1][0], 2 * asked[0].norm(dim=1))
    assert (found[0].sum(0) > found[0][0]).all()


def test_a_lower_layer_counts_both_ways_up_and_onwards() -> None:
    """The total derivative is that of autograd on an explicit loop over steps and layers."""
    torch.manual_seed(1)
    below, above = RNN(D, H).double(), GRU(H, H).double()
    x, g = torch.randn(T, B, D, dtype=torch.float64), torch.randn(H, dtype=torch.float64)
    a = b = torch.zeros(B, H, dtype=torch.float64, requires_grad=True)
    kept = []
    for step in x:
        (a,), _ = below.step((a,), step)
        kept.append(a)
        (b,), _ = above.step((b,), a)
    slopes = torch.autograd.grad((b @ g).sum(), kept)
    stack = Stack([below, above], residual=False)
    found = gradient_norms(stack, x, stack.initial_state(B), lambda h: h @ g)
    expected = torch.stack([s.norm(dim=1) for s in reversed(slopes)])
    torch.testing.assert_close(found[0], expected, rtol=1e-10, atol=0)


def test_no_gradient_reaches_beyond_the_window_of_a_convolution() -> None:
    backbone = Stack([CausalConv(D, H, 2, 1), CausalConv(H, H, 2, 2)]).double()
    x = torch.randn(T, B, D, dtype=torch.float64)
    found = gradient_norms(backbone, x, backbone.initial_state(B), lambda h: h.sum(-1))
    assert (found[0][:3] > 0)[[0, 2]].all()  # the second layer looks at lags 0 and 2
    assert not found[0][3:].any()
    assert not found[1][1:].any()


def test_frozen_weights_have_a_gradient_too() -> None:
    backbone, x, state, g = made(CELLS["gru"])
    free = gradient_norms(backbone, x, state, lambda h: h @ g)
    frozen = gradient_norms(backbone.requires_grad_(False), x, state, lambda h: h @ g)
    torch.testing.assert_close(frozen, free)


def tail(growth: Tensor) -> float:
    return float(growth[len(growth) // 2 :].mean())


def test_the_exponent_of_a_linear_network_is_its_spectral_radius() -> None:
    torch.manual_seed(5)
    backbone = RNN(1, 8, "identity").double()
    with torch.no_grad():
        backbone.weight_hh_l0.copy_(torch.diag(torch.linspace(0.2, 1.05, 8)) + 0.3 * torch.triu(torch.randn(8, 8), 1))
    growth = lyapunov(backbone, torch.randn(800, 2, 1, dtype=torch.float64), backbone.initial_state(2))
    assert growth.shape == (50, 2)
    assert tail(growth) == pytest.approx(np.log(1.05), abs=1e-4)


def test_the_exponent_of_a_diagonal_one_is_its_slowest_decay() -> None:
    torch.manual_seed(6)
    backbone = LinearRNN(2, 6).double()
    with torch.no_grad():
        backbone.nu.copy_(torch.linspace(0.02, 0.4, 6).log())
    growth = lyapunov(backbone, torch.randn(1600, 1, 2, dtype=torch.float64), backbone.initial_state(1), chunk=40)
    assert tail(growth) == pytest.approx(-0.02, abs=1e-4)


@pytest.mark.parametrize("gain", [0.7, 4.0])
def test_the_exponent_is_that_of_the_qr_method(gain: float) -> None:
    """Return the exponents by Benettin's algorithm: explicit Jacobians, forwards, made orthonormal at every step."""
    torch.manual_seed(7)
    backbone = RNN(1, 40).double()
    with torch.no_grad():
        backbone.weight_hh_l0.normal_().mul_(gain / 40**0.5)
    x = 0.1 * torch.randn(2000, 1, 1, dtype=torch.float64)
    W, h = backbone.weight_hh_l0.detach().numpy(), backbone.unroll(x)[0].detach().numpy()[:, 0]
    Q, total = np.eye(40), []
    for step in h:
        Q, R = np.linalg.qr((1 - step**2)[:, None] * W @ Q)
        total.append(np.log(abs(R[0, 0])))
    growth = lyapunov(backbone, x, backbone.initial_state(1))
    assert float(growth.mean()) == pytest.approx(np.mean(total), abs=0.01)
    assert (float(growth.mean()) > 0) == (gain > 1)


def test_a_window_has_no_exponent() -> None:
    backbone = CausalConv(1, 3, 2).double()
    assert lyapunov(backbone, torch.randn(64, 1, 1, dtype=torch.float64), backbone.initial_state(1)).isneginf().any()
