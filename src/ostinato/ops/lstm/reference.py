"""Long short-term memory, step by step: the reference (Hochreiter and Schmidhuber 1997; Gers et al. 2000)."""

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
) -> tuple[Tensor, State]:
    """Unroll c_t = f c_{t-1} + i g, h_t = o tanh(c_t), with i, f, o = sigmoid(.) and g = tanh(.).

    The gates are stacked in the order i, f, g, o. With w_hr, h_t = W_hr (o tanh(c_t)) (Sak et al. 2014, eq. 6-7), and
    h is P wide; without it P is H.

    Args:
        x: The inputs, (T, B, D).
        state: The state before the first step: (h, c), h of (B, P) and c of (B, H).
        weights: The weights of the four gates, and w_hr.
        lengths: The number of steps of each row, (B,), or None if every row has T steps.

    Returns:
        The hidden states of all steps, (T, B, P), and the state after the last step of each row.
    """
    (h, c), out = state, []
    w_ih, w_hh, (b_ih, b_hh), w_hr = weights.w_ih, weights.w_hh, weights.biases, weights.w_hr
    for t in range(len(x)):
        i, f, g, o = (x[t] @ w_ih.t() + b_ih + h @ w_hh.t() + b_hh).chunk(4, dim=-1)
        mask = running(t, lengths, h)
        c = keep(mask, torch.sigmoid(f) * c + torch.sigmoid(i) * torch.tanh(g), c)
        m = torch.sigmoid(o) * torch.tanh(c)
        h = keep(mask, m if w_hr is None else m @ w_hr.t(), h)
        out.append(h)
    return torch.stack(out) if out else x.new_zeros(0, *h.shape), (h, c)
