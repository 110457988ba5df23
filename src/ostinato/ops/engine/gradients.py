"""The gradients of the engine in autograd: first order by its own kernel, second order by the reference."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from ostinato.ops.engine.buffers import fresh, outputs, saved_count
from ostinato.ops.engine.call import Call, check
from ostinato.ops.engine.extension import ABSENT
from ostinato.ops.engine.operator import LIBRARY, run_backward, run_forward
from ostinato.ops.engine.places import Places
from ostinato.ops.gru import reference as gru_reference
from ostinato.ops.lstm import reference as lstm_reference
from ostinato.ops.rnn import reference as rnn_reference

if not ABSENT:
    from ostinato.ops.engine import _engine

#: The reference of each cell of the engine, and the options that the reference takes in addition to the weights.
REFERENCES: dict[str, tuple[Callable[..., Any], dict[str, Any]]] = {
    **{f"rnn_{f}": (rnn_reference.unroll, {"nonlinearity": f}) for f in rnn_reference.NONLINEARITIES},
    "gru": (gru_reference.unroll, {}),
    "gru_before": (gru_reference.unroll, {"reset_after": False}),
    "lstm": (lstm_reference.unroll, {}),
    "lstm_projected": (lstm_reference.unroll, {}),
}


def by_reference(call: Call) -> tuple[Tensor, ...]:
    """Return the results of a call by the reference: y, h_n, and c_n for a cell of two states."""
    unroll, options = REFERENCES[call.cell]
    B, P = call.h0.shape
    steps = len(call.x if call.base is None else call.base)
    index, exists = Places(call.lengths, call.base, call.column, call.reverse).index(steps, B)
    flat = call.x.reshape(-1, call.x.shape[-1])
    biases = [call.w_hh.new_zeros(len(call.w_hh)) if b is None else b for b in (call.b_ih, call.b_hh)]
    state = (call.h0,) if call.c0 is None else (call.h0, call.c0)
    options = options if call.w_hr is None else {"w_hr": call.w_hr}
    h, last = unroll(flat[index], state, call.w_ih, call.w_hh, *biases, exists.sum(0), **options)
    y = flat.new_zeros(len(flat), P).index_put((index[exists],), h[exists])
    return (y.reshape(*call.x.shape[:-1], P), *last)


def _set_up(ctx: Any, inputs: tuple[Any, ...], output: tuple[Tensor, ...]) -> None:
    """Keep the inputs and results of ``ostinato::recurrence`` for its derivative."""
    call, _ = Call.split(inputs)
    y, _, _, saved = output
    ctx.cell, ctx.reverse = call.cell, call.reverse
    ctx.save_for_backward(*call.tensors, *call.layout, y, saved)
    ctx.set_materialize_grads(False)


def _backward(
    ctx: Any, dy: Tensor | None, dh_n: Tensor | None, dc_n: Tensor | None, _dsaved: Tensor | None
) -> tuple[Any, ...]:
    """The derivative of ``ostinato::recurrence``: a gradient, or None, for each of its arguments."""
    *tensors, y, saved = ctx.saved_tensors
    call = Call._make((ctx.cell, *tensors, ctx.reverse))
    # one entry per argument of the operator: whether its gradient is needed
    needed, _ = Call.split(ctx.needs_input_grad)
    run = torch.ops.ostinato.recurrence_backward
    dc_n = None if call.c0 is None else dc_n
    computed = run(*call, y, saved, dy, dh_n, dc_n, needed.x, any(needed.weights))
    gradients = [g if need else None for g, need in zip(computed, needed.tensors, strict=True)]
    # cell; the tensors; lengths, base, column, reverse and save
    return (None, *gradients, *[None] * 5)


def _gradient_buffers(call: Call, written: tuple[bool, ...]) -> list[Tensor | None]:
    """Buffers for the gradients of the tensors of a call; None if the kernel does not write the gradient."""
    _cell, *tensors, _lengths, _base, _column, _reverse = call
    return [None if t is None or not w else fresh(t) for t, w in zip(tensors, written, strict=True)]


class Eager(torch.autograd.Function):
    """The node of ``ostinato::recurrence`` without torch's dispatcher, which takes longer than a small recurrence.

    The numbers that forward saves lie in a buffer of the engine, which is not a tensor: ``saved_count`` numbers of the
    type of x. The context owns the buffer until the first backward, which returns it to the pool. A second backward
    over a retained graph runs forward again.
    """

    @staticmethod
    def forward(ctx: Any, *args: Any) -> tuple[Tensor | None, ...]:
        """Return y, h_n and c_n, given ``call.tensors`` one by one, which autograd must see, and then the call."""
        *tensors, call = args
        call = call.contiguous()
        check(call)
        ctx.saved = _engine.Buffer(saved_count(call) * call.x.element_size())
        y, h_n, c_n = results = outputs(call)
        run_forward(call, y, h_n, c_n, ctx.saved.address)
        ctx.options = call.cell, call.lengths, call.base, call.column, call.reverse
        ctx.save_for_backward(*tensors, y)
        ctx.set_materialize_grads(False)
        return results

    @staticmethod
    def backward(ctx: Any, *output_gradients: Tensor | None) -> tuple[Any, ...]:
        """Return the gradients of the tensors of the call, given those of y, h_n and c_n, or None for zero."""
        *tensors, y = ctx.saved_tensors
        cell, *layout, reverse = ctx.options
        call = Call._make((cell, *tensors, *layout, reverse))
        # the last argument of forward is the call, which has no gradient
        *needed, _ = ctx.needs_input_grad
        need_x, need_h0, need_c0, *need_weights = needed
        any_weight = any(need_weights)
        if torch.is_grad_enabled() or torch.compiler.is_compiling():
            nothing_saved = y.new_empty(0)
            run = torch.ops.ostinato.recurrence_backward
            computed = run(*call, y, nothing_saved, *output_gradients, need_x, any_weight)
            return *[g if need else None for g, need in zip(computed, needed, strict=True)], None
        call = call.contiguous()
        saved, ctx.saved = ctx.saved, None
        if saved is None:
            saved = _engine.Buffer(saved_count(call) * y.element_size())
            run_forward(call, *outputs(call), saved.address)
        # the kernel computes the gradients of all weights or of none
        written = need_x, need_h0, need_c0, *[any_weight] * len(need_weights)
        gradients = _gradient_buffers(call, written)
        run_backward(call, y, saved.address, output_gradients, gradients)
        return *gradients, None


def _set_up_second(ctx: Any, inputs: tuple[Any, ...], output: tuple[Tensor, ...]) -> None:
    """Keep the inputs of ``ostinato::recurrence_backward`` for its derivative."""
    call, (_y, _saved, dy, dh_n, dc_n, _need_x, _need_weights) = Call.split(inputs)
    ctx.cell, ctx.reverse = call.cell, call.reverse
    ctx.save_for_backward(*call.tensors, *call.layout, dy, dh_n, dc_n)
    ctx.set_materialize_grads(False)


def _leaf(t: Tensor | None) -> Tensor | None:
    """The tensor as a new leaf of the graph, or None."""
    return None if t is None else t.detach().requires_grad_()


def _backward_of_backward(ctx: Any, *moved: Tensor | None) -> tuple[Any, ...]:
    """The derivative of ``ostinato::recurrence_backward``, by the reference.

    moved holds the gradients of the first-order gradients, in the order of Gradients; the result has a gradient, or
    None, for each argument of the operator.
    """
    *tensors, dy, dh_n, dc_n = ctx.saved_tensors
    call = Call._make((ctx.cell, *tensors, ctx.reverse))
    with torch.enable_grad():
        leaves = [_leaf(t) for t in call.tensors]
        output_gradients = [_leaf(t) for t in (dy, dh_n, dc_n)]
        results = by_reference(Call._make((call.cell, *leaves, *call.layout, call.reverse)))
        pairs = [(o, d) for o, d in zip(results, output_gradients, strict=False) if d is not None]
        inputs = [t for t in leaves if t is not None]
        first = torch.autograd.grad(
            [o for o, _ in pairs], inputs, [d for _, d in pairs], create_graph=True, materialize_grads=True
        )
        directions = [m for m, t in zip(moved, leaves, strict=True) if t is not None]
        kept = [(g, m) for g, m in zip(first, directions, strict=True) if m is not None and g.requires_grad]
        sources = [*leaves, *output_gradients]
        second = iter(
            torch.autograd.grad(
                [g for g, _ in kept],
                [t for t in sources if t is not None],
                [m for _, m in kept],
                allow_unused=True,
                materialize_grads=True,
            )
        )
    *of_tensors, ddy, ddh_n, ddc_n = [None if t is None else next(second) for t in sources]
    # cell; the tensors; lengths, base, column, reverse, y and saved; dy, dh_n and dc_n; need_x and need_weights
    return (None, *of_tensors, *[None] * 6, ddy, ddh_n, ddc_n, None, None)


torch.library.register_autograd("ostinato::recurrence", _backward, setup_context=_set_up, lib=LIBRARY)
torch.library.register_autograd(
    "ostinato::recurrence_backward", _backward_of_backward, setup_context=_set_up_second, lib=LIBRARY
)
