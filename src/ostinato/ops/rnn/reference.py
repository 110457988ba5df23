"""The plain recurrent network, step by step: the specification (Elman 1990)."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from ostinato.ops.masking import keep, running
from ostinato.shapes import State

NONLINEARITIES: dict[str, Callable[[Tensor], Tensor]] = {
    "tanh": torch.tanh,
    "relu": torch.relu,
    # the linear latent model: h_t = x_t W_X + h_{t-1} W_H + b
    "identity": lambda a: a,
}


def unroll(
    x: Tensor,
    state: State,
    w_ih: Tensor,
    w_hh: Tensor,
    b_ih: Tensor,
    b_hh: Tensor,
    lengths: Tensor | None = None,
    nonlinearity: str = "tanh",
) -> tuple[Tensor, State]:
    """h_t = f(W_ih x_t + b_ih + W_hh h_{t-1} + b_hh).

    x (T, B, D), state (h (B, H),), w_ih (H, D), w_hh (H, H), b_ih and b_hh (H) -> h (T, B, H) and the last state.
    """
    (h,), f, out = state, NONLINEARITIES[nonlinearity], []
    for t in range(len(x)):
        new = f(x[t] @ w_ih.t() + b_ih + h @ w_hh.t() + b_hh)
        h = keep(running(t, lengths, h), new, h)
        out.append(h)
    return torch.stack(out) if out else x.new_zeros(0, *h.shape), (h,)
