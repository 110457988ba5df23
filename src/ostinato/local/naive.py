"""The naive methods: naive, seasonal naive, Naive2 and drift, of one series and of a panel.

The forecast of a step has a mean and a standard deviation (FPP3: Hyndman and Athanasopoulos, Forecasting: Principles
and Practice, 3rd edition, 5.2 and 5.5). Its distribution is a Student t with the degrees of freedom of the standard
deviation, because a few errors do not say how large errors are.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import final

import numpy as np
from numpy.typing import NDArray

from ostinato.local.growth import Growth, constant, growth
from ostinato.local.panel import Ahead, Panel, stacked
from ostinato.local.seasonality import indices, interpolated, is_seasonal
from ostinato.local.student import student
from ostinato.shapes import Array
from ostinato.spread import FLOOR, spreads, stills

#: The errors of one series that do not grow with its level.
_ALIKE = constant(1)


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
        growth: How the standard deviation depends on the level, of this one series.
    """

    lag: int
    sigma: float = 0.0
    drift: float = 0.0
    fitted: int = 0
    indices: Array | None = None
    freedom: int = 0
    growth: Growth = _ALIKE

    def index(self, start: int, steps: int) -> Array:
        """Return the seasonal index of each of some steps, (steps,); 1 without a seasonal adjustment."""
        return np.ones(steps) if self.indices is None else self.indices[(start + np.arange(steps)) % len(self.indices)]

    def removed(self, y: Array) -> Array:
        """Return a series (T,) without its season."""
        return y if self.indices is None else y / self.index(0, len(y))

    def last(self, history: Array) -> Array:
        """Return the values that are repeated, (lag,), without their season."""
        if self.indices is None and np.isfinite(history[-self.lag :]).all():
            return history[-self.lag :]
        return _filled(self.removed(history), self.lag)[-self.lag :]

    def ahead(self, history: Array, horizon: int) -> tuple[Array, Array]:
        """Return the means and the standard deviations of the steps after a history, (H,) each.

        The standard deviation is sigma sqrt(k) if the lag fits k times into the way to the step (FPP3, table 5.2).

        Args:
            history: The history, (T,). NaN where a value is missing.
            horizon: The number of steps H to forecast.
        """
        mean, deviation = _ahead([self], [history], np.array([self.sigma]), self.growth, horizon)
        return mean[0], deviation[0]

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
        return mean * index[T:], self.sigma * self.growth.at(mean[None])[0] * index[T:]


