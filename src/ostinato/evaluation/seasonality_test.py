"""The season of a series: whether it is there, and what it does."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

#: Of a normal distribution: 90 % lie within it.
_CRITICAL = 1.645


def is_seasonal(y: Array, season: int) -> bool:
    """Whether the autocorrelation of y (T,) at lag ``season`` is more than chance, at 90 %.

    |r_m| > 1.645 sqrt((1 + 2 (r_1^2 + .. + r_{m-1}^2)) / T), which is Bartlett's bound, and T is three seasons or more:
    the test of M4's Naive2 (its organisers' code), except that R's ``acf`` knows no lag beyond
    10 log10(T), and there finds no season.
    """
    T = len(y)
    if season < 2 or 3 * season > T:
        return False
    z = y - y.mean()
    total = float(z @ z)
    if not total > 0:
        return False
    r = np.array([z[lag:] @ z[:-lag] for lag in range(1, season + 1)]) / total
    return bool(abs(r[-1]) > _CRITICAL * np.sqrt((1 + 2 * (r[:-1] ** 2).sum()) / T))


def indices(y: Array, season: int) -> Array:
    """(m,): the multiplicative seasonal indices of y (T,), by position from the first step; their mean is 1.

    Classical decomposition: y over its centred moving average, averaged by position, then normed (R's ``decompose``;
    Makridakis, Wheelwright and Hyndman 1998, 3.4). Where the ratios are no positive numbers, all are 1.
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
