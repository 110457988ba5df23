"""An adaptive memory that drives the coder: it predicts a symbol, sees it coded, and learns it with the next call.

The order is that of ``score``: one sequence after the other, and what was learned from one serves the next. The memory
is of a fixed size and its arithmetic is that of csrc/counts.cpp, which every machine computes to the same bits. A
block of known symbols gives the same bits as its symbols one at a time, so an encoder may take blocks.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import final

import numpy as np
import torch
from numpy.typing import NDArray

from ostinato.compression.portable import GRID
from ostinato.layers.counts import Counts
from ostinato.layers.mixture import Mixture
from ostinato.model import SequenceModel
from ostinato.ops.counts.form import CountsState
from ostinato.ops.counts.native import Row
from ostinato.shapes import Array

Values = NDArray[np.int64]


class Memory(ABC):
    """An adaptive model at its place in the sequences."""

    @abstractmethod
    def after(self, symbols: Values) -> Array:
        """Learn symbols and return the log probabilities of what follows each of them, (n, V).

        Args:
            symbols: The next symbols, (n,); V at the start of a sequence.
        """


@final
class CountsMemory(Memory):
    """Counts alone."""

    def __init__(self, counts: Counts) -> None:
        self._row = row_of(counts)

    def after(self, symbols: Values) -> Array:
        """Learn symbols and return the log probabilities of what follows each of them, (n, V)."""
        return self._row.after(symbols).astype(np.float64)


@final
class MixtureMemory(Memory):
    """A network and counts. The network takes one step at a time, because a block of steps adds up in another order.

    Its log probabilities are rounded to the grid before the counts see them.
    """

    def __init__(self, model: SequenceModel, mixture: Mixture) -> None:
        self._model, self._mixture, self._row = model, mixture, row_of(mixture.counts)
        self._begin()

    def after(self, symbols: Values) -> Array:
        """Learn symbols and return the log probabilities of what follows each of them, (n, V)."""
        return np.concatenate([self._one(symbols[i : i + 1]) for i in range(len(symbols))])

    def _begin(self) -> None:
        self._front = self._model.front.initial_state(1)
        self._state = self._mixture.network.initial_state(1)

    def _one(self, symbol: Values) -> Array:
        if symbol[0] == self._mixture.counts.output_size:
            self._begin()
        else:
            self._front = self._model.front.unroll(torch.from_numpy(symbol)[:, None, None], self._front)[1]
        inputs = self._model.front.pending(self._front).inputs[:, :-1]
        self._state, h = self._mixture.network.step(self._state, inputs)
        logs = self._mixture.head(h).log_softmax(-1).numpy()
        given = np.rint(logs * GRID) / GRID
        return self._row.after(symbol, given.astype(np.float32)).astype(np.float64)


def row_of(counts: Counts) -> Row:
    """Return a row of counts that learns, at what training has learned."""
    state = CountsState(*counts.owned(counts.initial_state(1), learns=True))
    return Row(counts.tree(), state)


def memory_of(model: SequenceModel) -> Memory | None:
    """Return the memory of an adaptive model in float64, at what training has learned; None if it has none."""
    match model.backbone:
        case Counts() as counts:
            return CountsMemory(counts)
        case Mixture() as mixture:
            return MixtureMemory(model, mixture)
        case _:
            return None
