"""The reference of the matches of adaptive counts (third form): the symbol that followed earlier occurrences.

The method is the match model of the PAQ family (Mahoney 2005; lpaq1, 2007). For each of two
match lengths, a hash table holds the last position at which the latest symbols occurred. The symbol that followed there
is expected next, as long as these expectations are right. The trust in a match is learned for each match length and
depth of the decision.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from ostinato.ops.counts.form import DEPTHS, LEARNED
from ostinato.ops.counts.past import MATCHED, Path, latest
from ostinato.ops.counts.words import joined, scattered
from ostinato.shapes import Array

#: The greatest number of symbols that a new match is compared in, and the greatest length that is counted.
_VERIFIED, _LONGEST = 16, 1 << 16
#: The greatest count of observations, so that the trust in a match goes on adapting.
_TRUSTED = 255.0
#: The least probability that a match is wrong.
_DOUBT = 1e-4


class Matches:
    """The matches of one row.

    Attributes:
        expected: The symbol that each match expects, -1 for none.
        lengths: The class of the length of each match, 0 to 24.

    Args:
        least: The number of symbols that each match begins with, (2,).
        path: The path of the row, which changes in place.
        history: The history of the row, (3, S), which changes in place.
        trust: How far matches are trusted, (2, lengths, depths, 2), which changes in place.
        symbols: The number of symbols, V.
    """

    def __init__(
        self, least: NDArray[np.int32], path: Path, history: NDArray[np.int32], trust: NDArray[np.float32], symbols: int
    ) -> None:
        self._least, self._path, self._symbols, self._trust = least.tolist(), path, symbols, trust
        self._history, self._last = history[0], history[1:]
        self.expected, self.lengths = list[int](), list[int]()
        self.expect()

    def expect(self) -> None:
        """Read the symbol that each match expects from the path.

        The place that is written next follows the last symbol that was learned: in a full ring it holds the oldest one,
        which did not follow.
        """
        places = self._path[MATCHED:].reshape(-1, 2).tolist()
        over = int(self._path[LEARNED]) % len(self._history)
        found = [int(self._at(at)) - 1 if n > 0 and at % len(self._history) != over else -1 for at, n in places]
        self.expected = [symbol if 0 <= symbol < self._symbols else -1 for symbol in found]
        self.lengths = [_class(n) for _, n in places]

    def learn(self, symbol: int) -> None:
        """Write a symbol into the history, before it is counted as learned."""
        self._history[int(self._path[LEARNED]) % len(self._history)] = symbol + 1

    def follow(self, symbol: int, *, learns: bool) -> None:
        """Move past a symbol that the path holds by now, and look for new matches.

        The symbols themselves are compared, so that a hash collision is not taken for a match.
        """
        before, size = latest(self._path), len(self._history)
        for k, least in enumerate(self._least):
            at, n = self._path[MATCHED + 2 * k : MATCHED + 2 * k + 2].tolist()
            at, n = ((at + 1) % size, min(n + 1, _LONGEST)) if self.expected[k] == symbol else (0, 0)
            if before[least - 1]:
                h = k
                for one in before[:least]:
                    h = joined(h, one)
                place = (scattered(h) & 0x7FFFFFFF) % size
                last = int(self._last[k, place])
                if not n and last > 0:
                    same = self._same(last - 1, before)
                    at, n = ((last - 1) % size, same) if same >= least else (0, 0)
                if learns:
                    self._last[k, place] = int(self._path[LEARNED]) % size + 1
            self._path[MATCHED + 2 * k : MATCHED + 2 * k + 2] = at, n

    def place(self, k: int, depth: int) -> tuple[int, int, int]:
        """Return where the trust in match k is for a decision of some depth."""
        return k, self.lengths[k], min(depth, DEPTHS - 1)

    def odds(self, place: tuple[int, int, int]) -> Array:
        """Return the log odds of being right, and 3 (p - 1/2), (2,)."""
        p = min(max(float(self._trust[(*place, 0)]), _DOUBT), 1 - _DOUBT)
        return np.array([math.log(p / (1 - p)), (p - 0.5) * 3])

    def judge(self, place: tuple[int, int, int], *, right: bool) -> None:
        """Learn whether a match was right about a decision."""
        p, seen = self._trust[place].tolist()
        self._trust[place] = min(max(p + (right - p) / (seen + 1.5), _DOUBT), 1 - _DOUBT), min(seen + 1, _TRUSTED)

    def _at(self, at: int) -> int:
        return int(self._history[at % len(self._history)])

    def _same(self, at: int, before: list[int]) -> int:
        """Return how many symbols before a place of the history are the last ones of the path."""
        same = 0
        while same < _VERIFIED and before[same] and self._at(at - 1 - same) == before[same]:
            same += 1
        return same


def _class(length: int) -> int:
    """Return the class of the length of a match: each up to 15, then by fours, then by eights."""
    if length < 16:
        return max(length, 0)
    return 16 + (length - 16) // 4 if length < 32 else 20 + (length - 32) // 8 if length < 64 else 24
