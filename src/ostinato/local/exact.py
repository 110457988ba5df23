"""The least width of intervals for a series that follows a line, or repeats a season, exactly.

A method that finds such a rule has residuals of 0, so its intervals have width 0: they claim that the rule always
holds. After n equal changes, the evidence is weaker. By the rule of succession, the next change differs with
probability 1 / (n + 1), and one of the next h changes with h / (n + h); ``equal`` applies the same rule to values. The
size of a departure was never observed. It is taken to have a Student t distribution with 2 degrees of freedom, whose
scale is half of the usual change from one value to the next. It grows as a random walk does with the number of
departures to expect.

On a line, a change is the difference between successive values. In a season, it is the difference between values that
are one season apart. A forecast keeps the wider one of this interval and its own.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ostinato.local.equal import are_equal, away
from ostinato.local.panel import Ahead, Panel, steps_ahead
from ostinato.shapes import Array
from ostinato.spread import ROUNDING

#: The scale of a departure as a share of the usual change. ``equal`` has the same share, of the size of the values.
_SHARE = 0.5
#: The least number of changes that make a rule: two are alike by chance in many series of whole numbers.
_LEAST = 3


def exact_changes(panel: Panel) -> NDArray[np.int64]:
    """Return the number of equal changes of each series, (S,); 0 if changes differ or all values are equal."""
    lags = (1, *panel.seasons)
    out = np.array([max(alike(y, lag, _rounding(y)) for lag in lags) for y in panel.values], dtype=np.int64)
    return np.where(are_equal(panel), 0, out)


def alike(y: Array, lag: int, rounding: float) -> int:
    """Return the number of changes of y (T,) over a lag if at least three follow each other and all are alike, or 0.

    Changes are alike if they differ by at most ``rounding``.
    """
    if len(y) <= lag + _LEAST or abs((y[-1] - y[-1 - lag]) - (y[-2] - y[-2 - lag])) > rounding:
        return 0  # the usual case, at the cost of four numbers; a missing value among them goes on
    change = y[lag:] - y[:-lag]
    seen = change[np.isfinite(change)]
    alike = len(seen) >= _LEAST and seen.max() - seen.min() <= rounding
    return len(seen) if alike else 0


def _rounding(y: Array) -> float:
    """Return the largest difference between changes of y (T,) that rounding of both values explains."""
    return 4 * ROUNDING * float(np.nanmax(np.abs(y)))


def with_exact(
    made: Ahead, panel: Panel, count: NDArray[np.int64], gaps: NDArray[np.int64], probabilities: Array
) -> Ahead:
    """Return forecasts (S, H) with intervals of at least this width for the series that follow a rule exactly.

    Changes of logarithms are treated like those of other values.

    Args:
        made: The forecasts of a method.
        panel: The series.
        count: Their numbers of equal changes, see ``exact_changes``, (S,).
        gaps: The number of missing steps between the end of each series and the first step ahead, (S,).
        probabilities: The increasing probabilities of the quantiles, (Q,).
    """
    rows = np.flatnonzero(count)
    if not len(rows):
        return made
    steps = steps_ahead(gaps[rows], made.point.shape[1])
    usual = np.array([np.nanmean(np.abs(np.diff(panel.values[s][np.isfinite(panel.values[s])]))) for s in rows])
    least = made.point[rows, :, None] + rule_quantiles(usual[:, None], count[rows, None], steps, probabilities)
    own = made.quantiles[rows]
    outer = np.where(probabilities < 0.5, np.minimum(own, least), np.maximum(own, least))
    return made.with_rows(rows, made.point[rows], np.where(probabilities == 0.5, own, outer))


def rule_quantiles(usual: Array, n: NDArray[np.int64], steps: NDArray[np.int64], probabilities: Array) -> Array:
    """Return the quantiles (E, H, Q) of the distance from a rule that held n times.

    Args:
        usual: The usual size of a change, (E, 1).
        n: The number of changes that followed the rule, (E, 1).
        steps: The steps from the last value to those ahead, (E, H).
        probabilities: The increasing probabilities of the quantiles, (Q,).
    """
    differs, expected = steps / (n + steps), steps / (n + 1)
    scale = _SHARE * usual * np.sqrt(expected / differs)
    return scale[..., None] * away(differs, differs, probabilities)
