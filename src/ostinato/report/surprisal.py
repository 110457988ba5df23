"""Text coloured by how surprising each character was."""

from __future__ import annotations

import codecs
import itertools
import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ostinato.data.sequences import SequenceSet
from ostinato.evaluation.calibration import Spans
from ostinato.inference.sample import sample
from ostinato.inference.score import Scores, score
from ostinato.model import SequenceModel
from ostinato.report.chart import Table

#: Classes of surprisal, in bits: under 1, 1 to 2, ... and from 8 on.
EDGES = (1.0, 2.0, 4.0, 6.0, 8.0)
#: Lines, or characters, that are shown; and what is read before them for the model to know where it is.
LINES, SHOWN, BEFORE = 40, 1500, 512


@dataclass(frozen=True)
class Excerpt:
    """runs: neighbouring characters of one class of surprisal; bits a character; short: lines of a word or two."""

    runs: list[tuple[int, str]]
    bits: float
    surprising: Table
    drawn: list[str]
    short: bool


def excerpt(model: SequenceModel, data: SequenceSet, spans: Spans, seed: int) -> Excerpt:
    """Some of the judged text, coloured; the most surprising places in it; and text that the model draws."""
    whole = [(b, a, z) for b, a, z in spans if a == 0]
    if whole:
        rows = [b for b, _, _ in whole[:: max(1, len(whole) // LINES)][:LINES]]
        some, skip = data.take(rows), 0
        if not data.terminated:
            some = some.cut(np.zeros(len(some), dtype=np.int64), np.minimum(some.lengths, SHOWN // len(rows) + 1))
    else:
        b, a, z = max(spans, key=lambda span: span[2] - span[1])
        first = a + max(0, z - a - SHOWN) // 2
        before = max(0, first - BEFORE)
        some, skip = data.take([b]).cut(np.array([before]), np.array([min(z, first + SHOWN)])), first - before
    scores = score(model, some)
    pairs = list(itertools.chain(*(_characters(scores, b)[skip:] for b in range(len(some)))))
    runs = [
        (k, "".join(_seen(c) for c, _ in group)) for k, group in itertools.groupby(pairs, lambda pair: _class(pair[1]))
    ]
    bits = float(np.nanmean([x for _, x in pairs])) if pairs else math.nan
    length, count = (60, 8) if data.terminated else (400, 1)
    drawn = [_seen(text) for text in sample(model, length, n_samples=count, seed=seed)]
    return Excerpt(runs, bits, _places(pairs), drawn, bool(whole) and float(some.lengths.mean()) < 24)


def _characters(scores: Scores, b: int) -> list[tuple[str, float]]:
    """(character, bits) of sequence b; of bytes, the bits of a character's bytes together; the end is a newline."""
    bits = scores.surprisal[scores.offsets[b] : scores.offsets[b + 1]] / math.log(2)
    points: NDArray[np.int64] = scores.data[b][:, 0].astype(np.int64)
    out: list[tuple[str, float]] = []
    if scores.data.meta.get("alphabet") == "bytes":
        decoder, waiting = codecs.getincrementaldecoder("utf-8")("replace"), 0.0
        for point, cost in zip(points.tolist(), bits.tolist(), strict=False):
            waiting += cost
            if found := decoder.decode(bytes([point])):
                out.append((found, waiting))
                waiting = 0.0
    else:
        out = [(chr(p), cost) for p, cost in zip(points.tolist(), bits.tolist(), strict=False)]
    ends = [("\n", float(x)) for x in bits[len(points) :]]
    return [*out, *(ends if ends else [("\n", math.nan)] if len(scores.data) > 1 else [])]


def _class(bits: float) -> int:
    return -1 if math.isnan(bits) else int(np.searchsorted(EDGES, bits, side="right"))


def _seen(text: str) -> str:
    """Control characters by their pictures; a line's end by a sign and a new line."""
    return "".join(
        "\u21b5\n" if c == "\n" else chr(0x2400 + ord(c)) if c < " " else "\ufffd" if "\ud800" <= c <= "\udfff" else c
        for c in text
    )


def _places(pairs: list[tuple[str, float]], count: int = 10) -> Table:
    """The most surprising characters, each after what went before it."""
    ranked = sorted((i for i, (_, x) in enumerate(pairs) if not math.isnan(x)), key=lambda i: -pairs[i][1])
    rows = []
    for i in ranked[:count]:
        before = "".join(c for c, _ in pairs[max(0, i - 16) : i]).rsplit("\n", 1)[-1]
        rows.append((_seen(before), _seen(pairs[i][0]).strip("\n"), f"{pairs[i][1]:.1f}"))
    return Table(("after", "came", "bits"), tuple(rows))
