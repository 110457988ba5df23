"""How far back a closed form of symbols finds something to use: a Markov chain, then single symbols farther out.

A chain over all of the last K symbols has seen almost none of them before once K is large. What lies beyond its order
is looked at one lag at a time: P(x_t | x_{t-k}) by counting, mixed into what is known from nearer by.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ostinato.diagnosis.sparse_ar import NOTHING, LagRewards
from ostinato.layers.contexts import Ints, before, find
from ostinato.layers.kneser_ney import Floats
from ostinato.layers.markov import Markov

#: Lags that may be mixed in.
MOST = 4
#: What a symbol's own counts must outweigh: so many of the symbols' frequencies are added to them.
PRIOR = 20.0
#: Pairs of symbols up to this many are counted in a table; it is faster than a sort.
_TABLE = 1 << 20


class SymbolLags(NamedTuple):
    """symbols (N,), negative where missing, cut by offsets (B + 1); counted (N,): which of them are looked at."""

    symbols: Ints
    offsets: Ints
    counted: NDArray[np.bool_]

    @property
    def seen(self) -> NDArray[np.bool_]:
        """(N,): counted and not missing."""
        return self.counted & (self.symbols >= 0)

    def logs(self, chain: Markov) -> Floats:
        """Nats of the seen symbols under a chain."""
        return chain.log_prob_of(self.symbols, self.offsets)[self.seen]

    def pairs(self, lag: int, vocabulary: int) -> Ints:
        """Of the seen symbols: the one ``lag`` steps before * V + the symbol, -1 where there is none so far back."""
        older = before(self.symbols, self.offsets, lag - 1)[self.seen]
        return np.where(older >= 0, older * vocabulary + self.symbols[self.seen], -1)


def skip_chain(
    train: SymbolLags, validation: SymbolLags, held_out: SymbolLags, vocabulary: int, max_order: int, cuts: list[int]
) -> LagRewards:
    """A chain counted on train, its order and the farther lags chosen by validation, and all of it judged on held_out.

    A lag is mixed in, P <- (1 - w) P + w P(x_t | x_{t-k}), w by expectation maximisation on validation, where it brings
    more there than the extended BIC asks of it (see reach), the most useful one first.
    """
    if not train.seen.any() or not validation.seen.any() or not held_out.seen.any():
        return NOTHING
    V = vocabulary
    chosen = Markov.fit(train.symbols, train.offsets, V, min(max_order, cuts[-1]), validation[:2])
    known, nats, order = validation.logs(chosen), {chosen.order: held_out.logs(chosen)}, chosen.order
    for k in range(order):
        nats[k] = held_out.logs(Markov.fit(train.symbols, train.offsets, V, k, criterion="given"))
    frequency = np.bincount(train.symbols[train.seen], minlength=V) + 0.5
    frequency = frequency / frequency.sum()
    # least gain on validation, as in reach: half of log n + 2 log K
    least = (0.5 * np.log(len(known)) + np.log(max(cuts[-1], 1))) / len(known)
    mixed: list[tuple[int, float]] = []
    while len(mixed) < MOST:
        best = (least, 0, 0.0)
        for lag in range(order + 1, cuts[-1] + 1):
            q = _given(train.pairs(lag, V), validation.pairs(lag, V), frequency)
            weight = _weight(known, q)
            best = max(best, (float((_mix(known, q, weight) - known).mean()), lag, weight))
        if not best[1]:
            break
        mixed.append(best[1:])
        known = _mix(known, _given(train.pairs(best[1], V), validation.pairs(best[1], V), frequency), best[2])
    picked = sorted(lag for lag, _ in mixed)
    lags = sorted({0, *range(order + 1), *cuts, *picked})
    scored = []
    for lag in lags:
        logs = nats[min(lag, order)]
        for far, weight in mixed:
            if far <= lag:
                logs = _mix(logs, _given(train.pairs(far, V), held_out.pairs(far, V), frequency), weight)
        scored.append(logs)
    gains = np.array([float(logs.mean() - scored[0].mean()) for logs in scored])
    top = scored[int(np.argmax(gains))]
    errors = np.array([float((top - logs).std()) / np.sqrt(len(top)) for logs in scored])
    every = (*range(1, order + 1), *picked)
    return LagRewards(np.array(lags, dtype=np.int64), gains, errors, every, float(scored[0].mean()), len(top))


def _given(counted: Ints, asked: Ints, frequency: Floats) -> Floats:
    """P(x_t | x_{t-k}) (n,) of pairs asked, from pairs counted; NaN where nothing stands so far back."""
    V = len(frequency)
    counted = counted[counted >= 0]
    if V * V <= _TABLE:
        count = np.bincount(counted, minlength=V * V)[np.maximum(asked, 0)]
    else:
        pairs, counts = np.unique(counted, return_counts=True)
        at, found = find(pairs, asked)
        count = np.where(found, counts[at], 0) if len(pairs) else np.zeros_like(asked)
    total = np.bincount(counted // V, minlength=V)
    p = (count + PRIOR * frequency[asked % V]) / (total[np.maximum(asked, 0) // V] + PRIOR)
    return np.where(asked >= 0, p, np.nan)


def _weight(logs: Floats, q: Floats, rounds: int = 8) -> float:
    """The weight of q beside exp(logs) that makes what is seen likeliest (Dempster, Laird, Rubin 1977)."""
    there = ~np.isnan(q)
    p, q, weight = np.exp(logs[there]), q[there], 0.1
    for _ in range(rounds if len(q) else 0):
        weight = float((weight * q / ((1 - weight) * p + weight * q)).mean())
    return weight if len(q) else 0.0


def _mix(logs: Floats, q: Floats, weight: float) -> Floats:
    """Nats of the mixture; those of logs where q is NaN."""
    return np.where(np.isnan(q), logs, np.logaddexp(logs + np.log1p(-weight), np.log(np.where(q > 0, weight * q, 1.0))))
