"""Smoothing of counts into probabilities: interpolated modified Kneser-Ney, and the best order on held-out data."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from ostinato.layers.contexts import NOTHING, Ints, Order, before, find, orders
from ostinato.shapes import Array

Floats = Array

#: The search for the best order stops after this many orders in a row without an improvement.
PATIENCE = 3


class Discounted(NamedTuple):
    """The parts of P_k(w | c) = weights[c * V + w] + backoff[c] P_{k-1}(w | c without its oldest symbol).

    Attributes:
        weights: The discounted probability of each pair that was seen, (E,).
        backoff: The probability that each context leaves to the order below, (C,).
    """

    weights: Floats
    backoff: Floats


def discount(counts: Ints, context: Ints, contexts: int) -> Discounted:
    """Discount the counts of pairs, and leave the probability that this frees to the order below.

    Modified Kneser-Ney: Chen and Goodman (1999), "An empirical study of smoothing techniques for language modeling",
    equations 22 to 26: one discount each for counts of 1, 2, and 3 or more, from the counts of counts. A discount that
    they leave undefined, or that is not between 0 and its count, is half its count.

    Args:
        counts: The counts of the pairs, (E,).
        context: The context of each pair, (E,), from 0 to contexts - 1.
        contexts: The number of contexts, C.
    """
    n = [int((counts == i).sum()) for i in range(1, 5)]
    less = np.array([0.0, 0.5, 1.0, 1.5])
    for i in (1, 2, 3):
        if n[0] and n[i - 1]:
            estimate = i - (i + 1) * n[0] / (n[0] + 2 * n[1]) * n[i] / n[i - 1]
            if 0 < estimate < i:
                less[i] = estimate
    off = less[np.minimum(counts, 3)]
    total = np.bincount(context, weights=counts, minlength=contexts)
    backoff = np.bincount(context, weights=off, minlength=contexts)
    # a context with no pairs (order 0 of empty data) leaves everything to the order below
    seen = total > 0
    return Discounted((counts - off) / total[context], np.where(seen, backoff / np.where(seen, total, 1), 1.0))


def smooth(order: Order, vocabulary: int, *, top: bool) -> Discounted:
    """Return one order's part of the interpolation.

    Args:
        order: The contexts of the order.
        vocabulary: The number of symbols, V.
        top: Whether it is the highest order, which uses the counts; lower orders use the number of different symbols
            that each pair was seen after.
    """
    return discount(order.counts if top else order.continued, order.pairs // vocabulary, len(order.edges))


def mix(below: Floats, context: Ints, symbols: Ints, pairs: Ints, smoothed: Discounted, vocabulary: int) -> Floats:
    """Return P_k of each symbol, (N,), interpolated with the order below.

    Args:
        below: P_{k-1} of each symbol, (N,).
        context: The context of order k of each symbol, (N,); -1 if that context was never seen.
        symbols: The symbols, (N,).
        pairs: The sorted pairs of order k, (E,).
        smoothed: The discounted probabilities of order k.
        vocabulary: The number of symbols in the vocabulary, V.
    """
    known = context >= 0
    p = np.where(known, smoothed.backoff[np.maximum(context, 0)], 1.0) * below
    if len(pairs):
        at, found = find(pairs, context * vocabulary + symbols)
        p += np.where(found & known, smoothed.weights[at], 0.0)
    return p


def deeper(edges: Ints, context: Ints, older: Ints, vocabulary: int) -> Ints:
    """Return the contexts that are one symbol longer, (N,), as places in edges.

    Args:
        edges: The sorted edges of the next order, (C,).
        context: The contexts of this order, (N,); -1 if never seen.
        older: The symbol before each context, (N,).
        vocabulary: The number of symbols in the vocabulary, V.

    Returns:
        Places in edges, (N,); -1 if the longer context was never seen or ``older`` is NOTHING.
    """
    at, found = find(edges, context * (vocabulary + 1) + older + 1)
    return np.where(found & (context >= 0) & (older > NOTHING), at, -1)


def best_orders(data: tuple[Ints, Ints], held_out: tuple[Ints, Ints], vocabulary: int, max_order: int) -> list[Order]:
    """Return the orders 0 .. K that give the held-out symbols the greatest log probability.

    One pass scores every K in turn, and stops after PATIENCE orders without an improvement.

    Args:
        data: The symbols to count, and the offsets of their sequences.
        held_out: The symbols to score, and the offsets of their sequences.
        vocabulary: The number of symbols in the vocabulary, V.
        max_order: The highest order to consider.
    """
    symbols, offsets = held_out
    seen = symbols >= 0
    context, lower = np.zeros(len(symbols), dtype=np.int64), np.full(len(symbols), 1 / vocabulary)
    kept: list[Order] = []
    best, highest = 0, -np.inf
    for k, order in enumerate(orders(*data, vocabulary)):
        if k > max_order or k > best + PATIENCE:
            break
        if k:
            context = deeper(order.edges, context, before(symbols, offsets, k - 1), vocabulary)
        top = mix(lower, context, symbols, order.pairs, smooth(order, vocabulary, top=True), vocabulary)
        lower = mix(lower, context, symbols, order.pairs, smooth(order, vocabulary, top=False), vocabulary)
        kept.append(order)
        nats = float(np.log(top[seen]).sum())
        if nats > highest:
            best, highest = k, nats
    return kept[: best + 1]
