"""The search of the Theta models: alpha on a grid, and l_0 and w by least squares at each point; see ``theta``."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ostinato.local.theta_lines import Series
from ostinato.shapes import Array

#: The range of alpha (that of forecTheta, the authors' package), and the points of the grid in each round, which lies
#: between the neighbours of the best point before. Then follows the vertex of the parabola through the last three.
_LOW, _HIGH, _POINTS = 0.1, 0.99, (12, 6, 6)

#: The squared errors of a perfect fit, in squared spreads of the series.
_PERFECT = 1e-12


def search(series: Series, free: NDArray[np.bool_]) -> tuple[Array, Array, Array]:
    """Return alpha, l_0 and w of each series with the least squared errors, (S,) each.

    Args:
        series: The series.
        free: Whether w is estimated, (S,); else it is 1/2.
    """
    each = np.arange(len(free))
    low, high = np.full((len(free), 1), _LOW), np.full((len(free), 1), _HIGH)
    for points in _POINTS:
        alpha = low + (high - low) * np.linspace(1.0, 0.0, points)  # of equals, the first and largest alpha is kept
        rss, start, weight = _solve(_sums(series, alpha), free[:, None])
        best = rss.argmin(axis=1)
        step = (high - low) / (points - 1)
        kept = alpha[each, best], start[each, best], weight[each, best]
        low, high = np.maximum(kept[0][:, None] - step, _LOW), np.minimum(kept[0][:, None] + step, _HIGH)
    # the grid falls, so that the place before the best has the larger alpha
    inner = np.clip(best, 1, points - 2)
    above, here, below = (rss[each, inner + i] for i in (-1, 0, 1))
    bend = above - 2 * here + below
    curved = (best == inner) & (bend > 0)
    shift = np.where(curved, 0.5 * (below - above) / np.where(curved, bend, 1.0), 0.0)
    vertex = alpha[each, inner] + shift * step[:, 0]
    last, start, weight = (part[:, 0] for part in _solve(_sums(series, vertex[:, None]), free[:, None]))
    better = curved & (last < rss[each, best])
    kept = tuple(np.where(better, *pair) for pair in zip((vertex, start, weight), kept, strict=True))
    return kept


def _sums(series: Series, alpha: Array) -> Array:
    """Return the sums of pp, pD, DD, pr, Dr and rr over the scored steps, (6, S, G).

    mu_t = base_t + p_t l_0 + D_t w, and r_t = y_t - base_t. The longest series come first, so that those that have
    ended are left out of a step.
    """
    order = np.argsort(-series.steps, kind="stable")
    steps, alpha = series.steps[order], alpha[order]
    y, scored = (np.ascontiguousarray(part[order].T)[:, :, None] for part in (series.y, series.scored))
    line = np.ascontiguousarray(np.moveaxis(series.line[:, order], 2, 1))[..., None]
    base, p, sums = np.zeros_like(alpha), np.ones_like(alpha), np.zeros((6, *alpha.shape))
    for t, left in enumerate(np.searchsorted(-steps, -np.arange(len(y)), side="left").tolist()):
        base, p, a, m = base[:left], p[:left], alpha[:left], scored[t, :left]
        q = p * (1 - a)
        D = p * line[0, t, :left] + (1 - q) / a * line[1, t, :left]
        r = y[t, :left] - base
        mp, mD = m * p, m * D
        for k, product in enumerate((mp * p, mp * D, mD * D, mp * r, mD * r, m * r * r)):
            sums[k, :left] += product
        base, p = base + a * r, q
    return sums[:, np.argsort(order)]


def _solve(sums: Array, free: NDArray[np.bool_]) -> tuple[Array, Array, Array]:
    """Return the squared errors, l_0 and w of least squares with 0 <= w <= 1, (S, G) each; w = 1/2 where not free."""
    pp, pD, DD, pr, Dr, rr = sums
    pp = np.maximum(pp, 1e-300)
    rest = DD - pD**2 / pp
    known = free & (rest > 1e-12 * DD)
    weight = np.where(known, np.clip((Dr - pD * pr / pp) / np.where(known, rest, 1.0), 0.0, 1.0), 0.5)
    start = (pr - pD * weight) / pp
    rss = rr - 2 * start * pr - 2 * weight * Dr + start**2 * pp + 2 * start * weight * pD + weight**2 * DD
    return np.maximum(rss, _PERFECT), start, weight  # perfect fits are equal, whatever their rounding
