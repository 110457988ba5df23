"""The surprisal of words, lines and sentences: that of their symbols, added up.

A unit is what it is named after with the space that follows it, since the model knows that a word has ended only once
the space has come (Oh and Schuler, 2024, "Leading whitespaces of language models' subword vocabulary pose a confound
for calculating word probabilities"). The units of a text leave out nothing: their surprisals add up to its own.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numpy.typing import NDArray

from ostinato.choices import unknown
from ostinato.data.ids import restored
from ostinato.errors import ConfigError

if TYPE_CHECKING:
    import polars as pl

    from ostinato.inference.score import Scores

#: The pattern of one unit with the space that follows it. The space before the first unit belongs to that unit.
UNITS: Final = {
    "symbol": r"(?s:.)",
    "word": r"\S+\s*|\s+",
    "line": r"[^\n]*\n|[^\n]+",
    "sentence": r"(?s:.+?)(?:[.!?…。！？]+[\"'”’)\]]*\s+|\n\s*\n|\Z)",
}


def units(scores: Scores, by: str) -> pl.DataFrame:
    """Return the surprisal of every unit of scored text.

    Args:
        scores: The scores of text.
        by: "symbol", "word", "line" or "sentence".

    Returns:
        One row a unit, in the order of the text: unique_id; unit (its number in the sequence, from 1); start (the
        number of its first symbol, from 1); length (in symbols, with the space after it, without the end of the
        sequence); text (without the space around it, but for symbols); count (how often this text is a unit of the
        data); nats and bits. The end of a sequence, where it is an event, adds its surprisal to the last unit; of an
        empty sequence it is a unit of its own, with an empty text.

    Raises:
        ConfigError: The data are no text, or ``by`` is unknown.
    """
    import polars as pl

    if by not in UNITS:
        raise unknown("unit", by, UNITS)
    data = scores.data
    if data.kind != "text":
        raise ConfigError(f"only text has units, got a model of {data.kind}", fix=f"leave out by={by!r}")
    in_bytes = data.meta.get("alphabet") == "bytes"
    ids: list[Any] = []
    number: list[int] = []
    starts: list[int] = []
    lengths: list[int] = []
    texts: list[str] = []
    nats: list[NDArray[np.float64]] = []
    for b, key in enumerate(restored(data.ids, data.meta)):
        surprisal = np.nan_to_num(scores.surprisal[scores.offsets[b] : scores.offsets[b + 1]])
        symbols = "".join(map(chr, data[b][:, 0].tolist()))
        found = list(_spans(symbols, by, in_bytes=in_bytes)) or [(0, 0)] * bool(len(surprisal))
        if not found:
            continue
        ids += [key] * len(found)
        number += range(1, len(found) + 1)
        starts += [start + 1 for start, _ in found]
        lengths += [stop - start for start, stop in found]
        texts += [_text(symbols[start:stop], by, in_bytes=in_bytes) for start, stop in found]
        nats.append(np.add.reduceat(surprisal, [start for start, _ in found]))
    counts = Counter(texts)
    total = np.concatenate([np.zeros(0), *nats])
    return pl.DataFrame(
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


def _text(symbols: str, by: str, *, in_bytes: bool) -> str:
    """Return the symbols of a unit as a reader sees them."""
    text = symbols.encode("latin-1").decode(errors="replace") if in_bytes else symbols
    return text if by == "symbol" else text.strip()


def _spans(symbols: str, by: str, *, in_bytes: bool) -> Iterator[tuple[int, int]]:
    """Yield the borders of the units of a text."""
    lead = 0
    for match in re.finditer(UNITS[by], symbols, re.ASCII if in_bytes else re.NOFLAG):  # a byte above 127 is no space
        if by != "symbol" and match.start() == 0 and not match.group().strip() and match.end() < len(symbols):
            continue  # the space before the first unit
        yield lead, match.end()
        lead = match.end()
