"""The closed form of the linear RNN equals autograd, the compiled engine and finite differences, in float64.

The tests call the functions that docs/theory/07-closed-form.md defines.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import torch
from pages import run
from torch import Tensor

from ostinato.ops.engine import extension
from ostinato.ops.rnn import native, reference
from ostinato.ops.weights import Weights
from ostinato.shapes import State

PAGE = Path(__file__).resolve().parents[2] / "docs" / "theory" / "07-closed-form.md"

LENGTHS = (1, 2, 3, 10, 50, 200)
SIZES = ((1, 1, 1), (1, 3, 2), (2, 4, 3), (3, 1, 5))  # B, D, H; the first is the scalar network
RADII = (0.5, 0.9, 1.0, 1.02)


class Case(NamedTuple):
    """h_t = x_t W_X + h_{t-1} W_H, and the loss |h_N - y|^2 / 2: x (N, B, D), h0 and y (B, H)."""

    x: Tensor
    h0: Tensor
    W_X: Tensor
    W_H: Tensor
    y: Tensor


def cases() -> Iterator[Case]:
    """Yield every length, size, spectral radius and start; scalar networks have both signs."""
    grid = itertools.product(LENGTHS, SIZES, RADII, (0.0, 1.0), (1.0, -1.0))
    for seed, (N, (B, D, H), radius, start, sign) in enumerate(grid):
        g = torch.Generator().manual_seed(seed)
        x, h0, W_X, W_H, y = (
            torch.randn(*shape, generator=g, dtype=torch.float64)
            for shape in ((N, B, D), (B, H), (D, H), (H, H), (B, H))
        )
        yield Case(x, start * h0, W_X, sign * radius * W_H / torch.linalg.eigvals(W_H).abs().max(), y)


@pytest.fixture(scope="module")
def formulas(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    return run(PAGE, tmp_path_factory.mktemp("page"))


def last_state(case: Case, unroll: Callable[..., tuple[Tensor, State]], w_x: Tensor, w_h: Tensor) -> Tensor:
    _, (last,) = unroll(case.x, (case.h0,), Weights(w_x.t(), w_h.t()), nonlinearity="identity")
    return last


def by_autograd(case: Case, unroll: Callable[..., Any]) -> tuple[Tensor, Tensor]:
    """Return dL/dW_H and dL/dW_X by autograd through an implementation of the package."""
    w_h, w_x = case.W_H.clone().requires_grad_(), case.W_X.clone().requires_grad_()
    loss = 0.5 * ((last_state(case, unroll, w_x, w_h) - case.y) ** 2).sum()
    d_h, d_x = torch.autograd.grad(loss, (w_h, w_x))
    return d_h, d_x


def by_finite_differences(case: Case) -> tuple[Tensor, Tensor]:
    """Return dL/dW_H and dL/dW_X by central differences of fourth order, with all displaced networks in one batch."""
    N, _, D = case.x.shape
    H, step = case.W_H.shape[0], 1e-4 / N
    flat = torch.cat([case.W_H.flatten(), case.W_X.flatten()])
    moves = torch.tensor([-2.0, -1.0, 1.0, 2.0], dtype=torch.float64) * step
    moved = flat + moves[:, None, None] * torch.eye(len(flat), dtype=torch.float64)  # (4, weights, weights)
    w_h, w_x = moved[..., : H * H].reshape(-1, len(flat), H, H), moved[..., H * H :].reshape(-1, len(flat), D, H)
    h = case.h0
    for x_t in case.x:
        h = x_t @ w_x + h @ w_h
    # L(w + e) - L(w - e) as a product, so that nothing cancels but the states themselves
    far, near = h[3] - h[0], h[2] - h[1]
    of_far, of_near = ((h[3] + h[0]) / 2 - case.y) * far, ((h[2] + h[1]) / 2 - case.y) * near
    gradient = ((8 * of_near - of_far) / (12 * step)).sum((-2, -1))
    return gradient[: H * H].view(H, H), gradient[H * H :].view(D, H)


def distance(one: tuple[Tensor, ...], other: tuple[Tensor, ...]) -> float:
    """Return the greatest difference of any entry, relative to the largest entry of its matrix if that is not zero."""
    return max(float((a - b).abs().max() / (b.abs().max() or 1.0)) for a, b in zip(one, other, strict=True))


def check(formulas: dict[str, Any], way: Callable[[Case], tuple[Tensor, Tensor]], bound: float) -> None:
    count = 0
    for count, case in enumerate(cases(), start=1):
        G = last_state(case, reference.unroll, case.W_X, case.W_H) - case.y
        closed = formulas["matrix_gradients"](case.x, case.h0, case.W_X, case.W_H, G)
        assert distance(way(case), closed) < bound, f"case {count}: {tuple(case.x.shape)}"
    assert count == 384


def test_the_formulas_equal_autograd(formulas: dict[str, Any]) -> None:
    check(formulas, lambda case: by_autograd(case, reference.unroll), 1e-10)


@pytest.mark.skipif(extension.ABSENT is not None, reason=extension.ABSENT or "")
def test_the_formulas_equal_the_compiled_kernel(formulas: dict[str, Any]) -> None:
    check(formulas, lambda case: by_autograd(case, native.unroll), 1e-10)


def test_the_formulas_equal_finite_differences(formulas: dict[str, Any]) -> None:
    check(formulas, by_finite_differences, 1e-6)


def test_the_scalar_formulas_equal_the_matrix_formulas(formulas: dict[str, Any]) -> None:
    count = 0
    for case in cases():
        if case.x.shape[1:] != (1, 1) or case.W_H.numel() > 1:
            continue
        G = last_state(case, reference.unroll, case.W_X, case.W_H) - case.y
        numbers = (case.x[:, 0, 0], case.h0[0, 0], case.W_X[0, 0], case.W_H[0, 0], G[0, 0])
        scalars = formulas["scalar_gradients"](*numbers)
        matrices = formulas["matrix_gradients"](case.x, case.h0, case.W_X, case.W_H, G)
        assert distance(tuple(s.view(1, 1) for s in scalars), matrices) < 1e-10
        count += 1
    assert count == 96
