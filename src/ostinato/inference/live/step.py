"""One value of a live sequence in plain numbers: what a model does with a step, without torch's dispatch around it.

A call of torch's costs microseconds, and one step of a model takes dozens of them. Here a step runs on NumPy arrays in
place, the recurrences by the engine's Step. The laws of a stream hold both ways of stepping together.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ostinato.layers.cell import Cell
from ostinato.layers.stack import Stack
from ostinato.model import SequenceModel
from ostinato.ops.engine.step import Step
from ostinato.shapes import State

Floats = NDArray[np.float32]


class Live(ABC):
    """A model and the state of one sequence. The model's weights are those of the time when it was made."""

    def __init__(self, model: SequenceModel, steps: list[Step], front: int) -> None:
        """steps: the memory's layers; front: tensors of the front's state, which come first."""
        self._layers, self._front = steps, front
        self._constant = array_of(model.constant)
        self._head = None if model.head is None else array_of(model.head.weight)
        self._memory: list[Callable[[], None]] = []

    def hold(self, state: State, last: NDArray[Any] | None = None) -> None:
        """Go on from this state, and from these last prices (1, D)."""
        self.last = last
        own = [s[0].detach().clone(memory_format=torch.contiguous_format).numpy() for s in state]
        self.state = tuple(torch.from_numpy(a)[None] for a in own)
        self._take(own[: self._front])
        self._memory, self._h = bind(self._layers, own[self._front :], self._input)

    @abstractmethod
    def take(self, values: Any) -> tuple[float, list[float]] | None:
        """What ``Stream.update`` is given -> the surprisal in nats and what was expected of each channel.

        None, and nothing changed, where it is not one everyday step: several, missing, refused.
        """

    def _params(self) -> Floats:
        """(D, P) of the step that is pending: the memory takes its input in."""
        if self._head is None:
            return self._constant
        for run in self._memory:
            run()
        return self._constant + (self._head @ self._h).reshape(self._constant.shape)

    @abstractmethod
    def _take(self, front: list[Any]) -> None:
        """The front's state, to be kept and changed in place; sets ``_input``, what the memory reads."""

    _input: Floats
    state: State
    last: NDArray[Any] | None


def steps_of(model: SequenceModel) -> list[Step] | None:
    """The engine's steps of the layers of its memory, lowest first; None where it does not step them all in float32."""
    layers = list(model.backbone.layers) if isinstance(model.backbone, Stack) else []
    steps = [layer.live() for layer in layers if isinstance(layer, Cell)]
    whole = [step for step in steps if step is not None]
    lacks = len(whole) < len(layers) or (model.backbone is not None and not whole)
    return None if lacks or model.constant.dtype != torch.float32 else whole


def bind(steps: list[Step], held: list[Floats], below: Floats) -> tuple[list[Callable[[], None]], Floats]:
    """What takes in ``below`` and replaces the layers' states, ``held``, in place; and what it leaves for the head."""
    calls: list[Callable[[], None]] = []
    for i, step in enumerate(steps):
        states, held = held[: step.states], held[step.states :]
        calls.append(step.bound(below, *states))
        h = states[0]
        if i and below.shape == h.shape:
            # a residual connection: the layer above reads the sum
            total = np.zeros_like(h)
            calls.append(_sum(below, h, total))
            h = total
        below = h
    return calls, below


def array_of(t: Tensor) -> Floats:
    """Its values, without a copy where they lie one after the other."""
    return np.ascontiguousarray(t.detach().numpy())


def _sum(a: Floats, b: Floats, total: Floats) -> Callable[[], None]:
    def add() -> None:
        np.add(a, b, out=total)

    return add
