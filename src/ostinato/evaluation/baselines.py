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

from ostinato.layers.ar_fit import ARFit
from ostinato.layers.autoregression import fit_ar
from ostinato.local.naive import drift, naive, naive2, seasonal_naive
from ostinato.shapes import Array


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
