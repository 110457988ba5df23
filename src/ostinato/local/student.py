"""Student t distributions of the steps ahead: what methods with a standard deviation of few errors assert."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.special import stdtrit

from ostinato.local.panel import Ahead

Array = NDArray[np.float64]


def student(point: Array, deviation: Array, freedom: Array, probabilities: Array) -> Ahead:
    """Return Student t distributions about the points.

    If errors are normal and their standard deviation is estimated with f degrees of freedom, the error of a forecast
    over its standard deviation has a Student t distribution with f degrees of freedom. At f = 1 its 97.5 % quantile is
    12.7, at f = 10 it is 2.23 and without end 1.96.

    Args:
        point: The means, (S, H).
        deviation: The standard deviations, (S, H), in the units of the points.
        freedom: The degrees of freedom of the deviations of each series, (S,). Less than 1 counts as 1.
        probabilities: The increasing probabilities of the quantiles, (Q,).
    """
    t = stdtrit(np.maximum(freedom, 1.0)[:, None], probabilities)  # (S, Q)
    return Ahead(point, point[:, :, None] + deviation[:, :, None] * t[:, None, :])
