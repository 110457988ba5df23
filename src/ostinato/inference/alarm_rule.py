"""What gives an alarm on the events of live streams, for many streams at once."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from ostinato.shapes import Array

#: Which evidence gave an alarm, by its place in ``EVIDENCE`` from 1, or 0 for no alarm.
Alarms: TypeAlias = NDArray[np.uint8]

#: The kinds of evidence: one surprisal, the sum of surprisals, the sum of errors of one sign, repeated values, and the
#: errors that follow a move of the level.
EVIDENCE = ("surprisal", "surprisals", "errors", "repeats", "move")


def evidence_name(alarm: int) -> str | None:
    """Return the name of the evidence that gave an alarm; None for no alarm, or if it was not kept."""
    return EVIDENCE[alarm - 1] if alarm else None


class AlarmRule(ABC):
    """A rule that judges events. What it remembers of a stream is a row of ``width`` numbers, which it is given.

    Attributes:
        width: The number W of numbers that the rule remembers of a stream; it may be 0.
    """

    width: int

    @abstractmethod
    def start(self) -> Array:
        """Return what the rule remembers of a stream before its first event, (W,)."""

    @abstractmethod
    def step(self, surprisal: Array, values: Array, expected: Array, memory: Array) -> tuple[Alarms, Array]:
        """Judge one event of each of B streams.

        Args:
            surprisal: The surprisals in nats, (B,). NaN for a missing value, which gives no alarm.
            values: The values in the units of the data, (B, D); of text any numbers of the symbols.
            expected: The values that were expected, (B, D).
            memory: What the rule remembers of the streams, (B, W).

        Returns:
            Which evidence gave an alarm, 0 for none, (B,), and what is remembered from now on, (B, W).
        """

    @abstractmethod
    def words(self) -> str:
        """Return the rule, where it comes from and its false-alarm rate, in words."""
