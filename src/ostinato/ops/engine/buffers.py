"""Buffers for the results of the operators: large ones come from the pool of the engine, small ones from torch.

A buffer belongs to the tensor that this module returns: it goes back to the pool when the last reference to the tensor
goes. No buffer is initialised.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor

from ostinato.ops.engine.call import Call
from ostinato.ops.engine.extension import ABSENT

if not ABSENT:
    from ostinato.ops.engine import _engine


class Gradients(NamedTuple):
    """The gradients of the tensors of a call, each with the shape and the type of its tensor.

    A gradient is empty, (0,), if the call has no such tensor or if nobody needs the gradient.

    Attributes:
        x: The gradient of the inputs, (T, B, D) or (places, D).
        h0: The gradient of the first hidden state, (B, P).
        c0: The gradient of the first cell state, (B, H).
        w_ih: The gradient of the input weights, (GH, D).
        w_hh: The gradient of the recurrent weights, (GH, P).
        b_ih: The gradient of the bias of the input side, (GH,).
        b_hh: The gradient of the bias of the recurrent side, (GH,).
        w_hr: The gradient of the projection, (P, H).
    """

    x: Tensor
    h0: Tensor
    c0: Tensor
    w_ih: Tensor
    w_hh: Tensor
    b_ih: Tensor
    b_hh: Tensor
    w_hr: Tensor


#: The count of numbers from which a buffer comes from the pool; for smaller ones the allocator of torch is as fast.
_LARGE = 1 << 16


def fresh(like: Tensor) -> Tensor:
    """Return an uninitialised buffer with the shape and the type of ``like``; the caller owns it."""
    return torch.empty_like(like) if like.numel() < _LARGE else pooled(like, *like.shape)


def pooled(like: Tensor, *shape: int) -> Tensor:
    """Return an uninitialised contiguous buffer of this shape with the type of ``like``; the caller owns it."""
    count = math.prod(shape)
    if count < _LARGE:
        return like.new_empty(shape)
    array = _engine.empty32(count) if like.dtype == torch.float32 else _engine.empty64(count)
    # shaped by numpy: a view of torch could not be changed in place where a node of autograd returns it
    return torch.from_numpy(array.reshape(shape))


def saved_count(call: Call) -> int:
    """Return how many numbers forward saves for backward; the sizes of the call may be symbols of a tracer."""
    head, width = _engine.saved_size(call.cell, 8 * call.x.element_size(), int(call.hidden))
    return head + width * (call.places + call.h0.shape[0] + 1)


def outputs(call: Call, empty: Callable[..., Tensor] = pooled) -> tuple[Tensor, Tensor, Tensor | None]:
    """Return buffers for y, (T, B, P) or (places, P), h_n, (B, P), and c_n, (B, H) or None, in the type of x.

    Args:
        call: The call whose results the buffers will hold.
        empty: The allocator: it takes a tensor of the wanted type and the sizes of the axes.

    Returns:
        The buffers of y, h_n and c_n; the caller owns them. c_n is None for a cell of one state.
    """
    x, h0, c0 = call.x, call.h0, call.c0
    y = empty(x, *x.shape[:-1], h0.shape[-1])
    return y, torch.empty_like(h0), None if c0 is None else torch.empty_like(c0)


def results(
    call: Call, save: bool, empty: Callable[..., Tensor] = torch.Tensor.new_empty
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Return buffers for the results of the forward operator.

    Args:
        call: The call whose results the buffers will hold.
        save: Whether forward saves numbers for backward.
        empty: The allocator: it takes a tensor of the wanted type and the sizes of the axes.

    Returns:
        The buffers of y, (T, B, P) or (places, P), h_n, (B, P), c_n, (B, H), and saved, (saved_count,), in the type
        of x; the caller owns them. c_n is empty, (0,), for a cell of one state, and saved if nothing is saved.
    """
    y, h_n, c_n = outputs(call, empty)
    saved = empty(call.x, saved_count(call) if save else 0)
    return y, h_n, h_n.new_empty(0) if c_n is None else c_n, saved


def gradients(
    call: Call, need_x: bool, need_weights: bool, empty: Callable[..., Tensor] = torch.Tensor.new_empty
) -> Gradients:
    """Return buffers for the results of the backward operator.

    Args:
        call: The call whose gradients the buffers will hold.
        need_x: Whether the gradient of x is needed.
        need_weights: Whether the gradients of the weights are needed.
        empty: The allocator: it takes a tensor of the wanted type and the sizes of the axes.

    Returns:
        The buffers, one for each tensor of the call, in the type of x; the caller owns them.
    """

    def like(t: Tensor | None, needed: bool = True) -> Tensor:
        return call.x.new_empty(0) if t is None or not needed else empty(t, *t.shape)

    of_weights = (like(t, need_weights) for t in call.weights)
    return Gradients(like(call.x, need_x), like(call.h0), like(call.c0), *of_weights)
