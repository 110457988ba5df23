"""Live symbols: text, a character at a time."""

from __future__ import annotations

import math
from typing import Any, final

import numpy as np

from ostinato.data.alphabet import Alphabet
from ostinato.inference.live.step import Live, array_of
from ostinato.layers.front import SymbolFront
from ostinato.model import SequenceModel
from ostinato.ops.engine.step import Step


@final
class LiveSymbols(Live):
    """Symbols, each embedded for the step after it."""

    def __init__(self, model: SequenceModel, steps: list[Step], front: SymbolFront, alphabet: Alphabet) -> None:
        super().__init__(model, steps, 1)
        self._alphabet, self._start = alphabet, model.initial_state(1)
        self._points = alphabet.decode(np.arange(alphabet.size)).tolist()
        self._symbols = {chr(p): i + 1 for i, p in enumerate(alphabet.code_points) if p < 128 or not alphabet.of_bytes}
        self._embedding = None if front.embedding is None else array_of(front.embedding.weight)
        self._input = np.zeros(front.features, dtype=np.float32)

    def _take(self, front: list[Any]) -> None:
        (self._before,) = front

    def take(self, values: Any) -> tuple[float, list[float]] | None:
        """See Live."""
        ends = values == "\n" and self._alphabet.terminated
        symbol = self._alphabet.end if ends else self._symbols.get(values) if isinstance(values, str) else None
        if symbol is None:
            return None
        if self._embedding is not None:
            self._input[:] = self._embedding[self._before[0]]
        logits = self._params()[0]
        top = int(logits.argmax())
        high = float(logits[top])
        nats = high + math.log(float(np.exp(logits - high).sum(dtype=np.float64))) - float(logits[symbol])
        if ends:
            self.hold(self._start)
        else:
            self._before[0] = symbol
        return nats, [float(self._points[top])]
