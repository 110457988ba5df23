"""What every spelling of texts does, and what turns its points into text."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any, ClassVar, Final, Protocol

import numpy as np
from numpy.typing import NDArray

Points = NDArray[np.int32]

#: One more than the greatest point: the code points of Unicode, and the jamo in syllables beyond them.
END: Final = 0x110043


class Reader(Protocol):
    """What turns points into text as they come."""

    def feed(self, point: int) -> str:
        """Return the characters that are complete with this point."""

    def close(self) -> str:
        """Return what is left at the end."""


class Spelling(ABC):
    """A map from texts to sequences of points, which are whole numbers, and back.

    Attributes:
        name: The name of the vocabulary, as ``fit`` takes it.
        plural: What the points are, in words.
    """

    name: ClassVar[str]
    plural: ClassVar[str]

    @property
    def always(self) -> Points:
        """The points that are symbols of every alphabet, whether or not the training text has them."""
        return np.zeros(0, dtype=np.int32)

    @property
    def closed(self) -> bool:
        """Whether every text is spelled in the points that are always there."""
        return False

    @property
    def most(self) -> int:
        """The greatest point."""
        return END - 1

    @property
    def possible(self) -> int:
        """The number of points that an unknown one may be, with those of the alphabet."""
        return 0x110000 - 0x800

    @abstractmethod
    def points(self, text: str) -> Points:
        """Return the points of a text without lone surrogates, (N,)."""

    @abstractmethod
    def text(self, points: Any) -> str:
        """Return the text of points (N,). What is half a character at an end is shown by a character of its own."""

    @abstractmethod
    def characters(self, points: NDArray[Any]) -> NDArray[np.int64]:
        """Return the number of characters that begin with each point, (N,); they add up to the length of the text."""

    def begins(self, points: NDArray[Any]) -> NDArray[np.bool_]:
        """Return whether a character begins where each point does, (N,)."""
        return self.characters(points) > 0

    @abstractmethod
    def reader(self) -> Reader:
        """Return what turns points into text as they come."""

    def word(self, point: int) -> str:
        """Return a point for a person to read."""
        return repr(self.text([point]))

    def units(self, point: int) -> tuple[int, ...]:
        """Return what a point is made of, so that a string may be found in it."""
        return (point,)

    def letter(self, point: int) -> int:
        """Return the number of the letter that a point is, equal for both of its cases; 0 if it is in no word."""
        character = self.text([point])
        return ord(character.lower()[0]) + 1 if character.isalnum() or character == "'" else 0

    def to_json(self) -> dict[str, Any]:
        """Return everything needed to build the spelling again, as JSON."""
        return {"name": self.name}
