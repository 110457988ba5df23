"""The surprisal of words, lines and sentences: that of their symbols, added up.

A unit includes the space that follows it, because only this space shows the model that the word has ended (Oh and
Schuler, 2024, "Leading whitespaces of language models' subword vocabulary pose a confound for calculating word
probabilities"). Every symbol of a text is in a unit, so the surprisals of the units add up to that of the text.
"""

from __future__ import annotations

import math
import unicodedata
from collections import Counter
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ostinato.choices import unknown
from ostinato.data.corpus import BLOCK
from ostinato.data.ids import restored
from ostinato.data.read import read
from ostinato.data.sequences import SequenceSet
from ostinato.data.spelling import spelling_of
from ostinato.errors import ConfigError, DataError
from ostinato.inference.cutting import NO_UNITS, UNITS, Found, Tally, cut
from ostinato.shapes import Array

if TYPE_CHECKING:
    import polars as pl

    from ostinato.inference.scores import Scores

#: The least units that are put into one table, but for the last table.
_TOGETHER = 1 << 16


def units(scores: Scores, by: str, corpus: Any = None) -> Iterator[pl.DataFrame]:
    """Yield the surprisal of every unit of scored text, some units at a time, so that memory does not grow with them.

    To count equal units, a long text is cut once more, before the first rows are made. A distinct unit takes 16 bytes.

    Args:
        scores: The scores of text.
        by: "symbol", "word", "line" or "sentence".
        corpus: Anything that ``read`` takes as text, such as a path, in which the units are counted. Not for symbols.

    Returns:
        At least one table, with one row a unit, in the order of the text. unit is its number in the sequence, from 1.
        start is the number of its first character, from 1, and length counts characters, with the space after it and
        without the end of the sequence; if the unit is a symbol, both count symbols. text is without the space around
        it, but for symbols. count says how often this text is a unit of the data. The others are unique_id, nats and
        bits. The end of a sequence, where it is an event, adds its surprisal to the last unit; of an empty sequence it
        is a unit of its own, with an empty text. With a corpus there are two columns more: letters (the letters and
        digits of the text) and frequency (how often the unit occurs among a million units of the corpus; 0 if never).
        Of words, case and marks at the ends do not matter, so that "cat." is counted with "Cat"; lines and sentences
        must be equal.

    Raises:
        ConfigError: The data are not text, ``by`` is unknown, or symbols are to be counted in a corpus.
        DataError: The corpus cannot be read, or holds no unit.
    """
    if by not in UNITS:
        raise unknown("unit", by, UNITS)
    data = scores.data
    if corpus is not None and by == "symbol":
        raise ConfigError(
            "words, lines and sentences are counted in a corpus, got by='symbol'",
            fix="remove the corpus, or use one of word, line, sentence",
        )
    if data.kind != "text":
        raise ConfigError(f"only text has units, got a model of {data.kind}", fix=f"leave out by={by!r}")
    known = None
    if corpus is not None:
        known = _counted(corpus if isinstance(corpus, SequenceSet) else read(corpus, kind="text"), by)
    return _tables(scores, by, known)


def _tables(scores: Scores, by: str, known: Counter[str] | None) -> Iterator[pl.DataFrame]:
    """Yield the tables of ``units``; known are the units of a corpus."""
    import polars as pl

    counts, kept = Tally(), list[_Rows]()
    # of a short text the units are kept, so that it is cut once
    short = len(scores.surprisal) <= BLOCK
    for rows in _rows(scores, by):
        counts.add(rows.texts)
        if short:
            kept.append(rows)
    keys = restored(scores.data.ids, scores.data.meta)
    for rows in kept or _rows(scores, by):
        frame = pl.DataFrame(
            {
                "unique_id": keys.gather(rows.sequence),
                "unit": rows.number,
                "start": rows.start + 1,
                "length": rows.length,
                "text": pl.Series(rows.texts, dtype=pl.String),
                "count": counts.of(rows.texts),
                "nats": rows.nats,
                "bits": rows.nats / math.log(2),
            }
        )
        yield frame if known is None else _with_frequency(frame, by, known)


