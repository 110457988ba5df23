"""The gated recurrent unit by our kernels for GPUs. Same signature and result as the reference."""

from __future__ import annotations

from torch import Tensor

from ostinato.ops.cuda.unroll import unroll as run
from ostinato.ops.engine.places import Places
from ostinato.ops.gru import aten, reference
from ostinato.ops.weights import Weights
from ostinato.shapes import State


def unroll(
    x: Tensor,
    state: State,
    weights: Weights,
    lengths: Tensor | None = None,
    reset_after: bool = True,
) -> tuple[Tensor, State]:
    """Unroll the cell by the kernels, or in torch's operators where torch traces it; arguments as in the reference."""
    found = run("gru" if reset_after else "gru_before", x, state, weights, Places(lengths))
    if found is not None:
        return found
    other = aten.unroll if reset_after else reference.unroll
    return other(x, state, weights, lengths, reset_after)
