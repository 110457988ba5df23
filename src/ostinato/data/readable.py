"""Which symbols may follow in a text that is drawn, so that the text can be read back as it was drawn."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias, final

import numpy as np
from numpy.typing import NDArray

from ostinato.data.alphabet import Alphabet

Whole: TypeAlias = NDArray[np.int64]

#: The bytes that may come next in UTF-8, and the place in this table after them, for each place in a character
#: (Unicode 15, table 3-7). The first place is the start of a character.
_UTF8: tuple[tuple[tuple[int, int, int], ...], ...] = (
    ((0x00, 0x7F, 0), (0xC2, 0xDF, 1), (0xE0, 0xE0, 4), (0xE1, 0xEC, 2), (0xED, 0xED, 5), (0xEE, 0xEF, 2),
     (0xF0, 0xF0, 6), (0xF1, 0xF3, 3), (0xF4, 0xF4, 7)),
    ((0x80, 0xBF, 0),),
    ((0x80, 0xBF, 1),),
    ((0x80, 0xBF, 2),),
    ((0xA0, 0xBF, 1),),
    ((0x80, 0x9F, 1),),
    ((0x90, 0xBF, 2),),
    ((0x80, 0x8F, 2),),
)  # fmt: skip
#: The bytes that complete a character, at least, from each place.
_NEEDED = np.array([0, 1, 2, 3, 2, 2, 3, 3])


@final
@dataclass(frozen=True)
class Readable:
    """The symbols that may follow, for each place in a character.

    The unknown symbol is never drawn, since it stands for many characters. Nor is a zero byte, which makes a file
    binary, a carriage return, which is read as the end of a line, or a newline within a sequence that ends at one. Of
    bytes, only those that continue valid UTF-8 are drawn, and no character that would not be complete at the end.

    Attributes:
        allowed: Whether a symbol may follow, (S, V).
        after: The place after it, (S, V).
        needed: The number of symbols that complete the character, at least, (S,).
    """

    allowed: NDArray[np.bool_]
    after: Whole
    needed: Whole

    @staticmethod
    def of(alphabet: Alphabet) -> Readable:
        """Return the symbols of an alphabet that may follow."""
        points = np.array(alphabet.vocabulary())
        never = np.isin(points, [0, ord("\r"), *([ord("\n")] if alphabet.terminated else [])])
        never[0] = True
        if not alphabet.of_bytes:
            return Readable(~never[None], np.zeros((1, len(points)), dtype=np.int64), _NEEDED[:1])
        allowed = np.zeros((len(_UTF8), len(points)), dtype=bool)
        after = np.zeros(allowed.shape, dtype=np.int64)
        for place, ranges in enumerate(_UTF8):
            for least, most, then in ranges:
                within = (points >= least) & (points <= most)
                allowed[place] |= within
                after[place, within] = then
        allowed[0] |= points < 0  # the end of a sequence comes between characters
        return Readable(allowed & ~never, after, _NEEDED)

    def at(self, place: Whole, left: int) -> NDArray[np.bool_]:
        """Return whether each symbol may follow, (B, V) or (1, V).

        Args:
            place: The place in a character of each row, (B,).
            left: The number of symbols that may come after this one.
        """
        if len(self.allowed) == 1:
            return self.allowed
        if left >= self.needed.max():
            return self.allowed[place]
        return self.allowed[place] & (self.needed[self.after[place]] <= left)
