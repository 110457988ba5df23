"""The names of files in few bits: a name is coded by what the names before it have at the same place.

A name is cut into words, numbers and single other characters. Each of them is the one that an earlier name has at its
place, or the number after that of the name before, or a new one, which is spelled by what follows each byte in the new
ones before it (interpolated, with the discount of Kneser and Ney 1995). Weights are whole numbers and quotients of
them, so every machine computes the same bits.
"""

from __future__ import annotations

import re
from itertools import chain
from typing import Protocol

import numpy as np

from ostinato.shapes import Array

_PARTS = re.compile(rb"[0-9]+|[A-Za-z\x80-\xff]+|[^0-9A-Za-z\x80-\xff]")
#: What a part may be before the earlier ones are listed: nothing (the name ends), a new part of a class, or the number
#: after the last one.
_END, _WORD, _NUMBER, _OTHER, _NEXT = range(5)
#: The weights of a place that no name has had, by the class of the part before it: 0 at the start of a name.
_FIRST = (
    (0.05, 0.7, 0.3, 0.05, 0.4),
    (0.4, 0.0, 0.3, 0.6, 0.4),
    (0.2, 0.2, 0.0, 0.6, 0.4),
    (0.05, 0.6, 0.4, 0.05, 0.4),
)
#: The bytes of each class; the last symbol ends a part.
_LETTERS = [b for b in range(256) if re.match(rb"[A-Za-z\x80-\xff]", bytes([b]))]
_DIGITS = list(b"0123456789")
_STOP = 256
#: How likely each byte is before any was seen, and the end of a part.
_PLAIN = np.array([16.0 if chr(b).islower() and b < 128 else 4.0 if 32 < b < 127 else 1.0 for b in range(257)])
#: Ends that many names have.
_USUAL = (b"txt", b"wav")
#: The bytes before a byte that tell it, the discount of what they have seen, and the strength of the shorter ones.
_ORDERS, _DISCOUNT, _STRENGTH = 2, 0.8, 1.0


class Chooser(Protocol):
    """An encoder or a decoder of one of some choices."""

    def choice(self, weights: Array, value: int | None) -> int:
        """Code a choice, whose probability is proportional to its weight, and return it; a decoder is given None."""
        ...


class Names:
    """Names that are coded one after the other, of files whose names are not in UTF-8 too.

    Args:
        coder: An encoder or a decoder.
    """

    def __init__(self, coder: Chooser) -> None:
        self._coder = coder
        self._places: dict[tuple[int, int], _Place] = {}
        self._spelled: dict[bytes, Array] = {}
        for part in _USUAL:
            for at, symbol in enumerate([*part, _STOP]):
                self._learn(b"." + part[:at], symbol)

    def name(self, value: str | None) -> str:
        """Code a name and return it; the decoder is given None."""
        parts = None if value is None else _PARTS.findall(value.encode(errors="surrogateescape"))
        found: list[bytes] = []
        while (part := self._part(found, None if parts is None else parts[len(found) :])) is not None:
            found.append(part)
        return b"".join(found).decode(errors="surrogateescape")

    def _part(self, before: list[bytes], left: list[bytes] | None) -> bytes | None:
        """Code the part after some, or the end of the name (None)."""
        last = before[-1] if before else b""
        kind = _class(last)
        place = self._places.setdefault((len(before), kind), _Place(kind))
        index = self._coder.choice(place.weights(), None if left is None else place.index(left[0] if left else None))
        if index == _END:
            part = None
        elif index > _NEXT:
            part = place.known[index - _NEXT - 1]
        else:
            part = place.next if index == _NEXT else self._new(index, last[-1:], None if left is None else left[0])
        place.learn(index, part)
        return part

    def _new(self, kind: int, last: bytes, part: bytes | None) -> bytes:
        """Code a part that its place has not had, after the last byte of the one before it."""
        if kind == _OTHER:
            allowed = [b for b in range(128) if b not in _LETTERS and b not in _DIGITS]
        else:
            allowed = [*(_LETTERS if kind == _WORD else _DIGITS), _STOP]
        found, spelled = b"", None if part is None else chain(part, [_STOP])
        while True:
            weights = self._weights(last + found)[allowed]
            symbol = allowed[self._coder.choice(weights, None if spelled is None else allowed.index(next(spelled)))]
            self._learn(last + found, symbol)
            if symbol == _STOP:
                return found
            found += bytes([symbol])
            if kind == _OTHER:
                return found

    def _weights(self, before: bytes) -> Array:
        """Return numbers that are proportional to the probabilities of the next byte of a part, (257,)."""
        p: Array = _PLAIN / _PLAIN.sum()
        for order in range(_ORDERS + 1):
            seen = self._spelled.get(_context(before, order))
            if seen is not None:
                new = _STRENGTH + _DISCOUNT * np.count_nonzero(seen)
                p = (np.maximum(seen - _DISCOUNT, 0) + new * p) / (seen.sum() + _STRENGTH)
        return p

    def _learn(self, before: bytes, symbol: int) -> None:
        for order in range(_ORDERS + 1):
            self._spelled.setdefault(_context(before, order), np.zeros(257))[symbol] += 1


class _Place:
    """What names have had at one place.

    Args:
        after: The class of the part before it.
    """

    def __init__(self, after: int) -> None:
        self.known: list[bytes] = []
        self.next = b""
        self._counts: list[float] = list(_FIRST[after])

    def weights(self) -> Array:
        """Return the weights of the choices: the first five, and the parts of earlier names."""
        weights = np.array(self._counts)
        if not self.next:
            weights[_NEXT] = 0
        return weights

    def index(self, part: bytes | None) -> int:
        """Return the choice that is a part."""
        if part is None:
            return _END
        if part == self.next:
            return _NEXT
        if part in self.known:
            return _NEXT + 1 + self.known.index(part)
        return _class(part)

    def learn(self, index: int, part: bytes | None) -> None:
        """Take in the choice that was made, and the part."""
        self._counts[index] += 1
        if part is None:
            return
        if part not in self.known:
            self.known.append(part)
            self._counts.append(0.5)
        number = part.isdigit() and len(part) < 19
        self.next = str(int(part) + 1).zfill(len(part)).encode() if number else b""


def _class(part: bytes) -> int:
    """Return the class of a part, and 0 for none."""
    return 0 if not part else _NUMBER if part[0] in _DIGITS else _WORD if part[0] in _LETTERS else _OTHER


def _context(before: bytes, order: int) -> bytes:
    """Return the last bytes before a place, and how many were asked for."""
    return bytes([order]) + before[max(0, len(before) - order) :]
