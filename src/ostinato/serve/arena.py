"""The states of the streams in memory, as the rows of one array."""

from __future__ import annotations

from typing import final

import numpy as np


@final
class Arena:
    """Rows of bytes that are taken and given back; the array grows with them.

    Args:
        width: The number of bytes of a row.
    """

    def __init__(self, width: int) -> None:
        self.data = np.zeros((256, width), dtype=np.uint8)
        self._free = list(range(255, -1, -1))

    def take(self) -> int:
        """Return a row that is free."""
        if not self._free:
            rows = len(self.data)
            self.data = np.concatenate([self.data, np.zeros_like(self.data)])
            self._free = list(range(2 * rows - 1, rows - 1, -1))
        return self._free.pop()

    def give(self, row: int) -> None:
        """Give a row back."""
        self._free.append(row)
