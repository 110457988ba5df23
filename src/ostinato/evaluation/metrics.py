"""How far forecasts were from what came: the measures of the M competitions and of probabilistic forecasting.

Arrays end in the steps of the horizon (..., H) and are in the data's units. A step that was not observed (NaN in y)
counts nowhere. A measure of one series is NaN where nothing of it can be measured: means over series leave it out.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ostinato.data.seasons import mean_change
from ostinato.emissions.quantiles import covered

Array = NDArray[np.float64]


def mean(x: Array, axis: int | tuple[int, ...] | None = -1) -> Array:
    """The mean of what is not NaN, and NaN of nothing, without a warning."""
    seen = np.isfinite(x)
    count = seen.sum(axis=axis)
    return np.asarray(np.where(seen, x, 0.0).sum(axis=axis) / np.where(count, count, np.nan))


def seasonal_error(history: Array, season: int) -> float:
    """What MASE and MSIS divide by: the mean of |y_t - y_{t-m}| over history (T,), m the season, or 1 where T <= m.

    NaN where nothing can be compared or nothing ever changes. Hyndman and Koehler 2006, with Makridakis et al.
    2020 (M4) for m > 1.
    """
    error = mean_change(history, season)
    return error if error > 0 else np.nan


def mase(y: Array, point: Array, scale: Array) -> Array:
    """Mean absolute scaled error: the mean of |y - point| over scale, that of ``seasonal_error``: (..., H) -> (...)."""
    return np.asarray(mean(np.abs(y - point)) / scale)


def smape(y: Array, point: Array) -> Array:
    """Symmetric mean absolute percentage error, in percent, 0 to 200: the mean of 200 |y - point| / (|y| + |point|).

    Where both are 0 the error is 0. Makridakis et al. 2020 (M4).
    """
    size = np.abs(y) + np.abs(point)
    return mean(np.where(size == 0, 0.0, 200 * np.abs(y - point) / np.where(size == 0, 1.0, size)))


def owa(mase_: float, smape_: float, mase_naive2: float, smape_naive2: float) -> float:
    """Overall weighted average: the mean of both errors over those of Naive2, all four first averaged over the series.

    1 is Naive2, less is better; NaN where Naive2 makes no error. Makridakis et al. 2020 (M4).
    """
    if not (mase_naive2 > 0 and smape_naive2 > 0):
        return float("nan")
    return 0.5 * (mase_ / mase_naive2 + smape_ / smape_naive2)


def weighted_quantile_loss(loss: Array, size: float) -> float:
    """wQL: ``pinball`` (..., Q), its mean over Q and its sum over the rest, over size, the summed |y|.

    Summed over all series before the division, so large ones weigh more; GluonTS calls it ``mean_wQuantileLoss``.
    """
    return float(np.nansum(loss)) / loss.shape[-1] / size if size > 0 else float("nan")


def interval_score(y: Array, low: Array, high: Array, level: float) -> Array:
    """The width of an interval, and 2 / a times how far y lies outside it, a = 1 - level / 100: (..., H).

    Gneiting and Raftery 2007, eq. 43.
    """
    outside = np.maximum(low - y, 0) + np.maximum(y - high, 0)
    return np.asarray(high - low + 2 / (1 - level / 100) * outside)


def msis(y: Array, low: Array, high: Array, level: float, scale: Array) -> Array:
    """Mean scaled interval score: that of the intervals over scale, that of ``seasonal_error``: (..., H) -> (...).

    Makridakis et al. 2020 (M4), where the level is 95 %.
    """
    return np.asarray(mean(interval_score(y, low, high, level)) / scale)


def coverage(y: Array, low: Array, high: Array) -> Array:
    """The share of steps that lie in their interval, its ends included: (..., H) -> (...); NaN of none."""
    return mean(covered(y, low, high))
