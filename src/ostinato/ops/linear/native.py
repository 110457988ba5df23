"""The diagonal linear recurrence by the compiled engine. Same signature and result as the reference.

Two operators, ``ostinato::linear`` and ``ostinato::linear_backward``, are opaque to torch.compile and torch.export. The
reference computes gradients of the second order.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from ostinato.errors import ConfigError
from ostinato.ops.engine.buffers import pooled
from ostinato.ops.engine.extension import ABSENT
from ostinato.ops.engine.operator import LIBRARY
from ostinato.ops.engine.unroll import unwatched
from ostinato.ops.linear import reference
from ostinato.shapes import State

if not ABSENT:
    from ostinato.ops.engine import _engine


def unroll(u: Tensor, state: State, a: Tensor, lengths: Tensor | None = None) -> tuple[Tensor, State]:
    """Unroll the recurrence by the engine; arguments are those of the reference, and h is zero after the end of a row.

    Raises:
        ConfigError: A shape, a type or a length does not fit the others.
    """
    inputs = u, state[0], a, lengths
    run: Any = torch.ops.ostinato.linear
    if unwatched(inputs):
        needed = torch.is_grad_enabled() and any(t.requires_grad for t in (u, state[0], a))
        run = _Eager.apply if needed else forward
    h, last = run(*inputs)
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
    _check(u, h0, a, lengths)
    h, last = _empty(u), _empty(h0)
    _run("forward", u, lengths, torch.get_num_threads(), a, u, h0, h, last)
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
    """
    du, dh0, da = _empty(u), _empty(h0), _empty(a)
    _run("backward", u, lengths, torch.get_num_threads(), a, h0, h, dh, dlast, du, dh0, da)
    return du, dh0, da


def _run(name: str, u: Tensor, lengths: Tensor | None, threads: int, *tensors: Tensor | None) -> None:
    """Run the kernel for the type of u on the addresses of the tensors.

    A tensor that is not contiguous is copied. The buffers of the results are contiguous, so they are never copied.
    """
    bits = "64" if u.dtype in (torch.float64, torch.complex128) else "32"
    (T, B, H), paired = u.shape, u.is_complex()
    row_lengths = None if lengths is None else lengths.to("cpu", torch.int64).contiguous()
    # the list keeps the copies alive while the kernel runs
    contiguous = [None if t is None else t.resolve_conj().contiguous() for t in tensors]
    lengths_address = 0 if row_lengths is None else row_lengths.data_ptr()
    addresses = [0 if t is None else t.data_ptr() for t in contiguous]
    try:
        run: Any = getattr(_engine, f"linear_{name}{bits}")
        run((B, T, H * (1 + paired), paired), lengths_address, threads, *addresses)
    except ValueError as error:
        raise ConfigError(str(error), fix="give lengths of 0 to T steps") from error


def _empty(like: Tensor) -> Tensor:
    """Return an uninitialised contiguous buffer with the shape and the type of ``like``; the caller owns it."""
    if not like.is_complex():
        return pooled(like, *like.shape)
    return torch.view_as_complex(pooled(like.real, *like.shape, 2))


def _check(u: Tensor, h0: Tensor, a: Tensor, lengths: Tensor | None) -> None:
    """Raise ConfigError unless the kernel can read at the addresses of these tensors."""
    if u.dim() != 3:
        raise ConfigError(f"u must have 3 axes, got the shape {tuple(u.shape)}", fix="give inputs of (T, B, H)")
    for name, t, shape in (("h0", h0, u.shape[1:]), ("a", a, u.shape[2:])):
        if t.shape != shape or t.dtype != u.dtype:
            raise ConfigError(
                f"{name} must have the shape {tuple(shape)} and the type {u.dtype}, got {tuple(t.shape)} and {t.dtype}",
                fix="give u of (T, B, H), h0 of (B, H) and a of (H,), all of one type",
            )
    if lengths is not None and lengths.shape != h0.shape[:1]:
        raise ConfigError(
            f"lengths must have the shape ({len(h0)},), got {tuple(lengths.shape)}", fix="give one number a row"
        )


