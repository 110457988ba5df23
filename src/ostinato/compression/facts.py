"""What a container says of its files, coded by the arithmetic coder before their symbols: names, lengths and the rest.

A number is the one that the same field of the file before has, or a number of so many bits, whose weights follow the
files before it. So the facts take the bits of what is new in them, and none up to the next byte.
"""

from __future__ import annotations

from typing import Any, Protocol

import numpy as np

from ostinato.compression.names import Chooser, Names

#: The most bits of a number, and the choice that repeats the one of the file before.
_MOST = 62
_SAME = _MOST + 1
#: Numbers of about as many bits are the likeliest before any was seen.
_MIDDLE = 12


class Numberer(Chooser, Protocol):
    """An encoder or a decoder of choices and of numbers."""

    def number(self, size: int, value: int | None) -> int:
        """Code a number from 0 to size - 1, each as likely as the others."""
        ...


class Facts:
    """The facts of files, coded one after the other.

    Args:
        coder: An encoder or a decoder.
        usual: What is left of a usual file: whole numbers, and None for one that differs from file to file.
    """

    def __init__(self, coder: Numberer, usual: list[int | None]) -> None:
        self._coder, self._fields, self._usual = coder, dict[str, _Field](), usual

    def files(self, given: list[Any] | None) -> list[Any]:
        """Code the name of each file and what is left of it, whole numbers and bytes, and return them.

        Args:
            given: A list for each file: its name, and what is left of it; None to decode.
        """
        count = self._number("files", None if given is None else len(given), 1)
        # a lone file may have no name
        named = None if given is None else int(any(name for name, *_ in given))
        has = self._number("named", named, int(count > 1))
        names, files = Names(self._coder), []
        for i in range(count):
            name, *left = (None,) if given is None else given[i]
            files.append([names.name(name) if has else "", *self._left(None if given is None else left)])
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
        field = self._fields.setdefault(name, _Field(usual))
        choice = None if value is None else _SAME if value == field.last else value.bit_length()
        choice = self._coder.choice(field.weights, choice)
        field.weights[choice] += 2.0
        if choice == _SAME:
            assert field.last is not None
            return field.last
        found = min(choice, 1)
        left = max(0, choice - 1)
        while left:  # below the highest bit, all are as likely
            taken = min(left, 16)
            left -= taken
            part = None if value is None else value >> left & (1 << taken) - 1
            found = found << taken | self._coder.number(1 << taken, part)
        field.last = found
        field.weights[_SAME] = max(field.weights[_SAME], 0.5)
        field.weights[max(choice - 1, 0) : choice + 2] += 0.5  # numbers of one field have about as many bits
        return found


class _Field:
    """A field of the facts.

    Args:
        usual: The number that a usual file has, or None.
    """

    def __init__(self, usual: int | None) -> None:
        self.last = usual
        self.weights = np.array([1.0 / (2 + abs(bits - _MIDDLE)) for bits in range(_MOST + 1)] + [20.0])
        if usual is None:
            self.weights[_SAME] = 0.0
