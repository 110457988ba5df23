"""The Theta method and the dynamic optimised Theta model, fitted to a whole panel at once.

    y_t  = mu_t + e_t
    mu_t = l_{t-1} + w ((1 - alpha)^{t-1} A + (1 - (1 - alpha)^t) / alpha B),    w = 1 - 1 / theta
    l_t  = alpha y_t + (1 - alpha) l_{t-1}

A + B t is the least-squares line (the theta line of theta = 0). The Theta method (Assimakopoulos and Nikolopoulos 2000)
has theta = 2 and the line of the whole series; it is simple exponential smoothing with a drift of half the slope
(Hyndman and Billah 2003). The dynamic optimised Theta model (Fiorucci, Pellegrini, Louzada, Petropoulos and Koehler
2016, model DOTM, equations 18 to 24) estimates theta, and its line at step t is that of the values before t.

Given alpha, mu_t is linear in l_0 and w. So the fit is a search over alpha alone, on a grid that becomes finer, with
l_0 and w by least squares at each point: the global minimum of the squared errors, for all series in one recursion.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple, final

import numpy as np
from numpy.typing import NDArray

from ostinato.local.growth import Growth, growth
from ostinato.local.panel import Ahead, Panel, stacked
from ostinato.local.seasonality import Adjustment, adjustments, interpolated, restored
from ostinato.local.student import student
from ostinato.spread import FLOOR, spreads, stills

Array = NDArray[np.float64]

#: The range of alpha (that of forecTheta, the authors' package), and the points of the grid in each round, which lies
#: between the neighbours of the best point before. Then follows the vertex of the parabola through the last three.
_LOW, _HIGH, _POINTS = 0.1, 0.99, (12, 6, 6)

#: The squared errors of a perfect fit, in squared spreads of the series.
_PERFECT = 1e-12

#: The standard deviations of alpha, l_0 and w before the data are seen, l_0 in spreads of the series. They keep the
#: uncertainty of parameters finite that a short series does not determine.
_PRIOR = np.array([0.3, 10.0, 0.3])


@dataclass(frozen=True)
class _Series:
    """The adjusted, shifted and scaled series of a panel, with the lines that they are drawn to.

    Attributes:
        y: The values, (S, T), of mean size 1; 0 after the end of a series.
        scored: The weights of the squared errors, (S, T): 1 for an observed step that is scored, else 0.
        steps: The number of steps of each series, (S,).
        line: A_{t-1} and B_{t-1} of each step t, (2, S, T).
        dynamic: Whether the line goes on with each value.
    """

    y: Array
    scored: Array
    steps: NDArray[np.int64]
    line: Array
    dynamic: bool


class _State(NamedTuple):
    """What a recursion remembers: level, line and mean, (S, K) each, and the number of steps so far, (S, 1)."""

    level: Array
    A: Array
    B: Array
    mean: Array
    n: Array


@final
@dataclass(frozen=True)
class Theta:
    """Theta models that were fitted to a panel.

    Attributes:
        name: The name of the method.
        alpha: The smoothing parameter of each series, (S,).
        weight: The weight w = 1 - 1 / theta of the line, (S,).
        sigma: The standard deviation of the errors, (S,), in the units of the series.
        growth: How the standard deviation depends on the level of each series.
        freedom: The degrees of freedom of sigma, (S,).
        adjustments: The seasonal adjustment of each series.
    """

    name: str
    alpha: Array
    weight: Array
    sigma: Array
    growth: Growth
    freedom: Array
    adjustments: tuple[Adjustment, ...]
    _series: _Series
    _shift: Array
    _unit: Array
    _start: Array
    _precision: Array

    def ahead(self, horizon: int, probabilities: Array) -> Ahead:
        """Forecast from the end of every series; see ``Fitted``.

        The variance of a step is sigma^2 (1 + sum of psi_j^2) for the errors until then, plus g C g' for the
        parameters, where g is the gradient of the forecast and C the covariance matrix of alpha, l_0 and w, plus
        (h alpha sigma)^2 / T for the slope of the line: the variance of a mean change in exponential smoothing. The
        psi_j are about proportional to alpha, so alpha^2 is taken at its mean, which is its square plus its variance.
        """
        point, deviation = np.empty((2, len(self.alpha), horizon))
        at_once = max(1, 4_000_000 // (horizon + 4) ** 2)
        for first in range(0, len(point), at_once):
            rows = slice(first, first + at_once)
            point[rows], deviation[rows] = self._steps(rows, horizon)
        mean = point * self._unit[:, None] + self._shift[:, None]
        wide = deviation * self._unit[:, None] * self.growth.at(mean)
        return student(*restored(self.adjustments, self._series.steps, mean, wide), self.freedom, probabilities)

    def said(self, s: int) -> str:
        """Return the parameters of series ``s``; see ``Fitted``."""
        adjusted = self.adjustments[s]
        season = (
            f", season {len(adjusted.figure)} {'x' if adjusted.multiplicative else '+'}" if adjusted.seasons else ""
        )
        theta = 1 / (1 - self.weight[s]) if self.weight[s] < 1 else np.inf
        return f"{self.name}(theta {theta:.3g}, alpha {self.alpha[s]:.2g}{season})"

    def _steps(self, rows: slice, horizon: int) -> tuple[Array, Array]:
        """Return means and standard deviations of some series in scaled units, (S, H) each."""
        alpha, w, dynamic = self.alpha[rows, None], self.weight[rows, None], self._series.dynamic
        moved = _moved(self.alpha[rows], self._start[rows], self.weight[rows])
        _, end = _run(_some(self._series, rows), *moved)
        means = _go_on(end, moved[0], moved[2], np.zeros((4, horizon)), dynamic)  # (S, 4, H)
        gradient = (means[:, 1:] - means[:, :1]) / np.diag(_MOVES)[:, None]
        plain = _State(*(x[:, :1] for x in end))
        impulses = _go_on(plain, alpha, w, np.eye(horizon), dynamic)
        psi = impulses - means[:, :1]
        sigma2 = (self.sigma[rows] / self._unit[rows])[:, None] ** 2
        covariance = np.linalg.inv(self._precision[rows])
        uncertain = np.einsum("sih,sij,sjh->sh", gradient, covariance, gradient)
        slope = (np.arange(1, horizon + 1) * alpha) ** 2 / self._series.steps[rows, None]
        spread_ = 1 + covariance[:, 0, 0, None] / alpha**2
        variance = sigma2 * (1 + spread_ * ((psi**2).sum(axis=1) + slope)) + np.maximum(uncertain, 0.0)
        return means[:, 0], np.sqrt(variance)


#: The moves of alpha, l_0 and w by which gradients are differences, (3, 3).
_MOVES = np.diag([-1e-5, 1e-5, 1e-5])


def fit_theta(panel: Panel) -> Theta:
    """Fit the Theta method to every series.

    Missing values are interpolated, and their errors are not counted.
    """
    return _fit(panel, dynamic=False)


def fit_dot(panel: Panel) -> Theta:
    """Fit the dynamic optimised Theta model to every series; theta = 2 for series of fewer than 8 values."""
    return _fit(panel, dynamic=True)


def _fit(panel: Panel, *, dynamic: bool) -> Theta:
    """Fit a Theta model to every series."""
    filled = [interpolated(y) for y in panel.values]
    found = adjustments(filled, panel.seasons)
    adjusted = [a.removed(y) for a, y in zip(found, filled, strict=True)]
    shift = np.array([y[0] for y in adjusted])
    z = stacked(adjusted)
    unit = spreads(z)
    series = _series(panel, [(y - c) / u for y, c, u in zip(adjusted, shift, unit, strict=True)], dynamic=dynamic)
    scored = series.scored.sum(axis=1)
    free = (scored >= 6) if dynamic else np.zeros(len(unit), dtype=bool)
    alpha, start, weight = _search(series, free)
    errors, _ = _run(series, *_moved(alpha, start, weight))
    freedom = scored - np.where(free, 3.0, 2.0)
    grown, rss = _errors_by_level(series, errors[:, 0], z, unit)
    sigma = np.maximum(np.sqrt(rss / np.maximum(freedom, 1.0)), FLOOR)
    sigma = np.where(freedom > 0, sigma, np.where(stills(z), FLOOR, 1.0))
    return Theta("DOT" if dynamic else "Theta", alpha, weight, sigma * unit, grown, freedom, found,
                 series, shift, unit, start, _precision(series, errors, sigma))  # fmt: skip


def _moved(alpha: Array, start: Array, weight: Array) -> tuple[Array, Array, Array]:
    """Return parameters (S,), and then each of them moved by ``_MOVES``, (S, 4)."""
    moves = np.concatenate([np.zeros((3, 1)), _MOVES], axis=1)
    return alpha[:, None] + moves[0], start[:, None] + moves[1], weight[:, None] + moves[2]


def _errors_by_level(series: _Series, errors: Array, z: Array, unit: Array) -> tuple[Growth, Array]:
    """Return how the errors (S, T) grow with the level, and the sums of their squares, relative to it, (S,)."""
    e = np.where(series.scored > 0, errors, np.nan)
    level = np.where(series.scored > 0, z - e * unit[:, None], 1.0)
    grown = growth(e, level, z)
    return grown, np.nansum((e / grown.at(level)) ** 2, axis=1)


def _series(panel: Panel, scaled: list[Array], *, dynamic: bool) -> _Series:
    """Return the panel with its lines; the errors of a dynamic line are scored once it has a slope, from step 3."""
    steps = np.array([len(y) for y in scaled])
    T = int(steps.max(initial=1))
    y, scored, line = np.zeros((len(scaled), T)), np.zeros((len(scaled), T)), np.zeros((2, len(scaled), T))
    for s, z in enumerate(scaled):
        y[s, : len(z)] = z
        scored[s, : len(z)] = np.isfinite(panel.values[s])
    if dynamic:
        scored[:, :2] = 0.0
        mean, B = np.zeros((2, len(y), 1))
        for t in range(1, T):
            mean, A, B = _line(y[:, t - 1 : t], t, mean, B)
            line[0, :, t], line[1, :, t] = A[:, 0], B[:, 0]
    else:
        for s, z in enumerate(scaled):
            centred = np.arange(1, len(z) + 1) - (len(z) + 1) / 2
            slope = float(centred @ z / (centred @ centred)) if len(z) > 1 else 0.0
            line[0, s], line[1, s] = z.mean() - slope * (len(z) + 1) / 2, slope
    return _Series(y, scored, steps, line, dynamic)


def _line(y: Array, t: int | Array, mean: Array, B: Array) -> tuple[Array, Array, Array]:
    """Return the mean of the values and the line A_t, B_t after the value of step t, from those before it."""
    slope = np.where(t > 1, ((t - 2) * B + 6.0 / t * (y - mean)) / (t + 1), 0.0)
    mean = ((t - 1) * mean + y) / t
    return mean, mean - (t + 1) / 2 * slope, slope


def _some(series: _Series, rows: slice) -> _Series:
    """Return some series of a panel."""
    return _Series(series.y[rows], series.scored[rows], series.steps[rows], series.line[:, rows], series.dynamic)


def _search(series: _Series, free: NDArray[np.bool_]) -> tuple[Array, Array, Array]:
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


def _sums(series: _Series, alpha: Array) -> Array:
    """Return the sums of pp, pD, DD, pr, Dr and rr over the scored steps, (6, S, G).

    mu_t = base_t + p_t l_0 + D_t w, and r_t = y_t - base_t.
    """
    base, p, sums = np.zeros_like(alpha), np.ones_like(alpha), np.zeros((6, *alpha.shape))
    for t in range(series.y.shape[1]):
        y, m = series.y[:, t, None], series.scored[:, t, None]
        q = p * (1 - alpha)
        D = p * series.line[0, :, t, None] + (1 - q) / alpha * series.line[1, :, t, None]
        r = y - base
        mp, mD = m * p, m * D
        for k, product in enumerate((mp * p, mp * D, mD * D, mp * r, mD * r, m * r * r)):
            sums[k] += product
        base, p = base + alpha * r, q
    return sums


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


def _run(series: _Series, alpha: Array, start: Array, weight: Array) -> tuple[Array, _State]:
    """Return the errors (S, K, T) of K variants of the parameters, (S, K) each, and the states at the ends."""
    level, p = start + np.zeros_like(alpha), np.ones_like(alpha)
    errors, ends = np.empty((*alpha.shape, series.y.shape[1])), level
    for t in range(series.y.shape[1]):
        q = p * (1 - alpha)
        D = p * series.line[0, :, t, None] + (1 - q) / alpha * series.line[1, :, t, None]
        error = series.y[:, t, None] - (level + weight * D)
        errors[:, :, t] = error
        level, p = alpha * series.y[:, t, None] + (1 - alpha) * level, q
        ends = np.where((series.steps == t + 1)[:, None], level, ends)
    return errors, _State(ends, *_end_lines(series, alpha.shape[1]), series.steps[:, None].astype(np.float64))


def _end_lines(series: _Series, variants: int) -> tuple[Array, Array, Array]:
    """Return A, B and the mean after the last value of each series, (S, K) each."""
    S = len(series.steps)
    last, y = series.line[:, np.arange(S), series.steps - 1], series.y[np.arange(S), series.steps - 1]
    n = series.steps.astype(np.float64)
    mean = (series.y.sum(axis=1) - y) / np.maximum(n - 1, 1)
    if series.dynamic:
        mean, A, B = _line(y, n, mean, last[1])
    else:
        A, B = last
    return tuple(np.repeat(x[:, None], variants, axis=1) for x in (A, B, mean))  # type: ignore[return-value]


def _go_on(state: _State, alpha: Array, weight: Array, errors: Array, dynamic: bool) -> Array:
    """Return the means mu of the steps after the end, (S, K, H), if the errors of variant k are errors[k], (K, H)."""
    horizon = errors.shape[1]
    K = max(state.level.shape[1], len(errors))
    level, A, B, mean = (np.repeat(x, K // x.shape[1], axis=1) for x in (state.level, state.A, state.B, state.mean))
    out = np.empty((*level.shape, horizon))
    for h in range(horizon):
        t = state.n + h + 1
        p = (1 - alpha) ** (t - 1)
        mu = level + weight * (p * A + (1 - p * (1 - alpha)) / alpha * B)
        out[:, :, h] = mu
        y = mu + errors[:, h]
        level = alpha * y + (1 - alpha) * level
        if dynamic:
            mean, A, B = _line(y, t, mean, B)
    return out


def _precision(series: _Series, errors: Array, sigma: Array) -> Array:
    """Return the inverse covariance matrices of alpha, l_0 and w, (S, 3, 3): J'J / sigma^2 and that of the prior.

    Args:
        series: The series.
        errors: The errors of the parameters, and of each of them moved by ``_MOVES``, (S, 4, T).
        sigma: The standard deviations of the errors, (S,).
    """
    J = (errors[:, 1:] - errors[:, :1]) / np.diag(_MOVES)[:, None]
    information = (J * series.scored[:, None]) @ J.swapaxes(1, 2)
    return np.asarray(information / sigma[:, None, None] ** 2 + np.diag(1 / _PRIOR**2))
