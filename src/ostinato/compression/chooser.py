"""The interface that codes the facts of a container, and a listener that learns from them and writes nothing."""

from __future__ import annotations

from typing import Protocol, final

from ostinato.shapes import Array

#: The greatest number of bits of a number.
MOST = 62


class Chooser(Protocol):
    """An encoder or a decoder of choices and of numbers, which returns what it codes; a decoder is given None."""

    def choice(self, weights: Array, value: int | None) -> int:
        """Code one of some choices, whose probabilities are proportional to the weights."""
        ...

    def number(self, size: int, value: int | None) -> int:
        """Code a number from 0 to size - 1, each as likely as the others."""
        ...


@final
class Listener:
    """An encoder that writes nothing, for probabilities that learn from what a model remembers."""

    def choice(self, weights: Array, value: int | None) -> int:
        """Return a choice."""
        assert value is not None
        return value

    def number(self, size: int, value: int | None) -> int:
        """Return a number."""
        assert value is not None
        return value


def of_bits(coder: Chooser, bits: int, value: int | None, known: int = 1) -> int:
    """Code a number of a known number of bits, with equal probabilities, and return it; the decoder passes None.

    Args:
        coder: An encoder or a decoder.
        bits: The number of bits of the number.
        value: The number.
        known: Its leading bits, as far as they are known: 1, which leads every number above 0, if only ``bits`` is.
    """
    found, left = known if bits else 0, max(0, bits - known.bit_length())
    while left:
        taken = min(left, 16)
        left -= taken
        part = None if value is None else value >> left & (1 << taken) - 1
        found = found << taken | coder.number(1 << taken, part)
    return found
