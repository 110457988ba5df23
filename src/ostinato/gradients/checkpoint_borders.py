"""Where a sequence is cut for checkpointing: as many segments as asked for, or as few as keep to a memory."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, TypeAlias, TypeVar

import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode

from ostinato.errors import ConfigError
from ostinato.gradients.methods import CheckpointedBPTT
from ostinato.shapes import State

M = TypeVar("M", bound=nn.Module)
#: (module, x (L, B, ...) of the steps from t on, t, the state before them) -> what is made of them, the state after.
Segment: TypeAlias = Callable[[M, Tensor, int, State], tuple[Tensor, State]]
#: Steps that are run once to see what a step stores.
_PROBE = 64


def borders_of(segment: Segment[M], module: M, x: Tensor, state: State, method: CheckpointedBPTT) -> list[int]:
    """Where segments begin, and T: even, and as few as were asked for or as keep to the memory."""
    steps = len(x)
    if method.segments is not None:
        length = -(-steps // method.segments)
    else:
        assert method.bytes is not None
        # a segment that draws dropout keeps the generator's state too
        border = sum(s.nbytes for s in state) + (torch.get_rng_state().nbytes if module.training else 0)
        # a gradient beside each number that is stored
        step = 2 * _stored(segment, module, x[:_PROBE], state)
        # of L steps a segment: step L + border T / L, the largest L for which that is within the memory
        room = method.bytes**2 - 4 * step * border * steps
        if steps and (room < 0 or method.bytes < step + border):
            least = max(2 * math.sqrt(step * border * steps), step + border)
            raise ConfigError(
                f"{steps:,} steps cannot be run backwards in {method.memory_limit}",
                fix=f"give {math.ceil(least / 1e3):,} kB or more, or fewer rows at a time",
            )
        length = int((method.bytes + math.sqrt(room)) / (2 * step)) if step else steps
    return [*range(0, steps, max(length, 1)), steps] if steps else [0, 0]


class _Watched(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Under a mode the engine runs as an operator, whose stored numbers are a tensor that can be seen."""

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        return func(*args, **kwargs or {})


def _stored(segment: Segment[M], module: M, x: Tensor, state: State) -> int:
    """Bytes that autograd keeps for a step, found by running these x (L, B, ...)."""
    if not len(x):
        return 0
    held = {t.untyped_storage().data_ptr() for t in (x, *state, *module.parameters(), *module.buffers())}
    sizes: dict[int, int] = {}

    def pack(t: Tensor) -> Tensor:
        sizes[t.untyped_storage().data_ptr()] = t.untyped_storage().nbytes()
        return t

    devices = [x.device.index] if x.is_cuda else []
    watched = _Watched()  # type: ignore[no-untyped-call]
    with torch.random.fork_rng(devices), watched, torch.autograd.graph.saved_tensors_hooks(pack, lambda t: t):
        made, after = segment(module, x, 0, state)
    del made, after
    return -(-sum(n for at, n in sizes.items() if at not in held) // len(x))
