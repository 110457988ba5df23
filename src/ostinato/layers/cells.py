"""Gated and plain recurrent layers: torch.nn's weights, names and gate order behind one contract."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor, nn

from ostinato.layers.recurrence import Recurrence
from ostinato.ops.selection import pick
from ostinato.shapes import State


class _Cell(Recurrence):
    """weight_ih_l0 (GH, D), weight_hh_l0 (GH, H), bias_ih_l0 and bias_hh_l0 (GH); uniform in +-1/sqrt(H)."""

    def __init__(self, cell: str, gates: int, input_size: int, hidden_size: int, implementation: str | None) -> None:
        super().__init__()
        self.input_size, self.output_size = input_size, hidden_size
        self.weight_ih_l0 = nn.Parameter(torch.empty(gates * hidden_size, input_size))
        self.weight_hh_l0 = nn.Parameter(torch.empty(gates * hidden_size, hidden_size))
        self.bias_ih_l0 = nn.Parameter(torch.empty(gates * hidden_size))
        self.bias_hh_l0 = nn.Parameter(torch.empty(gates * hidden_size))
        for parameter in self.parameters():
            nn.init.uniform_(parameter, -1 / math.sqrt(hidden_size), 1 / math.sqrt(hidden_size))
        self._unroll = pick(cell, implementation)
        self._options: dict[str, Any] = {}
        self._states = 1

    def initial_state(self, batch: int) -> State:
        """Zeros (B, H)."""
        return tuple(self.weight_hh_l0.new_zeros(batch, self.output_size) for _ in range(self._states))

    def step(self, state: State, x: Tensor) -> tuple[State, Tensor]:
        """See Recurrence."""
        h, state = self.unroll(x[None], state)
        return state, h[0]

    def unroll(self, x: Tensor, state: State | None = None, lengths: Tensor | None = None) -> tuple[Tensor, State]:
        """See Recurrence."""
        weights = self.weight_ih_l0, self.weight_hh_l0, self.bias_ih_l0, self.bias_hh_l0
        start = self.initial_state(x.shape[1]) if state is None else state
        h, last = self._unroll(x, start, *weights, lengths, **self._options)
        return h, last


class RNN(_Cell):
    """h_t = f(W_ih x_t + b_ih + W_hh h_{t-1} + b_hh), f tanh, relu or the identity (Elman 1990). State: (h,)."""

    def __init__(
        self, input_size: int, hidden_size: int, nonlinearity: str = "tanh", implementation: str | None = None
    ) -> None:
        cell = "rnn-identity" if nonlinearity == "identity" else "rnn"
        super().__init__(cell, 1, input_size, hidden_size, implementation)
        self._options = {"nonlinearity": nonlinearity}
        if nonlinearity != "tanh":
            # near the identity, so that an unsquashed state neither dies nor explodes at the start (Le et al. 2015)
            nn.init.orthogonal_(self.weight_hh_l0, 0.95)


class GRU(_Cell):
    """The gated recurrent unit, gates r, z, n, reset after the product (Cho et al. 2014). State: (h,)."""

    def __init__(self, input_size: int, hidden_size: int, implementation: str | None = None) -> None:
        super().__init__("gru", 3, input_size, hidden_size, implementation)


class LSTM(_Cell):
    """Long short-term memory, gates i, f, g, o (Hochreiter and Schmidhuber 1997). State: (h, c)."""

    def __init__(self, input_size: int, hidden_size: int, implementation: str | None = None) -> None:
        super().__init__("lstm", 4, input_size, hidden_size, implementation)
        self._states = 2
        with torch.no_grad():  # remember, to begin with (Gers et al. 2000)
            self.bias_ih_l0[hidden_size : 2 * hidden_size] += 1.0
