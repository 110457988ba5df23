"""The causal dilated convolution as a recurrence: its state is the inputs that its kernel still reaches."""

from __future__ import annotations

import math
from typing import final

import torch
from torch import Tensor, nn

from ostinato.errors import ConfigError
from ostinato.layers.recurrence import Recurrence
from ostinato.ops.selection import pick
from ostinato.shapes import State


@final
class CausalConv(Recurrence):
    """The gated convolution tanh(W * x) sigmoid(V * x) and a linear mix of its units (van den Oord et al. 2016, eq. 2).

    The state is one tensor (B, R, D): the last R = (kernel_size - 1) dilation inputs, zeros before the start.

    Args:
        input_size: The width of the input, D.
        hidden_size: The number of units, H.
        kernel_size: The number of steps in the kernel.
        dilation: The number of steps from one element of the kernel to the next.
        implementation: The name of the implementation in ops.selection; None leaves the choice open.

    Raises:
        ConfigError: kernel_size or dilation is below 1, or the implementation cannot run.
    """

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        kernel_size: int = 2,
        dilation: int = 1,
        implementation: str | None = None,
    ) -> None:
        super().__init__()
        if kernel_size < 1 or dilation < 1:
            raise ConfigError(
                f"kernel_size and dilation must be at least 1, got {kernel_size} and {dilation}",
                fix="use 1 or more for both",
            )
        pick("conv", implementation)
        self.input_size, self.output_size = input_size, hidden_size
        self.reach, self.dilation = (kernel_size - 1) * dilation, dilation
        bound = 1 / math.sqrt(input_size * kernel_size)
        self.weight = nn.Parameter(torch.empty(2 * hidden_size, input_size, kernel_size).uniform_(-bound, bound))
        self.bias = nn.Parameter(torch.empty(2 * hidden_size).uniform_(-bound, bound))
        self.mix = nn.Linear(hidden_size, hidden_size)
        self.implementation = implementation

    def initial_state(self, batch: int) -> State:
        """Return zeros, (B, R, D)."""
        return (self.weight.new_zeros(batch, self.reach, self.input_size),)

    def unroll(self, x: Tensor, state: State | None = None, lengths: Tensor | None = None) -> tuple[Tensor, State]:
        """Return the outputs of all steps and the last state (see ``Recurrence.unroll``)."""
        start = self.initial_state(x.shape[1]) if state is None else state
        y, last = pick("conv", self.implementation)(x, start, self.weight, self.bias, self.dilation, lengths)
        value, gate = y.chunk(2, dim=-1)
        h: Tensor = self.mix(torch.tanh(value) * torch.sigmoid(gate))
        return h, last
