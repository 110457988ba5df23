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

from dataclasses import dataclass, fields
from itertools import product
from typing import final

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtri
from scipy.stats import qmc

from ostinato.local.growth import Growth, growth
from ostinato.local.panel import Ahead, Panel
from ostinato.local.seasonality import Adjustment, adjustment, interpolated
from ostinato.local.student import student
from ostinato.spread import spread, still

Array = NDArray[np.float64]

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
#: The number of draws; each is used with both signs.
_DRAWS = 32
_FLOOR = 1e-8


@dataclass(frozen=True)
class _Posterior:
    """The normal distributions of the coefficients in each model, given sigma.

    Attributes:
        mean: The means, (S, K, q).
        root: Square roots of the covariance matrices over sigma^2, (S, K, q, q).
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
        growths: How the standard deviation depends on the level of each series.
        adjustments: The seasonal adjustment of each series.
    """

    weights: Array
    sigma: Array
    freedom: Array
    growths: tuple[Growth, ...]
    adjustments: tuple[Adjustment, ...]
    _posterior: _Posterior
    _recent: Array
    _last: Array
    _unit: Array
    _steps: NDArray[np.int64]

    def ahead(self, horizon: int, probabilities: Array) -> Ahead:
        """Forecast from the end of every series; see ``Fitted``."""
        point, deviation = np.empty((2, len(self.sigma), horizon))
        for first in range(0, len(point), 500):
            rows = slice(first, first + 500)
            point[rows], deviation[rows] = self._paths(rows, horizon)
        for s, adjusted in enumerate(self.adjustments):
            mean = point[s] * self._unit[s] + self._last[s]
            wide = deviation[s] * self._unit[s] * self.growths[s].at(mean)
            point[s], deviation[s] = adjusted.restored(int(self._steps[s]), mean, wide)
        return student(point, deviation, self.freedom, probabilities)

    def said(self, s: int) -> str:
        """Return the mean coefficients of series ``s``; see ``Fitted``."""
        c, phi = (self.weights[s] @ self._posterior.mean[s])[:2]
        return f"AR(first lag {phi:.2f}, drift {c * self._unit[s]:.3g})"

    def _paths(self, rows: slice, horizon: int) -> tuple[Array, Array]:
        """Return means and standard deviations of some series in scaled units, (S, H) each."""
        weights, post = self.weights[rows], self._posterior
        sigma = (self.sigma[rows] / self._unit[rows])[:, None]
        S, q = len(weights), post.mean.shape[2]
        points = qmc.Halton(q + 1, scramble=False).random(_DRAWS + 1)[1:]
        model = np.minimum((weights.cumsum(axis=1)[:, None, :] < points[:, :1]).sum(axis=2), weights.shape[1] - 1)
        each = np.arange(S)[:, None]
        mean, root = post.mean[rows][each, model], post.root[rows][each, model]  # (S, D, q), (S, D, q, q)
        moved = np.einsum("sdij,dj->sdi", root, ndtri(points[:, 1:])) * sigma[:, :, None]
        drawn = np.concatenate([mean + moved, mean - moved], axis=1)
        c, phi = drawn[..., 0], _stable(drawn[..., 1:])
        change = np.zeros((S, 2 * _DRAWS, _LAGS + horizon))  # the changes before the end, and those after it
        change[:, :, :_LAGS] = self._recent[rows][:, None, :]
        answer = np.zeros_like(change)  # the changes after one error of 1 in the first step
        for t in range(_LAGS, _LAGS + horizon):
            change[:, :, t] = c + np.einsum("sdj,sdj->sd", phi, change[:, :, t - _LAGS : t][:, :, ::-1])
            answer[:, :, t] = np.einsum("sdj,sdj->sd", phi, answer[:, :, t - _LAGS : t][:, :, ::-1]) + (t == _LAGS)
        path, psi = change[:, :, _LAGS:].cumsum(axis=2), answer[:, :, _LAGS:].cumsum(axis=2)
        variance = sigma**2 * (psi**2).cumsum(axis=2).mean(axis=1) + path.var(axis=1)
        return path.mean(axis=1), np.sqrt(variance)


def fit_ar(panel: Panel) -> AR:
    """Fit a shrunken autoregression to every series, on the seasonally adjusted series where there is a season.

    Missing values are interpolated, and no error is counted at them.
    """
    filled = [interpolated(y) for y in panel.values]
    adjustments = tuple(adjustment(y, panel.seasons) for y in filled)
    series = [a.removed(y) for a, y in zip(adjustments, filled, strict=True)]
    growths, X, dy, recent, unit = _rows(panel, series)
    count = (np.abs(X[:, :, 0]) > 0).sum(axis=1)
    posterior = _joined([_solve(X, dy, count, about) for about in _centres(X, dy)])
    weights = _weights(posterior.log_evidence)
    # one change of the typical size is known before the data are seen
    sigma = np.sqrt((weights * (posterior.rss + 1.0)).sum(axis=1) / (count + 1.0))
    flat = np.array([still(z) for z in series])
    sigma = np.maximum(np.where(flat, 0.0, sigma), _FLOOR)
    last = np.array([z[-1] for z in series])
    return AR(weights, sigma * unit, count.astype(np.float64), growths, adjustments, posterior, recent, last, unit,
              np.array([len(z) for z in series]))  # fmt: skip


