"""The forecast of a series that grows or shrinks by the same factor at every step, exactly.

Its logarithms follow a line, which no method for the values themselves does: exp(t / 2) went on about as a line. After
n equal factors the next one differs as often, and by as much in logarithms, as a change of an exact line does (see
``exact``). Growth with errors is left to the methods, because a factor that was estimated can explode.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ostinato.local.equal import are_equal
from ostinato.local.exact import alike, exact_changes, rule_quantiles
from ostinato.local.panel import Ahead, Panel, steps_ahead
from ostinato.shapes import Array
from ostinato.spread import ROUNDING

#: The largest distance of the ratio of two factors from 1 that makes a series worth a look.
_ROUNDED = 1e-9


def exact_factors(panel: Panel) -> NDArray[np.int64]:
    """Return the number of equal factors of each series, (S,); 0 if they differ, and for lines, seasons and constants.

    Args:
        panel: The series, and not their logarithms.
    """
    out = np.array([_equal_factors(y) for y in panel.values], dtype=np.int64)
    return np.where((exact_changes(panel) > 0) | are_equal(panel), 0, out) if out.any() else out


def _equal_factors(y: Array) -> int:
    """Return the number of factors of y (T,) if all values have one sign and all factors are alike, or 0."""
    if len(y) < 3 or y[-2] == 0 or abs((y[-1] / y[-2]) * (y[-3] / y[-2]) - 1) > _ROUNDED:
        return 0  # the usual case, at the cost of three numbers; a missing value among them goes on
    if not (np.nanmin(y) > 0 or np.nanmax(y) < 0):
        return 0
    logs = np.log(np.abs(y))
    return alike(logs, 1, 4 * ROUNDING * max(1.0, float(np.nanmax(np.abs(logs)))))


def with_exact_growth(
    made: Ahead, panel: Panel, count: NDArray[np.int64], gaps: NDArray[np.int64], probabilities: Array
) -> Ahead:
    """Return forecasts (S, H) that continue exact growth. A series that would grow beyond all numbers stays as it is.

    Args:
        made: The forecasts of a method.
        panel: The series, and not their logarithms.
        count: Their numbers of equal factors, see ``exact_factors``, (S,).
        gaps: The number of missing steps between the end of each series and the first step ahead, (S,).
        probabilities: The increasing probabilities of the quantiles, (Q,).
    """
    rows = np.flatnonzero(count)
    if not len(rows):
        return made
    steps = steps_ahead(gaps[rows], made.point.shape[1])
    last = np.array([panel.values[s][-1] for s in rows])[:, None]
    factor = np.array([np.nanmedian(panel.values[s][1:] / panel.values[s][:-1]) for s in rows])[:, None]
    away = rule_quantiles(np.abs(np.log(factor)), count[rows, None], steps, probabilities)
    with np.errstate(over="ignore"):
        point = last * factor**steps
        quantiles = point[..., None] * np.exp(np.sign(last)[..., None] * away)
    finite = np.isfinite(point).all(axis=1) & np.isfinite(quantiles).all(axis=(1, 2))
    return made.with_rows(rows[finite], point[finite], quantiles[finite])
