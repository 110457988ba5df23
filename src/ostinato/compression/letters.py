"""The letters of names: the probability of the next byte, learned from earlier names and from common words.

The contexts are the last bytes, up to two, interpolated with the discount of Kneser and Ney (1995). All numbers are
sums, products and quotients of floats in a fixed order, so every machine computes the same bits.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ostinato.shapes import Array

#: The symbol that ends a part. The symbols below it are the bytes.
STOP = 256
LETTERS = frozenset(b for b in range(256) if b >= 0x80 or chr(b).isalpha())
DIGITS = frozenset(b"0123456789")
#: The longest context in bytes, the discount of its counts, and the weight of shorter contexts.
_ORDERS, _DISCOUNT, _STRENGTH = 2, 0.8, 1.0


class Letters:
    """An adaptive model of the bytes of a part.

    Args:
        plain: The initial probability of each symbol: one row, or one for each sort of the previous byte (see
            ``sort_of``), (1 or 5, 257).
        seed_words: Words that are learned before the first name, each with the byte before it.
    """

    def __init__(self, plain: Array, seed_words: Sequence[tuple[bytes, bytes]]) -> None:
        self._plain: Array = plain / plain.sum(-1, keepdims=True)
        self._seen: dict[bytes, Array] = {}
        for last, word in seed_words:
            for at, symbol in enumerate([*word, STOP]):
                self.learn(last + word[:at], symbol)

    def weights(self, before: bytes) -> Array:
        """Return numbers that are proportional to the probabilities of the next symbol of a part, (257,)."""
        p: Array = self._plain[self._row(before)]
        for order in range(_ORDERS + 1):
            seen = self._seen.get(self._context(before, order))
            if seen is not None:
                new = _STRENGTH + _DISCOUNT * np.count_nonzero(seen)
                p = (np.maximum(seen - _DISCOUNT, 0) + new * p) / (seen.sum() + _STRENGTH)
        return p

    def learn(self, before: bytes, symbol: int) -> None:
        """Learn the symbol that follows some bytes."""
        for order in range(_ORDERS + 1):
            self._seen.setdefault(self._context(before, order), np.zeros(257))[symbol] += 1

    def _row(self, before: bytes) -> int:
        return sort_of(before) if len(self._plain) > 1 else 0

    def _context(self, before: bytes, order: int) -> bytes:
        """Return the last bytes before a place, and how many were asked for; for none, the row of ``plain``."""
        return bytes([order, self._row(before)]) if not order else bytes([order]) + before[-order:]


def sort_of(before: bytes) -> int:
    """Return the sort of the last byte: 0 none or a sign, 1 a small letter, 2 a capital, 3 a digit, 4 not ASCII."""
    last = before[-1:]
    return 4 if last >= b"\x80" else 1 if last.islower() else 2 if last.isupper() else 3 if last.isdigit() else 0
