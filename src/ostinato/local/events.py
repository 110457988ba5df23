"""Counts: the mean over models of small whole numbers, each with the weight that its likelihood earns.

Two families, each over a grid of parameters:

    smoothing: y_t is negative binomial with mean m = l_{t-1} s_j and variance m + d m^2, and l_t = l_{t-1} + alpha e_t
        (Snyder, Ord and Beaumont 2012), where e_t = (y_t - m) / max(s_j, 1). The factor s_j of the position j in the
        season is 1, or (a + counts at j) / (a + levels at j) from what came before t alone: the mean of its
        distribution after these counts, with a gamma prior of mean 1.
    hurdle: a demand comes with probability p_{t-1} and has the size 1 + a negative binomial count. Both are smoothed,
        the probability at every step (as in TSB: Teunter, Syntetos and Babai 2011) and the size at a demand.

The forecast is the mixture of their distributions. So neither the dispersion nor how fast a level moves is taken as
known, which few events do not tell. The level of later steps is a random walk with steps alpha e_t, and its start was
itself estimated: both widen the distribution of a step, at the same mean. Quantiles are whole numbers.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import final

import numpy as np
from numpy.typing import NDArray
from scipy.special import gammaln

from ostinato.local.intermittent import ALPHAS
from ostinato.local.naive import Naive, fit_naive
from ostinato.local.panel import Ahead, Panel
from ostinato.shapes import Array

#: The dispersions d; 0 is the Poisson distribution.
_DISPERSIONS = np.array([0.0, 0.1, 0.25, 0.5, 1.0, 2.0, 4.0, 8.0])
#: The shapes a of the prior of a seasonal factor.
_FACTORS = (2.0, 8.0)
#: A model with a smaller weight is left out.
_LEAST = 1e-3
#: The largest value of a series that is taken for counts: beyond, whole numbers are as good as continuous.
MOST = 500
#: The number of steps ahead whose distributions are computed together, and the numbers that this takes at most: where
#: large counts are possible, fewer steps are.
_STEPS, _NUMBERS = 64, 2_000_000
#: No quantile is beyond this.
_LARGEST = 100_000
#: A dispersion that stands for 0.
_POISSON = 1e-9
#: Probabilities that differ by less are equal.
_ROUNDED = 1e-9


@dataclass(frozen=True)
class _Models:
    """The models of one series that have a weight.

    Attributes:
        weight: The weights, (K,), which sum to 1.
        chance: The probability of a demand; 1 for smoothing, (K,).
        mean: The mean of the negative binomial part in each position of the season, (K, m).
        dispersion: Its dispersion d, (K,).
        alpha: Its smoothing parameter, (K,).
        start: The share of the variance of a step by which the level is in doubt from the start, (K,).
        hurdle: Whether the model is a hurdle, (K,).
    """

    weight: Array
    chance: Array
    mean: Array
    dispersion: Array
    alpha: Array
    start: Array
    hurdle: NDArray[np.bool_]


@final
@dataclass(frozen=True)
class Events:
    """Mixtures for the series of counts in a panel.

    Attributes:
        models: The models of each series; None for a series that is not of counts.
        others: The naive method, for the series that are not of counts.
    """

    models: tuple[_Models | None, ...]
    others: Naive

    def ahead(self, horizon: int, probabilities: Array) -> Ahead:
        """Forecast from the end of every series; see ``Fitted``."""
        out = self.others.ahead(horizon, probabilities)
        for s, models in enumerate(self.models):
            if models is None:
                continue
            for first in range(0, horizon, _STEPS):
                steps = np.arange(first, min(first + _STEPS, horizon))
                out.point[s, steps], out.quantiles[s, steps] = _mixed(models, steps, probabilities)
        return out

    def description(self, s: int) -> str:
        """Return the means of the parameters of series ``s``; see ``Fitted``."""
        one = self.models[s]
        if one is None:
            return f"{self.others.description(s)} (no counts)"
        alpha, dispersion, hurdle = (one.weight @ x for x in (one.alpha, one.dispersion, one.hurdle))
        return f"events(alpha {alpha:.2g}, dispersion {dispersion:.2g}, hurdle {hurdle:.2g})"


def are_counts(y: Array) -> bool:
    """Return whether the values of a series (T,) are whole numbers from 0 to ``MOST``, and not all 0."""
    seen = y[np.isfinite(y)]
    return bool(len(seen) and seen.min() >= 0 and 0 < seen.max() <= MOST and (seen == np.rint(seen)).all())


def fit_events(panel: Panel) -> Events:
    """Fit the mixture, with the shortest season, to the counts of a panel, and the naive method to other series."""
    season = panel.seasons[0] if panel.seasons else 1
    return Events(tuple(_fit(y, season) if are_counts(y) else None for y in panel.values), fit_naive(panel))


def _fit(values: Array, season: int) -> _Models:
    """Return the models of a series (T,) with a season of some steps; 1 for none."""
    at = np.flatnonzero(np.isfinite(values))
    y, T = values[at], len(values)
    priors = (np.inf, *_FACTORS) if 1 < season <= T // 2 else (np.inf,)
    after = (T + np.arange(season)) % season  # the positions of the steps ahead
    parts = []
    for prior in priors:
        before, last = _smoothed(y, at % season, season, prior)
        score = _log_pmf(y, before[:, None], _DISPERSIONS[:, None]).sum(axis=-1)  # (G, E)
        parts.append((score - np.log(len(priors) * score.size), np.ones(1), last[:, after], len(y)))
    came, sizes = (y > 0).astype(np.float64), y[y > 0] - 1
    edge = 0.5 / (len(y) + 1)  # half a demand and half a step without one keep the probability off 0 and 1
    (often, chance), (size, last) = (_smoothed(x, np.zeros(len(x), dtype=np.int64), 1, np.inf) for x in (came, sizes))
    often, chance = np.clip(often, edge, 1 - edge), np.clip(chance, edge, 1 - edge)
    comes = np.where(came > 0, np.log(often), np.log1p(-often)).sum(axis=1)
    score = comes[:, None, None] + _log_pmf(sizes, size[:, None], _DISPERSIONS[:, None]).sum(axis=-1)  # (B, G, E)
    parts.append((score - np.log(score.size), chance[:, :, None], np.repeat(last, season, axis=1), len(sizes)))
    scores = np.concatenate([score.ravel() for score, *_ in parts])
    weight = np.exp(scores - scores.max())
    kept = weight >= _LEAST * weight.sum()
    columns = [np.concatenate(column)[kept] for column in zip(*(_columns(*part) for part in parts), strict=True)]
    return _Models(weight[kept] / weight[kept].sum(), *columns)


def _columns(score: Array, chance: Array, mean: Array, count: int) -> tuple[Array, ...]:
    """Return chance, mean, dispersion, alpha, start and hurdle of the models of a family; see ``_Models``.

    Args:
        score: The log-likelihoods, (..., G, E) over smoothing parameters and dispersions.
        chance: The probability of a demand, which broadcasts to the scores.
        mean: The means in each position of the season, (G, m).
        count: The number of values that the level was found from.
    """
    shape, m = score.shape, mean.shape[1]
    start = (1 - ALPHAS) ** (2 * count) / count
    each = (chance, _DISPERSIONS, ALPHAS[:, None], start[:, None], np.array(len(shape) > 2))
    chances, *others = (np.broadcast_to(x, shape).ravel() for x in each)
    return chances, np.broadcast_to(mean[:, None], (*shape, m)).reshape(-1, m), *others


def _smoothed(y: Array, position: NDArray[np.int64], season: int, prior: float) -> tuple[Array, Array]:
    """Return the mean before each of n values, (G, n), and after the last for each position, (G, m), for every alpha.

    The level starts at the mean of the values. No mean is below that of half an event in all of them.

    Args:
        y: The values, (n,).
        position: The position of each in the season, (n,).
        season: The number of steps m of the season.
        prior: The shape of the prior of a seasonal factor; infinite for factors of 1.
    """
    least = 0.5 / (len(y) + 1)
    level = np.full(len(ALPHAS), max(float(y.mean()), least))
    before, events = np.empty((len(ALPHAS), len(y))), np.zeros(season)
    levels, factors = np.zeros((len(ALPHAS), season)), np.ones((len(ALPHAS), season))
    for t, (value, j) in enumerate(zip(y, position, strict=True)):
        before[:, t] = level * factors[:, j]
        level = level + ALPHAS * (value - before[:, t]) / np.maximum(factors[:, j], 1.0)
        if np.isfinite(prior):
            events[j] += value
            levels[:, j] += before[:, t] / factors[:, j]
            factors[:, j] = (prior + events[j]) / (prior + levels[:, j])
    return np.maximum(before, least), np.maximum(level[:, None] * factors, least)


def _log_pmf(y: Array, mean: Array, dispersion: Array) -> Array:
    """Return the log-probabilities of counts under negative binomial distributions, of which d = 0 is Poisson's."""
    shape = 1 / np.where(dispersion > 0, dispersion, 1.0)
    poisson = y * np.log(mean) - mean - gammaln(y + 1)
    rest = gammaln(y + shape) - gammaln(shape) - gammaln(y + 1)
    binomial = rest + shape * np.log(shape / (shape + mean)) + y * np.log(mean / (shape + mean))
    return np.where(dispersion > 0, binomial, poisson)


