"""Text files taken apart into points, and what is left: the ends of lines, and a byte order mark."""

from __future__ import annotations

import codecs
import re
import zlib
from collections.abc import Iterable, Iterator, Sequence
from itertools import chain
from typing import Any, final

import numpy as np
from numpy.typing import NDArray

from ostinato.compression.drive import Values
from ostinato.compression.originals import Originals, Raw, unpacked
from ostinato.data.alphabet import Alphabet
from ostinato.data.corpus import blocks, forget, scratch
from ostinato.data.spelled import characters, in_paragraphs
from ostinato.errors import DataError

_BOM = "\N{ZERO WIDTH NO-BREAK SPACE}"
_ENDS = re.compile("\r\n|\r|\n")
_LETTERS = {"\n": "n", "\r\n": "w", "\r": "r"}
#: The letters of texts whose lines all end in the same way, by their number.
_KINDS = ("", "n", "w", "r")


@final
class TextOriginals(Originals):
    """Text, as one sequence or one for each line."""

    suffix, kept = ".txt", ("lengths",)

    def __init__(self, alphabet: Alphabet) -> None:
        self._alphabet, self.usual = alphabet, [None, 4 * _KINDS.index("n")]

    def apart(self, raw: Raw, where: str) -> tuple[list[Values], list[int], list[Any]]:
        """Return the sequences of a text. What is left: lines or length, the ends of lines, the byte order mark.

        The points of a mapped file are mapped too.
        """
        ends, marked = _Ends(), False
        if self._alphabet.terminated:
            text = "".join(_decoded(raw, where))
            marked = text.startswith(_BOM)
            *lines, last = "".join(ends.plain([text[marked:]])).split("\n")
            rows = [self._points(line) for line in [*lines, *([last] if last else [])]]
            return rows, [0] * len(rows), [len(rows), int(bool(last)) + 2 * int(marked) + 4 * ends.kind, *ends.each]
        texts = _decoded(raw, where)
        first = next(texts, "")
        marked = first.startswith(_BOM)
        spelling, size = self._alphabet.spelling, len(raw)
        # no spelling has more points than a text has bytes
        points = np.zeros(size, dtype=np.int32) if isinstance(raw, bytes) else scratch(size, np.int32)
        count = 0
        for text in in_paragraphs(ends.plain(chain([first[marked:]], texts))):
            part = spelling.points(text)
            points[count : count + len(part)] = part
            count += len(part)
            forget(points)
        return [points[:count, None]], [0], [count, 2 * int(marked) + 4 * ends.kind, *ends.each]

    def shape(self, left: list[Any]) -> tuple[list[int], list[int]]:
        """Return the lengths of the sequences; those of lines end by themselves."""
        return ([0] * left[0], [0] * left[0]) if self._alphabet.terminated else ([left[0]], [0])

    def together(self, sequences: list[Values], left: list[Any]) -> Iterator[bytes]:
        """Yield the bytes of a text."""
        _, flags, *each = left
        if isinstance(flags, str):  # version 1: the ends of lines, and then the flags
            each, flags = [flags] if len(flags) > 1 else [], _kind(flags, each[0])
        if flags & 2:
            yield _BOM.encode()
        ends = _Ends(flags >> 2, each)
        for text in ends.restored(self._texts(sequences, flags)):
            yield text.encode()

    def _texts(self, sequences: list[Values], flags: int) -> Iterator[str]:
        r"""Yield a text whose lines end in "\n"."""
        if self._alphabet.terminated:
            texts = [self._alphabet.spelling.text(row[row >= 0].tolist()) for row in sequences]
            yield "\n".join(texts) + ("\n" if texts and not flags & 1 else "")
            return
        for row in sequences:
            yield from characters(self._alphabet.spelling, row[:, 0])

    def _points(self, line: str) -> Values:
        """Return the points of a line, (T, 1), and -1 at its end, which is an event."""
        return np.append(self._alphabet.spelling.points(line), -1).reshape(-1, 1)


class _Ends:
    r"""The ends of the lines of a text, which a model reads as "\n".

    Args:
        kind: 0 for no line, 1 to 3 for ends that are all the same, and 4 for others.
        each: The letter of each end, packed, if they are not all the same.
    """

    def __init__(self, kind: int = 0, each: Sequence[bytes | str] = ()) -> None:
        self.kind, self.each = kind, list(each)

    def plain(self, texts: Iterable[str]) -> Iterator[str]:
        """Yield texts with plain ends, and find the kind of those that they have."""
        # packed as they are found: a text of one kind of ends, however long, then takes next to nothing
        packer, packed, letters, held = zlib.compressobj(9), bytearray(), set[str](), ""
        last: list[str | None] = [None]
        for text in chain(texts, last):
            whole = held + (text or "")
            # a line may end in the next part
            held = "\r" if text is not None and whole.endswith("\r") else ""
            whole = whole[: len(whole) - len(held)]
            own = "".join(map(_LETTERS.__getitem__, _ENDS.findall(whole))) if "\r" in whole else "n" * whole.count("\n")
            letters.update(own)
            packed += packer.compress(own.encode())
            yield _ENDS.sub("\n", whole) if "\r" in whole else whole
        self.kind = _KINDS.index("".join(letters)) if len(letters) < 2 else len(_KINDS)
        self.each = [bytes(packed + packer.flush())] if len(letters) > 1 else []

    def restored(self, texts: Iterable[str]) -> Iterator[str]:
        """Yield texts with the ends that they had."""
        back = {letter: end for end, letter in _LETTERS.items()}
        if not self.each:
            yield from (text.replace("\n", back.get(_KINDS[self.kind], "\n")) for text in texts)
            return
        letters = iter(unpacked(self.each[0]).decode())
        for text in texts:
            yield re.sub("\n", lambda _: back[next(letters)], text)


def _decoded(raw: Raw, where: str) -> Iterator[str]:
    """Yield the text of bytes in UTF-8, in parts.

    Raises:
        DataError: The bytes are not UTF-8.
    """
    decoder, at = codecs.getincrementaldecoder("utf-8")(), 0
    parts: Iterable[bytes | NDArray[np.uint8]] = [raw] if isinstance(raw, bytes) else blocks(raw)
    for block in parts:
        last = at + len(block) >= len(raw)
        waiting = len(decoder.getstate()[0])
        try:
            yield decoder.decode(bytes(block), last)
        except UnicodeDecodeError as error:
            raise DataError(
                f"the byte {error.object[error.start]:#04x} is not valid UTF-8",
                where=f"{where}, byte {at - waiting + error.start + 1}",
                fix="compress text in UTF-8",
            ) from error
        at += len(block)


def _kind(ends: str, flags: int) -> int:
    """Return the flags of version 2, from the ends of lines and the flags of version 1."""
    return flags + 4 * (_KINDS.index(ends) if len(ends) < 2 else len(_KINDS))
