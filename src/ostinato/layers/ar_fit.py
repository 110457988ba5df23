"""The result of fitting an autoregression, and its forecasts."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ostinato.layers.lagged import Trend
from ostinato.look import Shown
from ostinato.numbers import counted
from ostinato.shapes import Array

#: The most lags that are shown with their coefficients.
_TERMS = 6


@dataclass(frozen=True)
class StartUp:
    """One autoregression on the first i of the L lags, i = 0 .. L, so that the first steps have a distribution too.

    Row L is the fit itself; the other rows are solved on the same rows of data.

    Attributes:
        coefficients: The coefficients, (L + 1, L). Row i has phi_1 .. phi_i and then zeros.
        intercepts: The intercepts, (L + 1,), in the units of the values.
        slopes: The slopes of the trend, (L + 1,), in those units per step.
        sigma2: The variances of the innovations, (L + 1,), in those units squared.
    """

    coefficients: Array
    intercepts: Array
    slopes: Array
    sigma2: Array


@dataclass(frozen=True, repr=False)
class ARFit(Shown):
    """A fitted autoregression of order K.

    Attributes:
        order: The order K, which is the greatest lag.
        trend: "n" for neither constant nor trend, "c" for a constant, "ct" for a constant and a linear trend.
        coefficients: The coefficient of each lag, (L,).
        intercept: The constant; 0 if the trend is "n".
        slope: The trend per step; 0 unless the trend is "ct".
        sigma2: The mean square of the residuals, with n in the denominator.
        log_likelihood: The log likelihood of the n fitted rows in nats, conditional on their lags.
        n: The number of fitted rows: those whose target and K lags were all observed.
        aic: Akaike's criterion by order, (max_order + 1,), on the rows common to all orders; lower is better. For a
            given set of lags it is that of the first 0 .. L of them.
        bic: The Bayesian criterion, as above.
        hqic: The criterion of Hannan and Quinn, as above.
        held_out: The mean nats of a held-out step by order, (max_order + 1,); None if no steps were held out.
        start_up: The autoregressions that predict while fewer than K values have been seen.
        lags: The lags, ascending, (L,): 1 .. K, or a set of them.
        notes: What the fit did that a user should know, one sentence each.
    """

    order: int
    trend: Trend
    coefficients: Array
    intercept: float
    slope: float
    sigma2: float
    log_likelihood: float
    n: int
    aic: Array
    bic: Array
    hqic: Array
    held_out: Array | None
    start_up: StartUp
    lags: tuple[int, ...]
    notes: tuple[str, ...] = ()

    def look(self) -> tuple[list[str], None]:
        """Return the lags with their coefficients, the constant, the trend, and how good the fit is."""
        terms = [f"{phi:+.4g} x[t-{lag}]" for lag, phi in zip(self.lags, self.coefficients, strict=True)]
        more = f" and {len(terms) - _TERMS} more lags" if len(terms) > _TERMS else ""
        slope = f" {self.slope:+.4g} t" if self.trend == "ct" else ""
        return [
            f"order {self.order}, trend {self.trend!r}",
            f"x[t] = {self.intercept:.4g}{slope} {' '.join(terms[:_TERMS])}{more}",
            f"sigma2 {self.sigma2:.4g}, log likelihood {self.log_likelihood:.4f} nats of {counted(self.n, 'row')}",
            *(f"note: {note}" for note in self.notes),
        ], None

    def forecast(self, history: Array, horizon: int, *, seen: int | None = None) -> tuple[Array, Array]:
        """Return the means and the standard deviations of the next steps, (h,) each.

        The means follow from the recursion, the standard deviations from the weights of the innovations (psi weights).
        A missing value is replaced by its own prediction, which keeps the mean exact given the past and understates the
        standard deviation.

        Args:
            history: The values so far, (n,). NaN where a value is missing.
            horizon: The number of steps to forecast, h.
            seen: The number of steps of the sequence up to the end of the history, which dates the trend; None is n.
        """
        K, n, s = self.order, len(history), self.start_up
        seen = n if seen is None else seen
        if min(n, seen) >= K and not np.isnan(history).any():
            return self._after(history[n - K :], horizon, seen)
        first, lags = 0 if np.isnan(history).any() else n, np.array(self.lags, dtype=np.int64)
        x = np.concatenate([np.zeros(K), np.asarray(history, dtype=np.float64), np.zeros(horizon)])
        weights = np.zeros((K + horizon, horizon))  # [step, innovation]; 0 for steps that are known
        for j in range(first, n + horizon):
            # x[K + j] comes after seen - n + j other values, so its date, counted from 1, is one more
            before = seen - n + j
            k = int(np.searchsorted(lags, min(before, j), side="right"))
            phi = s.coefficients[k]
            if j >= n or np.isnan(x[K + j]):
                x[K + j] = s.intercepts[k] + s.slopes[k] * (before + 1) + phi @ x[K + j - lags]
            if j >= n:
                weights[K + j - n] = phi @ weights[K + j - n - lags]
                weights[K + j - n, j - n] = np.sqrt(s.sigma2[k])
        return x[K + n :], np.sqrt((weights[K:] ** 2).sum(axis=1))

    def _after(self, last: Array, horizon: int, seen: int) -> tuple[Array, Array]:
        """Return ``forecast`` after K observed values: one recursion gives the means and the psi weights."""
        K, phi, at = self.order, self.coefficients, self.order - np.array(self.lags, dtype=np.int64)
        path = np.zeros((K + horizon, 2))  # columns: the means and the psi weights
        path[:K, 0], path[K:, 0] = last, self.intercept + self.slope * np.arange(seen + 1, seen + horizon + 1)
        path[K, 1] = 1.0
        for j in range(horizon):
            path[K + j] += phi @ path[at + j]
        return path[K:, 0].copy(), np.sqrt(self.sigma2 * (path[K:, 1] ** 2).cumsum())
