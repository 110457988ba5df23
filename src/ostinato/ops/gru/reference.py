"""The gated recurrent unit, step by step: the reference (Cho et al. 2014, eq. 5-8)."""

from __future__ import annotations

import torch
from torch import Tensor

from ostinato.ops.masking import keep, running
from ostinato.ops.weights import Weights
from ostinato.shapes import State


def unroll(
    x: Tensor,
    state: State,
    weights: Weights,
    lengths: Tensor | None = None,
    reset_after: bool = True,
) -> tuple[Tensor, State]:
    """Unroll r, z = sigmoid(.), n = tanh(W_in x + b_in + r (W_hn h + b_hn)), h_t = (1 - z) n + z h_{t-1}.

    The reset gate r acts after the product, as in torch. With reset_after=False it acts before the product, as in the
    paper: n = tanh(W_in x + b_in + W_hn (r h) + b_hn). The gates are stacked in the order r, z, n.

    Args:
        x: The inputs, (T, B, D).
        state: The state before the first step: (h,), h of (B, H).
        weights: The weights of the three gates.
        lengths: The number of steps of each row, (B,), or None if every row has T steps.
        reset_after: Whether the reset gate acts after the product.

    Returns:
        The hidden states of all steps, (T, B, H), and the state after the last step of each row.
    """
    (h,), out = state, []
    w_ih, w_hh, (b_ih, b_hh) = weights.w_ih, weights.w_hh, weights.biases
    (w_hr, w_hz, w_hn), (b_hr, b_hz, b_hn) = w_hh.chunk(3), b_hh.chunk(3)
    for t in range(len(x)):
        x_r, x_z, x_n = (x[t] @ w_ih.t() + b_ih).chunk(3, dim=-1)
        r, z = torch.sigmoid(x_r + h @ w_hr.t() + b_hr), torch.sigmoid(x_z + h @ w_hz.t() + b_hz)
        h_n = r * (h @ w_hn.t() + b_hn) if reset_after else (r * h) @ w_hn.t() + b_hn
        n = torch.tanh(x_n + h_n)
        h = keep(running(t, lengths, h), (1 - z) * n + z * h, h)
        out.append(h)
    return torch.stack(out) if out else x.new_zeros(0, *h.shape), (h,)
