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

from ostinato.ops.engine.call import Call
from ostinato.ops.engine.decomposed import by_reference, gradients_of, gradients_of_gradients, in_float32
from ostinato.ops.engine.gate import Way, transformed, way
from ostinato.ops.engine.layer import LayerForm, joined, run_forward
from ostinato.ops.engine.operator import LIBRARY


def _reference_of(form: LayerForm) -> Callable[..., tuple[Tensor, ...]]:
    """Return the reference of a layer as a function of its tensors, in float32 under autocast."""

    def run(*tensors: Tensor | None) -> tuple[Tensor, ...]:
        return joined([by_reference(call) for call in form.calls(tensors)])

    return in_float32(run)


def decomposed(call: Call) -> tuple[Tensor, Tensor, Tensor | None]:
    """Return y, h_n and c_n by the reference; c_n is None for a cell of one state."""
    y, h_n, *c_n = _reference_of(LayerForm.of(call))(*call.tensors)
    return y, h_n, c_n[0] if c_n else None


def _decomposed_gradients(
    form: LayerForm,
    tensors: Sequence[Tensor | None],
    output_gradients: Sequence[Tensor | None],
    needed: Sequence[bool],
) -> list[Tensor | None]:
    """Return the gradients of the tensors of a layer by the reference, given those of y, h_n and c_n."""
    count = 2 if tensors[2] is None else 3
    return gradients_of(_reference_of(form), tensors, output_gradients[:count], needed)


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
        gradients = _decomposed_gradients(LayerForm.of(call), call.tensors, output_gradients, needed)
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


class Eager(torch.autograd.Function):
    """The node of a layer without torch's dispatcher, which takes longer than a small recurrence.

    The context owns the numbers that forward saves until the first backward. A second backward over a retained graph
    runs forward again, and so does a backward after y was changed in place: the kernel needs the values that y had.
    """

    @staticmethod
    def forward(ctx: Any, *args: Any) -> tuple[Tensor | None, ...]:
        """Return y, h_n and c_n, given the tensors of the layer one by one, which autograd must see, and its form."""
        tensors, form = args[:-1], args[-1]
        lengths, base, column = form.layout
        if lengths is not None or base is not None or column is not None:
            # backward must find the layout of forward, though the caller may fill its tensors anew in the meantime
            form = form._replace(layout=tuple([None if t is None else t.clone() for t in form.layout]))
        y, h_n, c_n, ctx.made = run_forward(form, tensors, True)
        ctx.save_for_backward(*tensors)
        ctx.set_materialize_grads(False)
        return y, h_n, c_n

    @staticmethod
    def backward(ctx: Any, *output_gradients: Tensor | None) -> tuple[Any, ...]:
        """Return the gradients of the tensors of the layer, given those of y, h_n and c_n, or None for zero."""
        tensors, made, needed = ctx.saved_tensors, ctx.made, ctx.needs_input_grad
        found = made.backward(tensors, output_gradients, needed, True)
        # the last argument of forward is the form, which has no gradient
        return (*_other_gradients(made, tensors, output_gradients, needed[:-1]), None) if found is None else found


#: ``Eager.apply`` without its look for dead wrappers of torch.func among the tensors: ``way`` lets none through.
apply_eager = torch._C._FunctionBase.__dict__["apply"].__get__(None, Eager)


def _other_gradients(
    made: Any,
    tensors: tuple[Tensor | None, ...],
    output_gradients: tuple[Tensor | None, ...],
    needed: tuple[bool, ...],
) -> Sequence[Tensor | None]:
    """Return the gradients of a layer where the first pass of the kernel alone does not give them."""
    form = made.form
    # forward has let the saved tensors through the gate; they pass it again only if their data were replaced since
    how = way(output_gradients if made.same_tensors(tensors) else (*tensors, *output_gradients))
    if how is Way.REFERENCE or torch.is_grad_enabled():
        return _decomposed_gradients(form, tensors, output_gradients, needed)
    if not made.same_forms(tensors):
        raise RuntimeError(
            "the data of a tensor of a recurrence changed their shape or type after the forward pass: replace the data "
            "of a parameter after the backward pass"
        )
    if how is Way.OPERATOR:
        return _layer_by_operators(form, tensors, output_gradients, needed)
    found = made.backward(tensors, output_gradients, needed, False)
    if found is None:
        _, _, _, again = run_forward(form, tensors, True)
        found = again.backward(tensors, output_gradients, needed, False)
    gradients: Sequence[Tensor | None] = found[:-1]
    return gradients


def _layer_by_operators(
    form: LayerForm,
    tensors: Sequence[Tensor | None],
    output_gradients: Sequence[Tensor | None],
    needed: Sequence[bool],
) -> list[Tensor | None]:
    """Return the gradients of a layer by ``ostinato::recurrence_backward``, one direction after the other."""
    found: list[Any] = []
    count = len(form.reverse)
    dy, *of_ends = output_gradients
    for d, call in enumerate(form.calls(tensors)):
        half = dy if dy is None or count == 1 else dy.chunk(count, -1)[d].contiguous()
        ends = [t if t is None or count == 1 else t[d : d + 1] for t in of_ends]
        own = [*needed[:3], *needed[3 + 5 * d : 8 + 5 * d]]
        found.append(_gradients_by_operator(call, call.x.new_empty(0), call.x.new_empty(0), (half, *ends), own))
    if count == 1:
        return list(found[0])
    (dx, dh0, dc0, *dw), (dx_back, dh0_back, dc0_back, *dw_back) = found
    ends = [a if a is None else torch.cat((a, b)) for a, b in ((dh0, dh0_back), (dc0, dc0_back))]
    return [dx if dx is None else dx + dx_back, *ends, *dw, *dw_back]


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
    found = gradients_of_gradients(_reference_of(LayerForm.of(call)), call.tensors, output_gradients, moved, needed)
    found += [None] * (3 - count)
    # cell; the tensors; lengths, base, column, reverse, y and saved; dy, dh_n and dc_n; need_x and need_weights
    return (None, *found[:8], *[None] * 6, *found[8:], None, None)


def not_transformed(*_: Any) -> Any:
    """Raise the error of a backward operator that torch.func or forward mode reach; the forward operator can do it.

    Raises:
        RuntimeError: Always.
    """
    raise RuntimeError(
        "torch.func and forward mode cannot transform the backward pass of a compiled or traced recurrence: transform "
        "the module itself, not its graph"
    )


register("recurrence", _backward, _set_up, _recurrence_in_operators)
register("recurrence_backward", _backward_of_backward, _set_up_second, not_transformed)
