"""The engine's gradients in autograd: first order by its own backward, second order through the reference."""

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

#: cell of the engine -> its specification, and what that takes beside weights
REFERENCES: dict[str, tuple[Callable[..., Any], dict[str, Any]]] = {
    **{f"rnn_{f}": (rnn_reference.unroll, {"nonlinearity": f}) for f in rnn_reference.NONLINEARITIES},
    "gru": (gru_reference.unroll, {}),
    "gru_before": (gru_reference.unroll, {"reset_after": False}),
    "lstm": (lstm_reference.unroll, {}),
    "lstm_projected": (lstm_reference.unroll, {}),
}


def by_reference(call: Call) -> tuple[Tensor, ...]:
    """What the operator gives, by the specification: y, h_n, and c_n where there is one."""
    unroll, options = REFERENCES[call.cell]
    B, P = call.h0.shape
    steps = len(call.x if call.base is None else call.base)
    index, there = Places(call.lengths, call.base, call.column, call.reverse).index(steps, B)
    flat = call.x.reshape(-1, call.x.shape[-1])
    biases = [call.w_hh.new_zeros(len(call.w_hh)) if b is None else b for b in (call.b_ih, call.b_hh)]
    state = (call.h0,) if call.c0 is None else (call.h0, call.c0)
    options = options if call.w_hr is None else {"w_hr": call.w_hr}
    h, last = unroll(flat[index], state, call.w_ih, call.w_hh, *biases, there.sum(0), **options)
    y = flat.new_zeros(len(flat), P).index_put((index[there],), h[there])
    return (y.reshape(*call.x.shape[:-1], P), *last)


def _set_up(ctx: Any, inputs: tuple[Any, ...], output: tuple[Tensor, ...]) -> None:
    *call, _ = inputs
    y, _, _, saved = output
    ctx.cell, ctx.reverse = call[0], call[12]
    ctx.save_for_backward(*call[1:12], y, saved)
    ctx.set_materialize_grads(False)


def _backward(ctx: Any, *owed: Tensor | None) -> tuple[Any, ...]:
    *tensors, y, saved = ctx.saved_tensors
    asked = ctx.needs_input_grad
    if tensors[2] is None:
        owed = *owed[:2], None
    call = ctx.cell, *tensors, ctx.reverse
    gradients = torch.ops.ostinato.recurrence_backward(*call, y, saved, *owed[:3], asked[1], any(asked[4:9]))
    given = [g if needed else None for g, needed in zip(gradients, asked[1:9], strict=True)]
    return (None, *given, *[None] * 5)


class Eager(torch.autograd.Function):
    """The same node without the way through torch's dispatcher, which takes longer than a small recurrence does.

    What forward saved is the engine's memory, no tensor, and goes back with the first backward; a second one over a
    retained graph runs forward once more.
    """

    @staticmethod
    def forward(ctx: Any, *args: Any) -> tuple[Tensor | None, ...]:
        *tensors, call = args
        call = call.contiguous()
        check(call)
        ctx.saved = _engine.Buffer(saved_count(call) * call.x.element_size())
        y, h_n, c_n = results = outputs(call)
        run_forward(call, y, h_n, c_n, ctx.saved.address)
        ctx.call = call[0], *call[9:]
        ctx.save_for_backward(*tensors, y)
        ctx.set_materialize_grads(False)
        return results

    @staticmethod
    def backward(ctx: Any, *owed: Tensor | None) -> tuple[Any, ...]:
        *tensors, y = ctx.saved_tensors
        call = Call._make((ctx.call[0], *tensors, *ctx.call[1:]))
        asked = ctx.needs_input_grad[:8]
        if torch.is_grad_enabled() or torch.compiler.is_compiling():
            nothing = y.new_empty(0)
            run = torch.ops.ostinato.recurrence_backward
            found = run(*call, y, nothing, *owed, asked[0], any(asked[3:]))
            return *[g if needed else None for g, needed in zip(found, asked, strict=True)], None
        call = call.contiguous()
        saved, ctx.saved = ctx.saved, None
        if saved is None:
            saved = _engine.Buffer(saved_count(call) * y.element_size())
            run_forward(call, *outputs(call), saved.address)
        weights = any(asked[3:])
        wanted = *asked[:3], *[weights] * 5
        found = [None if t is None or not w else fresh(t) for t, w in zip(call[1:9], wanted, strict=True)]
        run_backward(call, y, saved.address, owed, found)
        return *found, None


def _set_up_second(ctx: Any, inputs: tuple[Any, ...], output: tuple[Tensor, ...]) -> None:
    ctx.cell, ctx.reverse = inputs[0], inputs[12]
    ctx.save_for_backward(*inputs[1:12], *inputs[15:18])
    ctx.set_materialize_grads(False)


def _backward_of_backward(ctx: Any, *moved: Tensor | None) -> tuple[Any, ...]:
    """moved: the gradients of the first order's results -> those of what it was given, computed by the reference."""
    *tensors, dy, dh_n, dc_n = ctx.saved_tensors
    sources = [*tensors[:8], dy, dh_n, dc_n]
    with torch.enable_grad():
        fresh = [None if t is None else t.detach().requires_grad_() for t in sources]
        call = Call._make((ctx.cell, *fresh[:8], *tensors[8:], ctx.reverse))
        pairs = [(o, d) for o, d in zip(by_reference(call), fresh[8:], strict=False) if d is not None]
        inputs = [t for t in fresh[:8] if t is not None]
        first = torch.autograd.grad(
            [o for o, _ in pairs], inputs, [d for _, d in pairs], create_graph=True, materialize_grads=True
        )
        along = [m for m, t in zip(moved, fresh[:8], strict=True) if t is not None]
        kept = [(g, m) for g, m in zip(first, along, strict=True) if m is not None and g.requires_grad]
        wanted = [t for t in fresh if t is not None]
        second = iter(
            torch.autograd.grad(
                [g for g, _ in kept], wanted, [m for _, m in kept], allow_unused=True, materialize_grads=True
            )
        )
    given = [None if t is None else next(second) for t in fresh]
    return (None, *given[:8], *[None] * 6, *given[8:], None, None)


torch.library.register_autograd("ostinato::recurrence", _backward, setup_context=_set_up, lib=LIBRARY)
torch.library.register_autograd(
    "ostinato::recurrence_backward", _backward_of_backward, setup_context=_set_up_second, lib=LIBRARY
)
