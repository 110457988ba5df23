"""One way into the engine for every cell, with the signature that the references have."""

from __future__ import annotations

import torch
from torch import Tensor

from ostinato.ops.engine import gradients as gradients
from ostinato.ops.engine.places import Places
from ostinato.shapes import State

_PADDED = Places()


def unroll(
    cell: str,
    x: Tensor,
    state: State,
    w_ih: Tensor,
    w_hh: Tensor,
    b_ih: Tensor | None,
    b_hh: Tensor | None,
    places: Places = _PADDED,
) -> tuple[Tensor, State]:
    """x (T, B, D), or (places, D) with places.base -> h of every step, (T, B, H) or (places, H), and the last state.

    cell is the engine's name for it; state (h (B, H),) or (h, c). Raises ConfigError for what cannot be.
    """
    h0, c0 = state if len(state) == 2 else (state[0], None)
    tensors = x, h0, c0, w_ih, w_hh, b_ih, b_hh
    save = torch.is_grad_enabled() and any(t is not None and t.requires_grad for t in tensors)
    p, run = places, torch.ops.ostinato.recurrence
    h, h_n, c_n, _ = run(cell, *tensors, p.lengths, p.base, p.column, p.reverse, save)
    return h, (h_n,) if c0 is None else (h_n, c_n)
