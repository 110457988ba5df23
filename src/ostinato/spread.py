"""How far the values of a series are apart, in the units of the series, whatever these are.

Every bound in the package is a share of such a spread and never a number of units, so that a series in metres and the
same series in kilometres get the same choices.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

#: Values that differ by at most this share of their size are equal: 64-bit floats have 16 digits, and their means lose
#: one or two of them.
ROUNDING = 1e-14


def still(y: Array) -> bool:
    """Return whether the observed values of y (T,) are all equal, up to rounding; True without any."""
    seen = y[np.isfinite(y)]
    return not len(seen) or bool(np.ptp(seen) <= ROUNDING * np.abs(seen).max())


def spread(y: Array) -> float:
    """Return the standard deviation of the observed values of y (T,), as the unit of everything that is computed.

    Values that are all equal have no deviation. Their unit is their size, and that of zeros is 1.
    """
    seen = y[np.isfinite(y)]
    size = float(np.abs(seen).max()) if len(seen) else 0.0
    if still(seen):
        return size or 1.0
    # squares of values such as 1e-200 are 0
    return size * float((seen / size).std())


def mean_deviation(x: Array) -> Array:
    """Return the mean absolute deviation of each row of x (n, T) from its mean, (n, 1); 0 for rows of equal values."""
    deviation = np.abs(x - x.mean(axis=1, keepdims=True)).mean(axis=1, keepdims=True)
    return np.asarray(np.where(deviation > ROUNDING * np.abs(x).max(axis=1, keepdims=True), deviation, 0.0))
