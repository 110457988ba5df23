"""Where the parts of a text may end: before a character, of which a byte or a jamo is only a part."""

from __future__ import annotations

from dataclasses import dataclass

from ostinato.data.sequences import SequenceSet
from ostinato.data.spelling import spelling_of
from ostinato.data.spelling.base import Spelling
from ostinato.shapes import Span

#: The steps that are looked at together, more than a character has.
_NEAR = 16


@dataclass(frozen=True)
class Borders:
    """The borders between the characters of texts in a vocabulary.

    Attributes:
        data: The texts.
        spelling: Their vocabulary.
    """

    data: SequenceSet
    spelling: Spelling

    @staticmethod
    def of(data: SequenceSet) -> Borders | None:
        """Return the borders of texts, or None if every step is a character or the data are not texts."""
        return Borders(data, spelling_of(data.meta)) if "spelling" in data.meta else None

    def before(self, b: int, step: int) -> int:
        """Return the step of a sequence where the character begins that goes on with a step.

        Args:
            b: The number of the sequence.
            step: The step; where no character goes on, it is returned.
        """
        row = self.data[b]
        while 0 < step < len(row):
            first = max(0, step + 1 - _NEAR)
            begun = self.spelling.begins(row[first : step + 1, 0])
            if begun.any():
                return int(first + begun.nonzero()[0][-1])
            step = max(0, first - 1)
        return step

    def moved(self, spans: list[Span]) -> list[Span]:
        """Return spans whose ends are moved back to where characters begin, without empty ones."""
        moved = [(b, self.before(b, a), self.before(b, z)) for b, a, z in spans]
        return [(b, a, z) for b, a, z in moved if z > a]
