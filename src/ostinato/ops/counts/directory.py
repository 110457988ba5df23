"""The directory of adaptive counts of the second form, written out: which symbol alone has followed each context.

Most contexts are followed by one symbol and no other. What they remember of a decision on its path is then what as many
equal answers leave, so that an entry of two words stands for all of their slots. An entry holds a check, and
(symbol + 1) << 7 | times; the symbol part is 0 from when a second symbol came, and the context has slots.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ostinato.ops.counts.form import BUCKET
from ostinato.ops.counts.words import after

#: The most times that an entry counts.
_MOST = 127


class Directory:
    """The entries of one row, and what they say of the contexts of a place in the text.

    Attributes:
        entry: Where the entry of each context is; None for a context that was never met.
        only: The symbol that alone has followed each context, -1 for none.

    Args:
        entries: The entries, (R, 2), which change in place.
        forget: The least rate at which the probability of a decision moves.
    """

    def __init__(self, entries: NDArray[np.uint32], forget: float) -> None:
        self._entries, self._forget = entries, forget
        self._repeated = [(0, 0)]
        self._hashes = list[int]()
        self.entry, self.only, self._times = list[int | None](), list[int](), list[int]()

    def place(self, hashes: list[int]) -> None:
        """Look up the contexts by their hashes."""
        self._hashes = hashes
        self.entry = [self._find(h) for h in hashes]
        words = [0 if i is None else int(self._entries[i, 1]) for i in self.entry]
        self.only, self._times = [(word >> 7) - 1 for word in words], [word & _MOST for word in words]

    def repeated(self, c: int) -> tuple[int, int]:
        """Return what context c remembers of a decision that was always refused, and of one always assented to."""
        while len(self._repeated) <= self._times[c]:
            no, yes = self._repeated[-1]
            self._repeated.append((after(no, 0, self._forget), after(yes, 1, self._forget)))
        return self._repeated[self._times[c]]

    def widened(self, symbol: int) -> dict[int, tuple[int, tuple[int, int]]]:
        """Turn the contexts that another symbol alone had followed into such that have slots.

        Returns:
            For each of them that symbol, and what it remembers of the answers (no, yes) on its path.
        """
        found = {c: (only, self.repeated(c)) for c, only in enumerate(self.only) if only not in (-1, symbol)}
        for c in found:
            self.only[c] = -1
            self._entries[self.entry[c], 1] = self._times[c]
        return found

    def learn(self, symbol: int) -> None:
        """Count the contexts that are known, then enter those that are not, of which the symbol is the first."""
        for i in self.entry:
            if i is not None and int(self._entries[i, 1]) & _MOST < _MOST:
                self._entries[i, 1] += 1
        for h, i in zip(self._hashes, self.entry, strict=True):
            if i is None:
                self._entries[self._place(h)] = [_check(h), (symbol + 1) << 7 | 1]

    def _near(self, h: int) -> range:
        first = ((h & 0x7FFFFFFF) & (len(self._entries) // BUCKET - 1)) * BUCKET
        return range(first, first + BUCKET)

    def _find(self, h: int) -> int | None:
        return next((i for i in self._near(h) if self._entries[i, 0] == _check(h)), None)

    def _place(self, h: int) -> int:
        """Return the entry of a hash; for a new one that of its bucket is dropped which came least."""
        near = self._near(h)
        came = [int(self._entries[i, 1]) & _MOST if self._entries[i, 0] else -1 for i in near]
        found = self._find(h)
        return near[int(np.argmin(came))] if found is None else found


def _check(h: int) -> int:
    return ((h >> 40) | 1) & 0xFFFFFFFF
