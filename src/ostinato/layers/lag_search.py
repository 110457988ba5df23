"""The search for the few lags that are worth a parameter each.

An AR(K) pays for every lag up to K, so a single useful lag far back is lost in the cost of all nearer ones. Here the
lags are taken one at a time, the most useful first.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ostinato.layers.lagged import Lagged
from ostinato.layers.least_squares import Array

#: The greatest number of lags that a search takes.
MOST = 32
#: The fewest steps that a lag is searched on.
FEWEST = 30
#: A column of which no larger share is left by the columns that were taken depends on them.
DEPENDENT = 1e-9
#: The least residual sum of squares, as a share of that of the series.
PERFECT = 1e-12


def moments(rows: Lagged, targets: NDArray[np.bool_], farthest: int) -> Array:
    """Return G = [1, lag 1 .. lag K | y]' [1, lag 1 .. lag K | y] over some steps, (K + 2, K + 2).

    A missing lag counts as the mean. The sums of products of neighbouring lags differ only at the two ends of each run
    of targets (the covariance method; Markel and Gray 1976), so the rows are never made: this takes N K operations, and
    K^2 for each run.

    Args:
        rows: The channel.
        targets: The steps to sum over, (N,): observed, with ``farthest`` steps of their sequence before them.
        farthest: The greatest lag K.
    """
    z, K, N = np.where(rows.run > 0, rows.z, 0.0), farthest, len(rows.z)
    edges = np.diff(np.concatenate([[0], targets.astype(np.int8), [0]]))
    first, stop = np.flatnonzero(edges == 1), np.flatnonzero(edges == -1)
    y, ones = np.where(targets, z, 0.0)[K:], targets[K:].astype(np.float64)
    C, total = np.empty((K + 1, K + 1)), np.empty(K + 1)
    for lag in range(K + 1):
        past = z[K - lag : N - lag]
        C[0, lag], total[lag] = y @ past, ones @ past
    # moved by a step, a run gains the step before its first one and loses its last one
    back = np.arange(K)
    gained, lost = z[first[:, None] - 1 - back], z[stop[:, None] - 1 - back]
    change = gained.T @ gained - lost.T @ lost
    for lag in range(K):
        C[lag + 1, 1:] = C[lag, :-1] + change[lag]
        C[lag + 1, 0] = C[0, lag + 1]
    order = [*range(1, K + 1), 0]
    G = np.empty((K + 2, K + 2))
    G[1:, 1:] = C[np.ix_(order, order)]
    G[0, 0], G[0, 1:], G[1:, 0] = ones.sum(), total[order], total[order]
    return G


def pursue(G: Array, farthest: int, n: int, candidates: int) -> list[int]:
    """Return the lags up to ``farthest`` that are worth a parameter, in the order in which they are taken.

    Lags are added by orthogonal matching pursuit (Pati, Rezaiifar, Krishnaprasad 1993) while the extended BIC with
    gamma = 1 falls (Chen and Chen 2008): a lag must pay log n for its coefficient and 2 log K for its choice among K.

    Args:
        G: The sums of products of [1, lags | y], as from ``moments``.
        farthest: The greatest lag that may be taken.
        n: The number of steps that G sums over.
        candidates: The number K of lags that a choice is made among.
    """
    cost = np.log(n) + 2 * np.log(max(candidates, 1))
    keep = [*range(farthest + 1), len(G) - 1]
    A = G[np.ix_(keep, keep)].copy()
    least = DEPENDENT * np.diag(A)[:-1]
    chosen: list[int] = []
    at = 0
    while True:
        # eliminating a column leaves in the others what that column does not explain of them
        A -= np.outer(A[:, at], A[at]) / A[at, at]
        free = np.diag(A)[:-1] > least
        gains = np.where(free, A[:-1, -1] ** 2 / np.where(free, np.diag(A)[:-1], 1.0), 0.0)
        at = int(np.argmax(gains))
        rest = A[-1, -1] - gains[at]
        if len(chosen) == MOST or not free[at] or A[-1, -1] <= PERFECT * G[-1, -1]:
            return chosen
        if n * np.log(A[-1, -1] / max(rest, PERFECT * G[-1, -1])) <= cost:
            return chosen
        chosen.append(at)


def useful_lags(rows: Lagged, fitted: NDArray[np.bool_], farthest: int) -> tuple[int, ...]:
    """Return the lags that are worth a parameter each, ascending; none if there are too few steps.

    Lags are searched up to the greatest one that half of the steps have, so that the choice is not made on a few. Where
    values are missing, the least useful of the lags are left out until half of these steps have all of them.

    Args:
        rows: The channel.
        fitted: The steps that are fitted, (N,).
        farthest: The greatest lag to consider.
    """
    fitted = fitted & (rows.run > 0)
    dates = np.sort(rows.date[fitted])[::-1]
    enough = max(FEWEST, (len(dates) + 1) // 2)
    farthest = min(farthest, int(dates[enough - 1]) - 1) if len(dates) >= enough else 0
    if farthest < 1:
        return ()
    targets = fitted & (rows.date > farthest)
    n = int(targets.sum())
    picked = pursue(moments(rows, targets, farthest), farthest, n, farthest)
    while picked and (targets & rows.complete(sorted(picked))).sum() < n / 2:
        picked.pop()
    return tuple(sorted(picked))
