"""First states of exponential smoothing by decomposition (Hyndman et al. 2008, section 2.6.1), for a whole panel."""

from __future__ import annotations

import numpy as np

from ostinato.shapes import Array

#: The smallest multiplicative season to start from.
_LEAST = 0.01


def decomposed(y: Array, m: int, relative: bool) -> tuple[Array, Array, Array, Array]:
    """Return the seasons of each series, (S, m), and ``line`` without them.

    Args:
        y: The values, (S, T), NaN where missing and after the end of a series.
        m: The length of the season in steps; 0 without one.
        relative: Whether a season is a ratio.
    """
    season, adjusted = np.empty((len(y), 0)), y
    if m:
        season = seasons(y, m, multiplicative=relative)
        repeated = np.tile(season, -(-y.shape[1] // m))[:, : y.shape[1]]
        adjusted = y / repeated if relative else y - repeated
    return season, *line(adjusted, max(10, 2 * m))


def seasons(y: Array, m: int, *, multiplicative: bool) -> Array:
    """Return the seasons of each series, that of the first step first, (S, m).

    A season is the mean difference from the centred moving average, or the mean ratio to it.

    Args:
        y: The values, (S, T), NaN where missing.
        m: The length of the season in steps.
        multiplicative: Whether a season is a ratio.

    Returns:
        The seasons: of mean 0, or of mean 1. A season that was never observed is 0, or 1.
    """
    smooth = _moving_average(y, m)
    with np.errstate(all="ignore"):
        single = y / smooth if multiplicative else y - smooth
    single[~np.isfinite(single)] = np.nan
    S, T = y.shape
    cycles = -(-T // m)
    table = np.full((S, cycles * m), np.nan)
    table[:, :T] = single
    found = _mean(table.reshape(S, cycles, m), 1, neutral=float(multiplicative))
    if multiplicative:
        found = np.maximum(found, _LEAST)
        return np.asarray(found / found.mean(1, keepdims=True))
    return np.asarray(found - found.mean(1, keepdims=True))


def line(y: Array, first: int) -> tuple[Array, Array, Array]:
    """Return the line through the first values of each series by least squares, and their mean.

    Args:
        y: The values, (S, T), NaN where missing.
        first: How many steps to take from the start of a series.

    Returns:
        The line at the step before the first, its slope, and the mean, (S,) each.
    """
    head = y[:, :first]
    time = np.where(np.isnan(head), np.nan, np.arange(1.0, head.shape[1] + 1))
    mean, center = _mean(head, 1), _mean(time, 1)
    away = np.nan_to_num(time - center[:, None])
    spread = (away**2).sum(1)
    slope = (away * np.nan_to_num(head - mean[:, None])).sum(1) / np.where(spread > 0, spread, 1)
    return mean - slope * center, slope, mean


def _mean(y: Array, axis: int, neutral: float = 0.0) -> Array:
    """Return the mean of what is not NaN, or ``neutral`` where everything is."""
    seen = ~np.isnan(y)
    count = seen.sum(axis)
    return np.where(count > 0, np.where(seen, y, 0).sum(axis) / np.maximum(count, 1), neutral)


def _moving_average(y: Array, m: int) -> Array:
    """Return the centred moving average over a whole season, (S, T), NaN where the season does not fit or is unseen.

    An even season has half of the weight on each end.
    """
    S, T = y.shape
    weights = np.ones(m + 1 - m % 2)
    if m % 2 == 0:
        weights[[0, -1]] = 0.5
    smooth = np.full((S, T), np.nan)
    width, half = len(weights), len(weights) // 2
    if width > T:
        return smooth
    seen = ~np.isnan(y)
    total, count = np.zeros((S, T - width + 1)), np.zeros((S, T - width + 1))
    for i, w in enumerate(weights):
        total += w * np.where(seen, y, 0)[:, i : T - width + 1 + i]
        count += w * seen[:, i : T - width + 1 + i]
    smooth[:, half : half + total.shape[1]] = np.where(count > m / 2, total / np.maximum(count, 0.5), np.nan)
    return smooth
