"""The letters of names: what follows each byte in the parts that were spelled before, and in common words.

Interpolated over the bytes before, with the discount of Kneser and Ney (1995). All numbers are sums, products and
quotients of floats in a fixed order, so every machine computes the same bits.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ostinato.shapes import Array

#: The symbol that ends a part, after those of the bytes.
STOP = 256
LETTERS = frozenset(b for b in range(256) if b >= 0x80 or chr(b).isalpha())
DIGITS = frozenset(b"0123456789")
#: The bytes before a byte that tell it, the discount of what they have seen, and the strength of the shorter ones.
_ORDERS, _DISCOUNT, _STRENGTH = 2, 0.8, 1.0


class Letters:
    """What follows the bytes of a part, which it learns.

    Args:
        plain: How likely each symbol is before any was seen: one row, or a row for each ``sort`` of the byte before,
            (1 or 5, 257).
        taught: Words, each with the byte before it, that are learned at first.
    """

    def __init__(self, plain: Array, taught: Sequence[tuple[bytes, bytes]]) -> None:
        self._plain: Array = plain / plain.sum(-1, keepdims=True)
        self._seen: dict[bytes, Array] = {}
        for last, word in taught:
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
        """Take in the symbol that follows some bytes."""
        for order in range(_ORDERS + 1):
            self._seen.setdefault(self._context(before, order), np.zeros(257))[symbol] += 1

    def _row(self, before: bytes) -> int:
        return sort(before) if len(self._plain) > 1 else 0

    def _context(self, before: bytes, order: int) -> bytes:
        """Return the last bytes before a place, and how many were asked for; for none, the row of ``plain``."""
        return bytes([order, self._row(before)]) if not order else bytes([order]) + before[-order:]


def sort(before: bytes) -> int:
    """Return what the last byte is: 0 none or a sign, 1 a small letter, 2 a capital, 3 a digit, 4 of another script."""
    last = before[-1:]
    return 4 if last >= b"\x80" else 1 if last.islower() else 2 if last.isupper() else 3 if last.isdigit() else 0
