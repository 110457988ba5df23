"""Counts of contexts: which symbols followed every k symbols, for k = 0, 1, ....

A context of order k + 1 is a context of order k and the symbol before it, so each order is one sort of pairs. The place
before a sequence counts as a symbol, START. A context ends there, and at a missing symbol.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Ints = NDArray[np.int64]

#: Stand-ins for symbols: the place before the first symbol, and an unknown symbol.
START, NOTHING = -1, -2
#: The number of sequences from which whole ones are set aside, and not the ends of all.
ENOUGH = 20


class Order(NamedTuple):
    """The contexts of one order k, numbered 0 .. C - 1 in the order of their edges, and the E pairs that were seen.

    Attributes:
        edges: parent * (V + 1) + (symbol before it + 1) of each context, (C,), sorted. The parent is a context of order
            k - 1. Order 0 has one edge, 0.
        pairs: context * V + the symbol that followed, (E,), sorted.
        counts: How often each pair was seen, (E,).
        continued: The number of different symbols that each pair was seen after, (E,); a pair with no symbol before it
            counts each time.
    """

    edges: Ints
    pairs: Ints
    counts: Ints
    continued: Ints


def before(symbols: Ints, offsets: Ints, k: int) -> Ints:
    """Return the symbol k + 1 steps before each symbol, (N,).

    Args:
        symbols: The symbols of all sequences joined, (N,). Negative where a symbol is missing.
        offsets: Where the sequences begin and end in symbols, (B + 1,).
        k: The number of symbols in between.

    Returns:
        Symbols, (N,). START for the place just before a sequence, NOTHING for earlier places and missing symbols.
    """
    step = np.arange(len(symbols)) - np.repeat(offsets[:-1], np.diff(offsets))
    older = np.roll(symbols, k + 1)
    return np.where(step > k, np.where(older < 0, NOTHING, older), np.where(step == k, START, NOTHING))


def orders(symbols: Ints, offsets: Ints, vocabulary: int) -> Iterator[Order]:
    """Yield the contexts of order 0, 1, 2, ... until an order has no contexts.

    One order costs three sorts of at most N pairs; the space is O(N) for any vocabulary.

    Args:
        symbols: The symbols of all sequences joined, (N,). Negative where a symbol is missing.
        offsets: Where the sequences begin and end in symbols, (B + 1,).
        vocabulary: The number of symbols in the vocabulary, V.
    """
    V = vocabulary
    place = np.flatnonzero(symbols >= 0)
    context, edges = np.zeros(len(place), dtype=np.int64), np.zeros(1, dtype=np.int64)
    k = 0
    while len(edges):
        pairs, pair, counts = np.unique(context * V + symbols[place], return_inverse=True, return_counts=True)
        older = before(symbols, offsets, k)[place]
        extended = older >= 0
        different = distinct(pair[extended] * V + older[extended]) // V
        continued = np.bincount(different, minlength=len(pairs)) + np.bincount(pair[~extended], minlength=len(pairs))
        yield Order(edges, pairs, counts, continued)
        known = older > NOTHING
        edges, context = np.unique(context[known] * (V + 1) + older[known] + 1, return_inverse=True)
        place, k = place[known], k + 1


def distinct(keys: Ints) -> Ints:
    """Return the different keys, sorted. ``np.unique`` hashes them first, which takes ten times as long as a sort."""
    keys = np.sort(keys)
    return keys[np.diff(keys, prepend=keys[:1] - 1) > 0]


def find(table: Ints, keys: Ints) -> tuple[Ints, NDArray[np.bool_]]:
    """Return the place of each key (N,) in a sorted table, and whether the table holds it; (N,) each."""
    if not len(table):
        return np.zeros_like(keys), np.zeros(len(keys), dtype=bool)
    at = np.minimum(np.searchsorted(table, keys), len(table) - 1)
    return at, table[at] == keys


def set_aside(symbols: Ints, offsets: Ints) -> tuple[tuple[Ints, Ints], tuple[Ints, Ints]]:
    """Split symbols into nine tenths to count and one tenth to validate on; (symbols, offsets) of each.

    Of ``ENOUGH`` sequences every tenth one is set aside, and of fewer the last tenth of each.

    Args:
        symbols: The symbols of all sequences joined, (N,).
        offsets: Where the sequences begin and end in symbols, (B + 1,).
    """
    lengths = np.diff(offsets)
    row = np.repeat(np.arange(len(lengths)), lengths)
    step = np.arange(len(symbols)) - offsets[row]
    aside = row % 10 == 9 if len(lengths) >= ENOUGH else step >= lengths[row] * 9 // 10

    def part(chosen: NDArray[np.bool_]) -> tuple[Ints, Ints]:
        return symbols[chosen], np.concatenate([[0], np.cumsum(chosen)])[offsets].astype(np.int64)

    return part(~aside), part(aside)
