"""The choice of a vocabulary: each is judged by adaptive counts, in bits a character of the validation part."""

from __future__ import annotations

import math

import numpy as np
import torch

from ostinato.data.alphabet import Alphabet
from ostinato.data.sequences import SequenceSet
from ostinato.data.spelled import respelled, texts_of
from ostinato.data.spelling import VOCABULARIES, Pieces, Spelling, spelling_from_json
from ostinato.data.split import Part, Split, split
from ostinato.errors import ConfigError
from ostinato.layers.counts import Counts
from ostinato.training.adaptive import begins_of, letters_of, unknown_if_once

#: The number of characters of each part that the vocabularies are compared on: enough for a difference of a percent.
COMPARED, JUDGED = 200_000, 30_000
#: The greatest number of characters that pieces are learned from.
TAUGHT = 20_000_000
#: The fewest and the most pieces of a byte-pair encoding, and the number of training characters for each.
FEWEST, MOST, EACH = 320, 8192, 200
#: A vocabulary must be better than a simpler one by this share.
BETTER = 0.002


def in_vocabulary(
    data: SequenceSet, vocabulary: str | None, held_out: float | str
) -> tuple[SequenceSet, tuple[str, ...]]:
    """Return text in a vocabulary, with notes on the choice.

    Args:
        data: The sequences as read.
        vocabulary: "character", "byte", "jamo", "bpe", "auto", or None to leave the data as they are.
        held_out: The held-out share, or a pattern of ids. Pieces are learned from the training part.

    Raises:
        ConfigError: The data are not text.
    """
    if vocabulary is None:
        return data, ()
    if data.traits.numeric:
        raise ConfigError(
            f"a vocabulary is for text, and the data are {data.kind}, got {vocabulary!r}",
            fix="remove the vocabulary",
        )
    cut = split(data, held_out)
    if vocabulary != "auto":
        return respelled(data, _spelling(vocabulary, data, cut)), ()
    chosen, said = choose(data, cut)
    return respelled(data, chosen), (said,)


def choose(data: SequenceSet, cut: Split) -> tuple[Spelling, str]:
    """Return the vocabulary with the fewest bits a character on the validation part, and what was found, in words.

    Args:
        data: Text.
        cut: Its parts.
    """
    train, judged = _some(data, cut, "train", COMPARED), _some(data, cut, "validation", JUDGED)
    found: list[tuple[float, Spelling]] = []
    absent = ""
    for name in VOCABULARIES:
        if name == "jamo" and not _has_hangul(train):
            continue
        try:
            spelling = _spelling(name, data, cut)
        except ConfigError as error:
            absent = f"; {error.what}"
            continue
        found.append((bits_per_character(respelled(train, spelling), respelled(judged, spelling)), spelling))
    best = found[0]
    for pair in found[1:]:
        if pair[0] < best[0] * (1 - BETTER):
            best = pair
    table = ", ".join(f"{spelling.name} {bits:.3f}" for bits, spelling in found)
    return best[1], f"vocabulary {best[1].name}, by bits a character of counts on the validation part: {table}{absent}"


@torch.no_grad()
def bits_per_character(train: SequenceSet, judged: SequenceSet) -> float:
    """Return the bits a character of some texts by counts that learned others, and go on learning.

    Args:
        train: The texts that are learned.
        judged: The texts that are judged, in the same spelling.
    """
    alphabet = Alphabet.fit(train)
    known, text = alphabet.encode(train), alphabet.encode(judged)
    symbols = unknown_if_once(known.values[:, 0].numpy(), alphabet)
    counts = Counts.fit(symbols, known.offsets, letters_of(alphabet), begins=begins_of(alphabet))
    state = counts.owned(counts.initial_state(1), learns=True)
    starts = np.insert(text.values[:, 0].numpy(), text.offsets[:-1], counts.output_size)
    nats = float(counts.settle_(torch.from_numpy(starts)[:, None], state).sum()) + float(text.log_measure[:].sum())
    return -nats / math.log(2) / max(int(text.judged[:].sum()), 1)


def _spelling(name: str, data: SequenceSet, cut: Split) -> Spelling:
    """Return the spelling of a name; pieces are learned from the training part."""
    if name != Pieces.name:
        return spelling_from_json({"name": name})
    texts = texts_of(_some(data, cut, "train", TAUGHT))
    return Pieces.fit(texts, min(max(sum(map(len, texts)) // EACH, FEWEST), MOST))


def _some(data: SequenceSet, cut: Split, part: Part, most: int) -> SequenceSet:
    """Return whole spans of a part, drawn at random, with at most some characters; the end of a span that is longer."""
    spans = cut.spans(part, data.lengths, data.lengths)
    lengths = np.array([z - a for _, a, z in spans])
    if lengths.sum() > most:
        order = np.random.default_rng(0).permutation(len(spans))
        count = max(1, int(np.searchsorted(np.cumsum(lengths[order]), most)))
        spans = [(b, max(a, z - most), z) for b, a, z in (spans[i] for i in np.sort(order[:count]).tolist())]
    return data.stretches(spans)


def _has_hangul(data: SequenceSet) -> bool:
    return any("\uac00" <= character <= "\ud7a3" for text in texts_of(data) for character in set(text))
