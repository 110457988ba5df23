"""The seasonality test of M4, and the seasonal indices of a series."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ostinato.spread import spread, still

Array = NDArray[np.float64]

#: The bound of the central 90 % of a standard normal distribution.
_CRITICAL = 1.645


def is_seasonal(y: Array, season: int) -> bool:
    """Return whether the autocorrelation at the seasonal lag is more than chance, at 90 %.

    The test is |r_m| > 1.645 sqrt((1 + 2 (r_1^2 + .. + r_{m-1}^2)) / T), Bartlett's bound, and T must be at least three
    seasons. It is the test of Naive2 in the code of the organisers of M4, with one difference: their ``acf`` in R stops
    at lag 10 log10(T), so it finds no season beyond that lag.

    Args:
        y: The series, (T,).
        season: The season m in steps.
    """
    T = len(y)
    if season < 2 or 3 * season > T or still(y):
        return False
    z = (y - y.mean()) / spread(y)
    total = float(z @ z)
    r = np.array([z[lag:] @ z[:-lag] for lag in range(1, season + 1)]) / total
    return bool(abs(r[-1]) > _CRITICAL * np.sqrt((1 + 2 * (r[:-1] ** 2).sum()) / T))


def indices(y: Array, season: int) -> Array:
    """Return the multiplicative seasonal indices by position from the first step, (m,); their mean is 1.

    Classical decomposition: y over its centred moving average, averaged by position, normalised (R's ``decompose``;
    Makridakis, Wheelwright and Hyndman 1998, 3.4). All indices are 1 if a ratio is not a positive number.

    Args:
        y: The series, (T,).
        season: The season m in steps.
    """
    m = season
    weights = np.ones(m) / m if m % 2 else np.concatenate([[0.5], np.ones(m - 1), [0.5]]) / m
    half = len(weights) // 2
    trend = np.convolve(y, weights, mode="valid")
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = y[half : half + len(trend)] / trend
    position = (np.arange(len(trend)) + half) % m
    figure = np.array([ratio[position == k].mean() if (position == k).any() else np.nan for k in range(m)])
    if not (np.isfinite(figure).all() and (figure > 0).all()):
        return np.ones(m)
    return np.asarray(figure / figure.mean())
