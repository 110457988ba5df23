"""The gradients of the engine in autograd: by its own kernel, or by the reference where no kernel can run.

The kernel computes gradients of the first order. A gradient that must itself be differentiable, that is batched
(``is_grads_batched``) or that has a tangent is computed by the reference, in operators of torch.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor
from torch._library.autograd import Info, make_autograd_impl

from ostinato.errors import ConfigError
from ostinato.ops.engine.buffers import kept_for_backward, needed_gradients, outputs
from ostinato.ops.engine.call import Call, Sizes, sizes_of
from ostinato.ops.engine.decomposed import by_reference, gradients_of, gradients_of_gradients, in_float32
from ostinato.ops.engine.gate import Way, addresses, transformed, way
from ostinato.ops.engine.operator import LIBRARY, run_backward, run_forward


def _reference_of(call: Call) -> Callable[..., tuple[Tensor, ...]]:
    """Return the reference of a call as a function of its tensors, in float32 under autocast."""

    def run(*tensors: Tensor | None) -> tuple[Tensor, ...]:
        return by_reference(Call._make((call.cell, *tensors, *call.layout, call.reverse)))

    return in_float32(run)


def decomposed(call: Call) -> tuple[Tensor, Tensor, Tensor | None]:
    """Return y, h_n and c_n by the reference; c_n is None for a cell of one state."""
    y, h_n, *c_n = _reference_of(call)(*call.tensors)
    return y, h_n, c_n[0] if c_n else None


def _decomposed_gradients(
    call: Call, output_gradients: Sequence[Tensor | None], needed: Sequence[bool]
) -> list[Tensor | None]:
    """Return the gradients of the tensors of a call by the reference, given those of y, h_n and c_n."""
    count = 2 if call.c0 is None else 3
    return gradients_of(_reference_of(call), call.tensors, output_gradients[:count], needed)


def _set_up(ctx: Any, inputs: tuple[Any, ...], output: tuple[Tensor, ...]) -> None:
    """Keep the inputs and results of ``ostinato::recurrence`` for its derivative."""
    call, _ = Call.split(inputs)
    y, _, _, saved = output
    ctx.cell, ctx.reverse = call.cell, call.reverse
    ctx.save_for_backward(*call.tensors, *call.layout, kept(y), saved)
    ctx.set_materialize_grads(False)


def kept(y: Tensor) -> Tensor:
    """Return an output as a node of an operator saves it: a copy, so that the output can be changed in place.

    In the graph of a tracer no output is changed in place, so there the output itself is saved.
    """
    return y.detach().clone() if type(y) is Tensor else y


def _backward(
    ctx: Any, dy: Tensor | None, dh_n: Tensor | None, dc_n: Tensor | None, _dsaved: Tensor | None
) -> tuple[Any, ...]:
    """The derivative of ``ostinato::recurrence``: a gradient, or None, for each of its arguments."""
    *tensors, y, saved = ctx.saved_tensors
    call = Call._make((ctx.cell, *tensors, ctx.reverse))
    # one entry per argument of the operator: whether its gradient is needed
    needed: Any = Call.split(ctx.needs_input_grad)[0].tensors
    output_gradients = dy, dh_n, None if call.c0 is None else dc_n
    if torch.is_grad_enabled() or way((*tensors, *output_gradients)) is Way.REFERENCE:
        gradients = _decomposed_gradients(call, output_gradients, needed)
    else:
        gradients = _gradients_by_operator(call, y, saved, output_gradients, needed)
    # cell; the tensors; lengths, base, column, reverse and save
    return (None, *gradients, *[None] * 5)


def _gradients_by_operator(
    call: Call, y: Tensor, saved: Tensor, output_gradients: Sequence[Tensor | None], needed: Sequence[bool]
) -> list[Tensor | None]:
    """Return the gradients of the tensors of a call by ``ostinato::recurrence_backward``, None if not needed."""
    need_x, _, _, *need_weights = needed
    run = torch.ops.ostinato.recurrence_backward
    computed = run(*call, y, saved, *output_gradients, need_x, any(need_weights))
    return [g if need else None for g, need in zip(computed, needed, strict=True)]


def _has(call: Call, sizes: Sizes) -> bool:
    """Return whether a call has these sizes."""
    try:
        return sizes_of(call) == sizes
    except ConfigError:
        return False


class Eager(torch.autograd.Function):
    """The node of ``ostinato::recurrence`` without torch's dispatcher, which takes longer than a small recurrence.

    The context owns the numbers that forward saves until the first backward. A second backward over a retained graph
    runs forward again, and so does a backward after y was changed in place: the kernel needs the values that y had.
    """

    @staticmethod
    def forward(ctx: Any, *args: Any) -> tuple[Tensor | None, ...]:
        """Return y, h_n and c_n, given ``call.tensors`` one by one, which autograd must see, and then the call."""
        *tensors, call = args
        sizes = sizes_of(call)
        # the copies of what is not contiguous are not kept, and made again by backward
        call = call.contiguous()
        y, h_n, c_n = results = outputs(call, sizes)
        ctx.kept = kept_for_backward(y, sizes)
        run_forward(call, sizes, y, h_n, c_n, ctx.kept.data_ptr())
        ctx.options = call.cell, call.lengths, call.base, call.column, call.reverse
        ctx.sizes, ctx.addresses = sizes, addresses(*tensors)
        ctx.save_for_backward(*tensors)
        # an alias counts the changes of y; as a saved tensor of autograd it would forbid them
        ctx.y = y.detach()
        ctx.version = y._version
        ctx.set_materialize_grads(False)
        return results

    @staticmethod
    def backward(ctx: Any, *output_gradients: Tensor | None) -> tuple[Any, ...]:
        """Return the gradients of the tensors of the call, given those of y, h_n and c_n, or None for zero."""
        tensors = ctx.saved_tensors
        cell, *layout, reverse = ctx.options
        call = Call._make((cell, *tensors, *layout, reverse))
        # the last argument of forward is the call, which has no gradient
        *needed, _ = ctx.needs_input_grad
        # forward has let the saved tensors through the gate; it is only asked again if their data were replaced since
        known = addresses(*tensors) == ctx.addresses
        how = way(output_gradients if known else (*tensors, *output_gradients))
        if how is Way.REFERENCE or torch.is_grad_enabled():
            return *_decomposed_gradients(call, output_gradients, needed), None
        y, sizes = ctx.y, ctx.sizes
        if not _has(call, sizes):
            raise RuntimeError(
                "a tensor of a recurrence got data of another shape or type between its forward and its backward pass: "
                "replace the data of a parameter after the backward pass"
            )
        if how is Way.OPERATOR:
            return *_gradients_by_operator(call, y, y.new_empty(0), output_gradients, needed), None
        call = call.contiguous()
        kept, ctx.kept = ctx.kept, None
        if kept is None or y._version != ctx.version:
            y, h_n, c_n = outputs(call, sizes)
            kept = kept_for_backward(y, sizes)
            run_forward(call, sizes, y, h_n, c_n, kept.data_ptr())
        gradients = needed_gradients(tensors, sizes, needed)
        run_backward(call, sizes, y, kept.data_ptr(), output_gradients, gradients)
        return *gradients, None


def _recurrence_in_operators(*args: Any) -> tuple[Tensor, ...]:
    """The operator ``ostinato::recurrence`` in operators of torch: nothing is saved, and an absent c_n is empty."""
    call, _ = Call.split(args)
    y, h_n, c_n = decomposed(call)
    return y, h_n, h_n.new_empty(0) if c_n is None else c_n, y.new_empty(0)


def register(name: str, backward: Callable[..., Any], setup: Callable[..., Any], composite: Callable[..., Any]) -> None:
    """Register the derivative of an operator, and what runs in its place where torch.func or forward mode transform it.

    torch's own ``register_autograd`` would give tangents of zero without a word, and no gradient inside of torch.func.

    Args:
        name: The name of the operator in the library.
        backward: Returns the gradients of the arguments, given the context and the gradients of the results.
        setup: Keeps what backward needs.
        composite: Computes the operator in operators of torch.
    """
    node = make_autograd_impl(getattr(torch.ops.ostinato, name).default, Info(backward, setup))

    def autograd(keyset: Any, *args: Any) -> Any:
        return composite(*args) if transformed() else node(keyset, *args)

    LIBRARY.impl(name, autograd, "Autograd", with_keyset=True)
    LIBRARY.impl(name, composite, "FuncTorchBatchedDecomposition")


def _set_up_second(ctx: Any, inputs: tuple[Any, ...], output: tuple[Tensor, ...]) -> None:
    """Keep the inputs of ``ostinato::recurrence_backward`` for its derivative."""
    call, (_y, _saved, dy, dh_n, dc_n, _need_x, _need_weights) = Call.split(inputs)
    ctx.cell, ctx.reverse = call.cell, call.reverse
    ctx.save_for_backward(*call.tensors, *call.layout, dy, dh_n, dc_n)
    ctx.set_materialize_grads(False)


def _backward_of_backward(ctx: Any, *moved: Tensor | None) -> tuple[Any, ...]:
    """The derivative of ``ostinato::recurrence_backward``, given the gradients of its results, or None for zero."""
    *tensors, dy, dh_n, dc_n = ctx.saved_tensors
    call = Call._make((ctx.cell, *tensors, ctx.reverse))
    count = 2 if call.c0 is None else 3
    of_call, (_, _, *of_outputs) = Call.split(ctx.needs_input_grad)
    needed = *of_call.tensors, *of_outputs[:count]
    output_gradients = (dy, dh_n, dc_n)[:count]
    found = gradients_of_gradients(_reference_of(call), call.tensors, output_gradients, moved, needed)
    found += [None] * (3 - count)
    # cell; the tensors; lengths, base, column, reverse, y and saved; dy, dh_n and dc_n; need_x and need_weights
    return (None, *found[:8], *[None] * 6, *found[8:], None, None)


def not_transformed(*_: Any) -> Any:
    """Raise the error of a backward operator that torch.func or forward mode reach; the forward operator can do it."""
    raise RuntimeError(
        "the backward pass of a compiled or traced recurrence cannot be transformed by torch.func or by forward mode: "
        "transform the module itself, not its graph"
    )


register("recurrence", _backward, _set_up, _recurrence_in_operators)
register("recurrence_backward", _backward_of_backward, _set_up_second, not_transformed)
