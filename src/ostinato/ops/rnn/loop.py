"""The plain recurrent network, the input product taken out of the time loop. Same result as the reference.

It is what remains where torch has no operator of its own: the identity, whose network is linear in its inputs.
"""

from __future__ import annotations

import torch
from torch import Tensor

from ostinato.ops.masking import keep, running
from ostinato.ops.rnn.reference import NONLINEARITIES
from ostinato.shapes import State


def unroll(
    x: Tensor,
    state: State,
    w_ih: Tensor,
    w_hh: Tensor,
    b_ih: Tensor,
    b_hh: Tensor,
    lengths: Tensor | None = None,
    nonlinearity: str = "tanh",
) -> tuple[Tensor, State]:
    """See the reference."""
    (h,), f, out, transposed = state, NONLINEARITIES[nonlinearity], [], w_hh.t()
    # one product for all steps; unbind, because indexing u[t] costs a full (T, B, H) of zeros per step in the backward
    for t, u in enumerate((x @ w_ih.t() + (b_ih + b_hh)).unbind()):
        h = keep(running(t, lengths, h), f(torch.addmm(u, h, transposed)), h)
        out.append(h)
    return torch.stack(out) if out else x.new_zeros(0, *h.shape), (h,)
