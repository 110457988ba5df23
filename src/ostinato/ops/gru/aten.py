"""The gated recurrent unit by torch's own unrolled operator. Same signature and result as the reference."""

from __future__ import annotations

import torch
from torch import Tensor

from ostinato.errors import ConfigError
from ostinato.ops.masking import last_of
from ostinato.ops.weights import Weights
from ostinato.shapes import State

#: The reason why this implementation cannot run with reset_after=False.
NO_OPERATOR = "torch has no operator for a GRU with the reset before the product"


def unroll(
    x: Tensor,
    state: State,
    weights: Weights,
    lengths: Tensor | None = None,
    reset_after: bool = True,
) -> tuple[Tensor, State]:
    """Unroll the cell by torch's own operator; arguments and results are those of the reference.

    Raises:
        ConfigError: reset_after is False, for which torch has no operator.
    """
    if not reset_after:
        raise ConfigError(NO_OPERATOR, fix="use reset_after=True, or another implementation")
    if not len(x):
        return x.new_zeros(0, *state[0].shape), state
    given = [weights.w_ih, weights.w_hh, *weights.biases]
    h, _ = torch.gru(x, state[0][None], given, True, 1, 0.0, torch.is_grad_enabled(), False, False)
    return h, (last_of(h, state[0], lengths),)
