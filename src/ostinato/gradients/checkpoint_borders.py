"""The borders of the segments of checkpointing: a given number of segments, or the fewest within a memory limit."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, TypeAlias, TypeVar

import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode

from ostinato import randomness
from ostinato.errors import ConfigError
from ostinato.gradients.methods import CheckpointedBPTT
from ostinato.numbers import counted
from ostinato.shapes import State

M = TypeVar("M", bound=nn.Module)
#: A function of a module, the inputs x (L, B, ...) of the steps from t on, t, and the state before them, that returns
#: the output of the steps and the state after them.
Segment: TypeAlias = Callable[[M, Tensor, int, State], tuple[Tensor, State]]
#: The number of steps that are run once to measure the memory of a step.
_PROBE = 64


def borders_of(segment: Segment[M], module: M, x: Tensor, state: State, method: CheckpointedBPTT) -> list[int]:
    """Return the first steps of equally long segments, and T at the end.

    Args:
        segment: The function that runs a segment.
        module: The module that it runs.
        x: The inputs of all steps, (T, B, ...).
        state: The state before the first step.
        method: The number of segments, or the memory limit that decides it.

    Raises:
        ConfigError: No number of segments stays within the memory limit.
    """
    steps = len(x)
    if method.segments is not None:
        length = -(-steps // method.segments)
    else:
        assert method.bytes is not None
        # with dropout, a segment also keeps the state of the generator
        border = sum(s.nbytes for s in state) + (randomness.state().nbytes if module.training else 0)
        # each stored number has a gradient too
        step = 2 * _stored(segment, module, x[:_PROBE], state)
        # segments of L steps need step L + border T / L bytes: take the largest L within the limit
        discriminant = method.bytes**2 - 4 * step * border * steps
        if steps and (discriminant < 0 or method.bytes < step + border):
            least = max(2 * math.sqrt(step * border * steps), step + border)
            raise ConfigError(
                f"{counted(steps, 'step')} do not fit in the memory limit of {method.memory_limit}",
                fix=f"use {math.ceil(least / 1e3):,} kB or more, or fewer rows in a batch",
            )
        length = int((method.bytes + math.sqrt(discriminant)) / (2 * step)) if step else steps
    return [*range(0, steps, max(length, 1)), steps] if steps else [0, 0]


class _Watched(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """A dispatch mode under which the engine runs as an operator, so that the tensor it stores can be measured."""

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        return func(*args, **kwargs or {})


def _stored(segment: Segment[M], module: M, x: Tensor, state: State) -> int:
    """Return the bytes that autograd keeps for one step, measured by running the steps x (L, B, ...)."""
    if not len(x):
        return 0
    given = {t.untyped_storage().data_ptr() for t in (x, *state, *module.parameters(), *module.buffers())}
    sizes: dict[int, int] = {}

    def pack(t: Tensor) -> Tensor:
        sizes[t.untyped_storage().data_ptr()] = t.untyped_storage().nbytes()
        return t

    devices = [x.device.index] if x.is_cuda else []
    watched = _Watched()  # type: ignore[no-untyped-call]
    with randomness.fork(devices), watched, torch.autograd.graph.saved_tensors_hooks(pack, lambda t: t):
        output, after = segment(module, x, 0, state)
    del output, after
    return -(-sum(n for pointer, n in sizes.items() if pointer not in given) // len(x))
