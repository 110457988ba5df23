"""The plain recurrent network."""

from __future__ import annotations

from typing import final

from torch import nn

from ostinato.errors import ConfigError
from ostinato.layers.cell import Cell
from ostinato.ops.rnn.reference import NONLINEARITIES


@final
class RNN(Cell):
    """h_t = f(W_ih x_t + b_ih + W_hh h_{t-1} + b_hh), f tanh, relu or identity (Elman 1990). State: (h (B, H),).

    With f the identity it is the linear latent model: h_t is a linear function of all inputs so far.
    Raises ConfigError for another nonlinearity, or an implementation that cannot run it.
    """

    def __init__(
        self, input_size: int, hidden_size: int, nonlinearity: str = "tanh", implementation: str | None = None
    ) -> None:
        if nonlinearity not in NONLINEARITIES:
            raise ConfigError(f"no nonlinearity is called {nonlinearity!r}", fix=f"one of {', '.join(NONLINEARITIES)}")
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
            # near the identity, so that an unsquashed state neither dies nor explodes at the start (Le et al. 2015)
            nn.init.orthogonal_(self.weight_hh_l0, 0.95)
