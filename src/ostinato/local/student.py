"""Student t distributions of the steps ahead: what methods with a standard deviation of few errors assert."""

from __future__ import annotations

import numpy as np
from scipy.special import stdtrit

from ostinato.local.panel import Ahead
from ostinato.shapes import Array

#: What is known of the size of errors before any is seen, in degrees of freedom. With none, a single error would have
#: 95 % intervals of 12.7 standard deviations on each side, wider than any series of this kind reaches.
_BEFORE = 2.0


def student(point: Array, deviation: Array, freedom: Array, probabilities: Array) -> Ahead:
    """Return Student t distributions about the points.

    If errors are normal and their standard deviation is estimated with f degrees of freedom, the error of a forecast
    over its standard deviation has a Student t distribution with f degrees of freedom. An inverse gamma prior of the
    variance adds ``_BEFORE`` to them. So the 97.5 % quantile is 3.18 at f = 1, 2.18 at f = 10, and tends to 1.96.

    Args:
        point: The means, (S, H).
        deviation: The standard deviations, (S, H), in the units of the points.
        freedom: The degrees of freedom of the deviations of each series, (S,). Less than 0 counts as 0.
        probabilities: The increasing probabilities of the quantiles, (Q,).
    """
    known, which = np.unique(np.maximum(freedom, 0.0), return_inverse=True)  # a panel has few different ones
    t = stdtrit(known[:, None] + _BEFORE, probabilities)[which]  # (S, Q)
    return Ahead(point, point[:, :, None] + deviation[:, :, None] * t[:, None, :])
