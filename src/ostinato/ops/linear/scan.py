"""The diagonal linear recurrence in parallel over time: log2(T) doublings. Same signature as the reference."""

from __future__ import annotations

import torch
from torch import Tensor

from ostinato.ops.masking import last_of
from ostinato.shapes import State


def unroll(u: Tensor, state: State, a: Tensor, lengths: Tensor | None = None) -> tuple[Tensor, State]:
    """See the reference. After doubling k, h_t holds the terms of the last 2^k inputs (Hillis and Steele 1986).

    Only powers of a are formed, never quotients, so nothing overflows where |a| < 1.
    """
    if not len(u):
        return u, state
    h = torch.cat([(u[0] + a * state[0])[None], u[1:]])
    power, reach = a, 1
    while reach < len(h):
        h = torch.cat([h[:reach], h[reach:] + power * h[:-reach]])
        power, reach = power * power, 2 * reach
    return h, (last_of(h, state[0], lengths),)
