"""The base of the plain and the gated recurrent layers, with the weights, names and gate order of torch.nn."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor, nn

from ostinato.layers.recurrence import Recurrence
from ostinato.ops.engine.light import Rounded
from ostinato.ops.engine.step import Step
from ostinato.ops.selection import pick, prefers_native
from ostinato.ops.weights import Weights
from ostinato.shapes import State


class Cell(Recurrence):
    """A recurrent layer with the parameters of its torch.nn counterpart, uniform in +-1/sqrt(H) at the start.

    The parameters are weight_ih_l0 (GH, D), weight_hh_l0 (GH, H), bias_ih_l0 (GH,) and bias_hh_l0 (GH,).

    Args:
        cell: The name of the cell in ops.selection.
        input_size: The width of the input, D.
        hidden_size: The number of hidden units, H.
        engine: The name of the cell in the engine.
        gates: The number of gates, G.
        states: The number of tensors (B, H) in the state.
        implementation: The name of the implementation in ops.selection; None leaves the choice open.
        options: What the implementations take in addition to the weights, for example the nonlinearity.

    Raises:
        ConfigError: The implementation cannot run.
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
        self.engine = engine
        #: the recurrent weights in 8 bits, if ``round_`` rounded them
        self.rounded: Rounded | None = None
        self.cell, self.implementation, self._states, self._options = cell, implementation, states, options
        self.input_size, self.output_size = input_size, hidden_size
        self.weight_ih_l0 = nn.Parameter(torch.empty(gates * hidden_size, input_size))
        self.weight_hh_l0 = nn.Parameter(torch.empty(gates * hidden_size, hidden_size))
        self.bias_ih_l0 = nn.Parameter(torch.empty(gates * hidden_size))
        self.bias_hh_l0 = nn.Parameter(torch.empty(gates * hidden_size))
        for parameter in self.parameters():
            nn.init.uniform_(parameter, -1 / math.sqrt(hidden_size), 1 / math.sqrt(hidden_size))

    def initial_state(self, batch: int) -> State:
        """Return zeros, (B, H) for each tensor of the state."""
        return tuple(self.weight_hh_l0.new_zeros(batch, self.output_size) for _ in range(self._states))

    def unroll(self, x: Tensor, state: State | None = None, lengths: Tensor | None = None) -> tuple[Tensor, State]:
        """Return the outputs of all steps and the last state (see ``Recurrence.unroll``)."""
        start = self.initial_state(x.shape[1]) if state is None else state
        facts = {"device": x.device.type, "dtype": x.dtype, "hidden": self.output_size, "rows": x.shape[1]}
        facts["ragged"] = lengths is not None
        run = pick(self.cell, self.implementation, **facts, **self._options)
        h, last = run(x, start, self.weights, lengths, **self._options)
        return h, last

    @torch.no_grad()
    def round_(self) -> None:
        """Round the recurrent weights to 8 bits, in place (see ``Rounded``). Training must not go on after that."""
        self.rounded = Rounded(self.weight_hh_l0)
        self.weight_hh_l0.copy_(self.rounded.weight)

    def in_engine(self) -> bool:
        """Return whether the engine runs this layer."""
        weights_on = {"device": self.weight_hh_l0.device.type, "dtype": self.weight_hh_l0.dtype}
        return self.implementation in (None, "native") and prefers_native(self.cell, **weights_on)

    def live(self) -> Step | None:
        """Return the engine's single step with the current weights; None if the engine does not run this layer."""
        if not self.in_engine():
            return None
        return Step(self.engine, self.weights)

    @property
    def weights(self) -> Weights:
        """The weights as the engine takes them."""
        return Weights(self.weight_ih_l0, self.weight_hh_l0, self.bias_ih_l0, self.bias_hh_l0)
