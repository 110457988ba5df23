"""The diagonal linear recurrence by our kernels for GPUs. Same signature and result as the reference."""

from __future__ import annotations

from torch import Tensor

from ostinato.ops.cuda.linear import unroll as run
from ostinato.ops.linear import scan
from ostinato.shapes import State


def unroll(u: Tensor, state: State, a: Tensor, lengths: Tensor | None = None) -> tuple[Tensor, State]:
    """Unroll the recurrence by the kernels, or by the scan where torch traces it; h is zero after a row's end."""
    found = run(u, state, a, lengths)
    return scan.unroll(u, state, a, lengths) if found is None else found
