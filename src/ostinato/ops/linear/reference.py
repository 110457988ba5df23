"""The diagonal linear recurrence, step by step: the reference."""

from __future__ import annotations

import torch
from torch import Tensor

from ostinato.ops.masking import keep, running
from ostinato.shapes import State


def unroll(u: Tensor, state: State, a: Tensor, lengths: Tensor | None = None) -> tuple[Tensor, State]:
    """Unroll h_t = a h_{t-1} + u_t for each unit separately, in real or complex numbers.

    Args:
        u: The inputs, (T, B, H).
        state: The state before the first step: (h,), h of (B, H).
        a: The coefficient of each unit, (H,).
        lengths: The number of steps of each row, (B,), or None if every row has T steps.

    Returns:
        The hidden states of all steps, (T, B, H), and the state after the last step of each row.
    """
    (h,), out = state, []
    for t in range(len(u)):
        h = keep(running(t, lengths, h), a * h + u[t], h)
        out.append(h)
    return torch.stack(out) if out else u.new_zeros(0, *h.shape), (h,)
