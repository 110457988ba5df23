"""Which values of a stream count as outliers, and do not enter its state."""

from __future__ import annotations

from dataclasses import dataclass
from typing import final

#: At most so many values in a row count as outliers if they are far from their predictions; the next one is taken.
DOUBTED = 2


@final
@dataclass
class Robust:
    """The rule for values that are far from their predictions, and the number of such values in a row.

    Attributes:
        limit: The distance in standard deviations from which on a value is far.
        in_a_row: The number of steps in a row that had such a value.
    """

    limit: float
    in_a_row: int = 0

    def believes(self, far: bool) -> bool:
        """Return whether the value of a step is taken; from the third far one in a row on, the level has changed.

        Args:
            far: Whether the step has a value that is far from its prediction.
        """
        self.in_a_row = self.in_a_row + 1 if far else 0
        return not far or self.in_a_row > DOUBTED
