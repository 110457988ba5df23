"""Intermittent demand: Croston's method, the approximation of Syntetos and Boylan, and TSB, with distributions.

Demand is 0 in most steps. Each method smooths the size of the demands and how often they come:

    Croston (1972): size z and interval p, both at a demand alone; the forecast is z / p.
    SBA (Syntetos and Boylan 2005): the same times 1 - beta / 2, which takes away most of Croston's bias.
    TSB (Teunter, Syntetos and Babai 2011): size z at a demand, probability d of a demand at every step; d z.

The distribution is a hurdle: no demand with probability 1 - d, and else a size. The size has a gamma distribution whose
mean is the smoothed size and whose shape is that of the past sizes over their smoothed means; the likelihood of both
parts chooses the smoothing parameters. If all values are whole numbers, so are the quantiles.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import final

import numpy as np
from scipy.special import gammaincinv

from ostinato.local.naive import Naive, fit_naive
from ostinato.local.panel import Ahead, Panel
from ostinato.shapes import Array

#: The smoothing parameters that are tried: in practice they lie below 0.3 (Syntetos and Boylan 2005).
ALPHAS = np.array([0.0, 0.02, 0.05, 0.1, 0.15, 0.2, 0.3, 0.5])
#: The mean interval between demands from which a series is intermittent (Syntetos, Boylan and Croston 2005).
ADI = 1.32
#: The number of demands that do not come in one run by chance.
_RUN = 3
#: The number of cycles from which a season can say when demand comes.
_CYCLES = 4
#: The number of sizes that the prior of the squared coefficient of variation counts as; its mean is 1/2.
_PRIOR = 1.0


@dataclass(frozen=True)
class Demand:
    """What a method says of each later step of one series.

    Attributes:
        chance: The probability d of a demand.
        size: The mean size of a demand.
        variation: The squared coefficient of variation of a size about its mean.
        whole: Whether all values are whole numbers.
        alpha: The smoothing parameter of the size.
        beta: The smoothing parameter of the interval or the probability.
    """

    chance: float
    size: float
    variation: float
    whole: bool
    alpha: float
    beta: float

    @property
    def mean(self) -> float:
        """Return the mean of a step."""
        return self.chance * self.size

    def quantiles(self, probabilities: Array) -> Array:
        """Return the quantiles of a step, (Q,): 0 up to 1 - chance, and those of a gamma distribution above."""
        above = np.maximum(probabilities - (1 - self.chance), 0.0) / self.chance
        # the shape is bounded where scipy's inverse is exact; sizes beyond differ by less than 0.1 %
        shape = 1 / max(self.variation, 1e-6)
        out = self.size * gammaincinv(shape, above) / shape
        return np.where(above > 0, np.maximum(np.round(out), 1.0) if self.whole else out, 0.0)


@final
@dataclass(frozen=True)
class Intermittent:
    """A method for intermittent demand that was fitted to a panel.

    Attributes:
        name: The name of the method.
        demands: What it says of each series; None for a series that is not intermittent.
        others: The naive method, for the series that are not intermittent.
    """

    name: str
    demands: tuple[Demand | None, ...]
    others: Naive

    def ahead(self, horizon: int, probabilities: Array) -> Ahead:
        """Forecast from the end of every series; see ``Fitted``."""
        out = self.others.ahead(horizon, probabilities)
        for s, demand in enumerate(self.demands):
            if demand is not None:
                out.point[s], out.quantiles[s] = demand.mean, demand.quantiles(probabilities)
        return out

    def description(self, s: int) -> str:
        """Return the parameters of series ``s``; see ``Fitted``."""
        demand = self.demands[s]
        if demand is None:
            return f"{self.others.description(s)} (not intermittent)"
        return f"{self.name}(alpha {demand.alpha:.2g}, beta {demand.beta:.2g})"


def is_intermittent(y: Array, seasons: Sequence[int] = ()) -> bool:
    """Return whether a series (T,) has zeros, no negative value and a mean interval between demands above 1.32.

    A series whose zeros come by the calendar, such as on every Sunday, is not intermittent, because its season says
    when demand comes. Nor is one that began or ended: at least three demands, and no zero between them. The mean of
    such demands would be forecast after it had fallen to 0.

    Args:
        y: The series, (T,). NaN where a value is missing.
        seasons: The lengths of the seasons in steps.
    """
    seen = y[np.isfinite(y)]
    demands = int((seen > 0).sum())
    if demands < 2 or seen.min() < 0 or len(seen) <= ADI * demands:
        return False
    at = np.flatnonzero(seen > 0)
    if demands >= _RUN and at[-1] - at[0] == demands - 1:
        return False
    return not any(_by_calendar(y, m) for m in seasons if len(y) >= _CYCLES * m)


def _by_calendar(y: Array, season: int) -> bool:
    """Return whether the position in a season says when demand comes: it explains at least half of the variance."""
    observed = np.isfinite(y)
    at = np.arange(len(y))[observed] % season
    came = y[observed] > 0
    count = np.bincount(at, minlength=season)
    chance = np.bincount(at, came, minlength=season) / np.maximum(count, 1)
    # of n values at a position, chance alone leaves the share 1 - 1/n of the variance
    left = float((count * chance * (1 - chance)).sum()) / max(int(np.maximum(count - 1, 0).sum()), 1)
    return left <= float(came.mean() * (1 - came.mean())) / 2


def fit_croston(panel: Panel) -> Intermittent:
    """Fit Croston's method to the intermittent series of a panel, and the naive method to the others."""
    return _fit("Croston", panel, lambda y: _interval(y, debiased=False))


