"""The engine as torch operators: two opaque nodes that survive torch.compile, torch.export and functional_call.

``ostinato::recurrence`` unrolls a cell and ``ostinato::recurrence_backward`` computes its gradients. gradients.py
registers the second as the derivative of the first.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor

from ostinato.errors import ConfigError
from ostinato.ops.engine import layer
from ostinato.ops.engine.buffers import Gradients, gradients, pooled, results, saved_count
from ostinato.ops.engine.call import Call, Sizes, check_backward, sizes_of
from ostinato.ops.engine.extension import ABSENT
from ostinato.ops.engine.gate import addresses, require_bytes, require_one_device
from ostinato.threads import engine_limit

if not ABSENT:
    from ostinato.ops.engine import _engine

# the fields of Call, in their order
_CALL = (
    "str cell, Tensor x, Tensor h0, Tensor? c0, Tensor w_ih, Tensor w_hh, Tensor? b_ih, Tensor? b_hh, "
    "Tensor? w_hr, Tensor? lengths, Tensor? base, Tensor? column, bool reverse"
)
LIBRARY: Any = torch.library.Library("ostinato", "DEF")  # type: ignore[no-untyped-call]
LIBRARY.define(f"recurrence({_CALL}, bool save) -> (Tensor, Tensor, Tensor, Tensor)")
LIBRARY.define(
    f"recurrence_backward({_CALL}, Tensor y, Tensor saved, Tensor? dy, Tensor? dh_n, Tensor? dc_n, "
    "bool need_x, bool need_weights) -> (Tensor, Tensor, Tensor, Tensor, Tensor, Tensor, Tensor, Tensor)"
)


def forward(*args: Any) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Run the operator ``ostinato::recurrence``.

    Args:
        *args: The fields of a Call, then save: whether to save what backward needs.

    Returns:
        y, (T, B, P) or (places, P), zero at places that hold no step; h_n, (B, P), and c_n, (B, H), the state after
        the last step of each row, c_n empty for a cell of one state; and saved, the numbers that backward reads.

    Raises:
        ConfigError: A shape, a type, a length or a place does not fit the others.
    """
    call, (save,) = Call.split(args)
    require_bytes(call.tensors)
    if not save:
        # the engine checks and allocates itself, in a third of the time
        y, h_n, c_n, _ = layer.run_forward(layer.LayerForm.of(call), call.tensors, False)
        return y, h_n, y.new_empty(0) if c_n is None else c_n, y.new_empty(0)
    call = call.contiguous()
    y, h_n, c_n, saved = buffers = results(call, save, pooled)
    run_forward(call, sizes_of(call), y, h_n, c_n, saved.data_ptr())
    return buffers


def backward(*args: Any) -> Gradients:
    """Run the operator ``ostinato::recurrence_backward``; forward is run again first if nothing was saved.

    Args:
        *args: The fields of a Call; then y and saved, as forward returned them, or saved empty; dy, dh_n and dc_n, the
            gradients of its results or None; need_x and need_weights, whether those gradients are needed.

    Returns:
        The gradients of the tensors of the call.

    Raises:
        ConfigError: A shape, a type, a length or a place does not fit the others.
    """
    call, (y, saved, dy, dh_n, dc_n, need_x, need_weights) = Call.split(args)
    require_bytes((*call.tensors, y, saved, dy, dh_n, dc_n))
    call = call.contiguous()
    if not saved.numel():
        y, _, _, saved = forward(*call, True)
    sizes = sizes_of(call)
    check_backward(call, y, saved, saved_count(call), (dy, dh_n, dc_n))
    y, saved = y.contiguous(), saved.contiguous()
    buffers = gradients(call, need_x, need_weights, pooled)
    run_backward(call, sizes, y, saved.data_ptr(), (dy, dh_n, dc_n), buffers)
    return buffers


