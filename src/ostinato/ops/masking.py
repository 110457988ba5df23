"""Rows of different length in one padded batch: what a time loop and a fused kernel do about their ends."""

from __future__ import annotations

import torch
from torch import Tensor


def running(t: int, lengths: Tensor | None, like: Tensor) -> Tensor | None:
    """(B, 1) bool: which rows have a step t; None where all have."""
    return None if lengths is None else (t < lengths).to(like.device)[:, None]


def keep(mask: Tensor | None, new: Tensor, old: Tensor) -> Tensor:
    """New where the row still runs, old where it has ended: (B, H)."""
    return new if mask is None else torch.where(mask, new, old)


def last_of(h: Tensor, start: Tensor, lengths: Tensor | None) -> Tensor:
    """H (T, B, H) after each row's own last step; start (B, H) where it has none."""
    if not len(h):
        return start
    if lengths is None:
        return h[-1]
    lengths = lengths.to(h.device)
    last = h[(lengths - 1).clamp(min=0), torch.arange(h.shape[1], device=h.device)]
    return torch.where(lengths[:, None] > 0, last, start)
