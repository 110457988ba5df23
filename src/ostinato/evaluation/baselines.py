"""The forecasts that cost nothing, which a model must beat: naive, seasonal naive, Naive2, drift, and an AR a series.

Each is fitted to one channel of one series, and says of the steps ahead that they are normal, with a mean and a
standard deviation (FPP3: Hyndman and Athanasopoulos, Forecasting: Principles and Practice, 3rd edition, 5.2 and 5.5).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from ostinato.evaluation.seasonality_test import indices, is_seasonal
from ostinato.layers.autoregression import FLOOR, ARFit, fit_ar

Array = NDArray[np.float64]


class Rule(Protocol):
    """A baseline fitted to a history."""

    def ahead(self, history: Array, horizon: int) -> tuple[Array, Array]:
        """Means and standard deviations (H,) of the steps that follow history (T,), NaN where missing."""
        ...

    def one_step(self, history: Array, later: Array) -> tuple[Array, Array]:
        """Means and standard deviations (H,) of each step of later (H,), given history and the steps before it."""
        ...


@dataclass(frozen=True)
class Shift:
    """What was ``lag`` steps ago comes again, moved by ``drift``; after dividing by seasonal indices (m,), if any.

    sigma    of the one-step errors, by their mean square over the degrees of freedom
    fitted   steps that the drift was estimated from, which makes it uncertain; 0 without a drift
    """

    lag: int
    sigma: float
    drift: float = 0.0
    fitted: int = 0
    indices: Array | None = None

    def _index(self, start: int, steps: int) -> Array:
        return np.ones(steps) if self.indices is None else self.indices[(start + np.arange(steps)) % len(self.indices)]

    def ahead(self, history: Array, horizon: int) -> tuple[Array, Array]:
        """See Rule. Standard deviations: sigma sqrt(k), k the times that the shift was made; see FPP3 table 5.2."""
        T = len(history)
        past = _filled(history / self._index(0, T), self.lag)
        h = np.arange(1, horizon + 1)
        times = (h - 1) // self.lag + 1
        mean = past[T - self.lag + (h - 1) % self.lag] + self.drift * h
        spread = self.sigma * np.sqrt(times * (1 + h / self.fitted if self.fitted else 1.0))
        index = self._index(T, horizon)
        return mean * index, spread * index

    def one_step(self, history: Array, later: Array) -> tuple[Array, Array]:
        """See Rule."""
        whole = np.concatenate([history, later])
        T, index = len(history), self._index(0, len(whole))
        past = _filled(whole / index, self.lag)
        mean = past[T - self.lag : len(whole) - self.lag] + self.drift
        return mean * index[T:], np.full(len(later), self.sigma) * index[T:]


@dataclass(frozen=True)
class Lags:
    """The closed-form autoregression of one series."""

    fit: ARFit

    def _near(self, history: Array) -> Array:
        """As much of history as it looks at; more where values are missing, which it fills one after the other."""
        K = max(self.fit.order, 1)
        return history[-(3 * K + 3) :] if np.isnan(history[-K:]).any() else history[-K:]

    def ahead(self, history: Array, horizon: int) -> tuple[Array, Array]:
        """See Rule."""
        return self.fit.forecast(self._near(history), horizon, seen=len(history))

    def one_step(self, history: Array, later: Array) -> tuple[Array, Array]:
        """See Rule."""
        whole, T = np.concatenate([history, later]), len(history)
        steps = [self.fit.forecast(self._near(whole[:t]), 1, seen=t) for t in range(T, len(whole))]
        return np.array([m[0] for m, _ in steps]), np.array([s[0] for _, s in steps])


def naive(y: Array, season: int) -> Rule:
    """The last value goes on (a random walk)."""
    return _shift(y, 1)


def seasonal_naive(y: Array, season: int) -> Rule:
    """The last season comes again; of a history that is no longer than a season, the last value."""
    return _shift(y, season if len(y) > season else 1)


def naive2(y: Array, season: int) -> Rule:
    """Naive on the seasonally adjusted series, where M4's test finds a season (the code of the M4 organisers)."""
    full = _interpolated(y)
    if is_seasonal(full, season):
        return _shift(y, 1, indices(full, season))
    return _shift(y, 1)


def drift(y: Array, season: int) -> Rule:
    """The last value, moved on by the mean change a step (FPP3, 5.2)."""
    seen = np.flatnonzero(np.isfinite(y))
    steps = int(seen[-1] - seen[0])
    if steps < 2:
        return _shift(y, 1)
    slope = float(y[seen[-1]] - y[seen[0]]) / steps
    return Shift(1, _sigma(np.diff(y) - slope, y, 1), slope, steps)


def local_ar(y: Array, season: int) -> Lags:
    """An autoregression by least squares, its order by BIC: up to two seasons and a step, or a fifth of the history."""
    order = 2 * season + 1 if season > 1 else 32
    return Lags(fit_ar(y, np.array([0, len(y)]), max(0, min(order, len(y) // 5))))


#: By the name of their column, simplest first; each takes a history (T,) with something observed, and the season.
BASELINES: dict[str, Callable[[Array, int], Rule]] = {
    "naive": naive,
    "seasonal_naive": seasonal_naive,
    "naive2": naive2,
    "drift": drift,
    "local_ar": local_ar,
}


def _shift(y: Array, lag: int, seasonal: Array | None = None) -> Shift:
    z = y if seasonal is None else y / seasonal[np.arange(len(y)) % len(seasonal)]
    return Shift(lag, _sigma(z[lag:] - z[:-lag], z, 0), indices=seasonal)


def _sigma(errors: Array, y: Array, estimated: int) -> float:
    """The errors' standard deviation; not less than a part of the series' own size, or nothing would be possible."""
    seen = errors[np.isfinite(errors)]
    free = len(seen) - estimated
    known = y[np.isfinite(y)]
    least = FLOOR * max(float(known.std()), abs(float(known.mean())), 1e-300)
    return max(float(np.sqrt((seen**2).sum() / free)) if free > 0 else float(known.std()), least)


def _filled(y: Array, lag: int) -> Array:
    """What is missing taken from ``lag`` steps before, or where that is not known, from the last step that is."""
    if not np.isnan(y).any():
        return y
    out = y.copy()
    last = y[np.isfinite(y)][0] if np.isfinite(y).any() else np.nan
    for t in range(len(y)):
        if np.isnan(out[t]):
            out[t] = out[t - lag] if t >= lag else last
        last = out[t]
    return out


def _interpolated(y: Array) -> Array:
    seen = np.isfinite(y)
    return y if seen.all() else np.interp(np.arange(len(y)), np.flatnonzero(seen), y[seen])
