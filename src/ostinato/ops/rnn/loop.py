"""The plain recurrent network, with the input product outside of the time loop.

This implementation serves the nonlinearities for which torch has no operator: the identity.
"""

from __future__ import annotations

import torch
from torch import Tensor

from ostinato.ops.masking import keep, running
from ostinato.ops.rnn.reference import NONLINEARITIES
from ostinato.ops.weights import Weights
from ostinato.shapes import State


def unroll(
    x: Tensor,
    state: State,
    weights: Weights,
    lengths: Tensor | None = None,
    nonlinearity: str = "tanh",
) -> tuple[Tensor, State]:
    """Unroll the cell with one input product for all steps; the signature is that of the reference."""
    (h,), f, out, transposed = state, NONLINEARITIES[nonlinearity], [], weights.w_hh.t()
    b_ih, b_hh = weights.biases
    # one product for all steps, then unbind, because indexing costs (T, B, H) zeros a step in backward
    for t, u in enumerate((x @ weights.w_ih.t() + (b_ih + b_hh)).unbind()):
        h = keep(running(t, lengths, h), f(torch.addmm(u, h, transposed)), h)
        out.append(h)
    return torch.stack(out) if out else x.new_zeros(0, *h.shape), (h,)
