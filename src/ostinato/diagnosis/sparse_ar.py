"""How far back a closed form finds something to use: autoregressions on the few lags that earn their parameter.

An AR(K) pays for every lag up to K, so that one good lag far out drowns in the cost of all before it. Here lags are
taken one at a time, the most useful first, and what the past up to a lag is worth is judged on held-out steps.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ostinato.layers.lagged import lagged
from ostinato.layers.least_squares import Array

#: Lags that a sparse autoregression may have.
MOST = 32


@dataclass(frozen=True)
class LagRewards:
    """What the past up to each lag brings a reference on held-out steps.

    lags    (C,): ascending, the first is 0; where a lag was ``picked`` it is among them
    gains   (C,): nats a step that the past up to it brings
    errors  (C,): standard error of what lies beyond it, the last gain less this one
    picked  the lags in the reference that may use all of them, ascending
    score   nats a step that the reference has with no past; with a gain added, what it has with that past
    steps   held-out steps that this is the mean of
    """

    lags: NDArray[np.int64]
    gains: Array
    errors: Array
    picked: tuple[int, ...]
    score: float
    steps: int

    def reach(self, worth: float) -> int:
        """The nearest lag beyond which older inputs bring less than ``worth`` nats a step, or less than is certain."""
        best = int(np.argmax(self.gains))
        left = self.gains[best] - self.gains
        return int(self.lags[int(np.argmax(left <= np.maximum(worth, 2 * self.errors)))])

    def at(self, lag: int) -> tuple[float, float]:
        """The gain of the past up to any lag, and its error: a lag that nobody looked at brings nothing."""
        i = int(np.searchsorted(self.lags, lag, side="right")) - 1
        return float(self.gains[i]), float(self.errors[i])


def together(parts: list[LagRewards]) -> LagRewards:
    """Of several channels: nats a step of all of them."""
    lags = np.unique(np.concatenate([p.lags for p in parts]))
    at = np.array([[p.at(int(lag)) for lag in lags] for p in parts])
    picked = tuple(sorted({lag for p in parts for lag in p.picked}))
    errors = np.sqrt((at[:, :, 1] ** 2).sum(axis=0))
    return LagRewards(
        lags, at[:, :, 0].sum(axis=0), errors, picked, sum(p.score for p in parts), max(p.steps for p in parts)
    )


NOTHING = LagRewards(np.zeros(1, dtype=np.int64), np.zeros(1), np.zeros(1), (), -np.inf, 0)


def sparse_autoregression(
    values: Array, offsets: NDArray[np.int64], held_out: NDArray[np.bool_], fitted: NDArray[np.bool_], cuts: list[int]
) -> LagRewards:
    """One channel, values (N,) cut by offsets (B + 1), NaN where missing; fitted and held_out (N,): which targets.

    Lags are added by orthogonal matching pursuit (Pati, Rezaiifar, Krishnaprasad 1993) while the extended BIC with
    gamma = 1 falls (Chen and Chen 2008): a lag must pay log n for its coefficient and 2 log K for having been chosen
    among K. The likelihood is a normal's whose spread is that of the held-out steps themselves, so that a change of
    level in the noise is nobody's gain.
    """
    if not np.isfinite(values).any():
        return NOTHING
    rows = lagged(values, offsets, "c")
    fitted, held_out = fitted & np.isfinite(values), held_out & np.isfinite(values)
    farthest = cuts[-1]
    while farthest and (fitted & (rows.run > farthest)).sum() < max(30, (fitted & (rows.run > 0)).sum() / 2):
        farthest -= 1
    R, n = rows.triangle(fitted, farthest), int((fitted & (rows.run > farthest)).sum())
    if not (held_out & (rows.run > farthest)).any() or n < 8:
        return NOTHING
    G = R.T @ R
    wanted = np.log(n) + 2 * np.log(max(farthest, 1))
    every = _pursue(G, farthest, n, wanted)
    lags = sorted({0, *(c for c in cuts if c < farthest), farthest, *every})
    solved, chosen = np.zeros((len(lags), farthest + 1)), every
    for i, lag in reversed(list(enumerate(lags))):
        # a search that never looked beyond a lag is the same search where it may not
        chosen = chosen if max(chosen, default=0) <= lag else _pursue(G, lag, n, wanted)
        columns = [0, *sorted(chosen)]
        solved[i, columns] = np.linalg.lstsq(R[:, columns], R[:, -1], rcond=None)[0]
    errors = np.concatenate([block[:, -1:] - block[:, :-1] @ solved.T for block in rows.blocks(held_out, farthest)])
    squares = errors**2
    mean = np.maximum(squares.mean(axis=0), 1e-300)
    gains = 0.5 * np.log(mean[0] / mean)
    best = int(np.argmax(gains))
    apart = 0.5 * (squares / mean - (squares / mean)[:, best : best + 1])
    error = apart.std(axis=0) / np.sqrt(len(squares))
    score = -0.5 * float(np.log(2 * np.pi * np.e * mean[0] * rows.scale**2))
    return LagRewards(np.array(lags, dtype=np.int64), gains, error, tuple(sorted(every)), score, len(squares))


def _pursue(G: Array, farthest: int, n: int, cost: float) -> list[int]:
    """The lags 1 .. farthest that pay ``cost``, as they are taken; G = [1, lags | y]' [1, lags | y] of n rows."""
    keep = [*range(farthest + 1), len(G) - 1]
    A = G[np.ix_(keep, keep)].copy()
    least = 1e-9 * np.diag(A)[:-1]
    chosen: list[int] = []
    at = 0
    while True:
        # eliminating a column leaves the others as what it does not explain of them
        A -= np.outer(A[:, at], A[at]) / A[at, at]
        free = np.diag(A)[:-1] > least
        gains = np.where(free, A[:-1, -1] ** 2 / np.where(free, np.diag(A)[:-1], 1.0), 0.0)
        at = int(np.argmax(gains))
        rest = A[-1, -1] - gains[at]
        if len(chosen) == MOST or not free[at] or A[-1, -1] <= 1e-12 * G[-1, -1]:
            return chosen
        if n * np.log(A[-1, -1] / max(rest, 1e-12 * G[-1, -1])) <= cost:
            return chosen
        chosen.append(at)
