"""The naive methods: naive, seasonal naive, Naive2 and drift, of one series and of a panel.

The forecast of a step has a mean and a standard deviation (FPP3: Hyndman and Athanasopoulos, Forecasting: Principles
and Practice, 3rd edition, 5.2 and 5.5). Its distribution is a Student t with the degrees of freedom of the standard
deviation, because a few errors do not say how large errors are.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import final

import numpy as np
from numpy.typing import NDArray

from ostinato.layers.autoregression import FLOOR
from ostinato.local.growth import CONSTANT, Growth, growth
from ostinato.local.panel import Ahead, Panel
from ostinato.local.seasonality import indices, interpolated, is_seasonal
from ostinato.local.student import student
from ostinato.spread import spread, still

Array = NDArray[np.float64]


@final
@dataclass(frozen=True)
class Shift:
    """A rule that repeats the value ``lag`` steps earlier and adds a drift, on the seasonally adjusted series.

    Attributes:
        lag: The number of steps from a value to its repetition.
        sigma: The standard deviation of the one-step errors: the root of their sum of squares over the degrees of
            freedom.
        drift: The change that is added in each step, in the units of the series.
        fitted: The number of steps that the drift was estimated from; 0 without a drift. The fewer they are, the more
            uncertain is the drift.
        indices: The seasonal indices that the series is divided by, (m,); None without a seasonal adjustment.
        freedom: The degrees of freedom of sigma; 0 if there is no error to estimate it from.
        growth: How the standard deviation depends on the level.
    """

    lag: int
    sigma: float
    drift: float = 0.0
    fitted: int = 0
    indices: Array | None = None
    freedom: int = 0
    growth: Growth = CONSTANT

    def index(self, start: int, steps: int) -> Array:
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
        past = _filled(history / self.index(0, T), self.lag)
        h = np.arange(1, horizon + 1)
        times = (h - 1) // self.lag + 1
        mean = past[T - self.lag + (h - 1) % self.lag] + self.drift * h
        deviation = self.sigma * self.growth.at(mean) * np.sqrt(times * (1 + h / self.fitted if self.fitted else 1.0))
        index = self.index(T, horizon)
        return mean * index, deviation * index

    def one_step(self, history: Array, later: Array) -> tuple[Array, Array]:
        """Return the means and the standard deviations of each later step, given all steps before it, (H,) each.

        Args:
            history: The history, (T,). NaN where a value is missing.
            later: The values after the history, (H,). NaN where a value is missing.
        """
        whole = np.concatenate([history, later])
        T, index = len(history), self.index(0, len(whole))
        past = _filled(whole / index, self.lag)
        mean = past[T - self.lag : len(whole) - self.lag] + self.drift
        return mean * index[T:], self.sigma * self.growth.at(mean) * index[T:]


def naive(y: Array, season: int) -> Shift:
    """Fit the naive forecast, which repeats the last value (a random walk).

    Args:
        y: The history, (T,). NaN where a value is missing.
        season: The season in steps, which is not used.
    """
    return _shift(y, 1)


def seasonal_naive(y: Array, season: int) -> Shift:
    """Fit the seasonal naive forecast, which repeats the last season, or the last value if T is at most a season.

    Args:
        y: The history, (T,). NaN where a value is missing.
        season: The season in steps.
    """
    return _shift(y, season if len(y) > season else 1)


def naive2(y: Array, season: int) -> Shift:
    """Fit Naive2: the naive forecast, on the seasonally adjusted series if M4's test finds a season.

    It follows the code of the organisers of M4.

    Args:
        y: The history, (T,). NaN where a value is missing.
        season: The season in steps.
    """
    full = interpolated(y)
    if is_seasonal(full, season):
        return _shift(y, 1, indices(full, season))
    return _shift(y, 1)


def drift(y: Array, season: int) -> Shift:
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
    sigma, freedom = _sigma(np.diff(y) - slope, y, 1)
    return Shift(1, sigma, slope, steps, freedom=freedom)


@final
@dataclass(frozen=True)
class Naive:
    """A naive method that was fitted to a panel.

    Attributes:
        panel: The panel.
        rules: The rule of each series.
    """

    panel: Panel
    rules: tuple[Shift, ...]

    def ahead(self, horizon: int, probabilities: Array) -> Ahead:
        """Forecast from the end of every series; see ``Fitted``."""
        point, deviation = np.empty((2, len(self.rules), horizon))
        for s, (rule, y) in enumerate(zip(self.rules, self.panel.values, strict=True)):
            point[s], deviation[s] = rule.ahead(y, horizon)
        return student(point, deviation, np.array([rule.freedom for rule in self.rules], float), probabilities)

    def said(self, s: int) -> str:
        """Return the rule of series ``s`` in a few words; see ``Fitted``."""
        rule = self.rules[s]
        adjusted = ", seasonally adjusted" if rule.indices is not None else ""
        if rule.fitted:
            return "naive with drift"
        return f"seasonal naive({rule.lag})" if rule.lag > 1 else f"naive{adjusted}"


def fit_naive(panel: Panel) -> Naive:
    """Fit the naive method to every series; see ``naive``."""
    return _fit(naive, panel)


def fit_seasonal_naive(panel: Panel) -> Naive:
    """Fit the seasonal naive method to every series, with the longest season that it has; see ``seasonal_naive``."""
    return _fit(seasonal_naive, panel)


def fit_naive2(panel: Panel) -> Naive:
    """Fit Naive2 to every series; see ``naive2``."""
    return _fit(naive2, panel)


def fit_drift(panel: Panel) -> Naive:
    """Fit the naive method with a drift to every series; see ``drift``."""
    return _fit(drift, panel)


def _fit(rule: Callable[[Array, int], Shift], panel: Panel) -> Naive:
    """Fit a rule to every series, with the longest season that is shorter than the series; 1 without one."""
    seasons = [max((m for m in panel.seasons if m < len(y)), default=1) for y in panel.values]
    return Naive(panel, tuple(_grown(rule(y, m), y) for y, m in zip(panel.values, seasons, strict=True)))


def _grown(rule: Shift, y: Array) -> Shift:
    """Return the rule with errors that grow with the level of y (T,), where these are likelier."""
    index = rule.index(0, len(y))
    z = y / index
    level = z[: -rule.lag] + rule.drift
    errors = z[rule.lag :] - level
    seen = np.isfinite(errors)
    found = growth(errors[seen], level[seen], z[np.isfinite(z)])
    if found.power == 0:
        return rule
    sigma, freedom = _sigma(errors / found.at(level), z, int(rule.fitted > 0))
    return replace(rule, sigma=sigma, freedom=freedom, growth=found)


def _shift(y: Array, lag: int, seasonal: Array | None = None) -> Shift:
    """Return the rule that repeats the value ``lag`` steps earlier, with its standard deviation from y."""
    z = y if seasonal is None else y / seasonal[np.arange(len(y)) % len(seasonal)]
    sigma, freedom = _sigma(z[lag:] - z[:-lag], z, 0)
    return Shift(lag, sigma, indices=seasonal, freedom=freedom)


def _sigma(errors: Array, y: Array, estimated: int) -> tuple[float, int]:
    """Return the standard deviation of errors, at least a small share of the spread of y, and its degrees of freedom.

    Without this bound, a constant series would have a density that is infinite.
    """
    seen, unit = errors[np.isfinite(errors)], spread(y)
    free = len(seen) - estimated
    if free <= 0:
        return (FLOOR * unit if still(y) else unit), 0
    return unit * max(float(np.sqrt(((seen / unit) ** 2).sum() / free)), FLOOR), free


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
