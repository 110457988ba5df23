"""What the rule of alarms makes of one event, and what it remembers of a stream."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ostinato.shapes import Array

#: The numbers of the memory that stand before the last value and the last errors.
_NUMBERS = 9


class Scores(NamedTuple):
    """Normal scores of surprisals and of signed errors, and whether the value repeats the one before it, (N,) each.

    ``signed`` is bounded for sums, and ``error`` for the few errors that follow a move of the level.
    """

    score: Array
    signed: Array
    error: Array
    same: NDArray[np.bool_]


class Memory(NamedTuple):
    """The parts of the memory of B streams, (B,) each; the last value is (B, D), the last errors are (B, K).

    ``quiet`` is what is left of a cool-down, and ``began`` how rare the event was that began it, in powers of ten.
    """

    last: Array
    errors: Array
    run: Array
    more: Array
    less: Array
    up: Array
    down: Array
    quiet: Array
    shift: Array
    events: Array
    began: Array

    @staticmethod
    def width(channels: int, errors: int) -> int:
        """Return the number of numbers that a rule remembers of a stream."""
        return _NUMBERS + channels + errors

    @staticmethod
    def start(channels: int, errors: int) -> Array:
        """Return the memory of a stream before its first event, (W,); the last value is not known."""
        out = np.zeros(Memory.width(channels, errors))
        out[_NUMBERS : _NUMBERS + channels] = np.nan
        return out

    @staticmethod
    def of(memory: Array, channels: int) -> Memory:
        """Return the parts of rows (B, W)."""
        first = _NUMBERS + channels
        return Memory(memory[:, _NUMBERS:first], memory[:, first:], *memory[:, :_NUMBERS].T)

    def joined(self) -> Array:
        """Return the rows (B, W) of these parts."""
        return np.column_stack([*self[2:], self.last, self.errors])