def _rows(panel: Panel, series: list[Array]) -> tuple[tuple[Growth, ...], Array, Array, Array, Array]:
    """Return the growths, regressors (S, T, q), changes (S, T), last p changes (S, p) and units (S,) of a panel."""
    S, T = len(series), max(max((len(y) for y in series), default=1) - 1, 1)
    X, dy, recent, unit = np.zeros((S, T, 1 + _LAGS)), np.zeros((S, T)), np.zeros((S, _LAGS)), np.ones(S)
    growths = []
    for s, z in enumerate(series):
        seen = np.isfinite(panel.values[s])
        target, change = seen[1:], np.diff(z)
        growths.append(growth(change[target], z[:-1][target], z[seen]))
        relative = growths[s].at(z[:-1])
        unit[s] = _change(change[target] / relative[target], z)
        change = change / unit[s]
        keep = target / relative
        X[s, : len(change)] = _regressors(change) * keep[:, None]
        dy[s, : len(change)] = change * keep
        recent[s, max(_LAGS - len(change), 0) :] = change[-_LAGS:]
    return tuple(growths), X, dy, recent, unit


def _change(changes: Array, z: Array) -> float:
    """Return the typical size of the changes of z (T,), at least a small share of its spread."""
    unit = spread(z)
    return unit * max(float(np.sqrt(((changes / unit) ** 2).mean())), _FLOOR) if len(changes) else unit


def _regressors(change: Array) -> Array:
    """Return 1 and the changes 1 .. p steps before each of some changes (n,), (n, 1 + p); 0 before the first."""
    n = len(change)
    lags = [np.concatenate([np.zeros(j), change])[:n] for j in range(1, _LAGS + 1)]
    return np.stack([np.ones(n), *lags], axis=1)


def _centres(X: Array, dy: Array) -> tuple[Array, Array]:
    """Return what the coefficients of a series may be shrunken to, (S, q) each: 0, or the lags of the others.

    The others' coefficients are those of one regression over all other series, which is itself shrunken to 0. Their
    drift is not taken over: on the monthly series of M1 it makes forecasts worse.
    """
    gram, moment = np.einsum("sti,stj->sij", X, X), np.einsum("sti,st->si", X, dy)
    prior = np.diag(1 / np.concatenate([[0.15], 0.3 / np.arange(1, _LAGS + 1)]) ** 2)
    others = np.linalg.solve(gram.sum(axis=0) - gram + prior, (moment.sum(axis=0) - moment)[:, :, None])[:, :, 0]
    others[:, 0] = 0.0
    return np.zeros_like(others), others


def _joined(parts: list[_Posterior]) -> _Posterior:
    """Return the posteriors of several sets of models as one."""
    return _Posterior(*(np.concatenate([getattr(p, f.name) for p in parts], axis=1) for f in fields(_Posterior)))


def _solve(X: Array, dy: Array, count: NDArray[np.int64], about: Array) -> _Posterior:
    """Return the posterior of every model about some coefficients, from regressors (S, T, q) and changes (S, T).

    The prior of the coefficients given sigma is normal, that of sigma^2 inverse gamma with one degree of freedom and
    scale 1 (O'Hagan and Forster, Kendall's Advanced Theory of Statistics 2B, 11.10).
    """
    dy = dy - np.einsum("sti,si->st", X, about)
    deviations = np.concatenate([_MODELS[:, :1], _MODELS[:, 1:] / np.arange(1, _LAGS + 1)], axis=1)
    deviations = np.maximum(deviations, _NOTHING)
    gram, moment = np.einsum("sti,stj->sij", X, X), np.einsum("sti,st->si", X, dy)
    # in units of the prior, so that the determinants compare
    precision = np.eye(X.shape[2]) + deviations[:, :, None] * gram[:, None] * deviations[:, None, :]
    lower = np.linalg.cholesky(precision)
    scaled = np.linalg.inv(lower) * deviations[:, None, :]  # its square is the covariance
    root = np.swapaxes(scaled, 2, 3)
    mean = np.einsum("skij,skj->ski", root, np.einsum("skij,sj->ski", scaled, moment))
    rss = np.maximum((dy**2).sum(axis=1)[:, None] - (mean * moment[:, None]).sum(axis=2), 0.0)
    log_determinant = np.log(np.diagonal(lower, axis1=2, axis2=3)).sum(axis=2)
    log_evidence = -log_determinant - (count[:, None] + 1) / 2 * np.log(rss + 1.0)
    return _Posterior(mean + about[:, None], root, rss, log_evidence)


def _weights(log_evidence: Array) -> Array:
    """Return the weights of the models in each series, (S, K), with the shares in the panel that these weights give."""
    S, K = log_evidence.shape
    likelihood = np.exp(log_evidence - log_evidence.max(axis=1, keepdims=True))
    share = np.full(K, 1.0 / K)
    for _ in range(50):
        weights = likelihood * share
        weights /= weights.sum(axis=1, keepdims=True)
        share = (weights.sum(axis=0) + _EVEN / K) / (S + _EVEN)
    return np.asarray(weights)


def _stable(phi: Array) -> Array:
    """Return phi_1 .. phi_p of the differences, (S, D, p), with no root beyond 0.98: phi_j r^j for some r <= 1."""
    out = phi.copy()
    doubtful = np.abs(phi).sum(axis=-1) >= _ROOT**_LAGS  # with a smaller sum no root can be larger
    doubtful[doubtful] = ~_within(phi[doubtful])
    if doubtful.any():
        few = phi[doubtful]
        companion = np.zeros((*few.shape, _LAGS))
        companion[:, 0] = few
        companion[:, np.arange(1, _LAGS), np.arange(_LAGS - 1)] = 1.0
        largest = np.abs(np.linalg.eigvals(companion)).max(axis=1)
        out[doubtful] = few * np.minimum(_ROOT / np.maximum(largest, _ROOT), 1.0)[:, None] ** np.arange(1, _LAGS + 1)
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
