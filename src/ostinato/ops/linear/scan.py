"""The diagonal linear recurrence in chunks: about 2 sqrt(T) wide steps instead of T narrow ones.

Same signature and result as the reference. The gradient is the same recurrence run backwards, so only h is stored.
"""

from __future__ import annotations

from math import isqrt
from typing import Any

import torch
from torch import Tensor

from ostinato.ops.engine.gate import Way, way
from ostinato.ops.linear import reference
from ostinato.ops.masking import last_of
from ostinato.shapes import State


def unroll(u: Tensor, state: State, a: Tensor, lengths: Tensor | None = None) -> tuple[Tensor, State]:
    """Unroll the recurrence in chunks; arguments and results are those of the reference.

    The scan computes powers of a and no quotients, so that nothing overflows if |a| < 1.
    """
    if not len(u):
        return u.new_zeros(0, *state[0].shape), state
    if len(u) == 1:
        h: Tensor = u + a * state[0]
    elif way((u, state[0], a)) is Way.REFERENCE:
        # the chunks are changed in place, which the transforms of torch do not follow
        h, _ = reference.unroll(u, state, a)
    else:
        h = _Scan.apply(u, state[0], a)  # type: ignore[no-untyped-call]
    return h, (last_of(h, state[0], lengths),)


def chunked(u: Tensor, start: Tensor, a: Tensor) -> Tensor:
    """Unroll C chunks of L steps in parallel from zero, then add the state before each chunk (Blelloch 1990, 1.5).

    h_t = (the part of the chunk) + a^(l + 1) (the state before the chunk), with l the index of the step in its chunk.

    Args:
        u: The inputs, (T, B, H).
        start: The state before the first step, (B, H).
        a: The coefficient of each unit, (H,).

    Returns:
        The hidden states of all steps, (T, B, H).
    """
    steps = len(u)
    length = isqrt(steps)
    count = -(-steps // length)
    h = u.new_zeros(count * length, *u.shape[1:])
    h[:steps] = u
    own = h.view(count, length, *u.shape[1:])
    for step in range(1, length):
        own[:, step].addcmul_(own[:, step - 1], a)
    powers = a.expand(length, -1).cumprod(0)
    inherited = [start]
    for c in range(count - 1):
        inherited.append(torch.addcmul(own[c, -1], inherited[-1], powers[-1]))
    own.addcmul_(torch.stack(inherited)[:, None], powers[:, None])
    return h[:steps]


class _Scan(torch.autograd.Function):
    """The scan as a node of autograd whose gradients are differentiable too."""

    @staticmethod
    def forward(ctx: Any, u: Tensor, start: Tensor, a: Tensor) -> Tensor:
        """Return the hidden states of all steps, (T, B, H)."""
        h = chunked(u, start, a)
        ctx.save_for_backward(start, a, h)
        return h

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Return the gradients of u, start and a.

        With d_t = dh_t + conj(a) d_{t+1}, they are d, conj(a) d_1 and the sum of d_t conj(h_{t-1}).
        """
        start, a, h = ctx.saved_tensors
        given = grads[0].flip(0), torch.zeros_like(start), a.conj()
        if way((*given[:2], a, h)) is Way.REFERENCE:
            d, _ = reference.unroll(given[0], given[1:2], given[2])
        else:
            d = _Scan.apply(*given)  # type: ignore[no-untyped-call]
        d = d.flip(0)
        slope = (d[0] * start.conj()).sum(0) + (d[1:] * h[:-1].conj()).sum((0, 1))
        return d, a.conj() * d[0], slope
