"""Smoothing counts into probabilities: interpolated modified Kneser-Ney, and the order that held-out data ask for."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ostinato.layers.contexts import NOTHING, Ints, Order, before, find, orders

Floats = NDArray[np.float64]

#: Orders that may bring nothing before the search for the best one stops.
PATIENCE = 3


class Discounted(NamedTuple):
    """P_k(w | c) = weights[c * V + w] + backoff[c] * P_{k-1}(w | c without its oldest symbol); (E,) and (C,)."""

    weights: Floats
    backoff: Floats


def discount(counts: Ints, context: Ints, contexts: int) -> Discounted:
    """Discount counts (E,) of pairs in context (E,) 0 .. contexts - 1; what is taken off is left to the order below.

    Modified Kneser-Ney: Chen and Goodman (1999), "An empirical study of smoothing techniques for language modeling",
    equations 22 to 26: one discount each for counts of 1, 2, and 3 or more, from the counts of counts.
    A discount that they do not give, or that is not between 0 and its count, is half its count.
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
    # A context nothing followed (only order 0 of no data at all) leaves everything to the order below.
    seen = total > 0
    return Discounted((counts - off) / total[context], np.where(seen, backoff / np.where(seen, total, 1), 1.0))


def smooth(order: Order, vocabulary: int, *, top: bool) -> Discounted:
    """One order's part of the interpolation: the highest one by how often, lower ones by after how many symbols."""
    return discount(order.counts if top else order.continued, order.pairs // vocabulary, len(order.edges))


def mix(below: Floats, context: Ints, symbols: Ints, pairs: Ints, smoothed: Discounted, vocabulary: int) -> Floats:
    """P_k (N,) of symbols (N,) in context (N,), -1 where there is none of this order, from below: P_{k-1} (N,)."""
    known = context >= 0
    p = np.where(known, smoothed.backoff[np.maximum(context, 0)], 1.0) * below
    if len(pairs):
        at, found = find(pairs, context * vocabulary + symbols)
        p += np.where(found & known, smoothed.weights[at], 0.0)
    return p


def deeper(edges: Ints, context: Ints, older: Ints, vocabulary: int) -> Ints:
    """(N,): where in edges the context one symbol longer stands, -1 where it was never seen or ``older`` is NOTHING."""
    at, found = find(edges, context * (vocabulary + 1) + older + 1)
    return np.where(found & (context >= 0) & (older > NOTHING), at, -1)


def best_orders(data: tuple[Ints, Ints], held_out: tuple[Ints, Ints], vocabulary: int, max_order: int) -> list[Order]:
    """The orders 0 .. K of data (symbols, offsets) that give held_out the greatest log-probability, K <= max_order.

    One pass: every K is scored on the way up, and the way ends after PATIENCE orders that brought nothing.
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
