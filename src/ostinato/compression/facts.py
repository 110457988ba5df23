"""What a container says of its files, coded by the arithmetic coder before their symbols: names, lengths and the rest.

A number is coded either as one that the same field of an earlier file has, or as its number of bits and the bits. The
probabilities of these choices adapt to the files before it. So only what is new takes bits, and no bits pad to a byte.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Protocol, final

import numpy as np

from ostinato.compression.chooser import MOST, Chooser, Listener, of_bits
from ostinato.compression.names import Names, as_bytes
from ostinato.shapes import Array

#: The number of bits that is likeliest for the first number of a field without a usual number.
_MIDDLE = 12
#: The first weight of the usual number.
_USUAL = 12.0
#: The weight of a number that was seen once, in a field with a usual number and in one without.
_ONCE, _ONCE_OF_MANY = 2.0, 0.1
#: What is added to the weight of a number when it is seen again.
_AGAIN = 2.0
#: The first weight of one file, the usual number of files.
_LONE = 2.0
#: The most numbers that a field remembers.
_MANY = 256
#: What is added to the weights of the ranges around a number.
_AROUND = np.array([0.25, 0.5, 1.0, 0.5, 0.25])
#: The most that all ranges together, and all earlier numbers together, weigh after the numbers that a model remembers:
#: so the files that are compressed soon count for more.
_RANGES, _NUMBERS = 24.0, 12.0
#: The ranges without a number: 0 and 1 have no second bit.
_EMPTY = [1, 3]


@dataclass(frozen=True)
class Remembered:
    """What a model remembers of the files that it was fitted to.

    Attributes:
        names: The names of some of them.
        fields: Their numbers in each field, as far as they are known.
    """

    names: Sequence[str] = ()
    fields: Sequence[Sequence[int]] = ()


class Field(Protocol):
    """A field: a number that each file has, such as its length."""

    def code(self, coder: Chooser, value: int | None) -> int:
        """Code a number from 0 to 2^62 - 1 and return it; a decoder is given None."""
        ...


class Facts:
    """The facts of files, coded one after the other.

    Args:
        coder: An encoder or a decoder.
        usual: The usual value of each field: a whole number, or None for a field that differs from file to file.
        remembered: What the model remembers of other files.
        names: The coder of the names of an earlier version, which remembers nothing.
        field: Makes a field of an earlier version from its usual number.
    """

    def __init__(
        self,
        coder: Chooser,
        usual: list[int | None],
        remembered: Remembered | None = None,
        *,
        names: Names | None = None,
        field: Callable[[int | None], Field] | None = None,
    ) -> None:
        self._coder, self._usual = coder, usual
        known, self._earlier = remembered or Remembered(), names is not None
        self._names, self._field = names or Names(coder, remembered=known.names), field or Ranges
        self._fields: dict[str, Field] = {}
        if not self._earlier:
            self._fields["files"] = Ranges(1, weight=_LONE)
        for i, (number, numbers) in enumerate(zip(usual, known.fields, strict=False)):
            self._fields[f"field {i}"] = Ranges(number, numbers)

    def files(self, given: list[Any] | None) -> list[Any]:
        """Code the name of each file and what is left of it, whole numbers and bytes, and return them.

        Args:
            given: A list for each file: its name, and what is left of it; None to decode.
        """
        count = self._number("files", None if given is None else len(given), 1)
        # a lone file may have no name
        named = None if given is None else int(any(name for name, *_ in given))
        has = self._number("named", named, int(count > 1))
        if has and count > 1 and not self._earlier:
            ordered = None if given is None else int(all(a < b for a, b in pairwise(as_bytes(n) for n, *_ in given)))
            self._names.ordered = bool(self._number("ordered", ordered, 1))
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


@final
class Ranges:
    """A field that learns: a number of an earlier file is likely, and a new one lies in a range near those of others.

    There are two ranges for each number of bits, by the second bit, and the numbers of a range are equally likely.

    Args:
        usual: The usual number of the field, or None.
        remembered: Numbers of other files.
        weight: The first weight of the usual number.
    """

    def __init__(self, usual: int | None, remembered: Sequence[int] = (), weight: float = _USUAL) -> None:
        middle = _MIDDLE if usual is None else usual.bit_length()
        self._known = [] if usual is None else [usual]
        self._once = _ONCE_OF_MANY if usual is None else _ONCE
        self._ranges: Array = 0.5 / (4 + (np.arange(2 * MOST + 2) // 2 - middle) ** 2)
        self._ranges[[0, 2]] *= 2  # 0 and 1 have one range each, which has the weight of two
        self._ranges[_EMPTY] = 0
        self._again = [weight] * len(self._known)
        for number in remembered:
            self.code(Listener(), number)
        if usual is None:  # the number differs from file to file, so only its range is likely again
            self._known, self._again = [], []
        self._ranges *= min(1.0, _RANGES / sum(self._ranges.tolist()))
        share = min(1.0, _NUMBERS / sum(self._again)) if remembered and self._again else 1.0
        self._again = [share * w for w in self._again]

    def code(self, coder: Chooser, value: int | None) -> int:
        """Code a number from 0 to 2^62 - 1 and return it; a decoder is given None."""
        count, choice = len(self._ranges), None
        if value is not None:
            choice = count + self._known.index(value) if value in self._known else _range(value)
        choice = coder.choice(np.append(self._ranges, self._again), choice)
        if choice >= count:
            self._again[choice - count] += _AGAIN
            return self._known[choice - count]
        self._near(choice)
        bits, second = divmod(choice, 2)
        found = of_bits(coder, bits, value, 2 + second) if bits > 1 else bits
        if len(self._known) < _MANY and found not in self._known:
            self._known.append(found)
            self._again.append(self._once)
        return found

    def _near(self, place: int) -> None:
        """Make a range likelier, and those around it."""
        first = max(0, place - 2)
        around = self._ranges[first : place + 3]
        around += _AROUND[first - place + 2 :][: len(around)]
        self._ranges[_EMPTY] = 0


def _range(number: int) -> int:
    """Return the range of a number: twice the number of its bits, and its second bit."""
    bits = number.bit_length()
    return 2 * bits + (number >> (bits - 2) & 1 if bits > 1 else 0)
