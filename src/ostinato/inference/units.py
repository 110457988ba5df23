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
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ostinato.choices import unknown
from ostinato.data.ids import restored
from ostinato.data.read import read
from ostinato.data.sequences import SequenceSet
from ostinato.data.spelling import spelling_of
from ostinato.errors import ConfigError, DataError
from ostinato.inference.cutting import NO_UNITS, UNITS, Found, Tally, cut

if TYPE_CHECKING:
    import polars as pl

    from ostinato.inference.scores import Scores

#: The rows and the tables of units that are put together into one.
_ROWS, _TABLES = 1 << 16, 1 << 10


def units(scores: Scores, by: str, corpus: Any = None) -> Iterator[pl.DataFrame]:
    """Yield the surprisal of every unit of scored text, some units at a time, so that memory does not grow with them.

    To count equal units, the text is cut once before the first rows are made. A distinct unit then takes 16 bytes.

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
    counts = Tally()
    for _, found in _found(scores, by):
        counts.add(found.texts)
    keys = restored(scores.data.ids, scores.data.meta)
    waiting: list[pl.DataFrame] = []
    last, number, start = -1, 0, 0
    for b, found in _found(scores, by):
        if b != last:
            last, number, start = b, 0, 0
        borders = np.concatenate([[start], found.stops])
        waiting.append(_table([keys[b]] * len(found.texts), number, borders, found, counts))
        number, start = number + len(found.texts), int(borders[-1])
        if sum(map(len, waiting)) >= _ROWS or len(waiting) >= _TABLES:
            yield _joined(waiting, by, known)
            waiting = []
    if waiting or last < 0:
        yield _joined(waiting or [_table([], 0, np.zeros(1, dtype=np.int64), NO_UNITS, counts)], by, known)


def _table(ids: list[Any], number: int, borders: NDArray[np.int64], found: Found, counts: Tally) -> pl.DataFrame:
    """Return the rows of units of one sequence that follow one another; number is that of the units before them."""
    import polars as pl

    return pl.DataFrame(
        {
            "unique_id": pl.Series(ids, dtype=None if ids else pl.String),
            "unit": pl.Series(np.arange(number + 1, number + len(ids) + 1)),
            "start": pl.Series(borders[:-1] + 1),
            "length": pl.Series(np.diff(borders)),
            "text": pl.Series(found.texts, dtype=pl.String),
            "count": pl.Series(counts.of(found.texts)),
            "nats": found.nats,
            "bits": found.nats / math.log(2),
        }
    )


def _joined(tables: list[pl.DataFrame], by: str, known: Counter[str] | None) -> pl.DataFrame:
    import polars as pl

    frame = pl.concat(tables)
    return frame if known is None else _with_frequency(frame, by, known)


def _found(scores: Scores, by: str) -> Iterator[tuple[int, Found]]:
    """Yield the units of all sequences, a stretch of one sequence at a time, with the number of the sequence."""
    spelling = spelling_of(scores.data.meta)
    for b in range(len(scores.data)):
        nats = scores.surprisal[scores.offsets[b] : scores.offsets[b + 1]]
        for found in cut(spelling, scores.data[b][:, 0], by, nats):
            yield b, found


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
