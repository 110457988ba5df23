"""Autoregressions fitted in closed form: every order from one factorisation, and the best order is kept.

x_t = a + b t + phi_1 x_{t-1} + ... + phi_K x_{t-K} + e_t, e_t ~ N(0, sigma2), with t counted from 1 in each sequence.
Least squares, conditional on the first K values of every sequence (Luetkepohl, New Introduction to Multiple Time Series
Analysis, 3.2 and 4.3). The criteria are those of statsmodels' ``ar_select_order``: the constant is not counted as a
parameter, the variance is.

The lags are 1 .. K, or a set of them: then x_t = a + b t + sum_i phi_i x_{t - l_i} + e_t, and K is the greatest lag.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ostinato.choices import unknown
from ostinato.errors import ConfigError, DataError
from ostinato.layers.ar_fit import ARFit, StartUp
from ostinato.layers.lagged import Lagged, Trend, dense, lagged
from ostinato.layers.least_squares import Nested, solve_nested
from ostinato.numbers import counted
from ostinato.settings import undisturbed
from ostinato.shapes import Array
from ostinato.spread import FLOOR

Criterion = Literal["bic", "aic", "hqic", "held-out"]

#: How the note on a fit without errors begins.
PERFECT = "the fit is perfect"


class _Solution(NamedTuple):
    """The fits of all orders 0 .. K on the same n rows.

    Attributes:
        nested: The least-squares solutions, in scaled units.
        n: The number of rows.
        sigma2: The variances of the innovations by order, (K + 1,), in the units of the values squared.
        log_likelihood: The log likelihoods by order, (K + 1,), in nats.
    """

    nested: Nested
    n: int
    sigma2: Array
    log_likelihood: Array


@undisturbed
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
    """Return the autoregression of one channel.

    The order is chosen among 0 .. max_order on the rows common to all of them, and then fitted again on all the rows
    that it can use, as the ``AutoReg`` of statsmodels does. A row is left out if its target or one of its lags is
    missing or lies in another sequence. With few rows the order is capped, and a note says so.

    Args:
        values: The values of all sequences joined, (N,). NaN where a value is missing.
        offsets: Where the sequences begin and end in values, (B + 1,).
        max_order: The highest order to consider.
        criterion: The criterion that chooses the order: "bic", "aic", "hqic" or "held-out".
        trend: "n" for neither constant nor trend, "c" for a constant, "ct" for a constant and a linear trend.
        held_out: The steps that are scored and never fitted as targets, (N,); they may be lags.
        order: The order to fit without a choice; the criteria are then computed up to it.

    Raises:
        DataError: No value is observed, or the arrays do not have these shapes.
        ConfigError: An option has an unknown value, or no held-out step can be scored.
    """
    _check_options(trend, criterion, max_order if order is None else min(order, max_order))
    values = _of_one_channel(values, offsets)
    fitted = np.isfinite(values) if held_out is None else np.isfinite(values) & ~held_out
    if not fitted.any():
        raise DataError(
            "the channel has no observed value, expected at least one",
            fix="give a channel with values, or hold out fewer steps",
        )
    rows = lagged(values, offsets, trend)
    wanted, searching = max_order if order is None else order, order is None
    usable = _usable_rows(rows, fitted, wanted)
    top = _highest_order(usable, rows.base, searching=searching)
    notes = []
    if top < wanted:
        notes.append(
            f"the order was capped at {top}, not {wanted}: {counted(usable[wanted], 'step')} have "
            f"{counted(wanted, 'value')} before them"
        )
    if searching and usable[top] < usable[0] / 2:
        notes.append(
            f"the order was chosen on {usable[top]} of {counted(usable[0], 'step')}, those with "
            f"{counted(top, 'value')} before them"
        )

    R = rows.triangle(fitted, dense(top))
    solution = _solve(rows, R, int(usable[top]))
    tables = _criteria(solution, rows.base)
    cost = None if held_out is None else _held_out(rows, held_out, top, solution)
    if cost is not None:
        tables["held-out"] = cost
    best = _best_order(tables, criterion, top) if searching else top
    if best < top:
        solution = _solve(rows, rows.extended(R, fitted, top, best), int(usable[best]))
    return _fit(rows, solution, dense(best), tables, cost, notes)


def fit_ar_at(
    values: Array,
    offsets: NDArray[np.int64],
    lags: Sequence[int],
    *,
    held_out: NDArray[np.bool_] | None = None,
) -> ARFit:
    """Return the autoregression of one channel on a given set of lags, with a constant.

    Args:
        values: The values of all sequences joined, (N,). NaN where a value is missing.
        offsets: Where the sequences begin and end in values, (B + 1,).
        lags: The lags, ascending, (L,); some steps have all of them observed before them.
        held_out: The steps that are never fitted as targets, (N,); they may be lags.
    """
    values = _of_one_channel(values, offsets)
    fitted = np.isfinite(values) if held_out is None else np.isfinite(values) & ~held_out
    rows = lagged(values, offsets, "c")
    solution = _solve(rows, rows.triangle(fitted, lags), int((fitted & rows.complete(lags)).sum()))
    return _fit(rows, solution, lags, _criteria(solution, rows.base), None, [])


def _fit(
    rows: Lagged,
    solution: _Solution,
    lags: Sequence[int],
    tables: dict[str, Array],
    cost: Array | None,
    notes: list[str],
) -> ARFit:
    """Return the fit on these lags, which are the first of those that were solved for."""
    start_up, L = _start_up(rows, solution), len(lags)
    return ARFit(
        order=lags[-1] if L else 0,
        trend=rows.trend,
        coefficients=start_up.coefficients[L],
        intercept=float(start_up.intercepts[L]),
        slope=float(start_up.slopes[L]),
        sigma2=float(solution.sigma2[L]),
        log_likelihood=float(solution.log_likelihood[L]),
        n=solution.n,
        aic=tables["aic"],
        bic=tables["bic"],
        hqic=tables["hqic"],
        held_out=cost,
        start_up=start_up,
        lags=tuple(lags),
        notes=(*notes, *_notes_on(solution, rows, L)),
    )


def _of_one_channel(values: Array, offsets: NDArray[np.int64]) -> Array:
    """Return the values (N,) of one channel as floats.

    Raises:
        DataError: They have another shape, or the offsets do not divide them.
    """
    values = np.asarray(values, dtype=np.float64)
    if values.ndim != 1:
        what = f"the values have the shape {values.shape}, expected (N,)"
        raise DataError(what, fix="give the values of one channel: values[:, 0]")
    ends = np.asarray(offsets)
    if ends.ndim != 1 or len(ends) < 2 or ends[0] != 0 or ends[-1] != len(values) or (np.diff(ends) < 0).any():
        what = f"the offsets are {ends.tolist()}, expected numbers that rise from 0 to {len(values)}"
        raise DataError(what, fix="give [0, len(values)] for one sequence")
    return values


def _check_options(trend: str, criterion: str, lowest_order: int) -> None:
    """Raise ConfigError for an unknown trend or criterion, or a negative order."""
    if trend not in ("n", "c", "ct"):
        raise unknown("trend", trend, ("n", "c", "ct"))
    if criterion not in ("bic", "aic", "hqic", "held-out"):
        raise unknown("criterion", criterion, ("bic", "aic", "hqic", "held-out"))
    if lowest_order < 0:
        raise ConfigError(
            f"the order of an autoregression must be at least 0, got {lowest_order}", fix="use an order of 0 or more"
        )


def _usable_rows(rows: Lagged, fitted: NDArray[np.bool_], max_order: int) -> NDArray[np.int64]:
    """Return the number of fitted rows that have p observed lags, for each order p = 0 .. max_order."""
    runs = np.bincount(np.minimum(rows.run[fitted], max_order + 1), minlength=max_order + 2)
    return runs[::-1].cumsum()[::-1][1:]


def _highest_order(usable: NDArray[np.int64], base: int, *, searching: bool) -> int:
    """Return the highest order with enough rows.

    A search needs half as many rows again: among nearly as many orders as rows it would always choose the last one.
    """
    least = (base + np.arange(len(usable))) * (1.5 if searching else 1.0) + 0.5
    return max(int((usable >= least).sum()) - 1, 0)


def _solve(rows: Lagged, R: Array, n: int) -> _Solution:
    """Return the fits of all orders from the triangle R of n rows."""
    nested = solve_nested(R, n, rows.base)
    sigma2 = np.maximum(nested.rss / n, FLOOR**2) * rows.scale**2
    return _Solution(nested, n, sigma2, _log_likelihood(nested.rss * rows.scale**2, sigma2, n))


def _log_likelihood(rss: Array, sigma2: Array, n: int) -> Array:
    """Return the Gaussian log likelihood in nats of n rows with residual sum of squares rss, by order."""
    return -0.5 * (n * np.log(2 * np.pi * sigma2) + rss / sigma2)


def _criteria(solution: _Solution, base: int) -> dict[str, Array]:
    """Return the information criteria by order, (K + 1,) each."""
    n, llf = solution.n, solution.log_likelihood
    parameters = solution.nested.rank - min(base, 1) + 1
    return {
        "aic": -2 * llf + 2 * parameters,
        "bic": -2 * llf + np.log(n) * parameters,
        "hqic": -2 * llf + 2 * np.log(np.log(max(n, 3))) * parameters,
    }


def _held_out(rows: Lagged, held_out: NDArray[np.bool_], top: int, solution: _Solution) -> Array | None:
    """Return the mean nats of a held-out step by order; None if no held-out step has its target and lags."""
    rss, n = np.zeros(top + 1), 0
    for block in rows.blocks(held_out, dense(top)):
        rss += ((block[:, -1:] - block[:, :-1] @ solution.nested.coefficients.T) ** 2).sum(axis=0)
        n += len(block)
    return -_log_likelihood(rss * rows.scale**2, solution.sigma2, n) / n if n else None


def _best_order(tables: dict[str, Array], criterion: Criterion, top: int) -> int:
    """Return the order with the lowest criterion."""
    if criterion not in tables:
        raise ConfigError(
            "no held-out step can be scored, and criterion held-out needs at least one",
            fix=f"hold out steps with {top} observed values before them, or choose the order by bic",
        )
    return int(np.argmin(tables[criterion]))


def _notes_on(solution: _Solution, rows: Lagged, best: int) -> list[str]:
    """Return the notes on dependent regressors and on a perfect fit."""
    nested, notes = solution.nested, []
    regressors, kept = rows.base + best, len(nested.kept)
    if kept < regressors:
        notes.append(f"{regressors - kept} of {regressors} regressors depend on the others and were given no weight")
    sigma2 = solution.sigma2[best]
    if nested.rss[best] * rows.scale**2 < sigma2 * solution.n * (1 - 1e-9):
        notes.append(f"{PERFECT}: the standard deviation was raised to {np.sqrt(sigma2):.3g}")
    return notes


def _start_up(rows: Lagged, solution: _Solution) -> StartUp:
    """Return the solutions of all orders in the units of the values."""
    base, nested = rows.base, solution.nested
    phi, edge = nested.coefficients[:, base:], nested.coefficients[:, :base]
    zero = np.zeros(len(phi))
    intercepts = rows.scale * edge[:, 0] + rows.shift * (1.0 - phi.sum(axis=1)) if base > 0 else zero
    slopes = rows.scale * edge[:, 1] / rows.span if base > 1 else zero
    return StartUp(phi, intercepts, slopes, solution.sigma2)
