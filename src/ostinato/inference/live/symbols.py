"""The live step of text, one character at a time."""

from __future__ import annotations

import math
from typing import Any, final

import numpy as np

from ostinato.inference.live.layers import LiveLayer, array_of
from ostinato.inference.live.step import LiveCells
from ostinato.layers.front import SymbolFront
from ostinato.model import SequenceModel


@final
class LiveSymbols(LiveCells):
    """The live step of a model of text: each symbol is the input of the next step."""

    def __init__(self, model: SequenceModel, steps: list[LiveLayer], front: SymbolFront) -> None:
        """Build the step, without a state until ``hold`` is called.

        Args:
            model: A model of text with a categorical emission.
            steps: The layers of the backbone, the lowest first.
            front: The front of the model, without a Markov chain.
        """
        super().__init__(model, steps)
        encoding = model.encoding
        self._start, self._symbols, self._end = model.initial_state(1), encoding.symbol_table(), encoding.end_symbol
        self._points = encoding.vocabulary()
        self._embedding = None if front.embedding is None else array_of(front.embedding.weight)
        self._input = np.zeros(front.features, dtype=np.float32)

    def _take(self, front: list[Any]) -> None:
        (self._before,) = front

    def take(self, values: Any) -> tuple[float, list[float]] | None:
        """Return the surprisal and the likeliest symbol; None if values are not one character of the alphabet."""
        symbol = self._symbols.get(values) if isinstance(values, str) else None
        if symbol is None:
            return None
        if self._embedding is not None:
            self._input[:] = self._embedding[self._before[0]]
        logits = self._params()[0]
        top = int(logits[1:].argmax()) + 1  # the unknown symbol, 0, is not a character
        high = float(logits[top])
        nats = high + math.log(float(np.exp(logits - high).sum(dtype=np.float64))) - float(logits[symbol])
        if symbol == self._end:
            self.hold(self._start)
        else:
            self._before[0] = symbol
        return nats, [float(self._points[top])]
