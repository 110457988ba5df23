"""The search for the few lags that are worth a parameter each.

An AR(K) pays for every lag up to K, so a single useful lag far back is lost in the cost of all nearer ones. Here the
lags are taken one at a time, the most useful first.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from ostinato.layers.lagged import Lagged
from ostinato.shapes import Array

#: The greatest number of lags that a search takes.
MOST = 32

#: The farthest lag that a fit takes, and that a diagnosis measures by default.
FARTHEST = 512
#: The fewest steps that a lag is searched on.
FEWEST = 30
#: A column depends on the columns that were taken if they leave no larger share of it unexplained.
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


def pursue(sums: Sequence[Array], farthest: int, n: Sequence[int], candidates: int) -> list[int]:
    """Return the lags up to ``farthest`` that are worth a parameter, in the order in which they are taken.

    Lags are added by orthogonal matching pursuit (Pati, Rezaiifar, Krishnaprasad 1993) while the extended BIC with
    gamma = 1 falls (Chen and Chen 2008). A lag must pay log n for its coefficient and 2 log K for its choice among K.
    Several channels take the same lags (simultaneous pursuit; Tropp, Gilbert, Strauss 2006), each with a coefficient of
    its own. Where channels add up to one another, their errors then do so too, which the coupling of channels needs.

    Args:
        sums: The sums of products of [1, lags | y] of each channel, as from ``moments``.
        farthest: The greatest lag that may be taken.
        n: The number of steps that they sum over, for each channel.
        candidates: The number K of lags that a choice is made among.
    """
    steps = np.maximum(np.asarray(n, dtype=np.float64), 1.0)
    cost = float(np.log(steps).sum()) + 2 * np.log(max(candidates, 1))
    keep = [*range(farthest + 1), len(sums[0]) - 1]
    A = np.stack([G[np.ix_(keep, keep)] for G in sums])
    least, nothing = DEPENDENT * np.diagonal(A, axis1=1, axis2=2)[:, :-1], PERFECT * A[:, -1, -1]
    chosen: list[int] = []
    at = 0
    while True:
        for d in np.flatnonzero(A[:, at, at] > least[:, at]):
            # eliminating a column leaves in the others what that column does not explain of them
            A[d] -= np.outer(A[d, :, at], A[d, at] / A[d, at, at])
        diagonal, left = np.diagonal(A, axis1=1, axis2=2)[:, :-1], A[:, -1, -1]
        free = (diagonal > least) & (left > nothing)[:, None]
        drop = np.where(free, A[:, :-1, -1] ** 2 / np.where(free, diagonal, 1.0), 0.0)
        rest = np.maximum(left[:, None] - drop, nothing[:, None])
        ratio = np.where(free, left[:, None] / np.where(free, rest, 1.0), 1.0)
        gains = steps @ np.log(ratio)
        at = int(np.argmax(gains))
        if len(chosen) == MOST or gains[at] <= cost:
            return chosen
        chosen.append(at)


def useful_lags(channels: Sequence[Lagged], fitted: NDArray[np.bool_], farthest: int) -> tuple[int, ...]:
    """Return the lags that are worth a parameter each, ascending; none if there are too few steps.

    Lags are searched up to the greatest one that half of the steps have, so that the choice is not made on a few. Where
    values are missing, the least useful of the lags are left out until half of these steps have all of them.

    Args:
        channels: The channels, D of them.
        fitted: The steps that are fitted, (N,).
        farthest: The greatest lag to consider.
    """
    observed = [fitted & (rows.run > 0) for rows in channels]
    for rows, seen in zip(channels, observed, strict=True):
        dates = np.sort(rows.date[seen])[::-1]
        enough = max(FEWEST, (len(dates) + 1) // 2)
        farthest = min(farthest, int(dates[enough - 1]) - 1) if len(dates) >= enough else 0
    if farthest < 1:
        return ()
    targets = [seen & (rows.date > farthest) for rows, seen in zip(channels, observed, strict=True)]
    n = [int(one.sum()) for one in targets]
    sums = [moments(rows, one, farthest) for rows, one in zip(channels, targets, strict=True)]
    picked = pursue(sums, farthest, n, farthest)
    for rows, one, steps in zip(channels, targets, n, strict=True):
        while picked and (one & rows.complete(sorted(picked))).sum() < steps / 2:
            picked.pop()
    return tuple(sorted(picked))
