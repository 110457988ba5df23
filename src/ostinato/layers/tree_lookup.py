"""Looking up symbols in the tree of contexts of a Markov chain, many at a time.

A tree of millions of contexts is far larger than the cache of a processor, and a look-up at a random place of it waits
for the memory. So the symbols are looked up in the order of the symbols before them: equal contexts then stand next to
each other and are looked up once, and look-ups that follow one another find what they need close together. A context
that was never seen has no longer one that was, so its symbol is done.
"""

from __future__ import annotations

from collections.abc import Iterable
from itertools import chain, islice
from typing import NamedTuple

import numpy as np

from ostinato.layers.contexts import NOTHING, Ints, find
from ostinato.shapes import Array


class Tree(NamedTuple):
    """The contexts of all orders with what followed them; the attributes are those of ``Markov``.

    Attributes:
        edges: parent * (V + 1) + (oldest symbol + 1) of each context but the empty one, (C - 1,), sorted.
        pairs: context * V + symbol of each pair, (E,), sorted.
        weights: The discounted probability of each pair, (E,).
        backoff: The probability that each context leaves to its parent, (C,).
        vocabulary: The number of symbols, V.
    """

    edges: Ints
    pairs: Ints
    weights: Array
    backoff: Array
    vocabulary: int


def probabilities(tree: Tree, symbols: Ints, older: Iterable[Ints]) -> Array:
    """Return the probability of each symbol after those before it, (N,), float64; any number where one is missing.

    Args:
        tree: The contexts.
        symbols: The symbols, (N,). Negative where one is missing.
        older: The symbols 1, 2, ..., K steps before each of them, (N,) each; START and NOTHING for what is none.
    """
    V, older = tree.vocabulary, iter(older)
    # the nearest symbols before each one as the digits of one number, as many as it can hold, the nearest first
    bits = (V + 1).bit_length()
    near = list(islice(older, 63 // bits))
    past = np.zeros(len(symbols), dtype=np.int64)
    for earlier in near:
        past = (past << bits) | (earlier - NOTHING)
    order = np.argsort(past)
    symbols, past = symbols[order], past[order]
    # the places in this order whose context was seen, and that context
    place, context = np.arange(len(symbols)), np.zeros(len(symbols), dtype=np.int64)
    p = _mixed(tree, np.full(len(symbols), 1 / V), context, symbols)
    for k, earlier in enumerate(chain(near, older)):
        if k < len(near):
            before = ((past >> bits * (len(near) - 1 - k)) & ((1 << bits) - 1)) + NOTHING
        else:
            before = earlier[order[place]]
        edges = np.where(before > NOTHING, context * (V + 1) + before + 1, -1)  # no context has an edge of -1
        first = np.flatnonzero(np.diff(edges, prepend=edges[:1] - 1))  # of each run of equal ones
        at, found = find(tree.edges, edges[first])
        runs = np.diff(first, append=len(edges))
        seen = np.repeat(found, runs)
        context = np.repeat(at[found] + 1, runs[found])  # context i + 1 has edge i
        place, symbols, past = place[seen], symbols[seen], past[seen]
        p[place] = _mixed(tree, p[place], context, symbols)
    out = np.empty_like(p)
    out[order] = p
    return out


def _mixed(tree: Tree, below: Array, context: Ints, symbols: Ints) -> Array:
    """Return the probability of symbols (N,) in contexts (N,), interpolated with that in their parents, (N,)."""
    p = tree.backoff[context] * below
    if len(tree.pairs):
        at, found = find(tree.pairs, context * tree.vocabulary + symbols)
        p += np.where(found, tree.weights[at], 0.0)
    return p
