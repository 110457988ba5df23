"""The streams in memory, as the rows of arrays: a column for each number that every stream has, and one of states."""

from __future__ import annotations

import time
from typing import final

import numpy as np
from numpy.typing import NDArray

from ostinato.serve.snapshot import BLOCK

Index = NDArray[np.int64]


@final
class Arena:
    """Rows that are taken and given back; all columns grow together.

    A batch of thousands of streams is read and written by whole columns. An object for each stream would cost a look-up
    in cold memory for each of its numbers.

    Args:
        width: The number of bytes of a state.
        size: The number of bytes of an event of the history.

    Attributes:
        data: The states, (R, W).
        tails: The events since the last full block of each history, (R, BLOCK, bytes); the first ``fill`` count.
        seq: The number of the last event that was taken in order.
        steps: The number of steps of the model.
        block: The number of the next block of the history.
        fill: The number of events since the last full block.
        version: The version of the record in the store.
        alarms: The number of alarms since the stream is in memory.
        used: When the stream was used last, in seconds.
        plain: Whether its events have no times, and none waits.
    """

    def __init__(self, width: int, size: int) -> None:
        rows = 256
        self.data = np.zeros((rows, width), dtype=np.uint8)
        self.tails = np.zeros((rows, BLOCK, size), dtype=np.uint8)
        self.seq, self.steps, self.block, self.fill, self.version, self.alarms = (
            np.zeros(rows, dtype=np.int64) for _ in range(6)
        )
        self.used = np.zeros(rows)
        self.plain = np.ones(rows, dtype=bool)
        self._free = list(range(rows - 1, -1, -1))

    def take(self) -> int:
        """Return a row that is free, with all its numbers at their start."""
        if not self._free:
            rows = len(self.data)
            for name, column in list(vars(self).items()):
                if isinstance(column, np.ndarray):
                    setattr(self, name, np.concatenate([column, np.zeros_like(column)]))
            self._free = list(range(2 * rows - 1, rows - 1, -1))
        row = self._free.pop()
        for column in (self.seq, self.steps, self.block, self.fill, self.alarms):
            column[row] = 0
        self.used[row], self.plain[row] = time.monotonic(), True
        return row

    def give(self, row: int) -> None:
        """Give a row back."""
        self._free.append(row)
