"""How much wider the intervals of a forecast must be to hold the share of the values that they claim.

The factors are those of split conformal prediction (Romano et al. 2019, in its scaled form), with these differences:

- The windows of one series are few, so its factor is drawn to that of its panel, as far as the windows of one series
  do not resemble each other. Intervals are judged with the scale that a series has without the window itself: else
  every window would look like what its series expects, and the factors of the panel would be too small.
- A combination has smaller errors than its members, so the mean of their intervals is too wide. The ratio of these
  errors in the same windows shows by how much (see ``log_error_ratio``): it is .75 on half-hourly demand and .94 on
  monthly series. The factors of series with few windows are shrunk towards this ratio.
- If windows ask for narrower intervals than that, half of the narrowing is applied, because the windows of a few dates
  may all be calm. It is that of the 95 % interval. What other intervals ask for beyond it is the shape of the errors,
  which does not depend on how calm a window is, and is applied in full: with heavy tails, the interval of 40 % is
  narrower beside that of 95 %. On the hourly and weekly series of M4, 80 % intervals hold 84 % of the values, and 86 %
  where half of the narrowing of each level is applied. The scaled quantile loss is .5 % lower.
- The steps of a window are not independent, but together they tell more than one value: about as much as the square
  root of their number (see ``worth``). The finite-sample correction counts what they are worth. With two windows of 48
  steps it asks for the 86 % quantile where 80 % are to be held; if windows counted, it would ask for the maximum.
- Errors grow with the horizon in another way than a model says, so each step has factors of its own as far as the
  windows tell.
- Errors upwards are often larger than errors downwards, so one number of the panel moves width from one side of the
  intervals to the other. Factors for each side and level would also move the median, by what was chance. The side on
  which errors are large may be that of a date, so for this number windows of one date count by how alike they are (see
  ``dates``).
- The windows before the last one count less, because the last one resembles the future most.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtri

from ostinato.emissions.quantiles import LEVELS, MEDIAN
from ostinato.local.dates import independent
from ostinato.local.held_out import Windows
from ostinato.shapes import Array

#: The shares of the central intervals of ``LEVELS``, widest first.
SHARES = 1 - 2 * LEVELS[:MEDIAN]
#: The normal deviates of their upper ends.
_DEVIATES = -ndtri(LEVELS[:MEDIAN])
#: Where the 95, 90 and 80 % intervals are among them.
_OUTER = slice(1, 4)
_EIGHTY = 3
#: The interval whose narrowing is that of all: 95 %.
_WHOLE = 1
#: The number of independent values at which a panel's own factor counts as much as a factor of 1. It is the variance of
#: the logarithm of the score of a step, 1.2, over that of what the windows of a series have in common, .06, in M1 and
#: tourism. From 14 to 28 the loss differs by less than .6 % where each series of these groups stands alone.
_PRIOR = 20.0
#: The number of independent windows at which the skewness of a panel counts half, and its greatest size. The number is
#: the variance of the mean sign of the errors of a window, .46, over the mean square of what panels have in common,
#: .062. Both are those of the six groups of M1 and tourism, in their windows before the answers.
_SIDE, _SKEW = 7.0, 0.5
#: The number of windows at which the factor of one step counts as much as that of all steps.
_STEP = 30.0
#: The length of a series, in horizons, at which the shrinkage of ``log_error_ratio`` is one half. Short series have 3
#: to 10 horizons. There the intervals of members are too narrow by as much as the mean reduces errors, so 1 is right.
_KNOWN = 50.0
#: The least mean score of a window, as a share of that of its panel.
_TINY = 0.1
#: The weight of a window as a share of that of the next later one.
_RECENT = 0.5
#: No factor is above this: a forecast that is certain and wrong has no factor.
_MOST = 10.0
#: The share of the narrowing that windows ask for that is applied. With 1/2, the scaled quantile loss is lower than
#: with 0 in each of six windows of M4's hourly and of its weekly series (by 4 %), and as low on M1 and tourism. With 1,
#: the few series of hourly demand that move together in a window lose as much as the others gain. Where each of these
#: series stands alone, 1 lowers the loss by up to 1.3 %. But both windows before a rough day may be calm: on one such
#: day of half-hourly demand, 80 % and 95 % intervals held 48 and 60 % of the values.
_NARROWER = 0.5
#: The share of values equal to the median from which a forecast has a mass there.
_TIED = 0.1
#: The least factor that scores can say.
_LEAST = 0.1


@dataclass(frozen=True)
class Factors:
    """The factors of the distances from the median to the ends of central intervals.

    Attributes:
        each: The factors at ``SHARES`` of the lower and of the upper ends, (2, S, H, Q // 2).
    """

    each: Array

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


def worth(windows: int, steps: int) -> float:
    """Return the number of independent values that say as much about the width of intervals as windows of some steps.

    It was measured as the variance of what one step says over that of the mean of a window, within the series of a
    panel. By the logarithms of scores, windows of 4, 6, 13, 18, 24 and 48 steps are worth 2.4, 2.4, 3.0, 5.0, 7.5 and
    6.3 values, and those of 8 steps 2.8 or 3.8 (tourism, M1, and the training parts of M4). By whether a value lies
    within the 80 % interval it is the same to 6 %. The square roots are 2.0, 2.4, 2.8, 3.6, 4.2, 4.9 and 6.9.

    Args:
        windows: The number of windows.
        steps: The number of steps of each.
    """
    return float(windows * np.sqrt(steps))


def log_error_ratio(windows: Windows, quantiles: Array, weights: Array, lengths: NDArray[np.int64]) -> Array:
    """Return the logarithm of the ratio of the error of a combination to the error of its members, (S,), at most 0.

    The ratio is the mean absolute error of the combination over the weighted mean absolute error of its members, in
    all windows. The volatility of a window cancels in it, so a few windows are enough to estimate it.

    Args:
        windows: The held-out windows.
        quantiles: The forecasts of the combination for them at ``LEVELS``, (N, H, Q).
        weights: The weights of the members in each window, (N, M).
        lengths: The numbers of steps of the series, (S,).
    """
    each = np.abs(windows.y - windows.quantiles[..., MEDIAN]) / windows.unit[:, None]
    members = float(np.nansum(np.einsum("nm,mnh->nh", weights, each)))
    combined = float(np.nansum(np.abs(windows.y - quantiles[..., MEDIAN]) / windows.unit[:, None]))
    if not 0 < combined <= members < np.inf:
        return np.zeros(len(lengths))
    horizons = lengths / windows.y.shape[1]
    return np.asarray(np.log(combined / members) * horizons / (horizons + _KNOWN))


def calibrate(windows: Windows, quantiles: Array, size: int, before: Array | float = 0.0) -> Factors:
    """Return the factors of each series, step and interval.

    Args:
        windows: The held-out windows.
        quantiles: The forecasts of the combination for them at ``LEVELS``, (N, H, Q).
        size: The number of series S.
        before: The logarithms that the factors of few windows are shrunk towards, (S,) or one number for all
            series; see ``log_error_ratio``.
    """
    N = len(windows)
    if not N:
        return Factors(np.ones((2, size, windows.y.shape[1], len(SHARES))))
    score, seen = scores(windows.y, quantiles), np.isfinite(windows.y)
    weight = np.asarray(_RECENT**windows.age, dtype=np.float64)
    scale, without = _scales(score.max(axis=0)[..., _EIGHTY], seen, windows.series, size)
    score /= without[:, None, None]
    sides = np.where(seen, np.sign(windows.y - quantiles[..., MEDIAN]), 0.0).sum(axis=1)
    sure = independent(sides / np.maximum(seen.sum(axis=1), 1), windows.age)
    sure /= sure + _SIDE
    pooled = _conformal(score, seen, weight, sure)
    steps = np.empty((2, windows.y.shape[1], len(SHARES)))
    for h in range(steps.shape[1]):
        near, count = slice(max(0, h - 1), h + 2), int(seen[:, h].sum())
        own = _conformal(score[:, :, near], seen[:, near], weight, sure) if seen[:, near].any() else pooled
        steps[:, h] = (count * own + _STEP * pooled) / (count + _STEP)
    values = worth(*windows.y.shape)
    start = np.broadcast_to(before, size)[:, None, None]
    told = values / (values + _PRIOR) * (np.log(scale)[:, None, None] + steps[:, None] - start)
    calm = np.minimum(told[..., _WHOLE].mean(axis=0), 0.0)[..., None]
    return Factors(np.exp(start + told - (1 - _NARROWER) * calm))


def _conformal(score: Array, seen: NDArray[np.bool_], weight: Array, sure: float) -> Array:
    """Return the logarithms of the conformal factors of both sides, (2, Q // 2).

    Args:
        score: The factors that reach a value, (2, N, H, Q // 2).
        seen: Whether there is a value, (N, H).
        weight: The weights of the windows, (N,).
        sure: The share of the skewness that counts.
    """
    count = worth(*seen.shape)
    each = np.broadcast_to(weight[:, None], seen.shape)[seen]
    most, sides = score.max(axis=0)[seen], [side[seen] for side in score]
    both, shares = _logs(most, SHARES, count, each), (1 + SHARES) / 2
    low, high = (_logs(side[:, _OUTER], shares[_OUTER], count, each) for side in sides)
    if min(low.min(), high.min()) <= np.log(_LEAST):
        # One side has no errors to compare with. If that is because values are equal to the median, such as 0, the
        # interval of 80 % from 0 to the 90 % quantile is to hold 90 %: the factors are those of that quantile.
        if (most == 0).mean() > _TIED:
            both = np.maximum(*(_logs(side, shares, count, each) for side in sides))
        return np.stack([both, both])
    skew = sure * np.clip((high - low).mean() / 2, -_SKEW, _SKEW)
    return np.stack([both - skew, both + skew])


def _logs(score: Array, shares: Array, count: float, weight: Array) -> Array:
    """Return the logarithm of the conformal quantile of each column of scores, (Q // 2,).

    Args:
        score: The factors that reach a value, (n, Q // 2).
        shares: The share of the values to reach in each column, (Q // 2,).
        count: The number of independent values in the finite-sample correction.
        weight: The weight of each row, (n,).
    """
    out = np.empty(len(shares))
    for i, share in enumerate(np.minimum(shares * (count + 1) / count, 1.0)):
        out[i] = _quantile(np.ascontiguousarray(score[:, i]), weight, share)  # gaps between values slow a sort down
    return np.log(np.maximum(out, _LEAST))


def _quantile(values: Array, weight: Array, share: float) -> float:
    """Return the weighted quantile of some values, interpolated between the middles of the weights.

    The values of about that rank are sorted first, and all only if these do not hold the quantile: a sort of all takes
    three times as long.

    Args:
        values: The values, (n,).
        weight: Their weights, (n,): powers of two, whose sums no order rounds.
        share: The share, at most 1.
    """
    n, at = len(values), share * weight.sum()
    away, rank = n // 10, min(int(share * n), n - 1)
    low, high = max(rank - away, 0), min(rank + away, n - 1)
    ends = np.partition(values, [low, high])[[low, high]]
    near = (values >= ends[0]) & (values <= ends[1])  # none of them if an end is NaN
    for some, below in ((near, weight[values < ends[0]].sum()), (np.ones(n, dtype=bool), 0.0)):
        if not some.any():
            continue
        sorted_values, each = values[some], weight[some]
        order = np.argsort(sorted_values, kind="stable")
        sorted_values, each = sorted_values[order], each[order]
        middle = below + np.cumsum(each) - each / 2
        if (middle[0] <= at or low == 0) and (at <= middle[-1] or high == n - 1):
            break
    return float(np.interp(at, middle, sorted_values))


def _scales(score: Array, seen: NDArray[np.bool_], series: NDArray[np.int64], size: int) -> tuple[Array, Array]:
    """Return the errors of each series over those of its panel, in units of its intervals and shrunken.

    The logarithms of the windows' scores have a part that the windows of one series share. Its share of their variance
    is their mean product over the pairs of windows of one series, less what chance makes of it (James and Stein 1961).

    Args:
        score: The factor that reaches a value, (N, H).
        seen: Whether there is a value, (N, H).
        series: The index of the series of each window, (N,).
        size: The number of series S.

    Returns:
        The scale of each series, (S,), and that of each window's series without this window, (N,).
    """
    mean = np.where(seen, score, 0.0).sum(axis=1) / np.maximum(seen.sum(axis=1), 1)
    logs = np.log(np.maximum(mean, max(_TINY * mean.mean(), 1e-300)))
    logs -= logs.mean()
    count, total = np.bincount(series, minlength=size), np.bincount(series, logs, minlength=size)
    pairs, variance = float((count * (count - 1)).sum()) / 2, float((logs**2).mean())
    if not pairs or not variance:
        return np.ones(size), np.ones(len(series))
    products = float((total**2 - np.bincount(series, logs**2, minlength=size)).sum()) / 2
    alike = products / pairs / variance
    alike = max(alike - 1 / (pairs * alike), 0.0) if alike > 0 else 0.0
    own = np.exp(total * alike / (1 + (count - 1) * alike))
    others = count[series] - 1
    return own, np.exp((total[series] - logs) * alike / (1 + (others - 1) * alike))
