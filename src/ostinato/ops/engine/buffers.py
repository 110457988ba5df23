"""Memory for what the operators give, from the engine's pool where it is large."""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch import Tensor

from ostinato.ops.engine.call import Call
from ostinato.ops.engine.extension import ABSENT

if not ABSENT:
    from ostinato.ops.engine import _engine

Gradients = tuple[Tensor, Tensor, Tensor, Tensor, Tensor, Tensor, Tensor, Tensor]

#: Numbers from which an array is taken from the engine's pool; below, torch's own allocator has them at hand.
_LARGE = 1 << 16


def fresh(like: Tensor) -> Tensor:
    """Memory of the type and shape of ``like``, unwritten."""
    return torch.empty_like(like) if like.numel() < _LARGE else pooled(like, *like.shape)


def pooled(like: Tensor, *shape: int) -> Tensor:
    """Memory of the type of ``like``, unwritten."""
    count = math.prod(shape)
    if count < _LARGE:
        return like.new_empty(shape)
    array = _engine.empty32(count) if like.dtype == torch.float32 else _engine.empty64(count)
    return torch.from_numpy(array).view(shape)


def saved_count(call: Call) -> int:
    """How many numbers forward saves for backward."""
    head, width = _engine.saved_size(call.cell, 8 * call.x.element_size(), int(call.hidden))
    return head + width * (call.places + len(call.h0) + 1)


def outputs(call: Call, empty: Callable[..., Tensor] = pooled) -> tuple[Tensor, Tensor, Tensor | None]:
    """Memory for y, h_n and c_n."""
    x, h0, c0 = call.x, call.h0, call.c0
    y = empty(x, *x.shape[:-1], h0.shape[-1])
    return y, torch.empty_like(h0), None if c0 is None else torch.empty_like(c0)


def results(
    call: Call, save: bool, empty: Callable[..., Tensor] = torch.Tensor.new_empty
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Memory for what forward returns."""
    y, h_n, c_n = outputs(call, empty)
    saved = empty(call.x, saved_count(call) if save else 0)
    return y, h_n, h_n.new_empty(0) if c_n is None else c_n, saved


def gradients(
    call: Call, need_x: bool, need_weights: bool, empty: Callable[..., Tensor] = torch.Tensor.new_empty
) -> Gradients:
    """Memory for what backward returns."""

    def like(t: Tensor | None, needed: bool = True) -> Tensor:
        return call.x.new_empty(0) if t is None or not needed else empty(t, *t.shape)

    w_ih, w_hh, b_ih, b_hh, w_hr = (like(t, need_weights) for t in call[4:9])
    return like(call.x, need_x), like(call.h0), like(call.c0), w_ih, w_hh, b_ih, b_hh, w_hr
