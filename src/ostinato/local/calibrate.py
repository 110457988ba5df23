"""How much wider the intervals of a forecast must be to hold the share of the values that they claim.

The factors are those of split conformal prediction (Romano et al. 2019, in its scaled form), with four differences.
The windows of one series are few, so its factor is drawn to that of its panel, and that of a panel of few windows to a
prior. The steps of a window are not independent, so the finite-sample correction counts windows and not steps. Errors
grow with the horizon in another way than a model says, so each step has factors of its own as far as the windows tell. Errors upwards are often larger than errors
downwards, so each side has, too.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtri

from ostinato.emissions.quantiles import LEVELS, MEDIAN
from ostinato.local.held_out import Windows
from ostinato.local.panel import Array

#: The shares of the central intervals of ``LEVELS``, widest first.
SHARES = 1 - 2 * LEVELS[:MEDIAN]
#: The normal deviates of their upper ends.
_DEVIATES = -ndtri(LEVELS[:MEDIAN])
#: Where the 80 % interval is among them.
_EIGHTY = int(np.abs(SHARES - 0.8).argmin())
#: The number of windows at which a panel's own factor counts as much as the prior.
_PRIOR = 12.0
#: The number of windows at which the factors of one side count as much as those of both.
_SIDE = 30.0
#: The number of windows at which the factor of one step counts as much as that of all steps.
_STEP = 30.0
#: The number of its windows at which the scale of a series counts as much as that of its panel.
_SERIES = 12.0
#: No factor is above this: a forecast that is certain and wrong has no factor.
_MOST = 10.0


@dataclass(frozen=True)
class Factors:
    """The factors of the distances from the median to the ends of central intervals.

    Attributes:
        each: The factors at ``SHARES`` of the lower and of the upper ends, (2, S, H, Q // 2); at least 1.
        windows: The number of windows that they stand on.
    """

    each: Array
    windows: int

    def widen(self, quantiles: Array, median: Array, probabilities: Array) -> Array:
        """Return the quantiles, sorted, each moved away from the median by its factor, (S, H, Q).

        Args:
            quantiles: The quantiles, (S, H, Q).
            median: The medians, (S, H).
            probabilities: The probabilities of the quantiles, (Q,).
        """
        deviate, grid = np.abs(ndtri(probabilities)), _DEVIATES[::-1]
        i = np.clip(np.searchsorted(grid, deviate) - 1, 0, len(grid) - 2)
        share = np.clip((deviate - grid[i]) / (grid[i + 1] - grid[i]), 0, 1)
        rising = self.each[..., ::-1]
        low, high = rising[..., i] * (1 - share) + rising[..., i + 1] * share
        factor = np.where(probabilities < 0.5, low, high)
        return np.sort(median[..., None] + factor * (quantiles - median[..., None]), axis=-1)


def scores(y: Array, quantiles: Array) -> Array:
    """Return by what factor the lower and the upper end of each central interval just reaches a value.

    Args:
        y: The values, (...).
        quantiles: The quantiles at ``LEVELS``, (..., Q).

    Returns:
        The factors, (2, ..., Q // 2), widest interval first; below 0 for a value on the other side of the median.
    """
    middle = quantiles[..., MEDIAN, None]
    width = np.stack([middle - quantiles[..., :MEDIAN], quantiles[..., :MEDIAN:-1] - middle])
    error = y[..., None] - middle
    tiny = 1e-9 * np.abs(middle) + 1e-300
    return np.asarray(np.clip(np.stack([-error, error]) / (width + tiny), -_MOST, _MOST))


def calibrate(windows: Windows, quantiles: Array, prior: Array, size: int) -> Factors:
    """Return the factors of each series, step and interval.

    Args:
        windows: The held-out windows.
        quantiles: The forecasts of the combination for them at ``LEVELS``, (N, H, Q).
        prior: The factors without any window, (S, H, Q // 2).
        size: The number of series S.
    """
    N = len(windows)
    if not N:
        return Factors(np.maximum(np.stack([prior, prior]), 1.0), 0)
    score, seen = scores(windows.y, quantiles), np.isfinite(windows.y)
    scale = _scales(score.max(axis=0)[..., _EIGHTY], seen, windows.series, size)
    score /= scale[windows.series, None, None]
    pooled = _conformal(score, seen, N)
    steps = np.empty((2, windows.y.shape[1], len(SHARES)))
    for h in range(steps.shape[1]):
        near, count = slice(max(0, h - 1), h + 2), int(seen[:, h].sum())
        own = _conformal(score[:, :, near], seen[:, near], N) if seen[:, near].any() else pooled
        steps[:, h] = (count * own + _STEP * pooled) / (count + _STEP)
    share = N / (N + _PRIOR)
    logs = share * (np.log(scale)[:, None, None] + steps[:, None]) + (1 - share) * np.log(prior)
    return Factors(np.maximum(np.exp(logs), 1.0), N)


def _conformal(score: Array, seen: Array, count: int) -> Array:
    """Return the logarithms of the conformal factors of both sides, (2, Q // 2), of steps in ``count`` windows.

    Args:
        score: The factors that reach a value, (2, N, H, Q // 2).
        seen: Whether there is a value, (N, H).
        count: The number of windows, of which the steps are a sample.
    """
    both = _logs(score.max(axis=0)[seen], SHARES, count)
    sides = np.stack([_logs(side[seen], (1 + SHARES) / 2, count) for side in score])
    share = count / (count + _SIDE)
    return np.asarray(share * sides + (1 - share) * both)


def _logs(score: Array, shares: Array, count: int) -> Array:
    """Return the logarithm of the conformal quantile of each column of scores (n, Q // 2), (Q // 2,)."""
    ordered = np.sort(score, axis=0)
    at = np.minimum(shares * (count + 1) / count, 1.0) * (len(ordered) - 1)
    low = np.floor(at).astype(np.int64)
    high, share, column = np.minimum(low + 1, len(ordered) - 1), at - low, np.arange(len(shares))
    return np.log(np.maximum(ordered[low, column] * (1 - share) + ordered[high, column] * share, 1e-2))


def _scales(score: Array, seen: Array, series: NDArray[np.int64], size: int) -> Array:
    """Return the errors of each series over those of its panel, in units of its intervals and shrunken, (S,).

    Args:
        score: The factor that reaches a value, (N, H).
        seen: Whether there is a value, (N, H).
        series: The index of the series of each window, (N,).
        size: The number of series S.
    """
    mean = np.where(seen, score, 0.0).sum(axis=1) / np.maximum(seen.sum(axis=1), 1)
    count = np.bincount(series, minlength=size)
    own = np.bincount(series, mean, minlength=size) / np.maximum(count, 1)
    panel = mean.mean()
    logs = np.log(np.maximum(own, 0.1 * panel) / panel) if panel > 0 else np.zeros(size)
    return np.exp(np.where(count > 0, logs * count / (count + _SERIES), 0.0))
