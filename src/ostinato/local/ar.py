"""Autoregressions of short series, shrunken to the random walk and to what the panel's other series reward.

    dy_t = c + phi_1 dy_{t-1} + .. + phi_p dy_{t-p} + e_t,    dy_t = y_t - y_{t-1}

At c = phi = 0 this is a random walk. The coefficients have normal priors about 0, or about those of the panel's other
series, tighter for longer lags (the Minnesota prior: Litterman 1986; Doan, Litterman and Sims 1984). How tight they
are, and whether a drift enters at all, is a grid of models. The weight of a model in a series is its marginal
likelihood, which is known in closed form, times its share in the panel, which the weights of all series give in turn
(empirical Bayes). So short series follow their panel and long ones themselves. A free level next to the differences
forecasts worse on the monthly series of M1 and of the tourism competition, so there is none; long lags take its part.

The forecast is the mean over draws of a model and its coefficients. A draw with a root beyond the unit circle is drawn
back to within it, so no forecast explodes. The variance of a step is that of the errors plus that between draws, which
is the uncertainty of the parameters.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product
from typing import final

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtri

from ostinato.local.growth import Growth, growth
from ostinato.local.halton import halton
from ostinato.local.panel import Ahead, Panel, stacked
from ostinato.local.seasonality import Adjustment, adjustments, all_interpolated, restored
from ostinato.local.student import student
from ostinato.shapes import Array
from ostinato.spread import FLOOR, is_quiet, spreads, stills

#: The number of lags p of the differences.
_LAGS = 12
#: The standard deviations of c, in typical changes, and of phi_1 before the data are seen. That of phi_j is 1/j of it.
_MODELS = np.array(list(product([0.0, 0.15, 0.5], [0.0, 0.3, 1.0])))
#: The largest root of the differences; nearer to 1 a change would hardly fade.
_ROOT = 0.98
#: A standard deviation that stands for 0.
_NOTHING = 1e-4
#: How many series the even shares of the models count as, next to the series of the panel.
_EVEN = 10.0
#: Shares of the weights that differ by less are equal.
_ROUNDED = 1e-9
#: The number of draws; each is used with both signs.
_DRAWS = 32
#: The number of series whose paths are computed together, such that their coefficients stay in the cache.
_AT_ONCE = 128


@dataclass(frozen=True)
class _Sums:
    """What a regression of n changes needs to know of them.

    Attributes:
        gram: The products of the regressors, (S, q, q).
        moment: The products of the regressors and the changes, (S, q).
        squares: The squares of the changes, (S,).
        count: The number n of changes, (S,).
    """

    gram: Array
    moment: Array
    squares: Array
    count: NDArray[np.int64]


@dataclass(frozen=True)
class _Posterior:
    """The normal distributions of the coefficients in each model, given sigma.

    Attributes:
        mean: The means, (S, K, q).
        root: Square roots of the covariance matrices over sigma^2, (S, K', q, q), where model k has that of k mod K'.
        rss: The penalised sums of squares, (S, K).
        log_evidence: The logarithms of the marginal likelihoods up to a constant of the series, (S, K).
    """

    mean: Array
    root: Array
    rss: Array
    log_evidence: Array


@final
@dataclass(frozen=True)
class AR:
    """Shrunken autoregressions that were fitted to a panel.

    Attributes:
        weights: The weights of the models, (S, K), each row of sum 1.
        sigma: The standard deviation of the errors, (S,), in the units of the series.
        freedom: The degrees of freedom of sigma, (S,).
        growth: How the standard deviation depends on the level of each series.
        adjustments: The seasonal adjustment of each series.
    """

    weights: Array
    sigma: Array
    freedom: Array
    growth: Growth
    adjustments: tuple[Adjustment, ...]
    _posterior: _Posterior
    _recent: Array
    _last: Array
    _unit: Array
    _steps: NDArray[np.int64]

    def ahead(self, horizon: int, probabilities: Array) -> Ahead:
        """Forecast from the end of every series; see ``Fitted``."""
        point, errors, doubt = np.empty((3, len(self.sigma), horizon))
        for first in range(0, len(point), _AT_ONCE):
            rows = slice(first, first + _AT_ONCE)
            point[rows], errors[rows], doubt[rows] = self._paths(rows, horizon)
        mean = point * self._unit[:, None] + self._last[:, None]
        wide = self._unit[:, None] * np.hypot(errors * self.growth.at(mean), doubt)
        return student(*restored(self.adjustments, self._steps, mean, wide), self.freedom, probabilities)

    def description(self, s: int) -> str:
        """Return the mean coefficients of series ``s``; see ``Fitted``."""
        c, phi = (self.weights[s] @ self._posterior.mean[s])[:2]
        return f"AR(first lag {phi:.2f}, drift {c * self._unit[s]:.3g})"

    def _paths(self, rows: slice, horizon: int) -> tuple[Array, Array, Array]:
        """Return means, and standard deviations of the errors at the typical level and of the means, (S, H) each.

        All are in scaled units. How far the coefficients are in doubt grows with the changes that they are multiplied
        by, and these are already those of the level at the end.

        Args:
            rows: The S series.
            horizon: The number of steps H to forecast.
        """
        weights, post = self.weights[rows], self._posterior
        sigma = (self.sigma[rows] / self._unit[rows])[:, None]
        S, q = len(weights), post.mean.shape[2]
        points = halton(_DRAWS, q + 1)
        # of one series both centres are the same and half of the weights meets a point: rounding must not choose there
        drawn_below = weights.cumsum(axis=1)[:, None, :] < points[:, :1] - _ROUNDED
        model = np.minimum(drawn_below.sum(axis=2), weights.shape[1] - 1)
        each = np.arange(S)[:, None]
        # (S, D, q), (S, D, q, q)
        mean, root = post.mean[rows][each, model], post.root[rows][each, model % post.root.shape[1]]
        moved = np.einsum("sdij,dj->sdi", root, ndtri(points[:, 1:])) * sigma[:, :, None]
        drawn = np.concatenate([mean + moved, mean - moved], axis=1)
        c, phi = drawn[..., 0], _stable(drawn[..., 1:])
        path, psi = _followed(c, phi, self._recent[rows], horizon)
        errors = sigma * np.sqrt((psi**2).mean(axis=2).cumsum(axis=0).T)
        return path.mean(axis=2).T, errors, path.std(axis=2).T


def _followed(c: Array, phi: Array, recent: Array, horizon: int) -> tuple[Array, Array]:
    """Return the values after the end, and their answers to one error of 1 in the first step, (H, S, D) each.

    Args:
        c: The drift of each draw, (S, D).
        phi: The coefficients of each draw, (S, D, p).
        recent: The last p changes before the end, (S, p).
        horizon: The number of steps H.
    """
    phi = np.ascontiguousarray(np.moveaxis(phi, 2, 0))  # the lags first: a step is a few products of whole arrays
    change = np.empty((_LAGS + horizon, *c.shape))  # the changes before the end, and those after it
    change[:_LAGS] = recent.T[:, :, None]
    answer = np.zeros((horizon, *c.shape))  # the changes after the error
    answer[0], product = 1.0, np.empty_like(c)
    for h in range(horizon):
        after = change[_LAGS + h]
        after[...] = c
        for j in range(_LAGS):
            after += np.multiply(phi[j], change[_LAGS + h - 1 - j], out=product)
        for j in range(min(h, _LAGS)):
            answer[h] += np.multiply(phi[j], answer[h - 1 - j], out=product)
    path = change[_LAGS:]
    for h in range(1, horizon):  # sums over the steps
        path[h] += path[h - 1]
        answer[h] += answer[h - 1]
    return path, answer


def fit_ar(panel: Panel) -> AR:
    """Fit a shrunken autoregression to every series, on the seasonally adjusted series where there is a season.

    Missing values are interpolated, and no error is counted at them.
    """
    filled = all_interpolated(panel.values)
    found = adjustments(filled, panel.seasons)
    series = [a.removed(y) for a, y in zip(found, filled, strict=True)]
    z = stacked(series)
    grown, X, dy, recent, unit = _rows(z, stacked(panel.values))
    count = (np.abs(X[:, :, 0]) > 0).sum(axis=1)
    sums = _Sums(X.swapaxes(1, 2) @ X, (dy[:, None] @ X)[:, 0], (dy**2).sum(axis=1), count)
    speaks = np.array([not (is_quiet(y) or is_quiet(rest)) for y, rest in zip(panel.values, series, strict=True)])
    posterior = _solve(sums, _centres(sums, speaks))
    weights = _weights(posterior.log_evidence, speaks)
    # one change of the typical size is known before the data are seen
    sigma = np.sqrt((weights * (posterior.rss + 1.0)).sum(axis=1) / (count + 1.0))
    sigma = np.maximum(np.where(stills(z), 0.0, sigma), FLOOR)
    last = np.array([y[-1] for y in series])
    return AR(weights, sigma * unit, count.astype(np.float64), grown, found, posterior, recent, last, unit,
              np.array([len(y) for y in series]))  # fmt: skip


def _rows(z: Array, y: Array) -> tuple[Growth, Array, Array, Array, Array]:
    """Return the growth, regressors (S, T - 1, q), changes (S, T - 1), last p changes (S, p) and units (S,).

    Args:
        z: The series without a season and without missing values, (S, T). NaN after the end of a series.
        y: The values, (S, T). NaN where a value is missing.
    """
    S, T = len(z), max(z.shape[1] - 1, 1)
    before, change = (np.zeros((S, T)) for _ in range(2))
    if z.shape[1] > 1:
        before, change = np.nan_to_num(z[:, :-1]), np.nan_to_num(np.diff(z, axis=1))
    target = np.zeros((S, T), dtype=bool)
    target[:, : y.shape[1] - 1] = np.isfinite(y[:, 1:])
    grown = growth(np.where(target, change, np.nan), before, np.where(np.isfinite(y), z, np.nan))
    keep = np.where(target, 1 / grown.at(before), 0.0)
    unit = _change(change * keep, target, z)
    change = change / unit[:, None]
    padded = np.concatenate([np.zeros((S, _LAGS)), change], axis=1)
    X = np.stack([np.ones_like(change), *(padded[:, _LAGS - j : _LAGS - j + T] for j in range(1, _LAGS + 1))], axis=2)
    ends = np.isfinite(z).sum(axis=1)[:, None] - 1 + np.arange(_LAGS)
    return grown, X * keep[:, :, None], change * keep, np.take_along_axis(padded, ends, axis=1), unit


def _change(changes: Array, target: NDArray[np.bool_], z: Array) -> Array:
    """Return the typical size of the changes (S, T - 1) of series z (S, T), at least a small share of their spread."""
    unit, count = spreads(z), target.sum(axis=1)
    size = np.sqrt(((changes / unit[:, None]) ** 2).sum(axis=1) / np.maximum(count, 1))
    return np.where(count > 0, unit * np.maximum(size, FLOOR), unit)


def _centres(sums: _Sums, speaks: NDArray[np.bool_]) -> Array:
    """Return what the coefficients of a series may be shrunken to, (2, S, q): 0, or the lags of the others.

    The others' coefficients are those of one regression over all other series, which is itself shrunken to 0. Their
    drift is not taken over: on the monthly series of M1 it makes forecasts worse.

    Args:
        sums: The regressions of the series.
        speaks: Whether the others learn from each series, (S,).
    """
    gram, moment = sums.gram * speaks[:, None, None], sums.moment * speaks[:, None]
    prior = np.diag(1 / np.concatenate([[0.15], 0.3 / np.arange(1, _LAGS + 1)]) ** 2)
    others = np.linalg.solve(gram.sum(axis=0) - gram + prior, (moment.sum(axis=0) - moment)[:, :, None])[:, :, 0]
    others[:, 0] = 0.0
    return np.stack([np.zeros_like(others), others])


def _solve(sums: _Sums, centres: Array) -> _Posterior:
    """Return the posterior of every model about each of some coefficients, (C, S, q).

    The prior of the coefficients given sigma is normal, that of sigma^2 inverse gamma with one degree of freedom and
    scale 1 (O'Hagan and Forster, Kendall's Advanced Theory of Statistics 2B, 11.10).
    """
    deviations = np.concatenate([_MODELS[:, :1], _MODELS[:, 1:] / np.arange(1, _LAGS + 1)], axis=1)
    deviations = np.maximum(deviations, _NOTHING)
    # in units of the prior, so that the determinants compare
    precision = np.eye(len(deviations[0])) + deviations[:, :, None] * sums.gram[:, None] * deviations[:, None, :]
    lower = np.linalg.cholesky(precision)
    scaled = np.linalg.inv(lower) * deviations[:, None, :]  # its square is the covariance
    log_determinant = np.log(np.diagonal(lower, axis1=2, axis2=3)).sum(axis=2)
    parts = []
    for about in centres:
        explained = np.einsum("sij,sj->si", sums.gram, about)
        moment = sums.moment - explained
        squares = sums.squares + (about * (explained - 2 * sums.moment)).sum(axis=1)
        half = (scaled @ moment[:, None, :, None])[..., 0]
        mean = (np.swapaxes(scaled, 2, 3) @ half[..., None])[..., 0]
        rss = np.maximum(squares[:, None] - (half**2).sum(axis=2), 0.0)
        log_evidence = -log_determinant - (sums.count[:, None] + 1) / 2 * np.log(rss + 1.0)
        parts.append((mean + about[:, None], rss, log_evidence))
    mean, rss, log_evidence = (np.concatenate(each, axis=1) for each in zip(*parts, strict=True))
    return _Posterior(mean, np.swapaxes(scaled, 2, 3), rss, log_evidence)


def _weights(log_evidence: Array, speaks: NDArray[np.bool_]) -> Array:
    """Return the weights of the models in each series, (S, K), with the shares in the panel that these weights give.

    Args:
        log_evidence: The logarithms of the marginal likelihoods, (S, K).
        speaks: Whether the panel learns from each series, (S,).
    """
    K = log_evidence.shape[1]
    likelihood = np.exp(log_evidence - log_evidence.max(axis=1, keepdims=True))
    share = np.full(K, 1.0 / K)
    for _ in range(50):
        weights = likelihood * share
        weights /= weights.sum(axis=1, keepdims=True)
        share = (weights[speaks].sum(axis=0) + _EVEN / K) / (speaks.sum() + _EVEN)
    return np.asarray(weights)


def _stable(phi: Array) -> Array:
    """Return phi_1 .. phi_p of the differences, (S, D, p), with no root beyond 0.98: phi_j r^j for some r <= 1."""
    out = phi.copy()
    may_explode = np.abs(phi).sum(axis=-1) >= _ROOT**_LAGS  # with a smaller sum no root can be larger
    may_explode[may_explode] = ~_within(phi[may_explode])
    if may_explode.any():
        few = phi[may_explode]
        companion = np.zeros((*few.shape, _LAGS))
        companion[:, 0] = few
        companion[:, np.arange(1, _LAGS), np.arange(_LAGS - 1)] = 1.0
        largest = np.abs(np.linalg.eigvals(companion)).max(axis=1)
        out[may_explode] = few * np.minimum(_ROOT / np.maximum(largest, _ROOT), 1.0)[:, None] ** np.arange(1, _LAGS + 1)
    return out


def _within(phi: Array) -> NDArray[np.bool_]:
    """Return whether every root of phi (n, p) is within 0.98, (n,).

    The roots of phi_j / 0.98^j are within the unit circle if all partial autocorrelations are within 1, which the
    recursion of Levinson and Durbin gives from the last to the first (Monahan 1984). It is 30 times as fast as roots.
    """
    left = phi / _ROOT ** np.arange(1, _LAGS + 1)
    within = np.ones(len(phi), dtype=bool)
    for k in range(_LAGS, 0, -1):
        last = left[:, k - 1]
        within &= np.abs(last) < 1
        last = np.where(within, last, 0.0)[:, None]
        left = (left[:, : k - 1] + last * left[:, k - 2 :: -1][:, : k - 1]) / (1 - last**2)
    return within
