"""Buffers for the results of the operators: large ones come from the pool of the engine, small ones from torch.

A buffer belongs to the tensor that this module returns: it goes back to the pool when the last reference to the tensor
goes. No buffer is initialised.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, NamedTuple

import torch
from torch import Tensor

from ostinato.ops.engine.call import LARGE, Call
from ostinato.ops.engine.extension import ABSENT
from ostinato.ops.engine.gate import is_plain

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


def pooled(like: Tensor, *shape: int) -> Tensor:
    """Return an uninitialised contiguous buffer of this shape with the type of ``like``; the caller owns it."""
    count = math.prod(shape)
    if count < LARGE:
        return like.new_empty(shape)
    array = _engine.empty32(count) if like.dtype == torch.float32 else _engine.empty64(count)
    # shaped by numpy: a view of torch could not be changed in place where a node of autograd returns it
    return torch.from_numpy(array.reshape(shape))


def saved_count(call: Call) -> int:
    """Return how many numbers forward saves for backward; the sizes of the call may be symbols of a tracer."""
    head, width = _engine.saved_size(call.cell, 8 * call.x.element_size(), int(call.hidden))
    return head + width * (call.places + call.rows + 1)


#: States of zeros by type and shape, which are only read. Small ones alone are kept.
_ZEROS: dict[tuple[Any, ...], Tensor] = {}


def zeros(x: Tensor, *shape: int) -> Tensor:
    """Return a state of zeros of the type and on the device of x, which nobody may change: it serves many calls."""
    if torch.compiler.is_compiling() or type(x) is not Tensor or not x.is_cpu or torch._C._len_torch_dispatch_stack():
        return x.new_zeros(shape)  # a tracer, a mode or another device sees how its own zeros are made
    return kept_zeros(x.dtype, shape)


def kept_zeros(dtype: torch.dtype, shape: tuple[int, ...]) -> Tensor:
    """Return a state of zeros on the CPU, which nobody may change: it serves many calls."""
    key = dtype, shape
    kept = _ZEROS.get(key)
    if kept is not None and not kept._version:
        return kept
    with torch.inference_mode(False):
        made = torch.zeros(shape, dtype=dtype, device="cpu")
    if made.numel() < LARGE and is_plain(made):
        if len(_ZEROS) >= 64:
            _ZEROS.clear()
        _ZEROS[key] = made
    return made


def results(
    call: Call, save: bool, empty: Callable[..., Tensor] = torch.Tensor.new_empty
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Return buffers for the results of the forward operator.

    Args:
        call: The call whose results the buffers will hold.
        save: Whether forward saves numbers for backward.
        empty: The allocator: it takes a tensor of the wanted type and the sizes of the axes.

    Returns:
        The buffers of y, (T, B, P) or (places, P), h_n, as h0, c_n, as c0, and saved, (saved_count,), in the type
        of x; the caller owns them. c_n is empty, (0,), for a cell of one state, and saved if nothing is saved.
    """
    x, h0, c0 = call.x, call.h0, call.c0
    y = empty(x, *x.shape[:-1], h0.shape[-1])
    c_n = h0.new_empty(0) if c0 is None else torch.empty_like(c0)
    return y, torch.empty_like(h0), c_n, empty(x, saved_count(call) if save else 0)


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
