"""Long short-term memory."""

from __future__ import annotations

from typing import final

import torch

from ostinato.layers.cell import Cell


@final
class LSTM(Cell):
    """Long short-term memory with gates i, f, g, o (Hochreiter and Schmidhuber 1997; Gers et al. 2000).

    The state is (h, c), (B, H) each.

    Args:
        input_size: The width of the input, D.
        hidden_size: The number of hidden units, H.
        forget_bias: The number added to the forget gate's bias_ih at the start. With 1 the cell keeps its content
            before it is trained (Gers et al. 2000); with 0 the start is that of torch.
        implementation: The name of the implementation in ops.selection; None leaves the choice open.

    Raises:
        ConfigError: The implementation cannot run.
    """

    def __init__(
        self, input_size: int, hidden_size: int, forget_bias: float = 1.0, implementation: str | None = None
    ) -> None:
        super().__init__(
            "lstm", input_size, hidden_size, engine="lstm", gates=4, states=2, implementation=implementation
        )
        with torch.no_grad():
            self.bias_ih_l0[hidden_size : 2 * hidden_size] += forget_bias
