"""The step of a model on one value of a live sequence, in plain numbers and without the dispatch of torch.

A call of torch costs microseconds, and one step of a model takes dozens of calls. Here a step runs on NumPy arrays in
place, and ``layers`` has the steps of the backbone's layers. The laws of a stream test that both ways give the same
numbers.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from ostinato.inference.live.layers import Floats, LiveLayer, Run, array_of, bind, layers_of
from ostinato.layers.ar import AR
from ostinato.model import SequenceModel
from ostinato.shapes import State


def one_step(values: Any) -> list[float] | None:
    """Return the numbers of the one step in values; None if values are anything else.

    Iterating anything but lists, tuples and arrays may give names or bytes, such as the columns of a frame.
    """
    try:
        (row,) = _ordered(values)
        cells = [row] if isinstance(row, float | int | np.generic) else _ordered(row)
        return [float(v) for v in cells] if all(map(_number, cells)) else None
    except (TypeError, ValueError, OverflowError):
        return None


def _ordered(values: Any) -> Any:
    """Return values that are iterated in the order of the steps or channels; other values are refused."""
    if isinstance(values, list | tuple | np.ndarray):
        return values
    if not hasattr(values, "__array__"):
        raise TypeError(type(values))
    return np.asarray(values)


def _number(v: Any) -> bool:
    return isinstance(v, float | int | np.floating | np.integer) and not isinstance(v, bool | np.timedelta64)


class Live(ABC):
    """A model with the state of one sequence. Later changes of the model's weights may not reach it."""

    @abstractmethod
    def hold(self, state: State, last: NDArray[Any] | None = None) -> None:
        """Continue from this state, which later steps may change in place, and from the last prices (1, D)."""

    @abstractmethod
    def take(self, values: Any) -> tuple[float, list[float]] | None:
        """Return the surprisal in nats and the expected value of each channel, for the argument of ``Stream.update``.

        Return None and change nothing if the values are not exactly one step that is observed and possible.
        """

    def after(self) -> State:
        """Return the state after the last step, which the next one may change in place."""
        return self.state

    #: The tensors of the state. A layer may keep its part in another order until ``after`` is called.
    state: State
    last: NDArray[Any] | None


class LiveCells(Live):
    """A model whose backbone is a stack of layers with a live step, or that has none."""

    def __init__(self, model: SequenceModel, steps: list[LiveLayer]) -> None:
        """Build the step, without a state until ``hold`` is called.

        Args:
            model: The model.
            steps: The layers of the backbone, the lowest first.
        """
        self._layers, self._parts = steps, model.parts
        self._constant = array_of(model.constant)
        self._head = None if model.head is None else array_of(model.head.weight)
        self._backbone: list[Run] = []
        self._settles: list[Run] = []

    def hold(self, state: State, last: NDArray[Any] | None = None) -> None:
        """Continue from a copy of this state, and from the last prices (1, D)."""
        self.last = last
        # the tensors share the memory of the arrays, which the step changes in place
        self.state = tuple(s.detach().clone(memory_format=torch.contiguous_format) for s in state)
        #: The arrays of the state, (1, ...) each.
        self.arrays: tuple[Floats, ...] = tuple(s.numpy() for s in self.state)
        front, backbone = ([s[0].numpy() for s in part] for part in self._parts(self.state))
        self._take(front)
        bound = bind(self._layers, backbone, self._input)
        self._backbone, self._settles, self._h = bound.runs, bound.settles, bound.h

    def after(self) -> State:
        """Return the state after the last step, in the order of ``initial_state``."""
        for settle in self._settles:
            settle()
        return self.state

    def refill(self, state: Sequence[NDArray[Any]]) -> None:
        """Continue from a copy of another state, (1, ...) each, in the arrays that ``hold`` has made."""
        self.after()
        for own, given in zip(self.arrays, state, strict=True):
            own[...] = given
        self._refilled()

    def _refilled(self) -> None:
        """Follow a state that was changed from outside."""

    def _params(self) -> Floats:
        """Return the parameters (D, P) of the pending step, after the backbone has taken in its input."""
        if self._head is None:
            return self._constant
        for run in self._backbone:
            run()
        return self._constant + (self._head @ self._h).reshape(self._constant.shape)

    @abstractmethod
    def _take(self, front: list[Any]) -> None:
        """Keep the state of the front, to change it in place, and set ``_input``, which the backbone reads."""

    _input: Floats


def steps_of(model: SequenceModel) -> list[LiveLayer] | None:
    """Return the steps of the backbone's layers, the lowest first; None unless every layer has one in float32."""
    layers = [] if model.backbone is None else layers_of(model.backbone)
    return None if model.constant.dtype != torch.float32 else layers


def places(ar: AR) -> slice | NDArray[np.int64]:
    """Return where the values at the lags of an autoregression are among its last values, the newest first."""
    dense = len(ar.lags) == ar.order
    return slice(0, ar.order) if dense else np.array(ar.lags, dtype=np.int64) - 1
