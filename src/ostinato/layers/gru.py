"""The gated recurrent unit."""

from __future__ import annotations

from typing import final

from ostinato.layers.cell import Cell


@final
class GRU(Cell):
    """Gates r, z, n (Cho et al. 2014, eq. 5-8), reset after the product as torch has it, or before it as published.

    State: (h (B, H),). Raises ConfigError for an implementation that cannot run.
    """

    def __init__(
        self, input_size: int, hidden_size: int, implementation: str | None = None, *, reset_after: bool = True
    ) -> None:
        super().__init__(
            "gru",
            input_size,
            hidden_size,
            engine="gru" if reset_after else "gru_before",
            gates=3,
            implementation=implementation,
            reset_after=reset_after,
        )
