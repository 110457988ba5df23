"""A text cut into words, lines, sentences or symbols, a stretch at a time, so that it need not fit into memory."""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import pairwise
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ostinato.data.corpus import BLOCK, blocks, forget
from ostinato.data.spelling import Spelling
from ostinato.shapes import Array

#: The marks that close a quotation or a bracket behind the end of a sentence.
_CLOSE = r"[\"'”’»)\]」』）】》〉]*"
#: The pattern of one unit with the space that follows it. The space before the first word or sentence belongs to it.
#: Chinese and Japanese sentences end at their own marks, with no space after them; others where a space follows.
UNITS: Final = {
    "symbol": "",
    "word": r"\S+\s*|\s+",
    "line": r"[^\n]*\n|[^\n]+",
    "sentence": rf"(?s:.+?)(?:[。！？｡][.!?…。！？｡]*{_CLOSE}\s*|[.!?…]+{_CLOSE}\s+|\n\s*\n|\Z)",
}


class Found(NamedTuple):
    """Units that follow one another in a text.

    Attributes:
        texts: The text of each, without the space around it, but for symbols.
        stops: The border after each, in characters from the start of the text, or in symbols, (n,).
        nats: The surprisal of each, (n,).
    """

    texts: list[str]
    stops: NDArray[np.int64]
    nats: Array


NO_UNITS: Final = Found([], np.zeros(0, dtype=np.int64), np.zeros(0))


class Tally:
    """How often each text was seen. A text is known by 64 bits of it, so a distinct text takes 16 bytes."""

    def __init__(self) -> None:
        self._keys, self._counts = np.zeros(0, dtype=np.uint64), np.zeros(0, dtype=np.int64)
        self._new: list[NDArray[np.uint64]] = []

    def add(self, texts: list[str]) -> None:
        """Count texts."""
        self._new.append(_bits_of(texts))
        if sum(map(len, self._new)) > BLOCK:
            self._settle()

    def of(self, texts: list[str]) -> NDArray[np.int64]:
        """Return how often each of some texts was counted, (n,); each of them was at least once."""
        self._settle()
        return self._counts[np.searchsorted(self._keys, _bits_of(texts))]

    def _settle(self) -> None:
        if not self._new:
            return
        keys, counts = np.unique(np.concatenate(self._new), return_counts=True)
        self._new = []
        at = np.searchsorted(self._keys, keys)
        old = np.zeros(len(keys), dtype=bool)
        old[at < len(self._keys)] = self._keys[at[at < len(self._keys)]] == keys[at < len(self._keys)]
        self._counts[at[old]] += counts[old]
        self._keys = np.insert(self._keys, at[~old], keys[~old])
        self._counts = np.insert(self._counts, at[~old], counts[~old])


def _bits_of(texts: list[str]) -> NDArray[np.uint64]:
    import polars as pl

    return pl.Series(texts, dtype=pl.String).hash().to_numpy()


def cut(spelling: Spelling, points: NDArray[Any], by: str, nats: Array | None = None) -> Iterator[Found]:
    """Yield the units of a text, as many at a time as a stretch of it has.

    Args:
        spelling: The spelling of the text.
        points: The symbols of the text, (T,).
        by: The unit, one of ``UNITS``.
        nats: The surprisal of the symbols, (T,), or (T + 1,) with that of the end, which the last unit gets. NaN counts
            as 0, and None as 0 for all.
    """
    if not len(points):
        if nats is not None and len(nats):
            yield Found([""], np.zeros(1, dtype=np.int64), _without_nan(nats))
        return
    stretches = _symbols if by == "symbol" else _stretches
    yield from stretches(spelling, points, by, np.zeros(len(points)) if nats is None else nats)
    forget(points)


def _symbols(spelling: Spelling, points: NDArray[Any], by: str, nats: Array) -> Iterator[Found]:
    """Yield the symbols of a text; by does not matter."""
    at = 0
    for block in blocks(points):
        own = _without_nan(nats[at : at + len(block)])
        at += len(block)
        if at == len(points):
            own[-1] += _without_nan(nats[at:]).sum()
        texts = [spelling.text([p]) for p in block.tolist()]
        yield Found(texts, np.arange(at - len(block) + 1, at + 1), own)
        forget(nats)


def _stretches(spelling: Spelling, points: NDArray[Any], by: str, nats: Array) -> Iterator[Found]:
    """Yield the words, lines or sentences of a text. The last one of a stretch may go on, and waits for the next."""
    rest = points[:0]  # the symbols of the last character, which may go on
    left, first = "", 0  # the text that is no unit yet, and the number of its first character
    place, waiting = np.zeros(0, dtype=np.int64), np.zeros(0)  # the characters of the symbols there, and their nats
    done = count = 0  # the symbols and the characters that were taken
    for block in blocks(points):
        last = done + len(rest) + len(block) == len(points)
        own = np.concatenate([rest, block])
        begins = np.flatnonzero(spelling.begins(own))
        stop = len(own) if last else int(begins[-1]) if len(begins) else 0
        own, rest = own[:stop], own[stop:]
        begun = spelling.characters(own)
        # a symbol belongs to the first character that begins in it, or to the one that it goes on with
        place = np.concatenate([place, np.maximum(count + np.cumsum(begun) - np.maximum(begun, 1), 0)])
        waiting = np.concatenate([waiting, _without_nan(nats[done : done + len(own)])])
        done, count = done + len(own), count + int(begun.sum())
        forget(nats)
        text = left + spelling.text(own.tolist())
        stops = np.array([stop for _, stop in _spans(text, by)], dtype=np.int64)
        if not last:
            stops = stops[: _settled(text, stops, by)]
        if not len(stops):
            left = text
            continue
        end = first + int(stops[-1])
        taken = len(place) if last else int(np.searchsorted(place, end))
        unit = np.minimum(np.searchsorted(first + stops, place[:taken], side="right"), len(stops) - 1)
        sums = np.bincount(unit, waiting[:taken], minlength=len(stops)).astype(np.float64)
        if last:
            sums[-1] += _without_nan(nats[done:]).sum()
        yield Found([text[a:z].strip() for a, z in pairwise([0, *stops.tolist()])], first + stops, sums)
        place, waiting, left, first = place[taken:], waiting[taken:], text[int(stops[-1]) :], end


def _without_nan(nats: Array) -> Array:
    """Return a copy of surprisals in which 0 takes the place of NaN."""
    own = np.array(nats, dtype=np.float64)
    own[np.isnan(own)] = 0.0
    return own


def _settled(text: str, stops: NDArray[np.int64], by: str) -> int:
    """Return how many of the units of a stretch stay as they are, whatever follows the stretch."""
    count = len(stops) - 1
    # the space between two sentences may go on
    while by == "sentence" and count > 0 and not text[int(stops[count - 1]) :].strip():
        count -= 1
    return max(count, 0)


def _spans(text: str, by: str) -> Iterator[tuple[int, int]]:
    """Yield the borders of the units of a text."""
    lead = 0
    for match in re.finditer(UNITS[by], text):
        if by != "line" and match.start() == 0 and not match.group().strip() and match.end() < len(text):
            continue  # the space before the first unit; an empty line is a line
        yield lead, match.end()
        lead = match.end()
