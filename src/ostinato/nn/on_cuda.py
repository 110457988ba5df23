"""The networks on a GPU: by our kernels where they are checked, otherwise by torch.nn."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from ostinato.ops.cuda import operator
from ostinato.ops.cuda.support import effective
from ostinato.ops.cuda.unroll import unroll
from ostinato.ops.engine.places import Places
from ostinato.ops.selection import prefers
from ostinato.ops.weights import Weights
from ostinato.shapes import State


class DeclinedError(Exception):
    """The kernels do not take this call, and torch.nn computes it."""


def on_card(x: Tensor) -> bool:
    """Return whether a tensor lies on a GPU of NVIDIA."""
    return x.is_cuda


def kernels_run(module: nn.RNNBase, cell: str, x: Tensor, *, ragged: bool) -> bool:
    """Return whether our kernels run a network on inputs of the device and the type of x.

    Args:
        module: The network.
        cell: The name of its cell in the engine.
        x: The inputs.
        ragged: Whether the rows differ in length: the inputs are packed.
    """
    # torch.jit sees the operators of torch.nn
    if not on_card(x) or module.proj_size or torch.jit.is_tracing():  # type: ignore[attr-defined, no-untyped-call]
        return False
    if torch.compiler.is_compiling():
        return operator.compiled(cell, module.hidden_size, effective(x.dtype))
    name, _, option = cell.partition("_")
    facts: dict[str, Any] = {"device": "cuda", "dtype": x.dtype, "hidden": module.hidden_size, "ragged": ragged}
    if not ragged:
        facts["rows"] = x.shape[not module.batch_first] if x.dim() == 3 else 1
    if name == "rnn":
        facts["nonlinearity"] = option
    if option == "before":
        facts["reset_after"] = False
    return prefers("cuda", name, **facts)


def by_kernels(cell: str, x: Tensor, state: State, weights: Weights, places: Places) -> tuple[Tensor, State]:
    """Run a cell over all steps by the kernels; the arguments are those of the engine's ``unroll``.

    Raises:
        DeclinedError: The kernels do not take this call.
        ConfigError: A shape does not fit the others.
    """
    if torch.compiler.is_compiling():
        return operator.traced(cell, x, state, weights, places)
    found = unroll(cell, x, state, weights, places)
    if found is None:
        raise DeclinedError
    return found