def _mixed(models: _Models, steps: NDArray[np.int64], probabilities: Array) -> tuple[Array, Array]:
    """Return the means (H,) and the quantiles (H, Q) of some steps ahead, of which the next is 0."""
    weight, chance, hurdle = (x[:, None] for x in (models.weight, models.chance, models.hurdle))
    mean = models.mean[:, steps % models.mean.shape[1]]  # (K, H)
    variance = mean + models.dispersion[:, None] * mean**2
    moved = models.alpha[:, None] ** 2 * steps * chance  # a hurdle's size moves at a demand
    dispersion = np.maximum((variance * (1 + moved + models.start[:, None]) - mean) / mean**2, _POISSON)
    point = (weight * chance * (mean + hurdle)).sum(axis=0)
    # the chance of k more events over that of k - 1 is (d (k - 1) + 1) / k times the odds mean / (1 + d mean)
    most = float(probabilities.max(initial=0.0)) - _ROUNDED
    odds, none = np.log(mean / (1 + dispersion * mean)), -np.log1p(dispersion * mean) / dispersion
    size = 16
    while True:
        if size * mean.size > _NUMBERS and len(steps) > 1:
            halves = (_mixed(models, half, probabilities) for half in np.array_split(steps, 2))
            points, quantiles = zip(*halves, strict=True)
            return np.concatenate(points), np.concatenate(quantiles)
        k = np.arange(1, size)[:, None, None]
        logs = np.concatenate([none[None], none + (np.log1p(dispersion * (k - 1)) - np.log(k) + odds).cumsum(axis=0)])
        below = np.exp(logs).cumsum(axis=0)
        events = 1 - chance + chance * np.concatenate([np.zeros_like(below[:1]), below[:-1]])
        whole = (weight * np.where(hurdle, events, below)).sum(axis=1)  # (size, H)
        if whole[-1].min(initial=1.0) >= most or size > _LARGEST:
            break
        size *= 4
    return point, (whole[:, :, None] < probabilities - _ROUNDED).sum(axis=0).astype(np.float64)
