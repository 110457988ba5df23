"""What the plain and the gated recurrent layers share: torch.nn's weights, names and gate order behind one contract."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor, nn

from ostinato.layers.recurrence import Recurrence
from ostinato.ops.engine.step import Step
from ostinato.ops.selection import pick, prefers_native
from ostinato.shapes import State


class Cell(Recurrence):
    """weight_ih_l0 (GH, D), weight_hh_l0 (GH, H), bias_ih_l0 and bias_hh_l0 (GH); uniform in +-1/sqrt(H), as torch's.

    cell            its name in ops.selection
    engine          its name in the engine
    gates, states   G, and the number of tensors (B, H) in the state
    implementation  its name in ops.selection; None leaves the choice open
    options         what the implementations take besides weights, such as nonlinearity

    Raises ConfigError for an implementation that cannot run.
    """

    def __init__(
        self,
        cell: str,
        input_size: int,
        hidden_size: int,
        *,
        engine: str,
        gates: int,
        states: int = 1,
        implementation: str | None = None,
        **options: Any,
    ) -> None:
        super().__init__()
        pick(cell, implementation, **options)
        self._engine = engine
        self.cell, self.implementation, self._states, self._options = cell, implementation, states, options
        self.input_size, self.output_size = input_size, hidden_size
        self.weight_ih_l0 = nn.Parameter(torch.empty(gates * hidden_size, input_size))
        self.weight_hh_l0 = nn.Parameter(torch.empty(gates * hidden_size, hidden_size))
        self.bias_ih_l0 = nn.Parameter(torch.empty(gates * hidden_size))
        self.bias_hh_l0 = nn.Parameter(torch.empty(gates * hidden_size))
        for parameter in self.parameters():
            nn.init.uniform_(parameter, -1 / math.sqrt(hidden_size), 1 / math.sqrt(hidden_size))

    def initial_state(self, batch: int) -> State:
        """Zeros (B, H)."""
        return tuple(self.weight_hh_l0.new_zeros(batch, self.output_size) for _ in range(self._states))

    def step(self, state: State, x: Tensor) -> tuple[State, Tensor]:
        """See Recurrence."""
        h, state = self.unroll(x[None], state)
        return state, h[0]

    def unroll(self, x: Tensor, state: State | None = None, lengths: Tensor | None = None) -> tuple[Tensor, State]:
        """See Recurrence."""
        start = self.initial_state(x.shape[1]) if state is None else state
        weights = self.weight_ih_l0, self.weight_hh_l0, self.bias_ih_l0, self.bias_hh_l0
        run = pick(self.cell, self.implementation, device=x.device.type, dtype=x.dtype, **self._options)
        h, last = run(x, start, *weights, lengths, **self._options)
        return h, last

    def live(self) -> Step | None:
        """One row, one step at a time by the engine, with the weights of now; None where the engine does not run it."""
        facts = {"device": self.weight_hh_l0.device.type, "dtype": self.weight_hh_l0.dtype}
        if self.implementation not in (None, "native") or not prefers_native(self.cell, **facts):
            return None
        return Step(self._engine, self.weight_ih_l0, self.weight_hh_l0, self.bias_ih_l0, self.bias_hh_l0)
