"""The logits of the next symbol of many texts, one step after the other: by the engine, or by torch for the rest."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Any, final

import numpy as np
import torch
from numpy.typing import NDArray

from ostinato.inference.live.counts import CountsStep
from ostinato.inference.live.step import Floats, array_of, bind, steps_of
from ostinato.layers.cell import Cell
from ostinato.layers.front import SymbolFront
from ostinato.layers.stack import Stack
from ostinato.model import SequenceModel
from ostinato.ops.engine import light
from ostinato.ops.engine.step import Step
from ostinato.shapes import State


class Logits(ABC):
    """The state of B texts, which ``observe`` moves on."""

    @abstractmethod
    def pending(self) -> NDArray[Any]:
        """Return the logits of the next step, (B, V). Call it once for each step."""

    @abstractmethod
    def observe(self, symbols: NDArray[np.int64]) -> None:
        """Take in the symbols of the step, (B,)."""


def logits_of(model: SequenceModel, state: State) -> Logits:
    """Return the logits after a state (B, ...), by the engine if it can step the model."""
    front = model.front
    plain = isinstance(front, SymbolFront) and front.markov is None and not front.plain
    steps = steps_of(model) if plain and model.device.type == "cpu" else None
    if isinstance(front, SymbolFront) and steps and front.embedding is not None and model.head is not None:
        return _PlainLogits(model, steps, array_of(front.embedding.weight), state)
    counts = CountsStep.of(model) if model.adaptive and model.device.type == "cpu" else None
    return _TorchLogits(model, state) if counts is None else _CountsLogits(counts, state)


@final
class _TorchLogits(Logits):
    """The logits by ``predict`` and ``observe`` of the model."""

    def __init__(self, model: SequenceModel, state: State) -> None:
        self._model, self._state = model, state

    def pending(self) -> NDArray[Any]:
        conditional, self._state = self._model.predict(self._state)
        logits: NDArray[Any] = conditional.params[:, 0].float().cpu().numpy()
        return logits

    def observe(self, symbols: NDArray[np.int64]) -> None:
        x = torch.from_numpy(symbols)[:, None].to(self._model.device)
        self._state = self._model.observe(self._state, x)


@final
class _PlainLogits(Logits):
    """The logits of a network whose layers the engine steps, on arrays that keep their place."""

    def __init__(self, model: SequenceModel, steps: list[Step], embedding: Floats, state: State) -> None:
        assert model.head is not None
        parts = model.parts(state)
        rows = len(state[0])
        self._embedding, self._before = embedding, np.array(parts.front[0][:, 0].numpy(), dtype=np.int64)
        self._constant, self._head = array_of(model.constant)[0], array_of(model.head.weight)
        self._inputs = np.zeros((rows, embedding.shape[1]), dtype=np.float32)
        held = [np.array(s.numpy()) for s in parts.backbone]
        self._calls, self._looks_up = _light_calls(model, self._before, held), True
        self._h = held[0]
        if not self._calls:
            some = slice(None) if rows > 1 else 0
            self._calls, h = bind(steps, [s[some] for s in held], self._inputs[some])
            self._h, self._looks_up = h.reshape(rows, -1), False

    def pending(self) -> NDArray[Any]:
        if not self._looks_up:
            self._embedding.take(self._before, axis=0, out=self._inputs, mode="clip")
        for call in self._calls:
            call()
        if len(self._h) == 1:
            return np.asarray((self._head @ self._h[0] + self._constant)[None])
        return np.asarray(self._h @ self._head.T + self._constant)

    def observe(self, symbols: NDArray[np.int64]) -> None:
        self._before[:] = symbols


def _light_calls(model: SequenceModel, symbols: NDArray[np.int64], held: list[Floats]) -> list[Callable[[], None]]:
    """Return the call that steps a single layer by weights of 8 bits, if it has them and the rows are few; or none."""
    front, backbone = model.front, model.backbone
    layers = list(backbone.layers) if isinstance(backbone, Stack) else []
    if len(layers) != 1 or len(symbols) > light.ROWS or not isinstance(front, SymbolFront) or front.embedding is None:
        return []
    (cell,) = layers
    if not isinstance(cell, Cell) or cell.rounded is None or not light.runs(cell.engine):
        return []
    inputs = front.embedding.weight, cell.weight_ih_l0, cell.bias_ih_l0, cell.bias_hh_l0
    return [light.bound(cell.engine, cell.rounded, inputs, symbols, *held)]


@final
class _CountsLogits(Logits):
    """The log probabilities of counts, alone or mixed with a network, by the engine's step."""

    def __init__(self, step: CountsStep, state: State) -> None:
        self._step = step
        step.hold(state)

    def pending(self) -> NDArray[Any]:
        return self._step.pending()

    def observe(self, symbols: NDArray[np.int64]) -> None:
        self._step.observe(symbols)
