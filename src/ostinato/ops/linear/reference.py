"""The diagonal linear recurrence, step by step: the specification."""

from __future__ import annotations

import torch
from torch import Tensor

from ostinato.ops.masking import keep, running
from ostinato.shapes import State


def unroll(u: Tensor, state: State, a: Tensor, lengths: Tensor | None = None) -> tuple[Tensor, State]:
    """h_t = a h_{t-1} + u_t, each unit on its own; real or complex.

    u (T, B, H), state (h (B, H),), a (H) -> h (T, B, H) and the last state.
    """
    (h,), out = state, []
    for t in range(len(u)):
        h = keep(running(t, lengths, h), a * h + u[t], h)
        out.append(h)
    return torch.stack(out) if out else u.new_zeros(0, *h.shape), (h,)
