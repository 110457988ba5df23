"""Long short-term memory by our kernels for GPUs. Same signature and result as the reference."""

from __future__ import annotations

from torch import Tensor

from ostinato.ops.cuda.unroll import unroll as run
from ostinato.ops.engine.places import Places
from ostinato.ops.lstm import aten
from ostinato.ops.weights import Weights
from ostinato.shapes import State


def unroll(
    x: Tensor,
    state: State,
    weights: Weights,
    lengths: Tensor | None = None,
) -> tuple[Tensor, State]:
    """Unroll the cell by the kernels, or by torch's operator where they cannot; arguments as in the reference."""
    found = run("lstm", x, state, weights, Places(lengths))
    return aten.unroll(x, state, weights, lengths) if found is None else found
