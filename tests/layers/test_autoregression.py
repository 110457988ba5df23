"""Closed-form autoregressions against statsmodels, and on data that are nearly empty."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from numpy.typing import NDArray
from statsmodels.tsa.ar_model import AutoReg, ar_select_order

from ostinato.errors import ConfigError, DataError
from ostinato.layers.ar_fit import ARFit
from ostinato.layers.autoregression import fit_ar
from ostinato.shapes import Array


def one(y: Array) -> NDArray[np.int64]:
    return np.array([0, len(y)])


def simulated(n: int, phi: tuple[float, ...] = (0.5, -0.3), *, seed: int = 0, level: float = 3.0) -> Array:
    rng, x = np.random.default_rng(seed), np.zeros(n + 50)
    for t in range(len(phi), len(x)):
        x[t] = np.dot(phi, x[t - len(phi) : t][::-1]) + rng.standard_normal()
    return x[50:] + level


def assert_is_autoreg(fit: ARFit, y: Array) -> None:
    result = AutoReg(y, fit.order, trend=fit.trend).fit()
    edge = {"n": [], "c": [fit.intercept], "ct": [fit.intercept, fit.slope]}[fit.trend]
    np.testing.assert_allclose([*edge, *fit.coefficients], result.params, rtol=1e-8, atol=1e-8)
    assert fit.log_likelihood == pytest.approx(result.llf, rel=1e-10)
    assert fit.sigma2 == pytest.approx(result.sigma2, rel=1e-8)
    assert fit.n == result.nobs
    mean, sigma = fit.forecast(y, 12)
    oracle = result.get_prediction(len(y), len(y) + 11)
    np.testing.assert_allclose(mean, oracle.predicted_mean, rtol=1e-8, atol=1e-8)
    np.testing.assert_allclose(sigma, oracle.se_mean, rtol=1e-8)


def assert_selects(fit: ARFit, y: Array, max_order: int, criterion: str) -> None:
    chosen = ar_select_order(y, max_order, ic=criterion, trend=fit.trend)
    assert fit.order == len(chosen.ar_lags or [])
    for name in ("aic", "bic", "hqic"):
        theirs = {0 if lags == 0 else len(lags): value for lags, value in getattr(chosen, name).items()}
        np.testing.assert_allclose(getattr(fit, name), [np.squeeze(theirs[k]) for k in range(max_order + 1)], rtol=1e-9)


@pytest.mark.parametrize("trend", ["n", "c", "ct"])
@pytest.mark.parametrize("criterion", ["aic", "bic"])
def test_simulated_series_agree_with_statsmodels(trend: Any, criterion: Any) -> None:
    y = simulated(300)
    fit = fit_ar(y, one(y), 12, trend=trend, criterion=criterion)
    assert_is_autoreg(fit, y)
    assert_selects(fit, y, 12, criterion)


REAL = [
    ("AirPassengers.csv", "value", 24, None),
    ("sunspots_year.csv", "SUNACTIVITY", 15, None),
    ("sunspot.month.csv", "value", 12, 1200),
    ("ETTh1.csv.gz", "OT", 30, 3000),
    ("vic_elec.csv.gz", "Demand", 10, 3000),
]


@pytest.mark.parametrize(("file", "column", "max_order", "rows"), REAL, ids=[file for file, *_ in REAL])
def test_real_series_agree_with_statsmodels(
    shared_data: Callable[[str], Path], file: str, column: str, max_order: int, rows: int | None
) -> None:
    y = pl.read_csv(shared_data(f"timeseries/{file}"))[column].cast(pl.Float64).to_numpy()[:rows]
    fit = fit_ar(y, one(y), max_order)
    assert_is_autoreg(fit, y)
    assert_selects(fit, y, max_order, "bic")


def by_hand(pieces: list[Array], order: int) -> Array:
    """Return least squares over every complete window of order + 1 values, one row at a time."""
    windows = [p[t - order : t + 1] for p in pieces for t in range(order, len(p))]
    kept = np.array([w for w in windows if not np.isnan(w).any()])
    X = np.column_stack([np.ones(len(kept)), kept[:, :-1][:, ::-1]])
    found: Array = np.linalg.lstsq(X, kept[:, -1])[0]
    return found


def test_no_lag_crosses_a_boundary_or_a_missing_value() -> None:
    pieces = [simulated(n, seed=n) for n in (40, 0, 1, 25, 2)]
    pieces[0][[7, 20, 21]] = np.nan
    offsets = np.cumsum([0, *map(len, pieces)])
    fit = fit_ar(np.concatenate(pieces), offsets, 3, order=3)
    np.testing.assert_allclose([fit.intercept, *fit.coefficients], by_hand(pieces, 3), atol=1e-10)


def test_blocks_do_not_change_the_fit(monkeypatch: pytest.MonkeyPatch) -> None:
    y = simulated(200)
    whole = fit_ar(y, one(y), 5, order=5)
    monkeypatch.setattr("ostinato.layers.lagged.BLOCK", 7)
    np.testing.assert_allclose(fit_ar(y, one(y), 5, order=5).coefficients, whole.coefficients, atol=1e-12)


def test_start_up_orders_are_fits_on_the_common_sample() -> None:
    y = simulated(200)
    fit = fit_ar(y, one(y), 4, order=4, trend="ct")
    for k in range(5):
        result = AutoReg(y, k, trend="ct", hold_back=4).fit()
        edge = [fit.start_up.intercepts[k], fit.start_up.slopes[k]]
        np.testing.assert_allclose([*edge, *fit.start_up.coefficients[k, :k]], result.params, atol=1e-10)
        assert not fit.start_up.coefficients[k, k:].any()
        assert fit.start_up.sigma2[k] == pytest.approx(result.sigma2)


def test_held_out_steps_are_scored_and_not_fitted() -> None:
    y = simulated(400)
    mask = np.arange(400) >= 300
    fit = fit_ar(y, one(y), 5, criterion="held-out", held_out=mask)
    assert fit.held_out is not None
    assert fit.order == int(np.argmin(fit.held_out))
    for k in range(6):
        result = AutoReg(y[:300], k, hold_back=5).fit()
        lags = np.column_stack([np.ones(100), *(y[300 - j : 400 - j] for j in range(1, k + 1))])
        errors = y[300:] - lags @ result.params
        cost = 0.5 * (np.log(2 * np.pi * result.sigma2) + errors**2 / result.sigma2)
        assert fit.held_out[k] == pytest.approx(cost.mean())
    np.testing.assert_allclose(fit.coefficients, fit_ar(y[:300], one(y[:300]), 5, order=fit.order).coefficients)


def test_a_short_history_is_forecast_with_lower_orders() -> None:
    fit = fit_ar(simulated(300), np.array([0, 300]), 2, order=2)
    s = fit.start_up
    mean, sigma = fit.forecast(np.array([]), 3)
    first = s.intercepts[0]
    second = s.intercepts[1] + s.coefficients[1, 0] * first
    np.testing.assert_allclose(mean, [first, second, fit.intercept + fit.coefficients @ [second, first]])
    var = [s.sigma2[0], s.sigma2[1] + s.coefficients[1, 0] ** 2 * s.sigma2[0]]
    np.testing.assert_allclose(sigma[:2] ** 2, var)


def test_missing_history_is_replaced_by_predictions() -> None:
    y = simulated(300)
    fit = fit_ar(y, one(y), 3, order=3, trend="ct")
    gap = y.copy()
    gap[-2:] = np.nan
    filled = np.concatenate([y[:-2], fit.forecast(y[:-2], 2)[0]])
    np.testing.assert_allclose(fit.forecast(gap, 4)[0], fit.forecast(filled, 4)[0])
    np.testing.assert_allclose(fit.forecast(gap[-5:], 4, seen=300)[0], fit.forecast(gap, 4)[0])


@pytest.mark.parametrize("trend", ["n", "c", "ct"])
@pytest.mark.parametrize("y", [np.full(50, 0.1), np.zeros(50), np.array([4.0]), np.array([1.0, 2.0])], ids=str)
def test_very_short_data_are_fitted_without_a_crash(y: Array, trend: Any) -> None:
    fit = fit_ar(y, one(y), 6, trend=trend)
    mean, sigma = fit.forecast(y, 3)
    assert np.isfinite([*mean, *sigma, fit.log_likelihood, *fit.bic]).all()
    assert (sigma > 0).all()
    assert fit.notes
    if trend != "n" and len(y) > 2:
        np.testing.assert_allclose(mean, y[-1], atol=1e-12)


def test_a_perfect_sine_is_of_order_two() -> None:
    y = np.sin(0.3 * np.arange(200))
    fit = fit_ar(y, one(y), 8)
    assert fit.order == 2
    np.testing.assert_allclose(fit.coefficients, [2 * np.cos(0.3), -1], atol=1e-9)
    np.testing.assert_allclose(fit.forecast(y, 20)[0], np.sin(0.3 * np.arange(200, 220)), atol=1e-8)


def test_few_rows_cap_the_order_and_say_so() -> None:
    y = simulated(20)
    fit = fit_ar(y, one(y), 48)
    assert len(fit.bic) == 8
    assert "capped at 7, not 48" in fit.notes[0]


def test_the_level_does_not_spoil_the_fit() -> None:
    y = simulated(500, level=0.0)
    far = fit_ar(y + 1e6, one(y), 5, order=5)
    np.testing.assert_allclose(far.coefficients, fit_ar(y, one(y), 5, order=5).coefficients, atol=1e-8)


def test_unusable_arguments_are_refused() -> None:
    y = simulated(50)
    with pytest.raises(DataError, match="no observed value"):
        fit_ar(np.full(9, np.nan), np.array([0, 9]), 2)
    with pytest.raises(DataError, match="no observed value"):
        fit_ar(np.zeros(0), np.array([0, 0]), 2)
    with pytest.raises(ConfigError, match="no held-out step can be scored"):
        fit_ar(y, one(y), 2, criterion="held-out")
    with pytest.raises(ConfigError, match="must be at least 0, got -1"):
        fit_ar(y, one(y), -1)
    with pytest.raises(ConfigError, match="unknown trend 'x'"):
        fit_ar(y, one(y), 1, trend="x")  # type: ignore[arg-type]
    with pytest.raises(ConfigError, match="unknown criterion 'x'"):
        fit_ar(y, one(y), 1, criterion="x")  # type: ignore[arg-type]