def _ahead(
    rules: Sequence[Shift], values: Sequence[Array], sigma: Array, grown: Growth, horizon: int
) -> tuple[Array, Array]:
    """Return the means and the standard deviations of some rules, (S, H) each; see ``Shift.ahead``.

    Args:
        rules: The rule of each series.
        values: The values of each series, (T_s,). NaN where a value is missing.
        sigma: The standard deviations of the one-step errors, (S,).
        grown: How these depend on the level of each series.
        horizon: The number of steps H to forecast.
    """
    h = np.arange(1, horizon + 1)
    repeats = {lag: (h - 1) % lag for lag in {rule.lag for rule in rules}}
    mean = np.empty((len(rules), horizon))
    for s, (rule, y) in enumerate(zip(rules, values, strict=True)):
        mean[s] = rule.last(y)[repeats[rule.lag]]
    lag, drift, fitted = (
        np.array([getattr(rule, name) for rule in rules])[:, None] for name in ("lag", "drift", "fitted")
    )
    mean += drift * h
    # the drift is in doubt by the errors of the past, and these had the typical level
    doubt = np.where(fitted > 0, h / np.sqrt(np.maximum(fitted, 1)), 0.0)
    deviation = sigma[:, None] * np.hypot(grown.at(mean) * np.sqrt((h - 1) // lag + 1), doubt)
    for s, (rule, y) in enumerate(zip(rules, values, strict=True)):
        if rule.indices is not None:
            index = rule.index(len(y), horizon)
            mean[s] *= index
            deviation[s] *= index
    return mean, deviation


def naive(y: Array, season: int) -> Shift:
    """Fit the naive forecast, which repeats the last value (a random walk).

    Args:
        y: The history, (T,). NaN where a value is missing.
        season: The season in steps, which is not used.
    """
    return _alone(Shift(1), y)


def seasonal_naive(y: Array, season: int) -> Shift:
    """Fit the seasonal naive forecast, which repeats the last season, or the last value if T is at most a season.

    Args:
        y: The history, (T,). NaN where a value is missing.
        season: The season in steps.
    """
    return _alone(_seasonal(y, season), y)


def naive2(y: Array, season: int) -> Shift:
    """Fit Naive2: the naive forecast, on the seasonally adjusted series if M4's test finds a season.

    It follows the code of the organisers of M4.

    Args:
        y: The history, (T,). NaN where a value is missing.
        season: The season in steps.
    """
    return _alone(_adjusted(y, season), y)


def drift(y: Array, season: int) -> Shift:
    """Fit the drift forecast: the last value plus the mean change in each step (FPP3, 5.2).

    Args:
        y: The history, (T,). NaN where a value is missing.
        season: The season in steps, which is not used.
    """
    return _alone(_drifting(y, season), y)


def _plain(y: Array, season: int) -> Shift:
    return Shift(1)


def _seasonal(y: Array, season: int) -> Shift:
    return Shift(season if len(y) > season else 1)


def _adjusted(y: Array, season: int) -> Shift:
    full = interpolated(y)
    return Shift(1, indices=indices(full, season) if is_seasonal(full, season) else None)


def _drifting(y: Array, season: int) -> Shift:
    first, last = 0, len(y) - 1
    if not (np.isfinite(y[first]) and np.isfinite(y[last])):
        first, last = np.flatnonzero(np.isfinite(y))[[0, -1]].tolist()
    steps = last - first
    return Shift(1) if steps < 2 else Shift(1, drift=float(y[last] - y[first]) / steps, fitted=steps)


@final
@dataclass(frozen=True)
class Naive:
    """A naive method that was fitted to a panel.

    Attributes:
        panel: The panel.
        rules: The rule of each series, without its errors.
        sigma: The standard deviations of the one-step errors, (S,).
        freedom: The degrees of freedom of sigma, (S,).
        growth: How the standard deviation depends on the level of each series.
    """

    panel: Panel
    rules: tuple[Shift, ...]
    sigma: Array
    freedom: NDArray[np.int64]
    growth: Growth

    def ahead(self, horizon: int, probabilities: Array) -> Ahead:
        """Forecast from the end of every series; see ``Fitted``."""
        point, deviation = _ahead(self.rules, self.panel.values, self.sigma, self.growth, horizon)
        return student(point, deviation, self.freedom.astype(np.float64), probabilities)

    def description(self, s: int) -> str:
        """Return the rule of series ``s`` in a few words; see ``Fitted``."""
        rule = self.rules[s]
        adjusted = ", seasonally adjusted" if rule.indices is not None else ""
        if rule.fitted:
            return "naive with drift"
        return f"seasonal naive({rule.lag})" if rule.lag > 1 else f"naive{adjusted}"


def fit_naive(panel: Panel) -> Naive:
    """Fit the naive method to every series; see ``naive``."""
    return _fit(_plain, panel)


def fit_seasonal_naive(panel: Panel) -> Naive:
    """Fit the seasonal naive method to every series, with the longest season that it has; see ``seasonal_naive``."""
    return _fit(_seasonal, panel)


def fit_naive2(panel: Panel) -> Naive:
    """Fit Naive2 to every series; see ``naive2``."""
    return _fit(_adjusted, panel)


def fit_drift(panel: Panel) -> Naive:
    """Fit the naive method with a drift to every series; see ``drift``."""
    return _fit(_drifting, panel)


def _fit(rule: Callable[[Array, int], Shift], panel: Panel) -> Naive:
    """Fit a rule to every series, with the longest season that is shorter than the series; 1 without one."""
    seasons = [max((m for m in panel.seasons if m < len(y)), default=1) for y in panel.values]
    rules = [rule(y, m) for y, m in zip(panel.values, seasons, strict=True)]
    return Naive(panel, tuple(rules), *_measured(rules, panel.values, grow=True))


def _alone(rule: Shift, y: Array) -> Shift:
    """Return a rule with the standard deviation of its errors in one series y (T,)."""
    sigma, freedom, grown = _measured([rule], [y])
    return replace(rule, sigma=float(sigma[0]), freedom=int(freedom[0]), growth=grown)


def _measured(
    rules: Sequence[Shift], values: Sequence[Array], *, grow: bool = False
) -> tuple[Array, NDArray[np.int64], Growth]:
    """Return the standard deviations of the errors of rules, (S,), their degrees of freedom, (S,), and their growth.

    A standard deviation is at least a small share of the spread of a series. Without this bound, a constant series
    would have a density that is infinite.

    Args:
        rules: The rule of each series.
        values: The values of each series, (T_s,). NaN where a value is missing.
        grow: Whether errors grow with the level of a series, where that is likelier.
    """
    series = [rule.removed(y) for rule, y in zip(rules, values, strict=True)]
    before = [z[: -rule.lag] + rule.drift for rule, z in zip(rules, series, strict=True)]
    errors = stacked([z[rule.lag :] - level for rule, z, level in zip(rules, series, before, strict=True)])
    y, level = stacked(series), stacked(before)
    grown = growth(errors, level, y) if grow else constant(len(rules))
    unit, seen = spreads(y), np.isfinite(errors)
    freedom = seen.sum(axis=1) - np.array([rule.fitted > 0 for rule in rules])
    relative = np.where(seen, errors / unit[:, None], 0.0) / grown.at(np.where(seen, level, 1.0))
    sigma = np.maximum(np.sqrt((relative**2).sum(axis=1) / np.maximum(freedom, 1)), FLOOR)
    sigma = unit * np.where(freedom > 0, sigma, np.where(stills(y), FLOOR, 1.0))
    return sigma, np.maximum(freedom, 0), grown


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
