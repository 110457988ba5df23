"""The baselines, which a model must beat: naive, seasonal naive, Naive2, drift, and an autoregression of each series.

Each baseline is fitted to one channel of one series. Its forecast of a step is a normal distribution, given by a mean
and a standard deviation (FPP3: Hyndman and Athanasopoulos, Forecasting: Principles and Practice, 3rd edition, 5.2 and
5.5).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from ostinato.evaluation.seasonality_test import indices, is_seasonal
from ostinato.layers.autoregression import FLOOR, ARFit, fit_ar
from ostinato.spread import spread, still

Array = NDArray[np.float64]


class Rule(Protocol):
    """A baseline that is fitted to the history of one channel of one series."""

    def ahead(self, history: Array, horizon: int) -> tuple[Array, Array]:
        """Return the means and the standard deviations of the steps after a history, (H,) each.

        Args:
            history: The history, (T,). NaN where a value is missing.
            horizon: The number of steps H to forecast.
        """
        ...

    def one_step(self, history: Array, later: Array) -> tuple[Array, Array]:
        """Return the means and the standard deviations of each later step, given all steps before it, (H,) each.

        Args:
            history: The history, (T,). NaN where a value is missing.
            later: The values after the history, (H,). NaN where a value is missing.
        """
        ...


@dataclass(frozen=True)
class Shift:
    """A baseline that repeats the value ``lag`` steps earlier and adds a drift, on the seasonally adjusted series.

    Attributes:
        lag: The number of steps from a value to its repetition.
        sigma: The standard deviation of the one-step errors: the root of their sum of squares over the degrees of
            freedom.
        drift: The change that is added in each step, in the units of the series.
        fitted: The number of steps that the drift was estimated from; 0 without a drift. The fewer they are, the more
            uncertain is the drift.
        indices: The seasonal indices that the series is divided by, (m,); None without a seasonal adjustment.
    """

    lag: int
    sigma: float
    drift: float = 0.0
    fitted: int = 0
    indices: Array | None = None

    def _index(self, start: int, steps: int) -> Array:
        """Return the seasonal index of each of some steps, (steps,); 1 without a seasonal adjustment."""
        return np.ones(steps) if self.indices is None else self.indices[(start + np.arange(steps)) % len(self.indices)]

    def ahead(self, history: Array, horizon: int) -> tuple[Array, Array]:
        """Return the means and the standard deviations of the steps after a history, (H,) each.

        The standard deviation is sigma sqrt(k) if the lag fits k times into the way to the step (FPP3, table 5.2).

        Args:
            history: The history, (T,). NaN where a value is missing.
            horizon: The number of steps H to forecast.
        """
        T = len(history)
        past = _filled(history / self._index(0, T), self.lag)
        h = np.arange(1, horizon + 1)
        times = (h - 1) // self.lag + 1
        mean = past[T - self.lag + (h - 1) % self.lag] + self.drift * h
        deviation = self.sigma * np.sqrt(times * (1 + h / self.fitted if self.fitted else 1.0))
        index = self._index(T, horizon)
        return mean * index, deviation * index

    def one_step(self, history: Array, later: Array) -> tuple[Array, Array]:
        """Return the means and the standard deviations of each later step, given all steps before it, (H,) each.

        Args:
            history: The history, (T,). NaN where a value is missing.
            later: The values after the history, (H,). NaN where a value is missing.
        """
        whole = np.concatenate([history, later])
        T, index = len(history), self._index(0, len(whole))
        past = _filled(whole / index, self.lag)
        mean = past[T - self.lag : len(whole) - self.lag] + self.drift
        return mean * index[T:], np.full(len(later), self.sigma) * index[T:]


@dataclass(frozen=True)
class Lags:
    """The closed-form autoregression of one series.

    Attributes:
        fit: The coefficients and the standard deviation of the errors.
    """

    fit: ARFit

    def _recent(self, history: Array) -> Array:
        """Return the end of a history that the forecast depends on; it is longer if values there must be filled."""
        K = max(self.fit.order, 1)
        return history[-(3 * K + 3) :] if np.isnan(history[-K:]).any() else history[-K:]

    def ahead(self, history: Array, horizon: int) -> tuple[Array, Array]:
        """Return the means and the standard deviations of the steps after a history, (H,) each.

        Args:
            history: The history, (T,). NaN where a value is missing.
            horizon: The number of steps H to forecast.
        """
        return self.fit.forecast(self._recent(history), horizon, seen=len(history))

    def one_step(self, history: Array, later: Array) -> tuple[Array, Array]:
        """Return the means and the standard deviations of each later step, given all steps before it, (H,) each.

        Args:
            history: The history, (T,). NaN where a value is missing.
            later: The values after the history, (H,). NaN where a value is missing.
        """
        whole, T = np.concatenate([history, later]), len(history)
        steps = [self.fit.forecast(self._recent(whole[:t]), 1, seen=t) for t in range(T, len(whole))]
        return np.array([m[0] for m, _ in steps]), np.array([s[0] for _, s in steps])


def naive(y: Array, season: int) -> Rule:
    """Fit the naive forecast, which repeats the last value (a random walk).

    Args:
        y: The history, (T,). NaN where a value is missing.
        season: The season in steps, which is not used.
    """
    return _shift(y, 1)


def seasonal_naive(y: Array, season: int) -> Rule:
    """Fit the seasonal naive forecast, which repeats the last season, or the last value if T is at most a season.

    Args:
        y: The history, (T,). NaN where a value is missing.
        season: The season in steps.
    """
    return _shift(y, season if len(y) > season else 1)


def naive2(y: Array, season: int) -> Rule:
    """Fit Naive2: the naive forecast, on the seasonally adjusted series if M4's test finds a season.

    It follows the code of the organisers of M4.

    Args:
        y: The history, (T,). NaN where a value is missing.
        season: The season in steps.
    """
    full = _interpolated(y)
    if is_seasonal(full, season):
        return _shift(y, 1, indices(full, season))
    return _shift(y, 1)


def drift(y: Array, season: int) -> Rule:
    """Fit the drift forecast: the last value plus the mean change in each step (FPP3, 5.2).

    Args:
        y: The history, (T,). NaN where a value is missing.
        season: The season in steps, which is not used.
    """
    seen = np.flatnonzero(np.isfinite(y))
    steps = int(seen[-1] - seen[0])
    if steps < 2:
        return _shift(y, 1)
    slope = float(y[seen[-1]] - y[seen[0]]) / steps
    return Shift(1, _sigma(np.diff(y) - slope, y, 1), slope, steps)


def local_ar(y: Array, season: int) -> Lags:
    """Fit an autoregression by least squares, with its order chosen by BIC.

    The order is at most two seasons plus one step (32 without a season), and at most a fifth of the history.

    Args:
        y: The history, (T,). NaN where a value is missing.
        season: The season in steps.
    """
    order = 2 * season + 1 if season > 1 else 32
    return Lags(fit_ar(y, np.array([0, len(y)]), max(0, min(order, len(y) // 5))))


#: The baselines by name, the simplest first. Each takes a history (T,) with an observed value, and the season in steps.
BASELINES: dict[str, Callable[[Array, int], Rule]] = {
    "naive": naive,
    "seasonal_naive": seasonal_naive,
    "naive2": naive2,
    "drift": drift,
    "local_ar": local_ar,
}


def _shift(y: Array, lag: int, seasonal: Array | None = None) -> Shift:
    """Return the baseline that repeats the value ``lag`` steps earlier, with its standard deviation from y."""
    z = y if seasonal is None else y / seasonal[np.arange(len(y)) % len(seasonal)]
    return Shift(lag, _sigma(z[lag:] - z[:-lag], z, 0), indices=seasonal)


def _sigma(errors: Array, y: Array, estimated: int) -> float:
    """Return the standard deviation of errors, at least a small share of the spread of the series.

    Without this bound, a constant series would have a density that is infinite.
    """
    seen, unit = errors[np.isfinite(errors)], spread(y)
    free = len(seen) - estimated
    if free <= 0:
        return FLOOR * unit if still(y) else unit
    return unit * max(float(np.sqrt(((seen / unit) ** 2).sum() / free)), FLOOR)


def _filled(y: Array, lag: int) -> Array:
    """Return y with each missing value taken from ``lag`` steps earlier; the first steps repeat the last value."""
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
    """Return y with the missing values interpolated linearly."""
    seen = np.isfinite(y)
    return y if seen.all() else np.interp(np.arange(len(y)), np.flatnonzero(seen), y[seen])
