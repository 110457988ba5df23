"""Numbers in the names of files: the digits of a new one, and by how much one is greater than the one before."""

from __future__ import annotations

from typing import final

import numpy as np

from ostinato.compression.chooser import MOST, Chooser, of_bits

#: A number of this many digits or more is coded in pieces of one digit less.
_PIECE = 32
#: A number of more digits than this is not counted up.
_LONG = 18
#: What a number of digits, and a number of bits, weighs more when it is seen.
_AGAIN = 2.0


@final
class Digits:
    """New numbers of one place: how many digits they have, which adapts, and the digits, all equally likely."""

    def __init__(self) -> None:
        self._weights = 1.0 / np.arange(1.0, _PIECE + 1) ** 2

    def code(self, coder: Chooser, part: bytes | None) -> bytes:
        """Code a number as its digits and return them; the decoder passes None."""
        found, size = b"", _PIECE - 1
        while size == _PIECE - 1:  # the last choice says that this piece is full and that more digits follow
            left = None if part is None else len(part) - len(found)
            size = coder.choice(self._weights, None if left is None else min(left, _PIECE) - 1)
            self._weights[size] += _AGAIN
            for _ in range(min(size + 1, _PIECE - 1)):
                digit = coder.number(10, None if part is None else part[len(found)] - ord("0"))
                found += b"%d" % digit
        return found


@final
class Steps:
    """Numbers of one place that are greater than the last one by more than 1: by how much, in bits."""

    def __init__(self) -> None:
        self._weights = 1.0 / np.arange(1.0, MOST + 1) ** 2

    def code(self, coder: Chooser, step: int | None) -> int:
        """Code by how much a number is greater, 2 or more, and return it; the decoder passes None."""
        choice = coder.choice(self._weights, None if step is None else (step - 1).bit_length() - 1)
        self._weights[choice] += _AGAIN
        return 1 + of_bits(coder, choice + 1, None if step is None else step - 1)


def is_counted(part: bytes) -> bool:
    """Return whether a part of a name is a number that may be counted up."""
    return part.isdigit() and len(part) <= _LONG


def greater(part: bytes, step: int) -> bytes:
    """Return the number that is greater by a step, with zeros before it as the number has them."""
    return str(int(part) + step).zfill(len(part)).encode()


def step_between(first: bytes, second: bytes) -> int:
    """Return by how much a number is greater than another (see ``greater``); 0 if it is not."""
    if not is_counted(first) or not is_counted(second) or len(second) < len(first):
        return 0
    step = int(second) - int(first)
    return step if step > 0 and greater(first, step) == second else 0
