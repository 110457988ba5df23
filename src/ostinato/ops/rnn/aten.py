"""The plain recurrent network by torch's own unrolled operator. Same signature and result as the reference."""

from __future__ import annotations

import torch
from torch import Tensor

from ostinato.ops.masking import last_of
from ostinato.shapes import State

#: The nonlinearities for which torch has an operator.
OPERATORS = {"tanh": torch.rnn_tanh, "relu": torch.rnn_relu}


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
    """Unroll the cell by torch's own operator for tanh or relu; arguments and results are those of the reference."""
    if not len(x):
        return x.new_zeros(0, *state[0].shape), state
    weights = [w_ih, w_hh, b_ih, b_hh]
    h, _ = OPERATORS[nonlinearity](x, state[0][None], weights, True, 1, 0.0, torch.is_grad_enabled(), False, False)
    return h, (last_of(h, state[0], lengths),)
