"""The plain recurrent network by our kernels for GPUs. Same signature and result as the reference."""

from __future__ import annotations

from torch import Tensor

from ostinato.ops.cuda.unroll import unroll as run
from ostinato.ops.engine.places import Places
from ostinato.ops.rnn import aten
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
    """Unroll the cell by the kernels, or by torch's operator where torch traces it; arguments as in the reference."""
    found = run(f"rnn_{nonlinearity}", x, state, w_ih, w_hh, b_ih, b_hh, Places(lengths))
    return aten.unroll(x, state, w_ih, w_hh, b_ih, b_hh, lengths, nonlinearity) if found is None else found
