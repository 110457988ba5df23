"""An autoregression fitted in closed form: every order from one factorisation, the best one kept.

x_t = a + b t + phi_1 x_{t-1} + ... + phi_K x_{t-K} + e_t, e_t ~ N(0, sigma2), with t counted from 1 in each sequence.
Least squares, conditional on the first K values of every sequence (Luetkepohl, New Introduction to Multiple Time Series
Analysis, 3.2 and 4.3). The criteria are those of statsmodels' ``ar_select_order``: the constant is not counted as a
parameter, the variance is.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from ostinato.errors import ConfigError, DataError
from ostinato.layers.lagged import Lagged, Trend, lagged
from ostinato.layers.least_squares import Array, Nested, solve_nested

Criterion = Literal["bic", "aic", "hqic", "held-out"]

#: The least standard deviation, as a part of the series': a perfect fit is not believed beyond it.
FLOOR = 1e-8


@dataclass(frozen=True)
class StartUp:
    """One autoregression an order k = 0 .. K, so that the first steps of a sequence have a distribution too.

    coefficients (K + 1, K): row k has phi_1 .. phi_k and then zeros; intercepts, slopes, sigma2 (K + 1).
    Row K is the fit itself; the others are solved on its sample.
    """

    coefficients: Array
    intercepts: Array
    slopes: Array
    sigma2: Array


@dataclass(frozen=True)
class ARFit:
    """A fitted autoregression of order K.

    coefficients    (K): phi_1 .. phi_K, with the intercept (0 for trend "n") and the slope a step (0 unless "ct")
    sigma2          the residuals' mean square, n in the denominator
    log_likelihood  nats of the n fitted rows, conditional on the lags
    n               rows fitted, those whose K lags and target were all seen
    aic, bic, hqic  (max_order + 1): by order, on the sample common to all of them; lower is better
    held_out        (max_order + 1): nats a held-out step costs, by order; None where nothing was held out
    start_up        what is predicted while fewer than K values have been seen
    notes           what was done that the user should know, in words
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
    notes: tuple[str, ...] = ()

    def forecast(self, history: Array, horizon: int, *, seen: int | None = None) -> tuple[Array, Array]:
        """What follows history (n,): means (h,) and standard deviations (h,) of the next ``horizon`` steps.

        seen is the number of steps in the sequence up to the end of history (its length where None): it dates the
        trend. A missing value (NaN) is replaced by its own prediction, which keeps the mean exact given the past and
        understates the spread. Means by the recursion, deviations by the weights of the innovations (psi weights).
        """
        K, n, s = self.order, len(history), self.start_up
        seen = n if seen is None else seen
        if min(n, seen) >= K and not np.isnan(history).any():
            return self._after(history[n - K :], horizon, seen)
        first = 0 if np.isnan(history).any() else n
        x = np.concatenate([np.zeros(K), np.asarray(history, dtype=np.float64), np.zeros(horizon)])
        weights = np.zeros((K + horizon, horizon))  # of innovation i in step j; none in what is known
        for j in range(first, n + horizon):
            # x[K + j] is the value after seen - n + j others, so its 1-based date is one more.
            before = seen - n + j
            k = min(before, K, j)
            phi, lags = s.coefficients[k], x[j : j + K][::-1]
            if j >= n or np.isnan(x[K + j]):
                x[K + j] = s.intercepts[k] + s.slopes[k] * (before + 1) + phi @ lags
            if j >= n:
                weights[K + j - n] = phi @ weights[j - n : K + j - n][::-1]
                weights[K + j - n, j - n] = np.sqrt(s.sigma2[k])
        return x[K + n :], np.sqrt((weights[K:] ** 2).sum(axis=1))

    def _after(self, lags: Array, horizon: int, seen: int) -> tuple[Array, Array]:
        """The same after the last K values, all seen: one recursion has the means and the psi weights of every step."""
        K, phi = self.order, self.coefficients[::-1].copy()
        both = np.zeros((K + horizon, 2))  # the means, and the psi weights
        both[:K, 0], both[K:, 0] = lags, self.intercept + self.slope * np.arange(seen + 1, seen + horizon + 1)
        both[K, 1] = 1.0
        for j in range(horizon):
            both[K + j] += phi @ both[j : K + j]
        return both[K:, 0].copy(), np.sqrt(self.sigma2 * (both[K:, 1] ** 2).cumsum())


