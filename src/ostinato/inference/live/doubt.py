"""Which values the state of a stream does not believe."""

from __future__ import annotations

from dataclasses import dataclass
from typing import final

#: So many values in a row are doubted if they are far from their predictions; the next one is believed.
DOUBTED = 2


@final
@dataclass
class Doubt:
    """The doubt about values that are far from their predictions, and how often it was used in a row.

    Attributes:
        limit: The distance in standard deviations from which on a value is far.
        in_a_row: The number of steps in a row that had such a value.
    """

    limit: float
    in_a_row: int = 0

    def believes(self, far: bool) -> bool:
        """Return whether a step is believed; from the third far one in a row on, the level has changed.

        Args:
            far: Whether the step has a value that is far from its prediction.
        """
        self.in_a_row = self.in_a_row + 1 if far else 0
        return not far or self.in_a_row > DOUBTED
