"""Which symbols may follow in a text that is drawn, so that the text can be read back as it was drawn."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, TypeAlias, final

import numpy as np
from numpy.typing import NDArray

from ostinato.data.alphabet import Alphabet
from ostinato.data.spelling import Bytes, Jamo, Pieces

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
#: More symbols than any text has: the character cannot be completed.
_FAR = np.int64(2**40)


@final
@dataclass(frozen=True)
class Readable:
    """The symbols that may follow, for each place in a character.

    The unknown symbol is never drawn, since it stands for many characters. Nor is a zero byte, which makes a file
    binary, a carriage return, which is read as the end of a line, or a newline within a sequence that ends at one. Of
    bytes, only those that continue valid UTF-8 are drawn, of jamo, only those that continue a syllable; and no
    character that would not be complete at the end.

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
        spelling, bounds = alphabet.spelling, {0x00, 0x0D, *([0x0A] if alphabet.terminated else [])}
        # the unknown symbol, 0, is none of them
        units = [(), *(() if p < 0 else spelling.units(p) for p in points[1:].tolist())]
        never = np.array([True, *(not bounds.isdisjoint(own) for own in units[1:])])
        ends = points < 0  # the end of a sequence comes between characters
        match spelling:
            case Bytes() | Pieces():
                after, whole = _walked(units), [0]
            case Jamo():
                after, whole = _composed(points), [0, 2]
            case _:
                after, whole = np.zeros((1, len(points)), dtype=np.int64), [0]
        after[1:, ends] = -1
        after[whole[1:], ends] = 0
        allowed, after = (after >= 0) & ~never, np.maximum(after, 0)
        needed = _needed(allowed, after, whole)
        return Readable(allowed & (needed[after] < _FAR), after, needed)

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


def _needed(allowed: NDArray[np.bool_], after: Whole, whole: list[int]) -> Whole:
    """Return the least number of symbols from each place to one where the text may end, (S,).

    Args:
        allowed: Whether a symbol may follow, (S, V).
        after: The place after it, (S, V).
        whole: The places where the text may end.
    """
    needed = np.full(len(after), _FAR)
    needed[whole] = 0
    for _ in needed:  # no way passes a place twice
        needed = np.minimum(needed, 1 + np.where(allowed, needed[after], _FAR).min(axis=1))
    return needed


def _walked(content: list[tuple[int, ...]]) -> Whole:
    """Return the place in a character after the bytes of each symbol, from each place, (8, V); -1 for no UTF-8."""
    step = np.full((len(_UTF8), 256), -1, dtype=np.int64)
    for place, ranges in enumerate(_UTF8):
        for least, most, then in ranges:
            step[place, least : most + 1] = then
    out = np.repeat(np.arange(len(_UTF8))[:, None], len(content), axis=1)
    for symbol, content_bytes in enumerate(content):
        for byte in content_bytes:
            out[:, symbol] = np.where(out[:, symbol] < 0, -1, step[out[:, symbol], byte])
    return out


def _composed(points: NDArray[Any]) -> Whole:
    """Return the place in a Hangul syllable after each point, (3, V); -1 where it makes no syllable.

    The places: between characters, after the first consonant, and after the vowel.
    """
    jamo = Jamo()
    parts = jamo.parts(points)
    table = np.array([[0, 1, -1, -1], [-1, -1, 2, -1], [0, 1, -1, 0]])
    return table[:, parts]
