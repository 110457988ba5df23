"""What a container says of its files, coded by the arithmetic coder before their symbols: names, lengths and the rest.

A number is coded either as one that the same field of an earlier file has, or as its number of bits and the bits. The
probabilities of these choices adapt to the files before it. So only what is new takes bits, and no bits pad to a byte.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

import numpy as np

from ostinato.compression.names import Chooser, Names

#: The greatest number of bits of a number.
MOST = 62
#: The number of bits that is likeliest for the first number of a field without a usual number.
_MIDDLE = 12
#: The first weights of the usual number, and of one that was seen once where there is a usual one and where there is
#: none; and what is added when it is seen again.
_USUAL, _KNOWN, _NEW, _AGAIN = 6.0, 2.0, 0.1, 2.0
#: The numbers that a field remembers.
_REMEMBERED = 256


class Numberer(Chooser, Protocol):
    """An encoder or a decoder of choices and of numbers."""

    def number(self, size: int, value: int | None) -> int:
        """Code a number from 0 to size - 1, each as likely as the others."""
        ...


class Field(Protocol):
    """A field: a number that each file has, such as its length."""

    def code(self, coder: Numberer, value: int | None) -> int:
        """Code a number from 0 to 2^62 - 1 and return it; a decoder is given None."""
        ...


class Facts:
    """The facts of files, coded one after the other.

    Args:
        coder: An encoder or a decoder.
        usual: The usual value of each field: a whole number, or None for a field that differs from file to file.
        names: The coder of the names. None takes that of this version.
        field: Makes a field from its usual number. None takes that of this version.
    """

    def __init__(
        self,
        coder: Numberer,
        usual: list[int | None],
        names: Names | None = None,
        field: Callable[[int | None], Field] | None = None,
    ) -> None:
        self._coder, self._usual = coder, usual
        self._names, self._field = names or Names(coder), field or Adaptive
        self._fields: dict[str, Field] = {}

    def files(self, given: list[Any] | None) -> list[Any]:
        """Code the name of each file and what is left of it, whole numbers and bytes, and return them.

        Args:
            given: A list for each file: its name, and what is left of it; None to decode.
        """
        count = self._number("files", None if given is None else len(given), 1)
        # a lone file may have no name
        named = None if given is None else int(any(name for name, *_ in given))
        has = self._number("named", named, int(count > 1))
        files = []
        for i in range(count):
            name, *left = (None,) if given is None else given[i]
            files.append([self._names.name(name) if has else "", *self._left(None if given is None else left)])
        return files

    def _left(self, given: list[Any] | None) -> list[Any]:
        """Code what is left of a file. Its form says which values are bytes: a bit each, under one that ends them."""
        form = None
        if given is not None:
            form = 1 << len(given) | sum(isinstance(value, bytes) << i for i, value in enumerate(given))
        form = self._number("form", form, 1 << len(self._usual))
        values: list[Any] = []
        for i in range(form.bit_length() - 1):
            value = None if given is None else given[i]
            if form >> i & 1:
                values.append(self._bytes(value))
            else:
                values.append(self._number(f"field {i}", value, self._usual[i] if i < len(self._usual) else None))
        return values

    def _bytes(self, value: bytes | None) -> bytes:
        size = self._number("bytes", None if value is None else len(value), None)
        return bytes(self._coder.number(256, None if value is None else value[i]) for i in range(size))

    def _number(self, name: str, value: int | None, usual: int | None) -> int:
        """Code a number from 0 to 2^62 - 1 of a field."""
        return self._fields.setdefault(name, self._field(usual)).code(self._coder, value)


class Adaptive:
    """A field that learns: a number of an earlier file is likely, and a new one has a similar number of bits.

    Args:
        usual: The usual number of the field, or None.
    """

    def __init__(self, usual: int | None) -> None:
        middle = _MIDDLE if usual is None else usual.bit_length()
        self._known = [] if usual is None else [usual]
        self._once = _NEW if usual is None else _KNOWN
        self._weights = [1.0 / (4 + (bits - middle) ** 2) for bits in range(MOST + 1)] + [_USUAL] * len(self._known)

    def code(self, coder: Numberer, value: int | None) -> int:
        """Code a number from 0 to 2^62 - 1 and return it."""
        choice = None
        if value is not None:
            choice = MOST + 1 + self._known.index(value) if value in self._known else value.bit_length()
        choice = coder.choice(np.array(self._weights), choice)
        self._weights[choice] += _AGAIN
        if choice > MOST:
            return self._known[choice - MOST - 1]
        for bits in range(max(choice - 1, 0), min(choice + 1, MOST) + 1):
            self._weights[bits] += 0.5  # numbers of one field have about as many bits
        found = of_bits(coder, choice, value)
        if len(self._known) < _REMEMBERED and found not in self._known:
            self._known.append(found)
            self._weights.append(self._once)
        return found


def of_bits(coder: Numberer, bits: int, value: int | None) -> int:
    """Code a number of a known number of bits, with equal probabilities, and return it; the decoder passes None."""
    found, left = min(bits, 1), max(0, bits - 1)
    while left:
        taken = min(left, 16)
        left -= taken
        part = None if value is None else value >> left & (1 << taken) - 1
        found = found << taken | coder.number(1 << taken, part)
    return found