class _Eager(torch.autograd.Function):
    """The node of ``ostinato::linear`` without torch's dispatcher, which takes longer than a small recurrence."""

    @staticmethod
    def forward(ctx: Any, *inputs: Any) -> tuple[Tensor, Tensor]:
        """Return the hidden states and the last states, given u, h0, a and lengths."""
        results = forward(*inputs)
        _set_up(ctx, inputs, results)
        return results

    @staticmethod
    def backward(ctx: Any, *output_gradients: Any) -> tuple[Any, ...]:
        """Return the gradients of u, h0 and a, given those of the results, or None for zero."""
        if torch.is_grad_enabled() or torch.compiler.is_compiling():
            return _backward(ctx, *output_gradients)
        return *backward(*ctx.saved_tensors, *output_gradients), None


def _set_up(ctx: Any, inputs: tuple[Any, ...], output: tuple[Tensor, Tensor]) -> None:
    """Keep the inputs and results of ``ostinato::linear`` for its derivative."""
    h, _ = output
    ctx.save_for_backward(*inputs, h)
    ctx.set_materialize_grads(False)


def _backward(ctx: Any, *output_gradients: Tensor | None) -> tuple[Any, ...]:
    """The derivative of ``ostinato::linear``: a gradient, or None, for each of its arguments."""
    return *torch.ops.ostinato.linear_backward(*ctx.saved_tensors, *output_gradients), None


def _set_up_second(ctx: Any, inputs: tuple[Any, ...], output: tuple[Tensor, ...]) -> None:
    """Keep the inputs of ``ostinato::linear_backward`` for its derivative."""
    u, h0, a, lengths, _, dh, dlast = inputs
    ctx.save_for_backward(u, h0, a, lengths, dh, dlast)


def _backward_of_backward(ctx: Any, *moved: Tensor) -> tuple[Any, ...]:
    """The derivative of ``ostinato::linear_backward``, by the reference.

    moved holds the gradients of du, dh0 and da; the result has a gradient, or None, for each argument of the operator.
    """
    *inputs, lengths, dh, dlast = ctx.saved_tensors
    with torch.enable_grad():
        u, h0, a = leaves = [t.detach().requires_grad_() for t in inputs]
        output_gradients = [None if t is None else t.detach().requires_grad_() for t in (dh, dlast)]
        h, (last,) = reference.unroll(u, (h0,), a, lengths)
        if lengths is not None:
            exists = torch.arange(len(u))[:, None] < lengths
            h = torch.where(exists[..., None], h, 0)
        pairs = [(result, d) for result, d in zip((h, last), output_gradients, strict=True) if d is not None]
        first = torch.autograd.grad(
            [r for r, _ in pairs], leaves, [d for _, d in pairs], create_graph=True, materialize_grads=True
        )
        sources = [*leaves, *output_gradients]
        kept = [(g, m) for g, m in zip(first, moved, strict=True) if g.requires_grad]
        second = iter(
            torch.autograd.grad(
                [g for g, _ in kept],
                [t for t in sources if t is not None],
                [m for _, m in kept],
                allow_unused=True,
                materialize_grads=True,
            )
        )
    *of_inputs, ddh, ddlast = (None if t is None else next(second) for t in sources)
    # u, h0 and a; lengths and h; dh and dlast
    return *of_inputs, None, None, ddh, ddlast


LIBRARY.define("linear(Tensor u, Tensor h0, Tensor a, Tensor? lengths) -> (Tensor, Tensor)")
LIBRARY.define(
    "linear_backward(Tensor u, Tensor h0, Tensor a, Tensor? lengths, Tensor h, Tensor? dh, Tensor? dlast) "
    "-> (Tensor, Tensor, Tensor)"
)
LIBRARY.impl("linear", forward, "CPU")
LIBRARY.impl("linear_backward", backward, "CPU")
torch.library.register_fake(
    "ostinato::linear", lambda u, h0, a, lengths: (u.new_empty(u.shape), h0.new_empty(h0.shape)), lib=LIBRARY
)
torch.library.register_fake(
    "ostinato::linear_backward", lambda u, h0, a, *_: tuple(t.new_empty(t.shape) for t in (u, h0, a)), lib=LIBRARY
)
# 16 bits are too few for the sums of a recurrence: under autocast it runs in float32. No complex type has 16 bits.
torch.library.register_autocast("ostinato::linear", "cpu", torch.float32, lib=LIBRARY)
torch.library.register_autocast("ostinato::linear_backward", "cpu", torch.float32, lib=LIBRARY)
torch.library.register_autograd("ostinato::linear", _backward, setup_context=_set_up, lib=LIBRARY)
torch.library.register_autograd(
    "ostinato::linear_backward", _backward_of_backward, setup_context=_set_up_second, lib=LIBRARY
)
