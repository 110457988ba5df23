"""The ends of rows of different length in one padded batch, for time loops and for fused kernels."""

from __future__ import annotations

import torch
from torch import Tensor


def running(t: int, lengths: Tensor | None, like: Tensor) -> Tensor | None:
    """Return which rows have a step t, (B, 1) bool on the device of ``like``; None if all rows have the same length."""
    return None if lengths is None else (t < lengths).to(like.device)[:, None]


def keep(mask: Tensor | None, new: Tensor, old: Tensor) -> Tensor:
    """Return the new state of each row that still runs and the old state of each row that has ended, (B, H)."""
    return new if mask is None else torch.where(mask, new, old)


def last_of(h: Tensor, start: Tensor, lengths: Tensor | None) -> Tensor:
    """Return the hidden state after the last step of each row.

    Args:
        h: The hidden states of all steps, (T, B, H).
        start: The hidden state before the first step, (B, H), which is the result for a row of length 0.
        lengths: The number of steps of each row, (B,), or None if every row has T steps.

    Returns:
        The last hidden states, (B, H).
    """
    if not len(h):
        return start
    if lengths is None:
        return h[-1]
    lengths = lengths.to(h.device)
    last = h[(lengths - 1).clamp(min=0), torch.arange(h.shape[1], device=h.device)]
    return torch.where(lengths[:, None] > 0, last, start)
