"""The plain recurrent network by the compiled engine. Same signature and result as the reference."""

from __future__ import annotations

from torch import Tensor

from ostinato.ops.engine.places import Places
from ostinato.ops.engine.unroll import unroll as run
from ostinato.shapes import State


def unroll(
    x: Tensor,
    state: State,
    w_ih: Tensor,
    w_hh: Tensor,
    b_ih: Tensor,
    b_hh: Tensor,
    lengths: Tensor | None = None,
    nonlinearity: str = "tanh",
) -> tuple[Tensor, State]:
    """Unroll the cell by the engine; arguments and results are those of the reference."""
    return run(f"rnn_{nonlinearity}", x, state, w_ih, w_hh, b_ih, b_hh, Places(lengths))
