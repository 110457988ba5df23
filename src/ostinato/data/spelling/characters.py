"""The spelling by characters."""

from __future__ import annotations

from typing import Any, final

import numpy as np
from numpy.typing import NDArray

from ostinato.data.spelling.base import Points, Reader, Spelling


@final
class Characters(Spelling):
    """Each character is a point, its code point."""

    name, plural = "character", "characters"

    def points(self, text: str) -> Points:
        """Return the code points of a text (see ``Spelling.points``)."""
        return np.frombuffer(text.encode("utf-32-le"), dtype=np.int32)

    def text(self, points: Any) -> str:
        """Return the text of code points."""
        return "".join(map(chr, points))

    def characters(self, points: NDArray[Any]) -> NDArray[np.int64]:
        """Return 1 for each point."""
        return np.ones(len(points), dtype=np.int64)

    def reader(self) -> Reader:
        """Return what turns code points into text."""
        return _EachPoint()


@final
class _EachPoint:
    def feed(self, point: int) -> str:
        return chr(point)

    def close(self) -> str:
        return ""
