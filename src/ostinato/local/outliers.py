"""Single values that nothing else in a series comes near: a comma in the wrong place, or one huge order.

Methods with squared errors spend a whole series on such a value: after one value of a million in the middle of a series
at 100, a smoothed level is 10,000, and an interval reaches to 300,000. The value is therefore taken as missing, and a
note says so. The rule is far from everything that a series does on its own: an outlier is ``_FAR`` times as far from
the median as every other value.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

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

    Three kinds of value are not outliers: the last one, because a new level may begin there; values next to each other;
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


def _repeat(steps: NDArray[np.int64], seasons: Sequence[int]) -> bool:
    """Return whether two of some steps (k,) are whole seasons apart, up to a twentieth of one."""
    apart = np.abs(steps[:, None] - steps)[np.triu_indices(len(steps), 1)]
    return any(bool((np.minimum(apart % m, -apart % m) <= m // 20).any()) for m in seasons)
