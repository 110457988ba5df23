"""Long short-term memory, step by step: the specification (Hochreiter and Schmidhuber 1997; Gers et al. 2000)."""

from __future__ import annotations

import torch
from torch import Tensor

from ostinato.ops.masking import keep, running
from ostinato.shapes import State


def unroll(
    x: Tensor,
    state: State,
    w_ih: Tensor,
    w_hh: Tensor,
    b_ih: Tensor,
    b_hh: Tensor,
    lengths: Tensor | None = None,
    w_hr: Tensor | None = None,
) -> tuple[Tensor, State]:
    """c_t = f c_{t-1} + i g, h_t = o tanh(c_t), with i, f, o = sigmoid(.) and g = tanh(.).

    Gates are stacked i, f, g, o. x (T, B, D), state (h (B, H), c (B, H)), w_ih (4H, D), w_hh (4H, H), b_ih, b_hh (4H)
    -> h (T, B, H) and the last state. With w_hr (P, H), h_t = W_hr (o tanh(c_t)) (Sak et al. 2014, eq. 6-7): h and w_hh
    are then P wide.
    """
    (h, c), out = state, []
    for t in range(len(x)):
        i, f, g, o = (x[t] @ w_ih.t() + b_ih + h @ w_hh.t() + b_hh).chunk(4, dim=-1)
        mask = running(t, lengths, h)
        c = keep(mask, torch.sigmoid(f) * c + torch.sigmoid(i) * torch.tanh(g), c)
        m = torch.sigmoid(o) * torch.tanh(c)
        h = keep(mask, m if w_hr is None else m @ w_hr.t(), h)
        out.append(h)
    return torch.stack(out) if out else x.new_zeros(0, *h.shape), (h, c)
