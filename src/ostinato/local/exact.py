"""What the forecast of a series may claim that follows a line, or repeats a season, without any error.

A method that finds such a rule makes no error, and its intervals have no width. That says that the rule will never be
broken, where n changes that were all alike say less: by the rule of succession the next one differs with a chance of
1 / (n + 1), and one of the next h with h / (n + h), as in ``equal``, which is the same statement about values. The size
of what breaks the rule was never seen. It has a Student t distribution with 2 degrees of freedom whose scale is half of
the usual change from one value to the next, and it grows as in a random walk with the breaks to expect.

The changes of a line are from one value to the next, and those of a season from its step in one season to that in the
next. A forecast keeps the wider of this interval and its own.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ostinato.local.equal import are_equal, away
from ostinato.local.panel import Ahead, Panel
from ostinato.shapes import Array
from ostinato.spread import ROUNDING

#: The scale of a break as a share of the usual change: that of equal values as a share of their size.
_SHARE = 0.5
#: The least number of changes that make a rule: two are alike by chance in many series of whole numbers.
_LEAST = 3


def exact_changes(panel: Panel) -> NDArray[np.int64]:
    """Return how many changes of each series are all alike, (S,); 0 if they are not, or if its values are all equal."""
    lags = (1, *panel.seasons)
    out = np.array([max(_alike(y, lag) for lag in lags) for y in panel.values], dtype=np.int64)
    return np.where(are_equal(panel), 0, out)


def _alike(y: Array, lag: int) -> int:
    """Return the number of changes of y (T,) over a lag if at least three follow each other and all are alike, or 0."""
    if len(y) <= lag + _LEAST or abs((y[-1] - y[-1 - lag]) - (y[-2] - y[-2 - lag])) > _rounding(y):
        return 0  # the usual case, at the cost of four numbers; a missing value among them goes on
    change = y[lag:] - y[:-lag]
    seen = change[np.isfinite(change)]
    alike = len(seen) >= _LEAST and seen.max() - seen.min() <= _rounding(y)
    return len(seen) if alike else 0


def _rounding(y: Array) -> float:
    """Return by how much changes of y (T,) differ that are alike: each of their two values is rounded."""
    return 4 * ROUNDING * float(np.nanmax(np.abs(y)))


def with_exact(made: Ahead, panel: Panel, gaps: NDArray[np.int64], probabilities: Array, *, logs: bool) -> Ahead:
    """Return forecasts (S, H) in which series of an exact rule have at least the intervals that this file describes.

    Args:
        made: The forecasts of a method.
        panel: The series.
        gaps: The number of missing steps between the end of each series and the first step ahead, (S,).
        probabilities: The increasing probabilities of the quantiles, (Q,).
        logs: Whether values are logarithms. A change of a logarithm is one like any other.
    """
    del logs
    count = exact_changes(panel)
    rows = np.flatnonzero(count)
    if not len(rows):
        return made
    n, steps = count[rows, None], gaps[rows, None] + np.arange(1, made.point.shape[1] + 1)
    differs, expected = steps / (n + steps), steps / (n + 1)
    usual = np.array([np.nanmean(np.abs(np.diff(panel.values[s][np.isfinite(panel.values[s])]))) for s in rows])
    scale = _SHARE * usual[:, None] * np.sqrt(expected / differs)
    least = made.point[rows, :, None] + scale[..., None] * away(differs, differs, probabilities)
    own = made.quantiles[rows]
    outer = np.where(probabilities < 0.5, np.minimum(own, least), np.maximum(own, least))
    return made.with_rows(rows, made.point[rows], np.where(probabilities == 0.5, own, outer))
