"""The gated recurrent unit."""

from __future__ import annotations

from typing import final

from ostinato.layers.cell import Cell


@final
class GRU(Cell):
    """The gated recurrent unit with gates r, z, n (Cho et al. 2014, eq. 5-8).

    The state is one tensor h (B, H).

    Args:
        input_size: The width of the input, D.
        hidden_size: The number of hidden units, H.
        implementation: The name of the implementation in ops.selection; None leaves the choice open.
        reset_after: Whether the reset gate acts after the matrix product, as in torch, or before it, as published.

    Raises:
        ConfigError: The implementation cannot run.
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
