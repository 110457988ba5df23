"""An LSTM with projections: every implementation is the specification, for rows of any length."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from ostinato.ops.engine import extension
from ostinato.ops.selection import pick
from ostinato.ops.weights import Weights

T, B, D, H, P = 7, 5, 3, 6, 4


def run(implementation: str, lengths: Tensor | None) -> tuple[Tensor, ...]:
    """Return h at the steps of each row, the last state, and all gradients of a random functional of both."""
    g = torch.Generator().manual_seed(0)
    draw: Callable[..., Tensor] = lambda *shape: torch.randn(*shape, generator=g, dtype=torch.float64).requires_grad_()  # noqa: E731
    x, h0, c0, w_hr = draw(T, B, D), draw(B, P), draw(B, H), draw(P, H)
    weights = draw(4 * H, D), draw(4 * H, P), draw(4 * H), draw(4 * H)
    h, (h_n, c_n) = pick("lstm", implementation)(x, (h0, c0), Weights(*weights, w_hr), lengths)
    if lengths is not None:
        h = h * (torch.arange(T)[:, None] < lengths)[..., None]
    loss = [(r * torch.randn(r.shape, generator=g, dtype=torch.float64)).sum() for r in (h, h_n, c_n)]
    return h, h_n, c_n, *torch.autograd.grad(loss, [x, h0, c0, *weights, w_hr])


@pytest.mark.parametrize("lengths", [None, torch.tensor([7, 0, 3, 1, 7])], ids=["whole", "ragged"])
@pytest.mark.parametrize("implementation", ["native", "aten"])
def test_projections_are_the_specification(implementation: str, lengths: Tensor | None) -> None:
    if implementation == "native" and extension.ABSENT:
        pytest.skip(extension.ABSENT)
    for found, true in zip(run(implementation, lengths), run("reference", lengths), strict=True):
        torch.testing.assert_close(found, true, rtol=1e-10, atol=1e-10)
