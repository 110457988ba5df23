"""Exact backpropagation through time that keeps the states at the borders of segments, and runs each segment twice.

It needs only the chunking law, so it works for everything that takes a state and returns one: any backbone with any
implementation, or a whole model with its loss. Each segment is one call of the engine.
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

from ostinato import randomness
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
    """Return the results of ``recurrence.unroll``, with the same gradients in less memory.

    Args:
        recurrence: The backbone.
        x: Its inputs, (T, B, D).
        state: Its state before the first step; None is its initial state.
        lengths: The number of steps of each row, (B,); None means T for all rows.
        method: The number of segments, or a memory limit.

    Returns:
        The outputs (T, B, H) and the last state.
    """

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
    """Return only the last state; the outputs (T, B, H) and their gradient are never in memory as a whole.

    Args:
        recurrence: The backbone.
        x: Its inputs, (T, B, D).
        state: Its state before the first step; None is its initial state.
        lengths: The number of steps of each row, (B,); None means T for all rows.
        method: The number of segments, or a memory limit.
    """

    def segment(recurrence: Recurrence, x: Tensor, t: int, state: State) -> tuple[Tensor, State]:
        _, state = recurrence.unroll(x, state, _left(lengths, t, len(x)))
        return x.new_empty(0), state

    return chain(segment, recurrence, x, recurrence.initial_state(x.shape[1]) if state is None else state, method)[1]


def chain(
    segment: Segment[M], module: M, x: Tensor, state: State, method: CheckpointedBPTT
) -> tuple[list[Tensor], State]:
    """Run one segment after the other, and return the output of each and the state after the last.

    x, state and the parameters of the module get gradients, which cannot be differentiated again. The segment must not
    use another tensor that requires a gradient. Dropout draws the same numbers in both runs of a segment.

    Args:
        segment: The function that runs a segment.
        module: The module that it runs.
        x: The inputs of all steps, (T, B, ...).
        state: The state before the first step.
        method: The number of segments, or a memory limit.

    Raises:
        ConfigError: No number of segments stays within the memory limit.
    """
    weights = {f"module.{name}": p for name, p in module.named_parameters() if p.requires_grad}
    given = (x, *state, *weights.values())
    borders = borders_of(segment, module, x, state, method)
    if len(borders) == 2 or not (torch.is_grad_enabled() and any(t.requires_grad for t in given)):
        outputs = []
        for a, z in pairwise(borders):
            output, state = segment(module, x[a:z], a, state)
            outputs.append(output)
        return outputs, state
    results = _Chain.apply(_Bound(segment, module), borders, list(weights), len(state), *given)  # type: ignore[no-untyped-call]
    return list(results[: len(borders) - 1]), tuple(results[len(borders) - 1 :])


class _Bound(nn.Module):
    """A segment as a module, so that functional_call can run it again with the weights of the first run."""

    def __init__(self, segment: Segment[Any], module: nn.Module) -> None:
        super().__init__()
        self.segment, self.module = segment, module

    def forward(self, x: Tensor, t: int, state: State) -> tuple[Tensor, State]:
        """Run the segment."""
        return self.segment(self.module, x, t, state)


class _Chain(torch.autograd.Function):
    """One autograd node for all segments; the graph of a segment exists only while its backward pass runs."""

    @staticmethod
    def forward(
        ctx: Any, bound: _Bound, borders: list[int], names: list[str], count: int, x: Tensor, *rest: Tensor
    ) -> tuple[Tensor, ...]:
        state, weights = rest[:count], rest[count:]
        outputs: list[Tensor] = []
        # (segments, B, ...) each, allocated at once: small blocks between those that the segments free would fragment
        # the heap
        kept = [s.new_empty(len(borders) - 1, *s.shape) for s in state]
        ctx.random = []
        for i, (a, z) in enumerate(pairwise(borders)):
            for border_states, s in zip(kept, state, strict=True):
                border_states[i] = s
            before = randomness.state(), *get_device_states(x)
            output, state = bound(x[a:z], a, state)
            # the generator is kept if numbers were drawn; on a device always, where a comparison would cost more
            drawn = before[1] or not torch.equal(before[0], randomness.state())
            ctx.random.append(before if drawn else None)
            outputs.append(output)
        # a state may be a view of the output of its segment, or of the state that was given
        state = tuple(s.clone() for s in state)
        ctx.bound, ctx.borders, ctx.names = bound, borders, names
        ctx.save_for_backward(x, *weights, *kept)
        ctx.set_materialize_grads(False)
        return (*outputs, *state)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *received: Tensor | None) -> tuple[Any, ...]:
        x, *rest = ctx.saved_tensors
        weights = [p.detach().requires_grad_() for p in rest[: len(ctx.names)]]
        kept, spans = rest[len(weights) :], list(pairwise(ctx.borders))
        dx = torch.zeros_like(x) if ctx.needs_input_grad[4] else None
        total: list[Tensor | None] = [None] * len(weights)
        carried = received[len(spans) :]
        for i in range(len(spans) - 1, -1, -1):
            a, z = spans[i]
            leaves = [x[a:z], *(border_states[i] for border_states in kept)]
            wanted = [dx is not None, *[s.is_floating_point() or s.is_complex() for s in leaves[1:]]]
            leaves = [t.detach().requires_grad_(w) for t, w in zip(leaves, wanted, strict=True)]
            with torch.enable_grad(), _same_random_numbers(ctx.random[i]):
                named = dict(zip(ctx.names, weights, strict=True))
                output, after = torch.func.functional_call(ctx.bound, named, (leaves[0], a, tuple(leaves[1:])))
            grads = _gradients((output, *after), (received[i], *carried), [*leaves, *weights])
            if dx is not None and grads[0] is not None:
                dx[a:z] = grads[0]
            carried = tuple(grads[1 : len(leaves)])
            for j, g in enumerate(grads[len(leaves) :]):
                if g is not None:
                    sofar = total[j]
                    # a copy, because two weights may share one gradient tensor, as the biases of a cell do
                    total[j] = g.clone() if sofar is None else sofar.add_(g)
        return None, None, None, None, dx, *carried, *total


def _gradients(
    outputs: tuple[Tensor, ...], received: tuple[Tensor | None, ...], sources: list[Tensor]
) -> list[Tensor | None]:
    """Return the gradients of the sources from those received by the outputs; None for a source without one."""
    known = [(end, d) for end, d in zip(outputs, received, strict=True) if d is not None and end.requires_grad]
    wanted = [t for t in sources if t.requires_grad]
    if not known or not wanted:
        return [None] * len(sources)
    grads = iter(torch.autograd.grad([e for e, _ in known], wanted, [d for _, d in known], allow_unused=True))
    return [next(grads) if t.requires_grad else None for t in sources]


@contextmanager
def _same_random_numbers(random: tuple[Tensor, list[int], list[Tensor]] | None) -> Iterator[None]:
    """Draw the random numbers of the first run again, and restore the caller's generator afterwards."""
    if random is None:
        yield
        return
    cpu_state, devices, device_states = random
    with randomness.fork(devices):
        randomness.set_state(cpu_state)
        set_device_states(devices, device_states)
        yield


def _left(lengths: Tensor | None, t: int, steps: int) -> Tensor | None:
    """Return the number of steps that each row has among the ``steps`` steps from t on, (B,)."""
    return None if lengths is None else (lengths - t).clamp(0, steps)
