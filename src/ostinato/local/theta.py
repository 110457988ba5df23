"""The Theta method and the dynamic optimised Theta model, fitted to a whole panel at once.

    y_t  = mu_t + e_t
    mu_t = l_{t-1} + w ((1 - alpha)^{t-1} A + (1 - (1 - alpha)^t) / alpha B),    w = 1 - 1 / theta
    l_t  = alpha y_t + (1 - alpha) l_{t-1}

A + B t is the least-squares line (the theta line of theta = 0). The Theta method (Assimakopoulos and Nikolopoulos 2000)
has theta = 2 and the line of the whole series; it is simple exponential smoothing with a drift of half the slope
(Hyndman and Billah 2003). The dynamic optimised Theta model (Fiorucci, Pellegrini, Louzada, Petropoulos and Koehler
2016, model DOTM, equations 18 to 24) estimates theta, and its line at step t is that of the values before t.

Given alpha, mu_t is linear in l_0 and w. So the fit is a search over alpha alone, on a grid that becomes finer, with
l_0 and w by least squares at each point. It finds the global minimum of the squared errors, for all series in one
recursion.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import final

import numpy as np

from ostinato.local.growth import Growth, growth
from ostinato.local.panel import Ahead, Panel, stacked
from ostinato.local.seasonality import Adjustment, adjustments, all_interpolated, restored
from ostinato.local.student import student
from ostinato.local.theta_lines import Series, go_on, lined, run, squared_answers
from ostinato.local.theta_search import search
from ostinato.shapes import Array
from ostinato.spread import FLOOR, spreads, stills

#: The standard deviations of alpha, l_0 and w before the data are seen, l_0 in spreads of the series. They keep the
#: uncertainty of parameters finite that a short series does not determine.
_PRIOR = np.array([0.3, 10.0, 0.3])


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
    _series: Series
    _shift: Array
    _unit: Array
    _start: Array
    _precision: Array

    def ahead(self, horizon: int, probabilities: Array) -> Ahead:
        """Forecast from the end of every series; see ``Fitted``.

        The variance of a step has three parts. The errors until then give sigma^2 (1 + sum of psi_j^2). The parameters
        give g C g', where g is the gradient of the forecast and C the covariance matrix of alpha, l_0 and w. The slope
        of the line gives (h alpha sigma)^2 / T, the variance of a mean change in exponential smoothing. The psi_j are
        about proportional to alpha, so alpha^2 is taken at its mean, which is its square plus its variance.
        """
        point, errors, doubt = self._steps(horizon)
        mean = point * self._unit[:, None] + self._shift[:, None]
        wide = self._unit[:, None] * np.hypot(errors * self.growth.at(mean), doubt)
        return student(*restored(self.adjustments, self._series.steps, mean, wide), self.freedom, probabilities)

    def description(self, s: int) -> str:
        """Return the parameters of series ``s``; see ``Fitted``."""
        adjusted = self.adjustments[s]
        season = (
            f", season {len(adjusted.figure)} {'x' if adjusted.multiplicative else '+'}" if adjusted.seasons else ""
        )
        theta = 1 / (1 - self.weight[s]) if self.weight[s] < 1 else np.inf
        return f"{self.name}(theta {theta:.3g}, alpha {self.alpha[s]:.2g}{season})"

    def _steps(self, horizon: int) -> tuple[Array, Array, Array]:
        """Return means, and standard deviations of the errors and of the means, in scaled units, (S, H) each."""
        alpha, series = self.alpha[:, None], self._series
        moved = _moved(self.alpha, self._start, self.weight)
        _, end = run(series, *moved)
        means = go_on(end, moved[0], moved[2], horizon, series.dynamic)  # (S, 4, H)
        gradient = (means[:, 1:] - means[:, :1]) / np.diag(_MOVES)[:, None]
        squares = squared_answers(self.alpha, self.weight, series.steps, horizon, series.dynamic)
        sigma2 = (self.sigma / self._unit)[:, None] ** 2
        covariance = np.linalg.inv(self._precision)
        uncertain = np.einsum("sih,sij,sjh->sh", gradient, covariance, gradient)
        slope = (np.arange(1, horizon + 1) * alpha) ** 2 / series.steps[:, None]
        spread_ = 1 + covariance[:, 0, 0, None] / alpha**2
        errors = np.sqrt(sigma2 * (1 + spread_ * (squares + slope)))
        return means[:, 0], errors, np.sqrt(np.maximum(uncertain, 0.0))


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
    filled = all_interpolated(panel.values)
    found = adjustments(filled, panel.seasons)
    adjusted = [a.removed(y) for a, y in zip(found, filled, strict=True)]
    shift = np.array([y[0] for y in adjusted])
    z = stacked(adjusted)
    unit = spreads(z)
    series = lined(panel, [(y - c) / u for y, c, u in zip(adjusted, shift, unit, strict=True)], dynamic=dynamic)
    scored = series.scored.sum(axis=1)
    free = (scored >= 6) if dynamic else np.zeros(len(unit), dtype=bool)
    alpha, start, weight = search(series, free)
    errors, _ = run(series, *_moved(alpha, start, weight))
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


def _errors_by_level(series: Series, errors: Array, z: Array, unit: Array) -> tuple[Growth, Array]:
    """Return how the errors (S, T) grow with the level, and the sums of their squares, relative to it, (S,)."""
    e = np.where(series.scored > 0, errors, np.nan)
    level = np.where(series.scored > 0, z - e * unit[:, None], 1.0)
    grown = growth(e, level, z)
    return grown, np.nansum((e / grown.at(level)) ** 2, axis=1)


def _precision(series: Series, errors: Array, sigma: Array) -> Array:
    """Return the inverse covariance matrices of alpha, l_0 and w, (S, 3, 3): J'J / sigma^2 and that of the prior.

    Args:
        series: The series.
        errors: The errors of the parameters, and of each of them moved by ``_MOVES``, (S, 4, T).
        sigma: The standard deviations of the errors, (S,).
    """
    J = (errors[:, 1:] - errors[:, :1]) / np.diag(_MOVES)[:, None]
    information = (J * series.scored[:, None]) @ J.swapaxes(1, 2)
    return np.asarray(information / sigma[:, None, None] ** 2 + np.diag(1 / _PRIOR**2))
