"""The spelling by the bytes of UTF-8."""

from __future__ import annotations

import codecs
from typing import Any, final

import numpy as np
from numpy.typing import NDArray

from ostinato.data.spelling.base import Points, Reader, Spelling


@final
class Bytes(Spelling):
    """Each byte of UTF-8 is a point. There are no unknown ones."""

    name, plural = "byte", "bytes"

    @property
    def always(self) -> Points:
        """The 256 bytes."""
        return np.arange(256, dtype=np.int32)

    @property
    def closed(self) -> bool:
        """True: every text is bytes."""
        return True

    @property
    def most(self) -> int:
        """255."""
        return 0xFF

    @property
    def possible(self) -> int:
        """256."""
        return 256

    def points(self, text: str) -> Points:
        """Return the bytes of a text (see ``Spelling.points``)."""
        return np.frombuffer(text.encode(), dtype=np.uint8).astype(np.int32)

    def text(self, points: Any) -> str:
        """Return the text of bytes; half a character becomes U+FFFD."""
        return bytes(int(p) & 0xFF for p in points).decode("utf-8", errors="replace")

    def characters(self, points: NDArray[Any]) -> NDArray[np.int64]:
        """Return 1 for each byte that begins a character."""
        begins: NDArray[np.bool_] = (np.asarray(points) & 0xC0) != 0x80
        return begins.astype(np.int64)

    def reader(self) -> Reader:
        """Return what turns bytes into text."""
        return Utf8Reader(None)

    def word(self, point: int) -> str:
        """Return a byte for a person to read."""
        return f"byte {point:#04x}"

    def letter(self, point: int) -> int:
        """Return the number of a letter; a byte of a longer character counts as one."""
        return point + 1 if point >= 0x80 else super().letter(point)


@final
class Utf8Reader:
    """Text from bytes, or from points that are several bytes each.

    Args:
        content: The bytes of each point; None if a point is one byte.
    """

    def __init__(self, content: list[bytes] | None) -> None:
        self._decoder, self._content = codecs.getincrementaldecoder("utf-8")("replace"), content

    def feed(self, point: int) -> str:
        """Return the characters that are complete with this point."""
        return self._decoder.decode(bytes([point]) if self._content is None else self._content[point])

    def close(self) -> str:
        """Return a replacement character if the last character is not complete, or else nothing."""
        return self._decoder.decode(b"", final=True)
