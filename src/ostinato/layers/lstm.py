"""Long short-term memory."""

from __future__ import annotations

from typing import final

import torch

from ostinato.layers.cell import Cell


@final
class LSTM(Cell):
    """Gates i, f, g, o (Hochreiter and Schmidhuber 1997; Gers et al. 2000). State: (h (B, H), c (B, H)).

    forget_bias is added to the forget gate's bias_ih at the start: with 1 the cell remembers to begin with (Gers et al.
    2000), with 0 the start is torch's. Raises ConfigError for an implementation that cannot run.
    """

    def __init__(
        self, input_size: int, hidden_size: int, forget_bias: float = 1.0, implementation: str | None = None
    ) -> None:
        super().__init__(
            "lstm", input_size, hidden_size, engine="lstm", gates=4, states=2, implementation=implementation
        )
        with torch.no_grad():
            self.bias_ih_l0[hidden_size : 2 * hidden_size] += forget_bias
