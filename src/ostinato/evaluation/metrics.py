"""The errors of forecasts: the measures of the M competitions and of probabilistic forecasting.

Arrays end in the steps of the horizon (..., H) and are in the units of the data. A missing step (NaN in y) does not
count. The measure of a series without any observed step is NaN, and means over series leave it out.
"""

from __future__ import annotations

import numpy as np

from ostinato.data.seasons import mean_change
from ostinato.emissions.quantiles import covered
from ostinato.shapes import Array
from ostinato.spread import still


def mean(x: Array, axis: int | tuple[int, ...] | None = -1) -> Array:
    """Return the mean of the values that are not NaN; NaN without any, and no warning.

    Args:
        x: The values.
        axis: The axis or axes of the mean.
    """
    seen = np.isfinite(x)
    count = seen.sum(axis=axis)
    return np.asarray(np.where(seen, x, 0.0).sum(axis=axis) / np.where(count, count, np.nan))


def seasonal_error(history: Array, season: int) -> float:
    """Return the divisor of MASE and MSIS: the mean of |y_t - y_{t-m}| over a history, where m is the season.

    m is 1 if T <= m. The error is NaN if no two steps can be compared or nothing ever changes. Hyndman and Koehler
    2006, with Makridakis et al. 2020 (M4) for m > 1.

    Args:
        history: The history, (T,).
        season: The season m in steps.
    """
    error = mean_change(history, season)
    return error if error > 0 and not still(history) else np.nan


def mase(y: Array, point: Array, scale: Array) -> Array:
    """Return the mean absolute scaled error: the mean of |y - point| over the scale, (...).

    Args:
        y: The values, (..., H).
        point: The point forecasts, (..., H).
        scale: The ``seasonal_error`` of each history, (...).
    """
    return np.asarray(mean(np.abs(y - point)) / scale)


def smape(y: Array, point: Array) -> Array:
    """Return the symmetric mean absolute percentage error, 0 to 200 %, (...).

    It is the mean of 200 |y - point| / (|y| + |point|). The error is 0 if both are 0. Makridakis et al. 2020 (M4).

    Args:
        y: The values, (..., H).
        point: The point forecasts, (..., H).
    """
    size = np.abs(y) + np.abs(point)
    return mean(np.where(size == 0, 0.0, 200 * np.abs(y - point) / np.where(size == 0, 1.0, size)))


def owa(mase_: float, smape_: float, mase_naive2: float, smape_naive2: float) -> float:
    """Return the overall weighted average: the mean of both errors, each divided by that of Naive2.

    All four errors are averaged over the series first. Naive2 has 1, and less is better. NaN if Naive2 makes no error.
    Makridakis et al. 2020 (M4).

    Args:
        mase_: The MASE of the model.
        smape_: The sMAPE of the model.
        mase_naive2: The MASE of Naive2.
        smape_naive2: The sMAPE of Naive2.
    """
    if not (mase_naive2 > 0 and smape_naive2 > 0):
        return float("nan")
    return 0.5 * (mase_ / mase_naive2 + smape_ / smape_naive2)


def weighted_quantile_loss(loss: Array, size: float) -> float:
    """Return wQL: the pinball loss, averaged over the quantiles and summed over the rest, divided by the summed |y|.

    The sums are over all series before the division, so large series weigh more. In GluonTS: ``mean_wQuantileLoss``.

    Args:
        loss: The pinball loss, (..., Q).
        size: The sum of |y|.
    """
    return float(np.nansum(loss)) / loss.shape[-1] / size if size > 0 else float("nan")


def interval_score(y: Array, low: Array, high: Array, level: float) -> Array:
    """Return the width of an interval plus 2 / a times the distance of y from it, a = 1 - level / 100, (..., H).

    Gneiting and Raftery 2007, eq. 43.

    Args:
        y: The values, (..., H).
        low: The lower ends, (..., H).
        high: The upper ends, (..., H).
        level: The coverage of the interval in percent.
    """
    outside = np.maximum(low - y, 0) + np.maximum(y - high, 0)
    return np.asarray(high - low + 2 / (1 - level / 100) * outside)


def msis(y: Array, low: Array, high: Array, level: float, scale: Array) -> Array:
    """Return the mean scaled interval score: the mean of ``interval_score`` over the scale, (...).

    Makridakis et al. 2020 (M4), with a level of 95 %.

    Args:
        y: The values, (..., H).
        low: The lower ends, (..., H).
        high: The upper ends, (..., H).
        level: The coverage of the interval in percent.
        scale: The ``seasonal_error`` of each history, (...).
    """
    return np.asarray(mean(interval_score(y, low, high, level)) / scale)


def coverage(y: Array, low: Array, high: Array) -> Array:
    """Return the share of steps that lie in their interval, its ends included, (...); NaN without any step.

    A value at an end of its interval counts as inside.

    Args:
        y: The values, (..., H).
        low: The lower ends, (..., H).
        high: The upper ends, (..., H).
    """
    return mean(covered(y, low, high))
