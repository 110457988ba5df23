"""Single values that nothing else in a series comes near: a comma in the wrong place, or one huge order.

Methods with squared errors spend a whole series on such a value. After one value of a million in the middle of a series
at 100, a smoothed level is 10,000, and an interval reaches to 300,000. The value is therefore taken as missing, and a
note says so. The rule is far from everything that a series does on its own: an outlier is ``_FAR`` times as far from
the median as every other value.

The last value may be such a value too, and nothing follows that would tell a mistake from a new level. It is set aside
as well, and the forecast without it, and the same at the distance of the jump, are the two ends of what may come.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from ostinato.local.panel import Ahead
from ostinato.shapes import Array
from ostinato.spread import QUIET, changing

#: How many times as far from the median as every other value an outlier is, at least.
_FAR = 20.0
#: The least number of observed values of a series of which one may be an outlier.
_LEAST = 8
#: The greatest share of the values that may be outliers besides the first one.
_SHARE = 0.01


def outliers(y: Array, seasons: Sequence[int] = ()) -> NDArray[np.bool_]:
    """Return which values of a series (T,) are outliers, (T,).

    Three kinds of value are not outliers: the last one (see ``last_jump``); values next to each other;
    and those of a series whose other values hardly ever change, where the few values are what counts. Values that come
    a season apart are a season.

    Args:
        y: The series, (T,). NaN where a value is missing.
        seasons: The lengths of the seasons in steps.
    """
    out = np.zeros(len(y), dtype=bool)
    seen = np.flatnonzero(np.isfinite(y))
    if len(seen) < _LEAST:
        return out
    away = np.abs(y[seen] - np.median(y[seen]))
    order = np.argsort(-away, kind="stable")
    ranked = away[order[: 2 + int(_SHARE * len(seen))]]
    gaps = np.flatnonzero((ranked[:-1] > _FAR * ranked[1:]) & (ranked[1:] > 0))
    if not len(gaps):
        return out
    far = np.sort(order[: gaps[0] + 1])
    alone = far[-1] < len(seen) - 1 and bool((np.diff(far) > 1).all())
    if alone and not _repeat(seen[far], seasons) and changing(np.delete(y[seen], far)) >= QUIET:
        out[seen[far]] = True
    return out


def last_jump(y: Array) -> float:
    """Return the last value of a series (T,) less the one before it if it is as far away as an outlier, or 0.

    The values before it vary, and none of them is as far from the rest: in growth every value would be.

    Args:
        y: The series, (T,). NaN where a value is missing.
    """
    seen = y[np.isfinite(y)]
    if len(seen) < _LEAST:
        return 0.0
    low, high = seen[:-1].min(), seen[:-1].max()
    if low - (_FAR / 2 - 1) * (high - low) <= seen[-1] <= high + (_FAR / 2 - 1) * (high - low):
        return 0.0  # too near whatever the median is, and most series end here
    away = np.abs(seen - np.median(seen))
    second, first = np.partition(away[:-1], -2)[-2:]
    far = first > 0 and away[-1] > _FAR * first and first <= _FAR * second
    return float(seen[-1] - seen[-2]) if far and changing(seen[:-1]) >= QUIET else 0.0


def with_last_jumps(made: Ahead, jumps: Array, probabilities: Array) -> Ahead:
    """Return forecasts (S, H) between the old level and a new one, with intervals that contain those about both.

    Whichever of the two is true, an interval holds at least as much as that of the method, and the point forecast is in
    the middle.

    Args:
        made: The forecasts without the last values.
        jumps: What ``last_jump`` says of each series, (S,).
        probabilities: The increasing probabilities of the quantiles, (Q,).
    """
    if not jumps.any():
        return made
    low, high = np.minimum(jumps, 0.0)[:, None, None], np.maximum(jumps, 0.0)[:, None, None]
    moved = np.where(probabilities < 0.5, low, np.where(probabilities > 0.5, high, (low + high) / 2))
    return Ahead(made.point + jumps[:, None] / 2, made.quantiles + moved)


def _repeat(steps: NDArray[np.int64], seasons: Sequence[int]) -> bool:
    """Return whether two of some steps (k,) are whole seasons apart, up to a twentieth of one."""
    apart = np.abs(steps[:, None] - steps)[np.triu_indices(len(steps), 1)]
    return any(bool((np.minimum(apart % m, -apart % m) <= m // 20).any()) for m in seasons)
