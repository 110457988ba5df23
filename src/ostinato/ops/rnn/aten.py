"""The plain recurrent network by torch's own unrolled operator. Same signature and result as the reference."""

from __future__ import annotations

import torch
from torch import Tensor

from ostinato.ops.masking import last_of
from ostinato.ops.weights import Weights
from ostinato.shapes import State

#: The nonlinearities for which torch has an operator.
OPERATORS = {"tanh": torch.rnn_tanh, "relu": torch.rnn_relu}


def unroll(
    x: Tensor,
    state: State,
    weights: Weights,
    lengths: Tensor | None = None,
    nonlinearity: str = "tanh",
) -> tuple[Tensor, State]:
    """Unroll the cell by torch's own operator for tanh or relu; arguments and results are those of the reference."""
    if not len(x):
        return x.new_zeros(0, *state[0].shape), state
    given = [weights.w_ih, weights.w_hh, *weights.biases]
    h, _ = OPERATORS[nonlinearity](x, state[0][None], given, True, 1, 0.0, torch.is_grad_enabled(), False, False)
    return h, (last_of(h, state[0], lengths),)
