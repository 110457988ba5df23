"""Exact backpropagation through time that keeps the states at the borders of segments, and runs each segment twice.

It rests on the chunking law alone, so it holds for whatever takes a state in and gives one out: any memory by any
implementation, a whole model with its loss. Beneath, each segment is one call of the engine.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from itertools import pairwise
from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable
from torch.utils.checkpoint import get_device_states, set_device_states

from ostinato.gradients.checkpoint_borders import M, Segment, borders_of
from ostinato.gradients.methods import CheckpointedBPTT
from ostinato.layers.recurrence import Recurrence
from ostinato.shapes import State


def unroll(
    recurrence: Recurrence,
    x: Tensor,
    state: State | None = None,
    lengths: Tensor | None = None,
    *,
    method: CheckpointedBPTT,
) -> tuple[Tensor, State]:
    """What ``recurrence.unroll`` gives and the same gradients: x (T, B, D) -> h (T, B, H) and the last state."""

    def segment(recurrence: Recurrence, x: Tensor, t: int, state: State) -> tuple[Tensor, State]:
        return recurrence.unroll(x, state, _left(lengths, t, len(x)))

    outputs, last = chain(
        segment, recurrence, x, recurrence.initial_state(x.shape[1]) if state is None else state, method
    )
    return torch.cat(outputs), last


def last_state(
    recurrence: Recurrence,
    x: Tensor,
    state: State | None = None,
    lengths: Tensor | None = None,
    *,
    method: CheckpointedBPTT,
) -> State:
    """The last state alone: h (T, B, H) is never whole in memory, neither is its gradient."""

    def segment(recurrence: Recurrence, x: Tensor, t: int, state: State) -> tuple[Tensor, State]:
        _, state = recurrence.unroll(x, state, _left(lengths, t, len(x)))
        return x.new_empty(0), state

    return chain(segment, recurrence, x, recurrence.initial_state(x.shape[1]) if state is None else state, method)[1]


def chain(
    segment: Segment[M], module: M, x: Tensor, state: State, method: CheckpointedBPTT
) -> tuple[list[Tensor], State]:
    """Segment after segment over x (T, B, ...): what each made, in order, and the state after the last.

    Gradients are those of x, state and the parameters of module, once differentiable; segment has to compute from
    nothing else that asks for one. Dropout falls the second time as it did the first.

    Raises ConfigError for a memory that no number of segments keeps to.
    """
    weights = {f"module.{name}": p for name, p in module.named_parameters() if p.requires_grad}
    given = (x, *state, *weights.values())
    borders = borders_of(segment, module, x, state, method)
    if len(borders) == 2 or not (torch.is_grad_enabled() and any(t.requires_grad for t in given)):
        outputs = []
        for a, z in pairwise(borders):
            made, state = segment(module, x[a:z], a, state)
            outputs.append(made)
        return outputs, state
    results = _Chain.apply(_Bound(segment, module), borders, list(weights), len(state), *given)  # type: ignore[no-untyped-call]
    return list(results[: len(borders) - 1]), tuple(results[len(borders) - 1 :])


class _Bound(nn.Module):
    """A segment as a module, so that it can be run again with the weights that it was given, wherever they are now."""

    def __init__(self, segment: Segment[Any], module: nn.Module) -> None:
        super().__init__()
        self.segment, self.module = segment, module

    def forward(self, x: Tensor, t: int, state: State) -> tuple[Tensor, State]:
        return self.segment(self.module, x, t, state)


class _Chain(torch.autograd.Function):
    """One node for all segments; a segment's own graph lives only while it is run backwards."""

    @staticmethod
    def forward(
        ctx: Any, bound: _Bound, borders: list[int], names: list[str], count: int, x: Tensor, *rest: Tensor
    ) -> tuple[Tensor, ...]:
        state, weights = rest[:count], rest[count:]
        outputs: list[Tensor] = []
        # (segments, B, ...) each, made at once: crumbs between what the segments free would break up the heap
        kept = [s.new_empty(len(borders) - 1, *s.shape) for s in state]
        ctx.random = []
        for i, (a, z) in enumerate(pairwise(borders)):
            for all_of, s in zip(kept, state, strict=True):
                all_of[i] = s
            before = torch.get_rng_state(), *get_device_states(x)
            made, state = bound(x[a:z], a, state)
            # kept where something was drawn: always on a device, where looking would cost more
            drawn = before[1] or not torch.equal(before[0], torch.get_rng_state())
            ctx.random.append(before if drawn else None)
            outputs.append(made)
        # a state may be a view of all that the segment made, or of what was given
        state = tuple(s.clone() for s in state)
        ctx.bound, ctx.borders, ctx.names = bound, borders, names
        ctx.save_for_backward(x, *weights, *kept)
        ctx.set_materialize_grads(False)
        return (*outputs, *state)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *owed: Tensor | None) -> tuple[Any, ...]:
        x, *rest = ctx.saved_tensors
        weights = [p.detach().requires_grad_() for p in rest[: len(ctx.names)]]
        kept, spans = rest[len(weights) :], list(pairwise(ctx.borders))
        dx = torch.zeros_like(x) if ctx.needs_input_grad[4] else None
        total: list[Tensor | None] = [None] * len(weights)
        carried = owed[len(spans) :]
        for i in range(len(spans) - 1, -1, -1):
            a, z = spans[i]
            leaves = [x[a:z], *(all_of[i] for all_of in kept)]
            wanted = [dx is not None, *[s.is_floating_point() or s.is_complex() for s in leaves[1:]]]
            leaves = [t.detach().requires_grad_(w) for t, w in zip(leaves, wanted, strict=True)]
            with torch.enable_grad(), _drawing(ctx.random[i]):
                again = dict(zip(ctx.names, weights, strict=True))
                made, after = torch.func.functional_call(ctx.bound, again, (leaves[0], a, tuple(leaves[1:])))
            found = _gradients((made, *after), (owed[i], *carried), [*leaves, *weights])
            if dx is not None and found[0] is not None:
                dx[a:z] = found[0]
            carried = tuple(found[1 : len(leaves)])
            for j, g in enumerate(found[len(leaves) :]):
                if g is not None:
                    sofar = total[j]
                    # a copy: two weights may be given one tensor, as the biases of a cell are
                    total[j] = g.clone() if sofar is None else sofar.add_(g)
        return None, None, None, None, dx, *carried, *total


def _gradients(ends: tuple[Tensor, ...], owed: tuple[Tensor | None, ...], sources: list[Tensor]) -> list[Tensor | None]:
    """Of what is owed by the ends, for those sources that ask for one; None where nothing comes."""
    known = [(end, d) for end, d in zip(ends, owed, strict=True) if d is not None and end.requires_grad]
    asked = [t for t in sources if t.requires_grad]
    if not known or not asked:
        return [None] * len(sources)
    found = iter(torch.autograd.grad([e for e, _ in known], asked, [d for _, d in known], allow_unused=True))
    return [next(found) if t.requires_grad else None for t in sources]


@contextmanager
def _drawing(random: tuple[Tensor, list[int], list[Tensor]] | None) -> Iterator[None]:
    """With the random numbers that were drawn the first time, and those of the caller as they were afterwards."""
    if random is None:
        yield
        return
    numbers, devices, of_devices = random
    with torch.random.fork_rng(devices):
        torch.set_rng_state(numbers)
        set_device_states(devices, of_devices)
        yield


def _left(lengths: Tensor | None, t: int, steps: int) -> Tensor | None:
    """How many of ``steps`` steps from t on each row has."""
    return None if lengths is None else (lengths - t).clamp(0, steps)