def fit_sba(panel: Panel) -> Intermittent:
    """Fit the approximation of Syntetos and Boylan to the intermittent series, and the naive method to the others."""
    return _fit("SBA", panel, lambda y: _interval(y, debiased=True))


def fit_tsb(panel: Panel) -> Intermittent:
    """Fit TSB to the intermittent series of a panel, and the naive method to the others."""
    return _fit("TSB", panel, _probability)


def croston(y: Array, alpha: float, beta: float) -> tuple[float, float]:
    """Return the smoothed size and interval after the last demand, for given smoothing parameters.

    Both start at the first demand, the interval with the number of steps up to it (as in statsforecast).

    Args:
        y: The observed values, (T,), at least one above 0.
        alpha: The smoothing parameter of the size.
        beta: The smoothing parameter of the interval.
    """
    at = np.flatnonzero(y > 0)
    sizes, intervals = y[at], np.diff(at, prepend=-1).astype(np.float64)
    return _smoothed(sizes, np.array([alpha]), sizes[0])[0, -1], _smoothed(intervals, np.array([beta]), intervals[0])[
        0, -1
    ]


def _fit(name: str, panel: Panel, rule: Callable[[Array], Demand]) -> Intermittent:
    """Fit a rule to the intermittent series of a panel."""
    seen = [y[np.isfinite(y)] for y in panel.values]
    return Intermittent(name, tuple(rule(y) if is_intermittent(y) else None for y in seen), fit_naive(panel))


def _interval(y: Array, *, debiased: bool) -> Demand:
    """Return Croston's forecast of a series of observed values (T,)."""
    at = np.flatnonzero(y > 0)
    alpha, size, variation = _size(y[at])
    intervals = np.diff(at, prepend=-1).astype(np.float64)
    paths = _smoothed(intervals, ALPHAS, intervals.mean())
    # the interval is geometric; a run of zeros at the end is an interval that has not ended
    chance = 1 / np.maximum(paths, 1 + 1e-9)
    rest = len(y) - 1 - at[-1]
    score = (np.log(chance[:, :-1]) + (intervals - 1) * np.log1p(-chance[:, :-1])).sum(axis=1)
    best = int((score + rest * np.log1p(-chance[:, -1])).argmax())
    factor = 1 - ALPHAS[best] / 2 if debiased else 1.0
    often = float(np.clip(factor / paths[best, -1], 1e-12, 1.0))
    return Demand(often, size, variation, bool((y == np.round(y)).all()), alpha, float(ALPHAS[best]))


def _probability(y: Array) -> Demand:
    """Return the forecast of TSB of a series of observed values (T,)."""
    demand = (y > 0).astype(np.float64)
    alpha, size, variation = _size(y[y > 0])
    # half a demand and half a step without one keep the probability off 0 and 1
    edge = 0.5 / (len(y) + 1)
    paths = np.clip(_smoothed(demand, ALPHAS, demand.mean()), edge, 1 - edge)
    score = np.where(demand > 0, np.log(paths[:, :-1]), np.log1p(-paths[:, :-1])).sum(axis=1)
    best = int(score.argmax())
    often = float(paths[best, -1])
    return Demand(often, size, variation, bool((y == np.round(y)).all()), alpha, float(ALPHAS[best]))


def _size(sizes: Array) -> tuple[float, float, float]:
    """Return alpha, the smoothed size and the squared coefficient of variation of sizes (n,) about it.

    The parameter is the one with the highest gamma likelihood, whose deviance in sizes over means is used for the shape
    too: for a given shape it is 2 sum(ratio - 1 - log ratio) (McCullagh and Nelder 1989, 8.3).
    """
    paths = _smoothed(sizes, ALPHAS, sizes.mean())
    ratio = sizes / paths[:, :-1]
    best = int((ratio - 1 - np.log(ratio)).sum(axis=1).argmin())
    n = len(sizes)
    variation = (float(((ratio[best] - 1) ** 2).sum()) + 0.5 * _PRIOR) / (n - 1 + _PRIOR)
    return float(ALPHAS[best]), float(paths[best, -1]), min(variation, 4.0) if n > 1 else 0.5


def _smoothed(x: Array, alpha: Array, start: float) -> Array:
    """Return the smoothed values before each of x (n,) and after the last, (G, n + 1), for every alpha (G,)."""
    out = np.empty((len(alpha), len(x) + 1))
    out[:, 0] = start
    for t, value in enumerate(x):
        out[:, t + 1] = out[:, t] + alpha * (value - out[:, t])
    return out
