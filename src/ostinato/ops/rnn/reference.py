"""The plain recurrent network, step by step: the reference (Elman 1990)."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from ostinato.ops.masking import keep, running
from ostinato.ops.weights import Weights
from ostinato.shapes import State

#: The nonlinearities of the plain recurrent network, by name.
NONLINEARITIES: dict[str, Callable[[Tensor], Tensor]] = {
    "tanh": torch.tanh,
    "relu": torch.relu,
    # makes the network the linear latent model h_t = x_t W_X + h_{t-1} W_H + b
    "identity": lambda a: a,
}


def unroll(
    x: Tensor,
    state: State,
    weights: Weights,
    lengths: Tensor | None = None,
    nonlinearity: str = "tanh",
) -> tuple[Tensor, State]:
    """Unroll h_t = f(W_ih x_t + b_ih + W_hh h_{t-1} + b_hh).

    Args:
        x: The inputs, (T, B, D).
        state: The state before the first step: (h,), h of (B, H).
        weights: The weights, with a single gate.
        lengths: The number of steps of each row, (B,), or None if every row has T steps.
        nonlinearity: The name of f, a key of NONLINEARITIES.

    Returns:
        The hidden states of all steps, (T, B, H), and the state after the last step of each row.
    """
    (h,), f, out = state, NONLINEARITIES[nonlinearity], []
    w_ih, w_hh, (b_ih, b_hh) = weights.w_ih, weights.w_hh, weights.biases
    for t in range(len(x)):
        new = f(x[t] @ w_ih.t() + b_ih + h @ w_hh.t() + b_hh)
        h = keep(running(t, lengths, h), new, h)
        out.append(h)
    return torch.stack(out) if out else x.new_zeros(0, *h.shape), (h,)
