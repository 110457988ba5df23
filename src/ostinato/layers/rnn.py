"""The plain recurrent network."""

from __future__ import annotations

from typing import final

from torch import nn

from ostinato.choices import unknown
from ostinato.layers.cell import Cell
from ostinato.ops.rnn.reference import NONLINEARITIES


@final
class RNN(Cell):
    """The plain recurrent network h_t = f(W_ih x_t + b_ih + W_hh h_{t-1} + b_hh) (Elman 1990).

    With the identity as f it is the linear latent model: h_t is a linear function of all inputs so far. The state is
    one tensor h (B, H).

    Args:
        input_size: The width of the input, D.
        hidden_size: The number of hidden units, H.
        nonlinearity: The name of f: tanh, relu or identity.
        implementation: The name of the implementation in ops.selection; None leaves the choice open.

    Raises:
        ConfigError: The nonlinearity is unknown, or the implementation cannot run it.
    """

    def __init__(
        self, input_size: int, hidden_size: int, nonlinearity: str = "tanh", implementation: str | None = None
    ) -> None:
        if nonlinearity not in NONLINEARITIES:
            raise unknown("nonlinearity", nonlinearity, NONLINEARITIES)
        super().__init__(
            "rnn",
            input_size,
            hidden_size,
            engine=f"rnn_{nonlinearity}",
            gates=1,
            implementation=implementation,
            nonlinearity=nonlinearity,
        )
        if nonlinearity != "tanh":
            # nearly an isometry, so that an unbounded state neither vanishes nor explodes at the start (Le et al. 2015)
            nn.init.orthogonal_(self.weight_hh_l0, 0.95)