def fit_ar(
    values: Array,
    offsets: NDArray[np.int64],
    max_order: int,
    *,
    criterion: Criterion = "bic",
    trend: Trend = "c",
    held_out: NDArray[np.bool_] | None = None,
    order: int | None = None,
) -> ARFit:
    """The autoregression of one channel, values (N,) cut into sequences by offsets (B + 1), NaN where missing.

    The order is chosen among 0 .. max_order on their common sample, then fitted anew on all the rows that it can use,
    as statsmodels' ``AutoReg`` does; or it is ``order``, and the tables go up to that. A row whose target or lags are
    missing, or lie in another sequence, is left out. held_out (N,) marks steps that are scored and never fitted as
    targets (they may be lags). With few rows the order is capped, and a note says so.

    Raises DataError where nothing is observed, ConfigError for an option that cannot be.
    """
    if trend not in ("n", "c", "ct"):
        raise ConfigError(f"there is no trend called {trend!r}", fix='one of "n", "c", "ct"')
    if criterion not in ("bic", "aic", "hqic", "held-out"):
        raise ConfigError(f"there is no criterion called {criterion!r}", fix="one of bic, aic, hqic, held-out")
    if max_order < 0 or (order is not None and order < 0):
        raise ConfigError("an autoregression cannot have a negative order", fix="an order of 0 or more")
    values = np.asarray(values, dtype=np.float64)
    fitted = np.isfinite(values) if held_out is None else np.isfinite(values) & ~held_out
    if not fitted.any():
        raise DataError("an autoregression has no observed value to fit", fix="give a channel with values in it")
    rows, notes = lagged(values, offsets, trend), []
    base = rows.base

    wanted = max_order if order is None else order
    # usable[p]: rows with p lags. A search over nearly as many orders as rows would always end at the last one.
    runs = np.bincount(np.minimum(rows.run[fitted], wanted + 1), minlength=wanted + 2)
    usable = runs[::-1].cumsum()[::-1][1:]
    least = (base + np.arange(wanted + 1)) * (1.5 if order is None else 1.0) + 0.5
    top = max(int((usable >= least).sum()) - 1, 0)
    if top < wanted:
        notes.append(
            f"the order was capped at {top}, not {wanted}: {usable[wanted]} steps have {wanted} values before them"
        )

    n = int(usable[top])
    R = rows.triangle(fitted, top)
    nested = solve_nested(R, n, base)
    if order is None and n < usable[0] / 2:
        notes.append(f"the order was chosen on {n} of {usable[0]} steps, those with {top} values before them")
    sigma2 = _sigma2(nested, n, rows.scale)
    llf = _log_likelihood(nested.rss * rows.scale**2, sigma2, n)
    parameters = nested.rank - min(base, 1) + 1
    tables = {
        "aic": -2 * llf + 2 * parameters,
        "bic": -2 * llf + np.log(n) * parameters,
        "hqic": -2 * llf + 2 * np.log(np.log(max(n, 3))) * parameters,
    }
    cost = None if held_out is None else _held_out(rows, held_out, top, nested, sigma2)
    if cost is not None:
        tables["held-out"] = cost
    if criterion not in tables and order is None:
        raise ConfigError(
            "the order is to be chosen by held-out steps, and none of them can be scored",
            fix=f"hold out steps with {top} observed values before them, or choose by bic",
        )
    best = top if order is not None else int(np.argmin(tables[criterion]))

    if best < top:
        n = int(usable[best])
        nested = solve_nested(rows.extended(R, fitted, top, best), n, base)
        sigma2 = _sigma2(nested, n, rows.scale)
        llf = _log_likelihood(nested.rss * rows.scale**2, sigma2, n)
    if len(nested.kept) < base + best:
        dropped = base + best - len(nested.kept)
        notes.append(f"{dropped} of {base + best} regressors depend on the others and were given no weight")
    if nested.rss[best] * rows.scale**2 < sigma2[best] * n * (1 - 1e-9):
        notes.append(f"the fit is perfect: the standard deviation was raised to {np.sqrt(sigma2[best]):.3g}")
    start_up = _start_up(rows, nested, sigma2)
    return ARFit(
        order=best,
        trend=trend,
        coefficients=start_up.coefficients[best],
        intercept=float(start_up.intercepts[best]),
        slope=float(start_up.slopes[best]),
        sigma2=float(sigma2[best]),
        log_likelihood=float(llf[best]),
        n=n,
        aic=tables["aic"],
        bic=tables["bic"],
        hqic=tables["hqic"],
        held_out=cost,
        start_up=start_up,
        notes=tuple(notes),
    )


def _sigma2(nested: Nested, n: int, scale: float) -> Array:
    return np.maximum(nested.rss / n, FLOOR**2) * scale**2


def _log_likelihood(rss: Array, sigma2: Array, n: int) -> Array:
    return -0.5 * (n * np.log(2 * np.pi * sigma2) + rss / sigma2)


def _held_out(rows: Lagged, held_out: NDArray[np.bool_], top: int, nested: Nested, sigma2: Array) -> Array | None:
    """Mean nats of a held-out step for every order; None where none of them has its target and lags."""
    rss, n = np.zeros(top + 1), 0
    for block in rows.blocks(held_out, top):
        rss += ((block[:, -1:] - block[:, :-1] @ nested.coefficients.T) ** 2).sum(axis=0)
        n += len(block)
    return -_log_likelihood(rss * rows.scale**2, sigma2, n) / n if n else None


def _start_up(rows: Lagged, nested: Nested, sigma2: Array) -> StartUp:
    """The solutions in the units of the values."""
    base = rows.base
    phi, edge = nested.coefficients[:, base:], nested.coefficients[:, :base]
    zero = np.zeros(len(phi))
    intercepts = rows.scale * edge[:, 0] + rows.shift * (1.0 - phi.sum(axis=1)) if base > 0 else zero
    slopes = rows.scale * edge[:, 1] / rows.span if base > 1 else zero
    return StartUp(phi, intercepts, slopes, sigma2)
