"""See backpropagation through time: how gradients vanish over the lags, and what truncation does to them.

An RNN reads 60 steps, and the loss is on its last state. The script prints the norm of the gradient that reaches the
state k steps earlier, for recurrent weights of three sizes. It then prints how far the gradient of the weights is from
the exact one if the backward pass stops after a window of k steps.

Run: python examples/student.py
"""

from __future__ import annotations

import torch
from torch import Tensor

from ostinato import nn

LAGS = (1, 5, 20, 50)


def unroll(cell: nn.RNNCell, x: Tensor, window: int) -> list[Tensor]:
    """Return the states of all steps. The gradient passes the last ``window`` steps only."""
    states = [torch.zeros(1, cell.hidden_size)]
    for t, value in enumerate(x):
        cut = t == len(x) - window
        states.append(cell(value, states[-1].detach() if cut else states[-1]))
        if states[-1].requires_grad:
            states[-1].retain_grad()
    return states


def main() -> None:
    """Print both tables."""
    torch.manual_seed(0)
    x = torch.randn(60, 1, 1)
    for size in (0.5, 0.9, 1.3):
        cell = nn.RNNCell(1, 16)
        torch.nn.init.orthogonal_(cell.weight_hh, size)
        states = unroll(cell, x, len(x))
        states[-1].square().sum().backward()  # type: ignore[no-untyped-call]
        norms = [float(states[-1 - k].grad.norm()) for k in LAGS if states[-1 - k].grad is not None]
        print(f"weights of size {size}: " + "  ".join(f"lag {k} {n:.1e}" for k, n in zip(LAGS, norms, strict=True)))
        exact = cell.weight_hh.grad.clone() if cell.weight_hh.grad is not None else cell.weight_hh
        for k in LAGS:
            cell.zero_grad()
            unroll(cell, x, k)[-1].square().sum().backward()  # type: ignore[no-untyped-call]
            short = cell.weight_hh.grad if cell.weight_hh.grad is not None else exact
            print(f"  truncated after {k:2} steps: off by {float((short - exact).norm() / exact.norm()):.1%}")


if __name__ == "__main__":
    main()
