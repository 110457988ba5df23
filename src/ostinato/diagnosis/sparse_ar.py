"""The reward of the past by a closed form: autoregressions on the few lags that are worth a parameter each.

The gain of the past up to a lag is measured on held-out steps. The lags are those of ``layers.lag_search``, which a fit
uses too.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ostinato.layers.lag_search import moments, pursue
from ostinato.layers.lagged import Lagged, dense, lagged
from ostinato.shapes import Array


@dataclass(frozen=True)
class LagRewards:
    """What the past up to each lag gains a reference on held-out steps.

    Attributes:
        lags: The lags, (C,), ascending from 0. Every picked lag is among them.
        gains: The gain in nats a step from the past up to each lag, (C,).
        errors: The standard error of the gain beyond each lag, (C,): that of the greatest gain less this one.
        picked: The lags of the reference that may use all of them, ascending.
        score: The log-likelihood in nats a step of the reference without a past. With a gain added, it is the
            log-likelihood with that past.
        steps: The number of held-out steps in the means.
    """

    lags: NDArray[np.int64]
    gains: Array
    errors: Array
    picked: tuple[int, ...]
    score: float
    steps: int

    def reach(self, worth: float) -> int:
        """Return the nearest lag beyond which older inputs gain less than ``worth``, or less than two standard errors.

        Args:
            worth: The least gain that counts, in nats a step.
        """
        best = int(np.argmax(self.gains))
        left = self.gains[best] - self.gains
        return int(self.lags[int(np.argmax(left <= np.maximum(worth, 2 * self.errors)))])

    def at(self, lag: int) -> tuple[float, float]:
        """Return the gain of the past up to a lag, and the standard error of the gain beyond it.

        Args:
            lag: The lag in steps. A lag between two measured ones counts as the nearer one.
        """
        i = int(np.searchsorted(self.lags, lag, side="right")) - 1
        return float(self.gains[i]), float(self.errors[i])

    def beyond(self, lag: int) -> tuple[float, float]:
        """Return the gain of the inputs older than a lag, and its standard error.

        Args:
            lag: The lag in steps.
        """
        gain, error = self.at(lag)
        return float(self.gains.max()) - gain, error


def together(parts: list[LagRewards]) -> LagRewards:
    """Return the rewards of several channels together, in nats a step of all channels.

    Args:
        parts: The rewards of each channel.
    """
    lags = np.unique(np.concatenate([p.lags for p in parts]))
    at = np.array([[p.at(int(lag)) for lag in lags] for p in parts])
    picked = tuple(sorted({lag for p in parts for lag in p.picked}))
    errors = np.sqrt((at[:, :, 1] ** 2).sum(axis=0))
    return LagRewards(
        lags, at[:, :, 0].sum(axis=0), errors, picked, sum(p.score for p in parts), max(p.steps for p in parts)
    )


#: The result for data that are too short or have no observed value.
NOTHING = LagRewards(np.zeros(1, dtype=np.int64), np.zeros(1), np.zeros(1), (), -np.inf, 0)


def sparse_autoregression(
    values: Array, offsets: NDArray[np.int64], held_out: NDArray[np.bool_], fitted: NDArray[np.bool_], cuts: list[int]
) -> LagRewards:
    """Return the reward of the past of one channel.

    The likelihood is that of a normal distribution whose standard deviation is taken from the held-out steps
    themselves, so that a change in the level of the noise gains nothing.

    Args:
        values: The values of the channel, (N,), the sequences one after another. NaN where a value is missing.
        offsets: The borders of the B sequences, (B + 1,).
        held_out: The targets that are scored, (N,).
        fitted: The targets that are fitted, (N,).
        cuts: The lags to measure, ascending.
    """
    if not np.isfinite(values).any():
        return NOTHING
    rows = lagged(values, offsets, "c")
    fitted, held_out = fitted & np.isfinite(values), held_out & np.isfinite(values)
    farthest = cuts[-1]
    while farthest and (fitted & (rows.run > farthest)).sum() < max(30, (fitted & (rows.run > 0)).sum() / 2):
        farthest -= 1
    targets = fitted & (rows.run > farthest)
    if not (held_out & (rows.run > farthest)).any() or targets.sum() < 8:
        return NOTHING
    lags, solved, picked = _solve(moments(rows, targets, farthest), int(targets.sum()), farthest, cuts)
    squares = _squared_errors(rows, held_out, farthest, solved)
    mean = np.maximum(squares.mean(axis=0), 1e-300)
    gains = 0.5 * np.log(mean[0] / mean)
    best = int(np.argmax(gains))
    apart = 0.5 * (squares / mean - (squares / mean)[:, best : best + 1])
    error = apart.std(axis=0) / np.sqrt(len(squares))
    score = -0.5 * float(np.log(2 * np.pi * np.e * mean[0] * rows.scale**2))
    return LagRewards(lags, gains, error, picked, score, len(squares))


def _solve(G: Array, n: int, farthest: int, cuts: list[int]) -> tuple[NDArray[np.int64], Array, tuple[int, ...]]:
    """Return the measured lags (C,), the coefficients (C, farthest + 1) with the past cut at each, and the picked lags.

    G holds the sums of products of [1, lags | y] over the n fitted rows.
    """
    picked = pursue([G], farthest, [n], farthest)
    lags = sorted({0, *(c for c in cuts if c < farthest), farthest, *picked})
    solved, chosen = np.zeros((len(lags), farthest + 1)), picked
    for i, lag in reversed(list(enumerate(lags))):
        # a search that took no lag beyond this one is the same search with the lags limited to this one
        chosen = chosen if max(chosen, default=0) <= lag else pursue([G], lag, [n], farthest)
        columns = [0, *sorted(chosen)]
        solved[i, columns] = np.linalg.lstsq(G[np.ix_(columns, columns)], G[columns, -1], rcond=None)[0]
    return np.array(lags, dtype=np.int64), solved, tuple(sorted(picked))


def _squared_errors(rows: Lagged, held_out: NDArray[np.bool_], farthest: int, solved: Array) -> Array:
    """Return the squared error of every held-out target under every solution, (n, C)."""
    blocks = rows.blocks(held_out, dense(farthest))
    return np.asarray(np.concatenate([block[:, -1:] - block[:, :-1] @ solved.T for block in blocks]) ** 2)
