"""Distributions given by quantiles: the levels, the quantile loss, and the calibration of central intervals.

The quantile loss (Koenker and Bassett 1978) averaged over evenly spaced levels tends to half of the continuous ranked
probability score.
"""

from __future__ import annotations

import numpy as np
from scipy.special import ndtri, stdtrit

from ostinato.shapes import Array

#: The levels that are forecast: the deciles and the ends of the 90, 95 and 99 percent intervals, symmetric about the
#: median.
LEVELS = np.array([0.005, 0.025, 0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 0.975, 0.995])
MEDIAN = len(LEVELS) // 2
#: By how much the intervals of a model must be widened before any held-out stretch is seen, and the number of stretches
#: that this counts as. With these values, 80 and 95 % intervals of short series by themselves held their level on 240
#: series of the M1 and tourism competitions.
UNSEEN, PRIOR = 1.4, 4.0
DECILES = slice(3, 12)


def pinball(y: Array, quantiles: Array, probabilities: Array) -> Array:
    """Return twice the quantile loss; its mean over a fine grid of levels is the CRPS (Gneiting and Ranjan 2011).

    Args:
        y: The observed values, (...).
        quantiles: The quantiles, (..., Q).
        probabilities: The levels of the quantiles, (Q,).

    Returns:
        Losses in the units of y, (..., Q).
    """
    error = np.asarray(y[..., None] - quantiles, dtype=np.float64)
    loss = np.asarray(probabilities * error)
    error *= probabilities - 1  # in place: new arrays of this size cost more than the arithmetic
    np.maximum(loss, error, out=loss)
    loss *= 2
    return loss


def quantile_loss(y: Array, quantiles: Array) -> Array:
    """Return the mean of ``pinball`` over the deciles, (...), of quantiles (..., Q) at LEVELS."""
    return np.asarray(pinball(y, quantiles[..., DECILES], LEVELS[DECILES]).mean(axis=-1))


def at(quantiles: Array, probabilities: Array) -> Array:
    """Return the quantiles at other levels, linear in the normal deviate, also beyond the outermost levels.

    Args:
        quantiles: The quantiles at LEVELS, (..., Q).
        probabilities: The levels wanted, (P,).

    Returns:
        Quantiles, (..., P).
    """
    x, z = ndtri(LEVELS), ndtri(np.asarray(probabilities, dtype=np.float64))
    i = np.clip(np.searchsorted(x, z) - 1, 0, len(x) - 2)
    share = (z - x[i]) / (x[i + 1] - x[i])
    low, high = quantiles[..., i], quantiles[..., i + 1]
    # counted from the nearer end, so that no rounding moves a quantile past its neighbours
    return np.asarray(np.where(share < 0.5, low + (high - low) * share, high - (high - low) * (1 - share)))


def containing(point: Array, quantiles: Array, probabilities: Array) -> Array:
    """Return quantiles whose central intervals contain the point forecast: an end on its wrong side is moved to it.

    The median of a distribution lies inside every central interval. The mean of a skewed one may lie outside, and the
    mean of sample paths may miss an interval of equal values by a rounding error. A wider interval covers no less.

    Args:
        point: The point forecasts, (...).
        quantiles: The quantiles, (..., P).
        probabilities: Their levels, (P,).
    """
    p, middle = np.asarray(probabilities), point[..., None]
    lower = np.where(p < 0.5, np.minimum(quantiles, middle), quantiles)
    return np.asarray(np.where(p > 0.5, np.maximum(lower, middle), lower))


def covered(y: Array, low: Array, high: Array) -> Array:
    """Return 1 if y lies in its closed interval, 0 if it does not, and NaN if it is missing."""
    return np.asarray(np.where(np.isfinite(y), (low <= y) & (y <= high), np.nan))


def coverage(y: Array, quantiles: Array) -> Array:
    """Return the share of y (...) inside each central interval of quantiles (..., Q), widest first, (Q // 2,)."""
    inside = covered(y[..., None], quantiles[..., :MEDIAN], quantiles[..., :MEDIAN:-1])
    return np.asarray(inside.reshape(-1, MEDIAN).mean(axis=0))


def calibration(y: Array, quantiles: Array, stretches: float = np.inf) -> Array:
    """Return the factors of the half-widths of the central intervals at which they cover the held-out values.

    This is split conformal prediction with the score max((m - y) / (m - lo), (y - m) / (hi - m)), where m is the median
    (conformalised quantile regression, Romano et al. 2019, in its scaled form). With n exchangeable scores the ceil((n
    + 1) p)-th smallest covers p or more. Windows of one series are not exchangeable, so the coverage is near p without
    a guarantee. No factor is below 1: the same windows chose the model, which makes its errors on them too small, so
    intervals may be widened and not narrowed.

    The scores of overlapping windows are hardly separate. With S separate stretches, the logarithm of a factor counts
    S / (S + PRIOR), and that of UNSEEN counts the rest. The width is then known from about S + PRIOR values only, so it
    is that of Student's t with so many degrees of freedom, relative to a normal.

    Args:
        y: The held-out values, (...).
        quantiles: Their quantiles at LEVELS, (..., Q).
        stretches: The number S of separate stretches that the values come from.

    Returns:
        Factors, (Q // 2,), widest interval first.
    """
    middle = quantiles[..., MEDIAN, None]
    low, high = quantiles[..., :MEDIAN], quantiles[..., :MEDIAN:-1]
    tiny = 1e-12 * (np.abs(middle) + 1)
    score = np.maximum(
        (middle - y[..., None]) / (middle - low + tiny), (y[..., None] - middle) / (high - middle + tiny)
    )
    score = np.sort(score.reshape(-1, MEDIAN), axis=0)
    rank = np.ceil((len(score) + 1) * (1 - 2 * LEVELS[:MEDIAN])).astype(np.int64) - 1
    found = score[np.minimum(rank, len(score) - 1), np.arange(MEDIAN)]
    if np.isfinite(stretches):
        known = stretches + PRIOR
        with np.errstate(divide="ignore"):
            found = found ** (stretches / known) * UNSEEN ** (PRIOR / known)
        found = found * stdtrit(known, LEVELS[:MEDIAN]) / ndtri(LEVELS[:MEDIAN])
    return np.asarray(np.maximum(found, 1.0))


def calibrated(quantiles: Array, factors: Array) -> Array:
    """Return quantiles (..., Q), sorted, with the half-widths of their intervals multiplied by factors (Q // 2,)."""
    middle = quantiles[..., MEDIAN, None]
    each = np.concatenate([factors, [1.0], factors[::-1]])
    return np.sort(middle + (quantiles - middle) * each, axis=-1)
