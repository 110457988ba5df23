"""The section on text: characters coloured by their surprisal, and text sampled from the model."""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ostinato.data.sequences import SequenceSet
from ostinato.data.spelling import spelling_of
from ostinato.evaluation.calibration import Spans
from ostinato.inference.sample import sample
from ostinato.inference.score import score
from ostinato.inference.scores import Scores
from ostinato.model import SequenceModel
from ostinato.report.chart import Table

#: The edges of the classes of surprisal in bits: under 1, 1 to 2, ..., 8 and more.
EDGES = (1.0, 2.0, 4.0, 6.0, 8.0)
#: The greatest number of lines and of characters that are shown, and the number of characters that the model reads
#: before them.
LINES, SHOWN, BEFORE = 40, 1500, 512
#: The number of the most surprising characters that are listed, and of the characters that are shown before each.
TOP, CONTEXT = 10, 16


@dataclass(frozen=True)
class Excerpt:
    """The content of the section on text.

    Attributes:
        runs: The shown text in runs of neighbouring characters, each with its class of surprisal (-1 if unknown).
        bits: The average surprisal in bits a character, ends of lines included.
        surprising: The most surprising characters.
        drawn: The texts that are sampled from the model.
        short: Whether the lines have only one or two words, so that they are shown in columns.
    """

    runs: list[tuple[int, str]]
    bits: float
    surprising: Table
    drawn: list[str]
    short: bool


def excerpt(model: SequenceModel, data: SequenceSet, spans: Spans, seed: int) -> Excerpt:
    """Return a part of the judged text with its surprisal, its most surprising characters, and sampled text.

    Args:
        model: A model of text.
        data: The texts.
        spans: The judged steps (sequence, first, stop), as read.
        seed: The seed of the sampled text.
    """
    whole = [(b, a, z) for b, a, z in spans if a == 0]
    if whole:
        rows = [b for b, _, _ in whole[:: max(1, len(whole) // LINES)][:LINES]]
        shown, skip = data.take(rows), 0
        if not data.terminated:
            shown = shown.cut(np.zeros(len(shown), dtype=np.int64), np.minimum(shown.lengths, SHOWN // len(rows) + 1))
    else:
        b, a, z = max(spans, key=lambda span: span[2] - span[1])
        first = a + max(0, z - a - SHOWN) // 2
        before = max(0, first - BEFORE)
        shown, skip = data.take([b]).cut(np.array([before]), np.array([min(z, first + SHOWN)])), first - before
    scores = score(model.before_refit(data), shown)
    pairs = list(itertools.chain(*(_characters(scores, b, skip) for b in range(len(shown)))))
    runs = [
        (k, "".join(_visible(c) for c, _ in group))
        for k, group in itertools.groupby(pairs, lambda pair: _class(pair[1]))
    ]
    judged = [(len(text), x) for text, x in pairs if not math.isnan(x)]
    bits = sum(x for _, x in judged) / sum(n for n, _ in judged) if judged else math.nan
    length, count = (60, 8) if data.terminated else (400, 1)
    drawn = [_visible(text) for text in sample(model, length, n_samples=count, seed=seed)]
    return Excerpt(runs, bits, _most_surprising(pairs), drawn, bool(whole) and float(shown.lengths.mean()) < 24)


def _characters(scores: Scores, b: int, skip: int = 0) -> list[tuple[str, float]]:
    """Return the characters of a sequence, each with its surprisal in bits; the end of the sequence is a newline.

    Where a character is several symbols, its surprisal is the sum over them; characters of one symbol stay together.

    Args:
        scores: The scores, of a text that may begin or end within a character.
        b: The number of the sequence.
        skip: The symbols at its start whose characters are left out.
    """
    bits = scores.surprisal[scores.offsets[b] : scores.offsets[b + 1]] / math.log(2)
    points: NDArray[np.int64] = scores.data[b][:, 0].astype(np.int64)
    spelling = spelling_of(scores.data.meta)
    out, begun = list[tuple[str, float]](), spelling.characters(points)
    text, starts = spelling.text(points.tolist()), np.flatnonzero(begun)
    # what is left of a character that began before the text stands in front, and begins with no symbol
    at = len(text) - int(begun.sum())
    sums = np.add.reduceat(bits[: len(points)], starts).tolist() if len(starts) else []
    for first, count, cost in zip(starts.tolist(), begun[starts].tolist(), sums, strict=True):
        if first >= skip:
            out.append((text[at : at + count], cost))
        at += count
    ends = [("\n", float(x)) for x in bits[len(points) :]]
    return [*out, *(ends if ends else [("\n", math.nan)] if len(scores.data) > 1 else [])]


def _class(bits: float) -> int:
    """Return the class of a surprisal, from 0 for the least; -1 for NaN."""
    return -1 if math.isnan(bits) else int(np.searchsorted(EDGES, bits, side="right"))


def _visible(text: str) -> str:
    """Return text with a visible sign for each control character and each end of a line."""
    return "".join(
        "\u21b5\n" if c == "\n" else chr(0x2400 + ord(c)) if c < " " else "\ufffd" if "\ud800" <= c <= "\udfff" else c
        for c in text
    )


def _most_surprising(pairs: list[tuple[str, float]]) -> Table:
    """Return the most surprising characters, each with the text before it."""
    ranked = sorted((i for i, (_, x) in enumerate(pairs) if not math.isnan(x)), key=lambda i: -pairs[i][1])
    rows = []
    for i in ranked[:TOP]:
        before = "".join(c for c, _ in pairs[max(0, i - CONTEXT) : i]).rsplit("\n", 1)[-1]
        rows.append((_visible(before), _visible(pairs[i][0]).strip("\n"), f"{pairs[i][1]:.1f}"))
    return Table(("text before", "character", "bits"), tuple(rows))
