"""The live step of adaptive counts, alone or mixed with a network: one call of the engine learns and predicts."""

from __future__ import annotations

from typing import Any, Self, final

import numpy as np
import torch
from numpy.typing import NDArray

from ostinato.inference.live.layers import Floats, LiveLayer, array_of, bind, layers_of
from ostinato.inference.live.step import Live
from ostinato.layers.counts import Counts
from ostinato.layers.front import SymbolFront
from ostinato.layers.mixture import Mixture
from ostinato.model import SequenceModel
from ostinato.ops.counts.form import LEARNED, CountsState
from ostinato.shapes import State


@final
class CountsStep:
    """One step of adaptive counts for B texts, without the dispatch of torch.

    A step is ``pending``, which learns the symbol before and predicts the next one, and then ``observe``, or
    ``restart`` at the end of the texts. Whether a row learns, and how fast it forgets, is in the state.

    Attributes:
        state: The state of the model, (B, ...) each, which the steps change in place.
        logs: The log probabilities of the next symbols after ``pending``, (B, V), which the next step writes again.
    """

    state: State
    logs: Floats

    def __init__(self, model: SequenceModel, counts: Counts, cells: list[LiveLayer]) -> None:
        """Build the step of a model of counts or of a mixture; ``of`` says whether there is one.

        Args:
            model: The model.
            counts: Its counts.
            cells: The layers of the network, the lowest first; empty without one.
        """
        self._parts, self._backbone, self._counts, self._cells = model.parts, model.backbone, counts, cells
        embedding = model.front.embedding if isinstance(model.front, SymbolFront) else None
        self._embedding = None if embedding is None else array_of(embedding.weight)

    @classmethod
    def of(cls, model: SequenceModel) -> Self | None:
        """Return the step of a model, without a state until ``hold`` is called; None if the engine cannot make it."""
        memory, cells = model.backbone, list[LiveLayer]()
        if isinstance(memory, Mixture):
            found = layers_of(memory.network)
            if found is None or memory.head.weight.dtype != torch.float32:
                return None
            memory, cells = memory.counts, found
        if not isinstance(memory, Counts) or not memory.steps_live or bool(model.constant.any()):
            return None
        return cls(model, memory, cells)

    def hold(self, state: State) -> None:
        """Continue from this state (B, ...).

        What was learned is not copied: it is changed in place if the state learns, as by ``unroll`` with ``in_place``.
        """
        parts = self._parts(state)
        V, rows, memory = self._counts.output_size, len(parts.front[0]), self._backbone
        small = memory.small(parts.backbone) if isinstance(memory, Counts | Mixture) else 0
        own = (*(s.clone(memory_format=torch.contiguous_format) for s in parts.backbone[:small]),
               *parts.backbone[small:])  # fmt: skip
        symbols = parts.front[0].clone()
        self.state = (symbols, *own)
        self._before: NDArray[np.int64] = symbols.numpy()[:, 0]
        self.logs = np.zeros((rows, V), dtype=np.float32)
        out, given = torch.from_numpy(self.logs), None
        if isinstance(memory, Mixture):
            held, own = memory.split(own)
            given = torch.from_numpy(self._connect(memory, held, rows, V))
        self._path = CountsState(*own).path.numpy()
        self._run, self._learn = (self._counts.bound(symbols[:, 0], given, own, o) for o in (out, None))

    def _connect(self, memory: Mixture, held: State, rows: int, symbols: int) -> Floats:
        """Return the array (B, V) that ``_network`` writes the log probabilities of the network to."""
        self._held = [s.numpy() for s in held]
        self._fresh = [s.numpy() for s in memory.network.initial_state(1)]
        self._inputs = np.zeros((rows, memory.network.input_size), dtype=np.float32)
        one = 0 if rows == 1 else slice(None)  # one row is stepped with weights that are packed once
        stack = bind(self._cells, [s[one] for s in self._held], self._inputs[one])
        # the state may be read after any step
        self._calls = [*stack.runs, *stack.settles]
        self._h, self._weight, self._bias = stack.h, array_of(memory.head.weight.T), array_of(memory.head.bias)
        self._given = np.zeros((rows, symbols), dtype=np.float32)
        return self._given

    def pending(self) -> Floats:
        """Return the log probabilities of the next symbols, (B, V), which are in ``logs``.

        Call it once for each step.
        """
        if self._cells:
            self._network()
        self._run()
        return self.logs

    def observe(self, symbols: Any) -> None:
        """Take in the symbols of the step, (B,), or one number for all rows."""
        self._before[:] = symbols

    def restart(self, symbols: Any) -> None:
        """Take in the symbols of the step, (B,), which are learned now, and begin the next texts."""
        self._before[:] = symbols
        self._learn()
        self._path[:, :LEARNED] = self._path[:, LEARNED + 1 :] = 0
        self._before[:] = self._counts.output_size
        if self._cells:
            for old, new in zip(self._held, self._fresh, strict=True):
                old[:] = new

    def _network(self) -> None:
        """Write the log probabilities of the network for the next symbols."""
        if self._embedding is not None:
            self._embedding.take(self._before, axis=0, out=self._inputs, mode="clip")
        for call in self._calls:
            call()
        logits = self._h @ self._weight
        logits += self._bias
        logits -= logits.max(-1, keepdims=True)
        logits -= np.log(np.exp(logits).sum(-1, keepdims=True))
        self._given[:] = logits


@final
class LiveCounts(Live):
    """The live step of text by a memory that goes on learning, one character at a time."""

    def __init__(self, model: SequenceModel, step: CountsStep) -> None:
        """Build the step, without a state until ``hold`` is called.

        Args:
            model: A model of counts, or of a mixture of a network and counts.
            step: Its step.
        """
        encoding = model.encoding
        self._step, self._symbols, self._end = step, encoding.symbol_table(), encoding.end_symbol
        self._points = [float(p) for p in encoding.vocabulary()]

    @classmethod
    def of(cls, model: SequenceModel) -> Self | None:
        """Return the step of a model, without a state; None if the engine cannot make it."""
        step = CountsStep.of(model)
        return None if step is None else cls(model, step)

    def hold(self, state: State, last: NDArray[Any] | None = None) -> None:
        """Continue from this state (see ``CountsStep.hold``)."""
        self.last = last
        self._step.hold(state)
        self.state, (self._logs,) = self._step.state, self._step.logs
        self._known = self._logs[1:]  # the unknown symbol, 0, is not a character

    def take(self, values: Any) -> tuple[float, list[float]] | None:
        """Return the surprisal and the likeliest symbol; None if values are not one character of the alphabet."""
        symbol = self._symbols.get(values) if isinstance(values, str) else None
        if symbol is None:
            return None
        self._step.pending()
        nats, top = -self._logs.item(symbol), int(self._known.argmax()) + 1
        if symbol == self._end:
            self._step.restart(symbol)
        else:
            self._step.observe(symbol)
        return nats, [self._points[top]]
