"""The diagonal linear recurrence by the compiled engine. Same signature and result as the reference.

Two operators, ``ostinato::linear`` and ``ostinato::linear_backward``, opaque to torch.compile and torch.export; a
gradient of the second order is the specification's.
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
    given = u, state[0], a, lengths
    run: Any = torch.ops.ostinato.linear
    if unwatched(given):
        needed = torch.is_grad_enabled() and any(t.requires_grad for t in (u, state[0], a))
        run = _Eager.apply if needed else forward
    h, last = run(*given)
    return h, (last,)


def forward(u: Tensor, h0: Tensor, a: Tensor, lengths: Tensor | None) -> tuple[Tensor, Tensor]:
    """U (T, B, H), h0 (B, H), a (H), lengths (B) -> h (T, B, H), and (B, H) after each row's own last step."""
    _check(u, h0, a, lengths)
    h, last = _empty(u), _empty(h0)
    _run("forward", u, lengths, torch.get_num_threads(), a, u, h0, h, last)
    return h, last


def backward(
    u: Tensor, h0: Tensor, a: Tensor, lengths: Tensor | None, h: Tensor, dh: Tensor | None, dlast: Tensor | None
) -> tuple[Tensor, Tensor, Tensor]:
    """What forward was given and gave, and the gradients of what it gave or None -> those of u, h0 and a."""
    du, dh0, da = _empty(u), _empty(h0), _empty(a)
    _run("backward", u, lengths, torch.get_num_threads(), a, h0, h, dh, dlast, du, dh0, da)
    return du, dh0, da


def _run(name: str, u: Tensor, lengths: Tensor | None, threads: int, *tensors: Tensor | None) -> None:
    """Call the kernel for u's type; contiguous copies are made of what is not, which never are results."""
    bits = "64" if u.dtype in (torch.float64, torch.complex128) else "32"
    (T, B, H), paired = u.shape, u.is_complex()
    row_lengths = None if lengths is None else lengths.to("cpu", torch.int64).contiguous()
    held = [None if t is None else t.resolve_conj().contiguous() for t in tensors]
    lengths_address = 0 if row_lengths is None else row_lengths.data_ptr()
    addresses = [0 if t is None else t.data_ptr() for t in held]
    try:
        run: Any = getattr(_engine, f"linear_{name}{bits}")
        run((B, T, H * (1 + paired), paired), lengths_address, threads, *addresses)
    except ValueError as error:
        raise ConfigError(str(error)) from error


def _empty(like: Tensor) -> Tensor:
    """An uninitialised contiguous buffer of the type and shape of ``like``, owned by the caller."""
    if not like.is_complex():
        return pooled(like, *like.shape)
    return torch.view_as_complex(pooled(like.real, *like.shape, 2))


def _check(u: Tensor, h0: Tensor, a: Tensor, lengths: Tensor | None) -> None:
    for name, t, shape in (("h0", h0, u.shape[1:]), ("a", a, u.shape[2:])):
        if u.dim() != 3 or t.shape != shape or t.dtype != u.dtype:
            given = f"{tuple(t.shape)} of {t.dtype}, and u {tuple(u.shape)} of {u.dtype}"
            raise ConfigError(f"{name} has the shape {given}", fix="u (T, B, H), h0 (B, H), a (H), of one type")
    if lengths is not None and lengths.shape != h0.shape[:1]:
        raise ConfigError(f"lengths has the shape {tuple(lengths.shape)}", fix=f"it should be ({len(h0)},)")


class _Eager(torch.autograd.Function):
    """The same node without the way through torch's dispatcher."""

    @staticmethod
    def forward(ctx: Any, *inputs: Any) -> tuple[Tensor, Tensor]:
        results = forward(*inputs)
        _set_up(ctx, inputs, results)
        return results

    @staticmethod
    def backward(ctx: Any, *owed: Any) -> tuple[Any, ...]:
        if torch.is_grad_enabled() or torch.compiler.is_compiling():
            return _backward(ctx, *owed)
        return *backward(*ctx.saved_tensors, *owed), None


def _set_up(ctx: Any, inputs: tuple[Any, ...], output: tuple[Tensor, Tensor]) -> None:
    h, _ = output
    ctx.save_for_backward(*inputs, h)
    ctx.set_materialize_grads(False)


def _backward(ctx: Any, *owed: Tensor | None) -> tuple[Any, ...]:
    return *torch.ops.ostinato.linear_backward(*ctx.saved_tensors, *owed), None


def _set_up_second(ctx: Any, inputs: tuple[Any, ...], output: tuple[Tensor, ...]) -> None:
    u, h0, a, lengths, _, dh, dlast = inputs
    ctx.save_for_backward(u, h0, a, lengths, dh, dlast)


def _backward_of_backward(ctx: Any, *moved: Tensor) -> tuple[Any, ...]:
    """moved: the gradients of du, dh0 and da -> those of what they came from, by the specification."""
    *sources, lengths, dh, dlast = ctx.saved_tensors
    with torch.enable_grad():
        u, h0, a = leaves = [t.detach().requires_grad_() for t in sources]
        owed = [None if t is None else t.detach().requires_grad_() for t in (dh, dlast)]
        h, (last,) = reference.unroll(u, (h0,), a, lengths)
        if lengths is not None:
            there = torch.arange(len(u))[:, None] < lengths
            h = torch.where(there[..., None], h, 0)
        pairs = [(result, d) for result, d in zip((h, last), owed, strict=True) if d is not None]
        first = torch.autograd.grad(
            [r for r, _ in pairs], leaves, [d for _, d in pairs], create_graph=True, materialize_grads=True
        )
        wanted = [t for t in (*leaves, *owed) if t is not None]
        kept = [(g, m) for g, m in zip(first, moved, strict=True) if g.requires_grad]
        second = iter(
            torch.autograd.grad(
                [g for g, _ in kept], wanted, [m for _, m in kept], allow_unused=True, materialize_grads=True
            )
        )
    *given, ddh, ddlast = (None if t is None else next(second) for t in (*leaves, *owed))
    return *given, None, None, ddh, ddlast


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
# as the other recurrences: of 16 bits under autocast they become float32; torch has no complex numbers of 16 bits
torch.library.register_autocast("ostinato::linear", "cpu", torch.float32, lib=LIBRARY)
torch.library.register_autocast("ostinato::linear_backward", "cpu", torch.float32, lib=LIBRARY)
torch.library.register_autograd("ostinato::linear", _backward, setup_context=_set_up, lib=LIBRARY)
torch.library.register_autograd(
    "ostinato::linear_backward", _backward_of_backward, setup_context=_set_up_second, lib=LIBRARY
)
