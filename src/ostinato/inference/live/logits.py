"""Symbols of many texts, one step after the other: by the engine and NumPy, or by torch for the rest."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Any, final
from weakref import WeakKeyDictionary

import numpy as np
import torch
from numpy.typing import NDArray

from ostinato.data.readable import Readable
from ostinato.emissions.choice import Choice
from ostinato.inference.live.counts import CountsStep
from ostinato.inference.live.layers import Floats, LiveLayer, array_of, bind
from ostinato.inference.live.step import steps_of
from ostinato.layers.cell import Cell
from ostinato.layers.front import SymbolFront
from ostinato.layers.stack import Stack
from ostinato.model import SequenceModel
from ostinato.ops.engine import writer
from ostinato.shapes import Array, State


@final
@dataclass
class Drawing:
    """How the symbols of B texts are drawn, and where the texts are.

    Attributes:
        choice: The options of the draws.
        readable: The symbols that may follow.
        end: The symbol that ends a text, or -1.
        place: The place of each text in a character, (B,).
        ended: Which texts have ended, (B,).
    """

    choice: Choice
    readable: Readable
    end: int
    place: NDArray[np.int64]
    ended: NDArray[np.bool_]


class Writer(ABC):
    """A model that draws the symbols of B texts."""

    @abstractmethod
    def write(self, drawing: Drawing, u: Array, left: int) -> NDArray[np.int64]:
        """Draw the next symbols; fewer than T once all texts have ended.

        Args:
            drawing: The options and the texts, which are moved on.
            u: Numbers uniform on [0, 1), (T, B).
            left: The number of symbols that a text may still have.

        Returns:
            The symbols, (T, B) or fewer; -1 in a text that has ended before.
        """


class Logits(Writer):
    """The logits of B texts, which ``observe`` moves on."""

    @abstractmethod
    def pending(self) -> NDArray[Any]:
        """Return the logits of the next step, (B, V). Call it once for each step."""

    @abstractmethod
    def observe(self, symbols: NDArray[np.int64]) -> None:
        """Take in the symbols of the step, (B,)."""

    def write(self, drawing: Drawing, u: Array, left: int) -> NDArray[np.int64]:
        """Draw the next symbols (see ``Writer.write``)."""
        out, readable = [], drawing.readable
        for t, own in enumerate(u):
            possible = readable.at(drawing.place, left - 1 - t)
            symbols = drawing.choice.pick(np.where(possible, self.pending(), -np.inf), own)
            out.append(np.where(drawing.ended, -1, symbols) if drawing.end >= 0 else symbols)
            if drawing.end >= 0:
                drawing.ended |= symbols == drawing.end
                if drawing.ended.all():
                    break
            drawing.place = readable.after[drawing.place, symbols]
            self.observe(symbols)
        return np.stack(out)


def writer_of(model: SequenceModel, state: State, steps: int) -> Writer:
    """Return what draws the texts after a state (B, ...): by one call for many symbols, if all layers are recurrent.

    Args:
        model: The model.
        state: The state before the first step, (B, ...) each.
        steps: The greatest number T of steps.
    """
    if model.device.type == "cpu" and (prepared := prepared_of(model, steps * len(state[0]))) is not None:
        return _EngineWriter(model, prepared, state)
    return logits_of(model, state)


def logits_of(model: SequenceModel, state: State) -> Logits:
    """Return the logits after a state (B, ...), in plain numbers if every layer of the model has a live step."""
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
    """The logits of a network whose layers all have a live step, on arrays that keep their place."""

    def __init__(self, model: SequenceModel, steps: list[LiveLayer], embedding: Floats, state: State) -> None:
        assert model.head is not None
        parts = model.parts(state)
        rows = len(state[0])
        self._embedding, self._before = embedding, np.array(parts.front[0][:, 0].numpy(), dtype=np.int64)
        self._constant, self._head = array_of(model.constant)[0], array_of(model.head.weight)
        self._inputs = np.zeros((rows, embedding.shape[1]), dtype=np.float32)
        held = [np.array(s.numpy()) for s in parts.backbone]
        some = slice(None) if rows > 1 else 0
        stack = bind(steps, [s[some] for s in held], self._inputs[some])
        self._calls, self._h = stack.runs, stack.h.reshape(rows, -1)

    def pending(self) -> NDArray[Any]:
        self._embedding.take(self._before, axis=0, out=self._inputs, mode="clip")
        for call in self._calls:
            call()
        if len(self._h) == 1:
            return np.asarray((self._head @ self._h[0] + self._constant)[None])
        return np.asarray(self._h @ self._head.T + self._constant)

    def observe(self, symbols: NDArray[np.int64]) -> None:
        self._before[:] = symbols


def prepared_of(model: SequenceModel, draws: int) -> writer.Writer | None:
    """Return the engine's layout of a network of recurrent layers; None for other models.

    That of rounded weights, which do not change, is made once; that of others for each call of ``sample``.

    Args:
        model: The model.
        draws: About how many symbols will be drawn.
    """
    front, layers = model.front, _cells(model)
    plain = isinstance(front, SymbolFront) and front.markov is None and not front.plain
    if not (layers and plain and isinstance(front, SymbolFront)) or front.embedding is None or model.head is None:
        return None
    rounded = all(cell.rounded is not None for cell in layers)
    if rounded and model in _PREPARED:
        return _PREPARED[model]
    own = [writer.Layer(c.engine, c.weights, c.rounded) for c in layers]
    embedding, residual = front.embedding.weight, isinstance(model.backbone, Stack) and model.backbone.residual
    draws = max(draws, len(embedding)) if rounded else draws
    made = writer.Writer(own, embedding, model.head.weight, model.constant[0], residual=residual, draws=draws)
    if rounded:
        _PREPARED[model] = made
    return made


def _cells(model: SequenceModel) -> list[Cell]:
    """Return the layers of a network, the lowest first; none unless the engine draws texts by each of them."""
    layers = model.backbone.each() if isinstance(model.backbone, Stack) else []
    cells = [layer for layer in layers if isinstance(layer, Cell)]
    fits = len(cells) == len(layers) and model.constant.dtype == torch.float32
    return cells if fits and all(writer.runs(cell.engine) and cell.in_engine() for cell in cells) else []


_PREPARED: WeakKeyDictionary[SequenceModel, writer.Writer] = WeakKeyDictionary()


@final
class _EngineWriter(Writer):
    """A network of recurrent layers: the engine draws many symbols in one call."""

    def __init__(self, model: SequenceModel, prepared: writer.Writer, state: State) -> None:
        parts, rows = model.parts(state), len(state[0])
        self._prepared = prepared
        left, states = [np.array(s.numpy(), order="C") for s in parts.backbone], []
        for size in model.backbone.sizes if isinstance(model.backbone, Stack) else []:
            states.append(tuple(left[:size]))
            left = left[size:]
        self._texts = writer.Texts(
            np.array(parts.front[0][:, 0].numpy(), dtype=np.int64),
            np.zeros(rows, dtype=np.int64),
            np.zeros(rows, dtype=np.bool_),
            tuple(states),
        )

    def write(self, drawing: Drawing, u: Array, left: int) -> NDArray[np.int64]:
        choice, readable, texts = drawing.choice, drawing.readable, self._texts
        rules = writer.Rules(
            choice.temperature, choice.top_p, choice.min_p, choice.top_k or 0,
            readable.allowed, readable.after, readable.needed, drawing.end,
        )  # fmt: skip
        texts.place, texts.ended = drawing.place, drawing.ended
        return self._prepared.write(texts, rules, u, left)


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
