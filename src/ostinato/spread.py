"""How far the values of a series are apart, in the units of the series, whatever these are.

Every bound in the package is a share of such a spread and never a number of units, so that a series in metres and the
same series in kilometres get the same choices.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ostinato.shapes import Array

#: Values that differ by at most this share of their size are equal: 64-bit floats have 16 digits, and their means lose
#: one or two of them.
ROUNDING = 1e-14
#: The least standard deviation of an error as a share of the spread of its series, so that no density is infinite.
FLOOR = 1e-8
#: The share of the steps that change its value below which a series says nothing about others that move: such as a
#: constant after a jump, a few events among zeros, or two values.
QUIET = 0.1
#: The longest run of equal values, as a share of the steps, of a series that speaks for others: the windows at the end
#: of one that is stuck for longer lie within the run, or hold its beginning.
STUCK = 0.25
#: Errors are odd if they are more than ``ODD`` times as far from the median as the middle error, more than ``APART``
#: times as far as the farthest of the others, and at most one or this share of all. Steady growth has no odd error.
ODD, APART, RARE = 12.0, 3.0, 0.05
#: The fewest errors of which one can be odd.
FEWEST = 8


def changing(y: Array) -> float:
    """Return the share of the steps between observed values of y (T,) at which the value changes; 0 without a step."""
    seen = y[np.isfinite(y)]
    step = np.abs(np.diff(seen))
    return float((step > ROUNDING * np.abs(seen).max(initial=0.0)).mean()) if len(step) else 0.0


def is_quiet(y: Array) -> bool:
    """Return whether a series (T,) says nothing about others that move.

    Its value changes at less than ``QUIET`` of its steps, or stays as it was for a stretch of ``STUCK`` of them, such
    as a sensor that failed, or a product that is no longer sold. Errors there are 0 or, where the stretch begins, those
    of a single event. A stretch of fewer steps than 1 / ``QUIET`` may be chance.
    """
    seen = y[np.isfinite(y)]
    changes = np.flatnonzero(np.abs(np.diff(seen)) > ROUNDING * np.abs(seen).max(initial=0.0))
    steps = len(seen) - 1
    if len(changes) < QUIET * steps or steps < 1:
        return True
    longest = int(np.diff(changes, prepend=-1, append=steps).max()) - 1
    return longest >= max(STUCK * steps, 1 / QUIET)


def odd(e: Array) -> NDArray[np.bool_]:
    """Return which of some errors (n,) are so far from all others that they say nothing about a series, (n,)."""
    none = np.zeros(len(e), dtype=bool)
    if len(e) < FEWEST:
        return none
    away = np.abs(e - np.median(e))
    far = away > ODD * np.median(away)
    alone = away[far].min(initial=np.inf) > APART * away[~far].max(initial=0.0)
    return far if alone and far.sum() <= max(1, RARE * len(e)) else none


def still(y: Array) -> bool:
    """Return whether the observed values of y (T,) are all equal, up to rounding; True without any."""
    return bool(stills(y[None])[0])


def spread(y: Array) -> float:
    """Return the standard deviation of the observed values of y (T,), as the unit of everything that is computed.

    Values that are all equal have no deviation. Their unit is their size, and that of zeros is 1.
    """
    return float(spreads(y[None])[0])


def stills(y: Array) -> NDArray[np.bool_]:
    """Return whether the observed values of each row of y (S, T) are all equal; see ``still``."""
    return _look(y)[0]


def spreads(y: Array) -> Array:
    """Return the standard deviation of the observed values of each row of y (S, T), (S,); see ``spread``."""
    same, seen, size = _look(y)
    unit = np.where(size > 0, size, 1.0)
    count = np.maximum(seen.sum(axis=1), 1)
    z = np.where(seen, y, 0.0) / unit[:, None]  # squares of values such as 1e-200 are 0
    away = np.where(seen, z - (z.sum(axis=1) / count)[:, None], 0.0)
    deviation = np.sqrt(np.einsum("st,st->s", away, away) / count)
    return np.asarray(np.where(same, unit, size * deviation))


def _look(y: Array) -> tuple[NDArray[np.bool_], NDArray[np.bool_], Array]:
    """Return which rows of y (S, T) hold one value, what is observed, (S, T), and the greatest sizes, (S,)."""
    seen = np.isfinite(y)
    high, low = (
        np.where(seen, y, -np.inf).max(axis=1, initial=-np.inf),
        np.where(seen, y, np.inf).min(axis=1, initial=np.inf),
    )
    size = np.where(high >= low, np.maximum(np.abs(high), np.abs(low)), 0.0)
    with np.errstate(invalid="ignore"):
        same = (high < low) | (high - low <= ROUNDING * size)
    return same, seen, size


def mean_deviation(x: Array) -> Array:
    """Return the mean absolute deviation of each row of x (n, T) from its mean, (n, 1); 0 for rows of equal values."""
    deviation = np.abs(x - x.mean(axis=1, keepdims=True)).mean(axis=1, keepdims=True)
    return np.asarray(np.where(deviation > ROUNDING * np.abs(x).max(axis=1, keepdims=True), deviation, 0.0))