def run_forward(call: Call, sizes: Sizes, y: Tensor, h_n: Tensor, c_n: Tensor | None, saved: int) -> None:
    """Run the forward kernel on buffers of the caller.

    Args:
        call: The call, contiguous.
        sizes: Its sizes.
        y: The buffer of the outputs, (T, B, P) or (places, P), which the kernel writes.
        h_n: The buffer of the last hidden state, as h0, which the kernel writes.
        c_n: The buffer of the last cell state, as c0, which the kernel writes; None or empty for a cell of one state.
        saved: The address of the buffer for backward, of ``sizes.saved`` numbers; 0 to save nothing.

    Raises:
        ConfigError: A length or a place lies outside of x.
    """
    cell, x, h0, c0, w_ih, w_hh, b_ih, b_hh, w_hr, lengths, base, column, _ = call
    run: Any = _engine.forward32 if sizes.bits == 32 else _engine.forward64
    at = addresses(lengths, base, column, w_ih, w_hh, b_ih, b_hh, w_hr, x, h0, c0, y, h_n, c_n)
    try:
        run(cell, sizes.description, at[:3], at[3:8], engine_limit(), *at[8:], saved)
    except ValueError as error:
        raise ConfigError(str(error), fix="give lengths of 0 to T steps, and each step its own row of x") from error


def shared(call: Call) -> bool:
    """Return whether several threads share a call."""
    sizes = sizes_of(call)
    parts, team, _ = _engine.grid_of(call.cell, sizes.bits, sizes.description, engine_limit())
    return bool(parts * team > 1)


def repeated(call: Call) -> Callable[[], None]:
    """Return a function that makes one step: it reads x again each time, and replaces h0 and c0 in place.

    Args:
        call: The call of one step, contiguous and checked. The function keeps its tensors alive; they must not move.

    Returns:
        The function. It owns a buffer for y, (1, B, P), that nobody reads.
    """
    sizes = sizes_of(call)
    run: Any = _engine.forward32 if sizes.bits == 32 else _engine.forward64
    y = torch.empty_like(call.h0)
    layout, weights = addresses(*call.layout), addresses(*call.weights)
    inputs, outputs = addresses(call.x, call.h0, call.c0), addresses(y, call.h0, call.c0)
    arguments = (call.cell, sizes.description, layout, weights, engine_limit(), *inputs, *outputs, 0)

    def step(_kept_alive: object = (call, y)) -> None:
        run(*arguments)

    return step


def run_backward(  # noqa: PLR0914 - one name for each field
    call: Call,
    sizes: Sizes,
    y: Tensor,
    saved: int,
    output_gradients: Sequence[Tensor | None],
    input_gradients: Sequence[Tensor | None],
) -> None:
    """Run the backward kernel on buffers of the caller.

    Args:
        call: The call, contiguous.
        sizes: Its sizes.
        y: The outputs of forward, (T, B, P) or (places, P).
        saved: The address of the numbers that forward saved.
        output_gradients: The gradients of y, h_n and c_n, each with the shape of its tensor, or None for zero.
        input_gradients: The buffers that the kernel writes, in the order of Gradients. The kernel computes no gradient
            whose buffer is None or empty.

    Raises:
        ConfigError: The numbers are not those that forward saved, or a length or a place lies outside of x.
    """
    cell, x, h0, c0, w_ih, w_hh, b_ih, b_hh, w_hr, lengths, base, column, _ = call
    run: Any = _engine.backward32 if sizes.bits == 32 else _engine.backward64
    dy, dh_n, dc_n = [t if t is None or t.is_contiguous() else t.contiguous() for t in output_gradients]
    layout, weights = addresses(lengths, base, column), addresses(w_ih, w_hh, b_ih, b_hh, w_hr)
    inputs, given = addresses(x, h0, c0, y), addresses(dy, dh_n, dc_n)
    dx, dh0, dc0, *dw = addresses(*input_gradients)
    try:
        run(cell, sizes.description, layout, weights, *inputs, saved, *given, dx, dh0, dc0, tuple(dw))
    except ValueError as error:
        raise ConfigError(str(error), fix="give what ostinato::recurrence saved for this call") from error


def _fake_forward(*args: Any) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """The results of forward by shape and type alone, for the tracers of torch."""
    call, (save,) = Call.split(args)
    require_one_device(call.tensors)
    return results(call, save)


def _fake_backward(*args: Any) -> Gradients:
    """The results of backward by shape and type alone, for the tracers of torch."""
    call, (*_, need_x, need_weights) = Call.split(args)
    return gradients(call, need_x, need_weights)


for _name, _compute, _fake in (
    ("recurrence", forward, _fake_forward),
    ("recurrence_backward", backward, _fake_backward),
):
    LIBRARY.impl(_name, _compute, "CPU")
    torch.library.register_fake(f"ostinato::{_name}", _fake, lib=LIBRARY)
    # 16 bits are too few for the sums of a recurrence: under autocast it runs in float32, unlike torch's own
    torch.library.register_autocast(f"ostinato::{_name}", "cpu", torch.float32, lib=LIBRARY)
