"""The diagonal linear recurrence by the compiled engine. Same signature and result as the reference.

Two operators, ``ostinato::linear`` and ``ostinato::linear_backward``, are opaque to torch.compile and torch.export. The
reference computes gradients of the second order, and whatever torch.func transforms.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from ostinato.errors import ConfigError
from ostinato.ops.engine.buffers import pooled
from ostinato.ops.engine.decomposed import gradients_of, gradients_of_gradients, in_float32
from ostinato.ops.engine.extension import ABSENT
from ostinato.ops.engine.gate import Way, addresses, require_bytes, require_one_device, way
from ostinato.ops.engine.gradients import kept, not_transformed, register
from ostinato.ops.engine.operator import LIBRARY
from ostinato.ops.linear import reference
from ostinato.shapes import State
from ostinato.threads import engine_limit

if not ABSENT:
    from ostinato.ops.engine import _engine


def unroll(u: Tensor, state: State, a: Tensor, lengths: Tensor | None = None) -> tuple[Tensor, State]:
    """Unroll the recurrence by the engine; arguments are those of the reference, and h is zero after the end of a row.

    Raises:
        ConfigError: A shape, a type or a length does not fit the others.
    """
    inputs = u, state[0], a, lengths
    saves = torch.is_grad_enabled() and any(t.requires_grad for t in (u, state[0], a))
    how = way(inputs, saves=saves)
    if how is Way.REFERENCE:
        h, last = _decomposed(*inputs)
    elif how is Way.OPERATOR:
        h, last = torch.ops.ostinato.linear(*inputs)
    else:
        h, last = _Eager.apply(*inputs) if saves else _forward(*inputs)  # type: ignore[no-untyped-call]
    return h, (last,)


def forward(u: Tensor, h0: Tensor, a: Tensor, lengths: Tensor | None) -> tuple[Tensor, Tensor]:
    """Run the operator ``ostinato::linear``: h_t = a h_{t-1} + u_t for each unit.

    Args:
        u: The inputs, (T, B, H).
        h0: The state before the first step, (B, H).
        a: The coefficient of each unit, (H,).
        lengths: The number of steps of each row, (B,), or None if every row has T steps.

    Returns:
        The hidden states of all steps, (T, B, H), zero after the end of a row; and the state after the last step of
        each row, (B, H).

    Raises:
        ConfigError: A shape, a type or a length does not fit the others.
    """
    require_bytes((u, h0, a))
    return _forward(u, h0, a, lengths)


def _forward(u: Tensor, h0: Tensor, a: Tensor, lengths: Tensor | None) -> tuple[Tensor, Tensor]:
    """Run the forward kernel on tensors that have passed the gate."""
    _check(u, h0, a, lengths)
    h, last = _empty(u), _empty(h0)
    _run("forward", u, lengths, engine_limit(), a, u, h0, h, last)
    return h, last


def backward(
    u: Tensor, h0: Tensor, a: Tensor, lengths: Tensor | None, h: Tensor, dh: Tensor | None, dlast: Tensor | None
) -> tuple[Tensor, Tensor, Tensor]:
    """Run the operator ``ostinato::linear_backward``, the derivative of forward.

    Args:
        u: The inputs of forward, (T, B, H); only their shape and type are read.
        h0: The state before the first step, (B, H).
        a: The coefficient of each unit, (H,).
        lengths: The number of steps of each row, (B,), or None if every row has T steps.
        h: The hidden states that forward returned, (T, B, H).
        dh: The gradient of the hidden states, (T, B, H), or None for zero.
        dlast: The gradient of the last states, (B, H), or None for zero.

    Returns:
        The gradients of u, (T, B, H), of h0, (B, H), and of a, (H,).

    Raises:
        ConfigError: As forward.
    """
    require_bytes((u, h0, a, h, dh, dlast))
    return _backward_kernel(u, h0, a, lengths, h, dh, dlast)


def _backward_kernel(
    u: Tensor, h0: Tensor, a: Tensor, lengths: Tensor | None, h: Tensor, dh: Tensor | None, dlast: Tensor | None
) -> tuple[Tensor, Tensor, Tensor]:
    """Run the backward kernel on tensors that have passed the gate."""
    _check(u, h0, a, lengths, h, dh, dlast)
    du, dh0, da = _empty(u), _empty(h0), _empty(a)
    _run("backward", u, lengths, engine_limit(), a, h0, h, dh, dlast, du, dh0, da)
    return du, dh0, da


def _run(name: str, u: Tensor, lengths: Tensor | None, threads: int, *tensors: Tensor | None) -> None:
    """Run the kernel for the type of u on the addresses of the tensors.

    A tensor that is not contiguous is copied. The buffers of the results are contiguous, so they are never copied.
    """
    bits = "64" if u.dtype in (torch.float64, torch.complex128) else "32"
    (T, B, H), paired = u.shape, u.is_complex()
    row_lengths = None if lengths is None else lengths.to("cpu", torch.int64).contiguous()
    # the list keeps the copies alive while the kernel runs
    contiguous = [None if t is None else t.contiguous() for t in tensors]
    try:
        run: Any = getattr(_engine, f"linear_{name}{bits}")
        run((B, T, H * (1 + paired), paired), *addresses(row_lengths), threads, *addresses(*contiguous))
    except ValueError as error:
        raise ConfigError(str(error), fix="give lengths of 0 to T steps") from error


def _empty(like: Tensor) -> Tensor:
    """Return an uninitialised contiguous buffer with the shape and the type of ``like``; the caller owns it."""
    if not like.is_complex():
        return pooled(like, *like.shape)
    return torch.view_as_complex(pooled(like.real, *like.shape, 2))


def _check(
    u: Tensor,
    h0: Tensor,
    a: Tensor,
    lengths: Tensor | None,
    h: Tensor | None = None,
    dh: Tensor | None = None,
    dlast: Tensor | None = None,
) -> None:
    """Raise ConfigError unless the kernel can read at the addresses of these tensors."""
    if u.dim() != 3:
        raise ConfigError(f"u must have 3 axes, got the shape {tuple(u.shape)}", fix="give inputs of (T, B, H)")
    of_steps, of_rows = u.shape, u.shape[1:]
    for name, t, shape in (
        ("h0", h0, of_rows),
        ("a", a, u.shape[2:]),
        ("h", h, of_steps),
        ("dh", dh, of_steps),
        ("dlast", dlast, of_rows),
    ):
        if t is not None and (t.shape != shape or t.dtype != u.dtype):
            raise ConfigError(
                f"{name} must have the shape {tuple(shape)} and the type {u.dtype}, got {tuple(t.shape)} and {t.dtype}",
                fix="give u of (T, B, H), h0 of (B, H) and a of (H,), all of one type",
            )
    if lengths is not None and lengths.shape != h0.shape[:1]:
        raise ConfigError(
            f"lengths must have the shape ({len(h0)},), got {tuple(lengths.shape)}", fix="give one number a row"
        )


class _Eager(torch.autograd.Function):
    """The node of ``ostinato::linear`` without torch's dispatcher, which takes longer than a small recurrence.

    A backward after h was changed in place runs forward again.
    """

    @staticmethod
    def forward(ctx: Any, *inputs: Any) -> tuple[Tensor, Tensor]:
        """Return the hidden states and the last states, given u, h0, a and lengths."""
        h, last = _forward(*inputs)
        ctx.save_for_backward(*inputs)
        # an alias counts the changes of h; as a saved tensor of autograd it would forbid them
        ctx.h, ctx.version = h.detach(), h._version
        ctx.set_materialize_grads(False)
        return h, last

    @staticmethod
    def backward(ctx: Any, *output_gradients: Any) -> tuple[Any, ...]:
        """Return the gradients of u, h0 and a, given those of the results, or None for zero."""
        inputs, h = ctx.saved_tensors, ctx.h
        if h._version != ctx.version:
            with torch.no_grad():
                h, _ = torch.ops.ostinato.linear(*inputs)
        return _gradients(ctx, inputs, h, output_gradients)


def _set_up(ctx: Any, inputs: tuple[Any, ...], output: tuple[Tensor, Tensor]) -> None:
    """Keep the inputs and results of ``ostinato::linear`` for its derivative."""
    h, _ = output
    ctx.save_for_backward(*inputs, kept(h))
    ctx.set_materialize_grads(False)


def _backward(ctx: Any, *output_gradients: Tensor | None) -> tuple[Any, ...]:
    """The derivative of ``ostinato::linear``: a gradient, or None, for each of its arguments."""
    *inputs, h = ctx.saved_tensors
    return _gradients(ctx, inputs, h, output_gradients)


def _gradients(
    ctx: Any, inputs: Sequence[Any], h: Tensor, output_gradients: Sequence[Tensor | None]
) -> tuple[Any, ...]:
    """Return a gradient, or None, for u, h0, a and lengths: by the kernel, or by the reference if it must be traced."""
    output_gradients = [t if t is None else t.resolve_conj() for t in output_gradients]
    how = way((*inputs, *output_gradients))
    if how is Way.REFERENCE or torch.is_grad_enabled():
        return tuple(gradients_of(_decomposed, inputs, output_gradients, ctx.needs_input_grad))
    run: Any = _backward_kernel if how is Way.KERNEL else torch.ops.ostinato.linear_backward
    return *run(*inputs, h, *output_gradients), None


def _set_up_second(ctx: Any, inputs: tuple[Any, ...], output: tuple[Tensor, ...]) -> None:
    """Keep the inputs of ``ostinato::linear_backward`` for its derivative."""
    *given, _h, dh, dlast = inputs
    ctx.save_for_backward(*given, dh, dlast)
    ctx.set_materialize_grads(False)


def _backward_of_backward(ctx: Any, *moved: Tensor | None) -> tuple[Any, ...]:
    """The derivative of ``ostinato::linear_backward``, given the gradients of its results, or None for zero."""
    *inputs, dh, dlast = ctx.saved_tensors
    of_u, of_h0, of_a, _, _, *of_outputs = ctx.needs_input_grad
    needed = of_u, of_h0, of_a, False, *of_outputs
    found = gradients_of_gradients(_decomposed, inputs, (dh, dlast), (*moved, None), needed)
    # u, h0, a and lengths; h; dh and dlast
    return *found[:4], None, *found[4:]


def _decomposed(*inputs: Any) -> tuple[Tensor, Tensor]:
    """Return h and the last states by the reference, h zero after the end of a row."""
    h, last = in_float32(_by_reference)(*inputs)
    return h, last


def _by_reference(u: Tensor, h0: Tensor, a: Tensor, lengths: Tensor | None) -> tuple[Tensor, Tensor]:
    """Return h and the last states by the reference, h zero after the end of a row."""
    h, (last,) = reference.unroll(u, (h0,), a, lengths)
    if lengths is not None:
        exists = torch.arange(len(u), device=lengths.device)[:, None] < lengths
        h = torch.where(exists.to(h.device)[..., None], h, 0)
    return h, last


def _fake(u: Tensor, h0: Tensor, a: Tensor, _lengths: Tensor | None) -> tuple[Tensor, Tensor]:
    """The results of forward by shape and type alone, for the tracers of torch."""
    require_one_device((u, h0, a))
    return u.new_empty(u.shape), h0.new_empty(h0.shape)


LIBRARY.define("linear(Tensor u, Tensor h0, Tensor a, Tensor? lengths) -> (Tensor, Tensor)")
LIBRARY.define(
    "linear_backward(Tensor u, Tensor h0, Tensor a, Tensor? lengths, Tensor h, Tensor? dh, Tensor? dlast) "
    "-> (Tensor, Tensor, Tensor)"
)
LIBRARY.impl("linear", forward, "CPU")
LIBRARY.impl("linear_backward", backward, "CPU")
torch.library.register_fake("ostinato::linear", _fake, lib=LIBRARY)
torch.library.register_fake(
    "ostinato::linear_backward", lambda u, h0, a, *_: tuple(t.new_empty(t.shape) for t in (u, h0, a)), lib=LIBRARY
)
# 16 bits are too few for the sums of a recurrence: under autocast it runs in float32. No complex type has 16 bits.
torch.library.register_autocast("ostinato::linear", "cpu", torch.float32, lib=LIBRARY)
torch.library.register_autocast("ostinato::linear_backward", "cpu", torch.float32, lib=LIBRARY)
register("linear", _backward, _set_up, _decomposed)
register("linear_backward", _backward_of_backward, _set_up_second, not_transformed)