class _Rows(NamedTuple):
    """Units of texts one after the other.

    Attributes:
        sequence: The number of the text of each, (n,).
        number: The number of each in its text, from 1, (n,).
        start: The characters, or symbols, before each in its text, (n,).
        length: The characters, or symbols, of each, (n,).
        texts: The text of each.
        nats: The surprisal of each, (n,).
    """

    sequence: NDArray[np.int64]
    number: NDArray[np.int64]
    start: NDArray[np.int64]
    length: NDArray[np.int64]
    texts: list[str]
    nats: Array


def _rows(scores: Scores, by: str) -> Iterator[_Rows]:
    """Yield the units of all texts, some at a time, and at least once."""
    spelling = spelling_of(scores.data.meta)
    waiting: list[tuple[int, int, int, Found]] = []  # the text, its units and its characters before these units
    size = 0
    for b in range(len(scores.data)):
        number = start = 0
        nats = scores.surprisal[scores.offsets[b] : scores.offsets[b + 1]]
        for found in cut(spelling, scores.data[b][:, 0], by, nats):
            waiting.append((b, number, start, found))
            number, start = number + len(found.texts), int(found.stops[-1])
            size += len(found.texts)
            if size >= _TOGETHER:
                yield _joined(waiting)
                waiting, size = [], 0
    if waiting or not len(scores.surprisal):
        yield _joined(waiting)


def _joined(parts: list[tuple[int, int, int, Found]]) -> _Rows:
    """Return units that were found one after the other as one table."""
    parts = parts or [(0, 0, 0, NO_UNITS)]
    heads = np.array([part[:3] for part in parts], dtype=np.int64)
    found = [part[3] for part in parts]
    counts = np.array([len(one.texts) for one in found])
    first = np.cumsum(counts) - counts  # the row of the first unit of each part
    sequence, before, start = np.repeat(heads, counts, axis=0).T
    stops = np.concatenate([one.stops for one in found])
    inner = np.arange(len(stops)) - np.repeat(first, counts)
    start = np.where(inner > 0, np.roll(stops, 1), start)
    texts = [text for one in found for text in one.texts]
    return _Rows(sequence, before + inner + 1, start, stops - start, texts, np.concatenate([one.nats for one in found]))


def _with_frequency(frame: pl.DataFrame, by: str, known: Counter[str]) -> pl.DataFrame:
    """Return the units with the number of their letters and their frequency in a million units of a corpus."""
    import polars as pl

    share = 1e6 / known.total()
    texts = frame["text"].to_list()
    return frame.with_columns(
        pl.Series("letters", [sum(map(str.isalnum, text)) for text in texts], dtype=pl.Int64),
        pl.Series("frequency", [share * known[_alike(text, by)] for text in texts], dtype=pl.Float64),
    )


def _counted(corpus: SequenceSet, by: str) -> Counter[str]:
    """Return how often each unit occurs in a corpus, which is read a stretch at a time.

    Raises:
        DataError: The corpus holds no unit.
    """
    spelling, found = spelling_of(corpus.meta), Counter[str]()
    for b in range(len(corpus)):
        for stretch in cut(spelling, corpus[b][:, 0], by):
            # an empty line is a line, and a text of space alone has no word
            found.update(_alike(text, by) for text in stretch.texts if text or by == "line")
    if not found:
        raise DataError(f"the corpus holds no {by}", fix="give the text in which the units are counted")
    return found


def _alike(text: str, by: str) -> str:
    """Return a unit as it is counted: a word in small letters without the marks at its ends, unless it is all marks."""
    text = text.strip()
    if by != "word":
        return text
    # punctuation and symbols; the vowel signs of Indian scripts are neither, and end words
    inner = [i for i, one in enumerate(text) if unicodedata.category(one)[0] not in "PS"]
    return (text[inner[0] : inner[-1] + 1] if inner else text).casefold()
