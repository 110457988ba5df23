"""The plain recurrent network by our kernels for GPUs. Same signature and result as the reference."""

from __future__ import annotations

from torch import Tensor

from ostinato.ops.cuda.unroll import unroll as run
from ostinato.ops.engine.places import Places
from ostinato.ops.rnn import aten
from ostinato.ops.weights import Weights
from ostinato.shapes import State


def unroll(
    x: Tensor,
    state: State,
    weights: Weights,
    lengths: Tensor | None = None,
    nonlinearity: str = "tanh",
) -> tuple[Tensor, State]:
    """Unroll the cell by the kernels, or by torch's operator where torch traces it; arguments as in the reference."""
    found = run(f"rnn_{nonlinearity}", x, state, weights, Places(lengths))
    return aten.unroll(x, state, weights, lengths, nonlinearity) if found is None else found
