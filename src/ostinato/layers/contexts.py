"""Counting contexts: what followed every k symbols, for k = 0, 1, ....

A context of order k + 1 is a context of order k and the symbol before it, so each order is one sort of pairs. The place
before a sequence counts as a symbol, START. A context ends there, and at a missing symbol: nothing more is known.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Ints = NDArray[np.int64]

#: Stand-ins for symbols: before the first one, and nothing known.
START, NOTHING = -1, -2


class Order(NamedTuple):
    """The contexts of one order k, numbered 0 .. C - 1 in the order of their edges.

    edges      (C,): parent * (V + 1) + (symbol before it + 1), parent a context of order k - 1; order 0: one edge, 0
    pairs      (E,): context * V + the symbol that followed, sorted
    counts     (E,): how often
    continued  (E,): after how many different symbols that pair was seen; how often, where nothing stood before
    """

    edges: Ints
    pairs: Ints
    counts: Ints
    continued: Ints


def before(symbols: Ints, offsets: Ints, k: int) -> Ints:
    """(N,): the symbol k + 1 steps before each; START just before a sequence, NOTHING farther out or if missing."""
    step = np.arange(len(symbols)) - np.repeat(offsets[:-1], np.diff(offsets))
    older = np.roll(symbols, k + 1)
    return np.where(step > k, np.where(older < 0, NOTHING, older), np.where(step == k, START, NOTHING))


def orders(symbols: Ints, offsets: Ints, vocabulary: int) -> Iterator[Order]:
    """Orders 0, 1, 2, ... of symbols (N,), negative where missing, without end; an order with no contexts is the last.

    One order costs three sorts of at most N pairs; memory is O(N), whatever the vocabulary V.
    """
    V = vocabulary
    place = np.flatnonzero(symbols >= 0)
    context, edges = np.zeros(len(place), dtype=np.int64), np.zeros(1, dtype=np.int64)
    k = 0
    while len(edges):
        pairs, pair, counts = np.unique(context * V + symbols[place], return_inverse=True, return_counts=True)
        older = before(symbols, offsets, k)[place]
        extended = older >= 0
        different = np.unique(pair[extended] * V + older[extended]) // V
        continued = np.bincount(different, minlength=len(pairs)) + np.bincount(pair[~extended], minlength=len(pairs))
        yield Order(edges, pairs, counts, continued)
        go = older > NOTHING
        edges, context = np.unique(context[go] * (V + 1) + older[go] + 1, return_inverse=True)
        place, k = place[go], k + 1


def find(table: Ints, keys: Ints) -> tuple[Ints, NDArray[np.bool_]]:
    """Where keys (N,) stand in a sorted table, and whether they do; (N,) each."""
    if not len(table):
        return np.zeros_like(keys), np.zeros(len(keys), dtype=bool)
    at = np.minimum(np.searchsorted(table, keys), len(table) - 1)
    return at, table[at] == keys


def set_aside(symbols: Ints, offsets: Ints, few: int = 20) -> tuple[tuple[Ints, Ints], tuple[Ints, Ints]]:
    """(symbols, offsets) of nine tenths and of the rest: every tenth sequence, or the end of each if they are few."""
    lengths = np.diff(offsets)
    row = np.repeat(np.arange(len(lengths)), lengths)
    step = np.arange(len(symbols)) - offsets[row]
    aside = row % 10 == 9 if len(lengths) >= few else step >= lengths[row] * 9 // 10

    def part(chosen: NDArray[np.bool_]) -> tuple[Ints, Ints]:
        return symbols[chosen], np.concatenate([[0], np.cumsum(chosen)])[offsets].astype(np.int64)

    return part(~aside), part(aside)
