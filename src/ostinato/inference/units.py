"""The surprisal of words, lines and sentences: that of their symbols, added up.

A unit includes the space that follows it, because only this space shows the model that the word has ended (Oh and
Schuler, 2024, "Leading whitespaces of language models' subword vocabulary pose a confound for calculating word
probabilities"). Every symbol of a text is in a unit, so the surprisals of the units add up to that of the text.
"""

from __future__ import annotations

import math
import re
import unicodedata
from collections import Counter
from collections.abc import Iterator
from itertools import pairwise
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numpy.typing import NDArray

from ostinato.choices import unknown
from ostinato.data.corpus import blocks
from ostinato.data.ids import restored
from ostinato.data.read import read
from ostinato.data.sequences import SequenceSet
from ostinato.data.spelling import spelling_of
from ostinato.errors import ConfigError, DataError
from ostinato.shapes import Array

if TYPE_CHECKING:
    import polars as pl

    from ostinato.data.spelling import Spelling
    from ostinato.inference.scores import Scores

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


def units(scores: Scores, by: str, corpus: Any = None) -> pl.DataFrame:
    """Return the surprisal of every unit of scored text.

    Args:
        scores: The scores of text.
        by: "symbol", "word", "line" or "sentence".
        corpus: Anything that ``read`` takes as text, such as a path, in which the units are counted. Not for symbols.

    Returns:
        One row a unit, in the order of the text. unit is its number in the sequence, from 1. start is the number of its
        first character, from 1, and length counts characters, with the space after it and without the end of the
        sequence; if the unit is a symbol, both count symbols. text is without the space around it, but for symbols.
        count says how often this text is a unit of the data. The others are unique_id, nats and bits. The end of a
        sequence, where it is an event, adds its surprisal to the last unit; of an empty sequence it is a unit of its
        own, with an empty text. With a corpus there are two columns more: letters (the letters and digits of the text)
        and frequency (how often the unit occurs among a million units of the corpus; 0 if never). Of words, case and
        marks at the ends do not matter, so that "cat." is counted with "Cat"; lines and sentences must be equal.

    Raises:
        ConfigError: The data are not text, ``by`` is unknown, or symbols are to be counted in a corpus.
        DataError: The corpus cannot be read, or holds no unit.
    """
    import polars as pl

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
    spelling = spelling_of(data.meta)
    ids: list[Any] = []
    number: list[int] = []
    starts: list[int] = []
    lengths: list[int] = []
    texts: list[str] = []
    nats: list[Array] = []
    for b, key in enumerate(restored(data.ids, data.meta)):
        surprisal = np.nan_to_num(scores.surprisal[scores.offsets[b] : scores.offsets[b + 1]])
        words, stops, place = _cut(spelling, data[b][:, 0], by)
        if not words:
            if not len(surprisal):
                continue
            words, stops = [""], np.zeros(1, dtype=np.int64)
        unit = np.full(len(surprisal), len(words) - 1)
        unit[: len(place)] = np.searchsorted(stops, place, side="right")
        ids += [key] * len(words)
        number += range(1, len(words) + 1)
        starts += [1, *(stops[:-1] + 1).tolist()]
        lengths += np.diff(stops, prepend=0).tolist()
        texts += words
        nats.append(np.bincount(unit, surprisal, minlength=len(words)).astype(np.float64))
    counts = Counter(texts)
    total = np.concatenate([np.zeros(0), *nats])
    frame = pl.DataFrame(
        {
            "unique_id": pl.Series(ids, dtype=None if ids else pl.String),
            "unit": pl.Series(number, dtype=pl.Int64),
            "start": pl.Series(starts, dtype=pl.Int64),
            "length": pl.Series(lengths, dtype=pl.Int64),
            "text": pl.Series(texts, dtype=pl.String),
            "count": pl.Series([counts[text] for text in texts], dtype=pl.Int64),
            "nats": total,
            "bits": total / math.log(2),
        }
    )
    return frame if corpus is None else _with_frequency(frame, by, corpus)


def _with_frequency(frame: pl.DataFrame, by: str, corpus: Any) -> pl.DataFrame:
    """Return the units with the number of their letters and their frequency in a million units of a corpus."""
    import polars as pl

    known = _counted(corpus if isinstance(corpus, SequenceSet) else read(corpus, kind="text"), by)
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
        left = ""  # the last unit of a stretch may go on in the next
        for block in blocks(corpus[b][:, 0]):
            text = left + spelling.text(block.tolist())
            ends = [0, *(stop for _, stop in _spans(text, by))]
            found.update(_alike(text[a:z], by) for a, z in pairwise(ends[:-1]))
            left = text[ends[-2] :] if len(ends) > 1 else text
        found.update([_alike(left, by)] if left.strip() else [])
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


def _spans(text: str, by: str) -> Iterator[tuple[int, int]]:
    """Yield the borders of the units of a text."""
    lead = 0
    for match in re.finditer(UNITS[by], text):
        if by != "line" and match.start() == 0 and not match.group().strip() and match.end() < len(text):
            continue  # the space before the first unit; an empty line is a line
        yield lead, match.end()
        lead = match.end()


def _cut(spelling: Spelling, points: NDArray[Any], by: str) -> tuple[list[str], NDArray[np.int64], NDArray[np.int64]]:
    """Return the units of a text, the border after each of them, and the place of each symbol among the borders.

    Args:
        spelling: The spelling of the text.
        points: The symbols of the text, (T,).
        by: The unit.
    """
    if by == "symbol":
        words = [spelling.text([p]) for p in points.tolist()]
        return words, np.arange(1, len(points) + 1), np.arange(len(points))
    begun = spelling.characters(points)
    # a symbol belongs to the first character that begins in it, or to the one that it goes on with
    place = np.maximum(np.cumsum(begun) - np.maximum(begun, 1), 0)
    text = spelling.text(points.tolist())
    stops = np.array([stop for _, stop in _spans(text, by)], dtype=np.int64)
    return [text[a:z].strip() for a, z in pairwise([0, *stops.tolist()])], stops, place
