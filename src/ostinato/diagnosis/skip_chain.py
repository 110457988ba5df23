"""The reward of the past by a closed form for symbols: a Markov chain, and single symbols at farther lags.

If K is large, almost none of the contexts of the last K symbols occurred in training, so a chain of order K predicts
nothing from them. Lags beyond the order of the chain are therefore taken one at a time: P(x_t | x_{t-k}) is estimated
by counting and mixed into the prediction from the nearer lags.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ostinato.diagnosis.sparse_ar import NOTHING, LagRewards
from ostinato.layers.contexts import Ints, before, find
from ostinato.layers.kneser_ney import Floats
from ostinato.layers.markov import Markov

#: The greatest number of lags that are mixed in.
MOST = 4
#: The weight of the overall frequencies of the symbols against the counts after one symbol, as a number of counts.
PRIOR = 20.0
#: Up to this number of pairs of symbols they are counted in a table, which is faster than a sort.
_TABLE = 1 << 20
#: The steps of expectation-maximisation for the weight of a lag, which starts at .1.
_ROUNDS = 8


class SymbolLags(NamedTuple):
    """Sequences of symbols, and which of the symbols are counted.

    Attributes:
        symbols: The symbols, (N,), the sequences one after another. Negative where a symbol is missing.
        offsets: The borders of the B sequences, (B + 1,).
        counted: Whether a symbol is predicted, and not only seen as a past, (N,).
    """

    symbols: Ints
    offsets: Ints
    counted: NDArray[np.bool_]

    @property
    def seen(self) -> NDArray[np.bool_]:
        """Whether a symbol is counted and not missing, (N,)."""
        return self.counted & (self.symbols >= 0)

    def logs(self, chain: Markov) -> Floats:
        """Return the log-likelihood in nats of the n seen symbols under a chain, (n,).

        Args:
            chain: A Markov chain.
        """
        return chain.log_prob_of(self.symbols, self.offsets)[self.seen]

    def pairs(self, lag: int, vocabulary: int) -> Ints:
        """Return each seen symbol with the one ``lag`` steps earlier, as the number earlier * V + symbol, (n,).

        The number is -1 if there is no symbol that far back.

        Args:
            lag: The lag in steps.
            vocabulary: The number V of different symbols.
        """
        older = before(self.symbols, self.offsets, lag - 1)[self.seen]
        return np.where(older >= 0, older * vocabulary + self.symbols[self.seen], -1)


def skip_chain(
    train: SymbolLags, validation: SymbolLags, held_out: SymbolLags, vocabulary: int, max_order: int, cuts: list[int]
) -> LagRewards:
    """Return the reward of the past by a Markov chain and single symbols at farther lags.

    The chain is counted on the training part. Its order and the farther lags are chosen on the validation part, and the
    rewards are measured on the held-out part. A lag k is mixed in as P <- (1 - w) P + w P(x_t | x_{t-k}), with w from
    expectation maximisation on the validation part. The most useful lag is mixed in first, and each must gain more
    there than its cost by the extended BIC, (log n + 2 log K) / 2 nats.

    Args:
        train: The training part.
        validation: The validation part.
        held_out: The held-out part.
        vocabulary: The number V of different symbols.
        max_order: The greatest order of the chain.
        cuts: The lags to measure, ascending; the last one is K.
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
    # the least gain that is worth a lag: half of log n + 2 log K nats in all, so this much in each of n steps
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
    # the gain of the past up to each lag leaves out the mixed lags beyond it
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


def _given(counted: Ints, pairs: Ints, frequency: Floats) -> Floats:
    """Return P(x_t | x_{t-k}) of pairs, (n,), from counted pairs; NaN if there is no symbol k steps earlier."""
    V = len(frequency)
    counted = counted[counted >= 0]
    if V * V <= _TABLE:
        count = np.bincount(counted, minlength=V * V)[np.maximum(pairs, 0)]
    else:
        different, counts = np.unique(counted, return_counts=True)
        at, present = find(different, pairs)
        count = np.where(present, counts[at], 0) if len(different) else np.zeros_like(pairs)
    total = np.bincount(counted // V, minlength=V)
    p = (count + PRIOR * frequency[pairs % V]) / (total[np.maximum(pairs, 0) // V] + PRIOR)
    return np.where(pairs >= 0, p, np.nan)


def _weight(logs: Floats, q: Floats) -> float:
    """Return the weight of q in a mixture with exp(logs) of the greatest likelihood (Dempster, Laird, Rubin 1977)."""
    known = ~np.isnan(q)
    p, q, weight = np.exp(logs[known]), q[known], 0.1
    for _ in range(_ROUNDS if len(q) else 0):
        weight = float((weight * q / ((1 - weight) * p + weight * q)).mean())
    return weight if len(q) else 0.0


def _mix(logs: Floats, q: Floats, weight: float) -> Floats:
    """Return the log-likelihood of the mixture of exp(logs) and q, (n,); it is logs where q is NaN."""
    return np.where(np.isnan(q), logs, np.logaddexp(logs + np.log1p(-weight), np.log(np.where(q > 0, weight * q, 1.0))))
