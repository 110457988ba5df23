"""Exponential smoothing fitted to panels: real series, laws, and what no series may do to it."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from statsmodels.tsa.exponential_smoothing.ets import ETSModel

from ostinato.local.ets import STABLE, fit_ets
from ostinato.local.panel import Panel
from ostinato.ops.ets import reference
from ostinato.ops.ets.form import Batch, Form
from ostinato.shapes import Array

PROBABILITIES = np.array([0.025, 0.1, 0.5, 0.9, 0.975])


def monthly(seed: int, T: int = 60, *, positive: bool = True) -> Array:
    """Return a made monthly series with a trend and a season."""
    rng = np.random.default_rng(seed)
    t = np.arange(T)
    level = 100 * positive + np.cumsum(rng.normal(0.2, 1, T))
    return np.asarray(level + 8 * np.sin(2 * np.pi * t / 12) + rng.normal(0, 1, T))


HARD = {
    "one value": np.array([3.0]),
    "two values": np.array([3.0, 4.0]),
    "five values": np.array([3.0, 4.0, 2.0, 5.0, 7.0]),
    "zeros": np.zeros(30),
    "constant": np.full(40, 7.25),
    "line": np.arange(30.0),
    "many zeros": np.where(np.arange(60) % 7 == 0, 3.0, 0.0),
    "half missing": np.where(np.arange(60) % 3 == 1, np.nan, monthly(1)),
    "negative": -monthly(2),
    "jump": np.where(np.arange(50) < 25, 1.0, 1000.0),
    "huge": monthly(3) * 1e30,
    "tiny": monthly(3) * 1e-30,
}


def test_hard_series_have_finite_forecasts_in_order() -> None:
    fit = fit_ets(Panel(tuple(HARD.values()), (12,)))
    ahead = fit.ahead(18, PROBABILITIES)
    assert ahead.point.shape == (len(HARD), 18)
    assert ahead.quantiles.shape == (len(HARD), 18, 5)
    assert np.isfinite(ahead.point).all()
    assert np.isfinite(ahead.quantiles).all()
    assert (np.diff(ahead.quantiles, axis=2) >= 0).all()
    names = list(HARD)
    for name, value in (("zeros", 0.0), ("constant", 7.25)):
        np.testing.assert_allclose(ahead.point[names.index(name)], value, rtol=1e-9, atol=1e-12)
    np.testing.assert_allclose(ahead.point[names.index("line")], np.arange(30.0, 48.0), rtol=1e-6)


@pytest.mark.parametrize("unit", [1e-9, 1e9, 2.0**40])
def test_units_change_nothing_but_the_units(unit: float) -> None:
    series = [monthly(s, T) for s, T in ((0, 40), (1, 60), (2, 70))]
    ours = fit_ets(Panel(tuple(series), (12,)))
    scaled = fit_ets(Panel(tuple(y * unit for y in series), (12,)))
    assert ours.forms == scaled.forms
    one, other = (f.ahead(12, PROBABILITIES) for f in (ours, scaled))
    np.testing.assert_allclose(other.point / unit, one.point, rtol=1e-4)
    np.testing.assert_allclose(other.quantiles / unit, one.quantiles, rtol=1e-3)


def air_passengers() -> Array:
    return np.array([112, 118, 132, 129, 121, 135, 148, 148, 136, 119, 104, 118, 115, 126, 141, 135, 125, 149, 170, 170,
        158, 133, 114, 140, 145, 150, 178, 163, 172, 178, 199, 199, 184, 162, 146, 166, 171, 180, 193, 181, 183, 218,
        230, 242, 209, 191, 172, 194, 196, 196, 236, 235, 229, 243, 264, 272, 237, 211, 180, 201, 204, 188, 235, 227,
        234, 264, 302, 293, 259, 229, 203, 229], dtype=np.float64)  # fmt: skip


def oracle(y: Array, form: Form) -> ETSModel:
    return ETSModel(
        y,
        error={"A": "add", "M": "mul"}[form.error],
        trend=None if form.trend == "N" else "add",
        damped_trend=form.trend == "Ad",
        seasonal={"N": None, "A": "add", "M": "mul"}[form.season],
        seasonal_periods=12 if form.seasonal else None,
    )


@pytest.mark.parametrize("form", [f for f in STABLE if f.season != "M"], ids=str)
def test_the_fit_is_at_least_as_likely_as_that_of_statsmodels(form: Form) -> None:
    y = air_passengers()
    ours = fit_ets(Panel((y,), (12,)), [form])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        theirs = oracle(y, form).fit(disp=False, maxiter=2000)
    assert ours.forms == (form,)
    assert ours.log_likelihood[0] > theirs.llf - 0.1


@pytest.mark.parametrize("form", STABLE, ids=str)
def test_likelihood_criterion_and_residuals_are_those_of_the_fitted_parameters(form: Form) -> None:
    y = air_passengers()
    y[[5, 30]] = np.nan
    fit = fit_ets(Panel((y,), (12,)), [form])
    rows = Batch(y[None], np.zeros(1, np.int64), np.array([len(y)]), np.zeros(1))
    found = reference.unroll(rows, form, fit.theta[0][None], path=True)
    assert found.mean is not None
    assert found.last is not None
    n, k = 70, form.count(12)
    assert fit.log_likelihood[0] == pytest.approx(found.log_likelihood[0], abs=1e-6)
    aicc = 2 * k - 2 * fit.log_likelihood[0] + 2 * k * (k + 1) / (n - k - 1)
    assert fit.aicc[0] == pytest.approx(aicc, abs=1e-6)
    errors = (y - found.mean[0]) / (found.mean[0] if form.error == "M" else 1)
    np.testing.assert_allclose(fit.residuals[0], errors, rtol=1e-9, atol=1e-9)
    assert fit.variance[0] == pytest.approx(np.nansum(errors**2) / (n - k + 1), rel=1e-9)
    np.testing.assert_allclose(fit.last[0], found.last[0], rtol=1e-9, atol=1e-9)
    alpha, beta, gamma, phi = fit.theta[0][:4]
    assert 0 <= beta <= alpha < 1
    assert 0 <= gamma <= 1 - alpha
    assert phi == 1 or 0.8 <= phi <= 0.98


@pytest.mark.parametrize("form", STABLE, ids=str)
def test_moments_ahead_are_those_of_sample_paths(form: Form) -> None:
    """Twenty thousand paths by the reference: each step takes the error that was drawn."""
    y, H, paths = air_passengers(), 14, 20_000
    fit = fit_ets(Panel((y,), (12,)), [form])
    ahead = fit.ahead(H, np.array([0.1, 0.5, 0.9]))
    draw = np.random.default_rng(0).normal(0, np.sqrt(fit.variance[0]), (H, paths))
    state = tuple(torch.full((paths,), float(v), dtype=torch.float64) for v in fit.last[0])
    parameters = tuple(torch.full((paths,), float(v), dtype=torch.float64) for v in fit.theta[0][:4])
    alpha, beta, gamma, phi = parameters
    for h in range(H):
        mu, e = reference.predict(form, state, phi), torch.from_numpy(draw[h])
        values = (mu * (1 + e) if form.error == "M" else mu + e).numpy()
        state = reference.step(form, state, e, (alpha, beta, gamma, phi))
        deviation = values.std()
        assert ahead.point[0, h] == pytest.approx(values.mean(), abs=0.03 * deviation)
        np.testing.assert_allclose(ahead.quantiles[0, h], np.quantile(values, [0.1, 0.5, 0.9]), atol=0.06 * deviation)


@settings(deadline=None, max_examples=25)
@given(
    y=st.lists(st.one_of(st.floats(-1e6, 1e6), st.integers(0, 3).map(float)), min_size=1, max_size=40),
    gaps=st.lists(st.integers(1, 38), max_size=8),
    season=st.sampled_from([(), (2,), (4,), (12,), (48,), (7, 30)]),
)
def test_any_series_is_fitted(y: list[float], gaps: list[int], season: tuple[int, ...]) -> None:
    values = np.array(y)
    values[[g for g in gaps if g < len(y) - 1]] = np.nan
    fit = fit_ets(Panel((values,), season))
    ahead = fit.ahead(5, PROBABILITIES)
    assert np.isfinite(ahead.point).all()
    assert np.isfinite(ahead.quantiles).all()
    assert (np.diff(ahead.quantiles, axis=2) >= 0).all()


def test_a_panel_is_its_series() -> None:
    series = [monthly(s, T) for s, T in ((0, 40), (1, 70), (2, 33), (3, 70), (4, 9))]
    together = fit_ets(Panel(tuple(series), (12,)))
    for s, y in enumerate(series):
        alone = fit_ets(Panel((y,), (12,)))
        assert alone.description(0) == together.description(s)
        assert alone.log_likelihood[0] == pytest.approx(together.log_likelihood[s], abs=1e-3)


def test_a_season_that_no_form_has_is_left_out() -> None:
    assert not fit_ets(Panel((monthly(0, 100),), (30,))).forms[0].seasonal
    assert fit_ets(Panel((monthly(0, 100),), (12,))).forms[0].seasonal


def test_made_series_get_the_form_that_made_them() -> None:
    """Of 20 series of white noise around a level no more than a few get a trend or a season."""
    rng = np.random.default_rng(0)
    noise = fit_ets(Panel(tuple(10 * rng.normal(size=80) for _ in range(20)), (4,)))
    assert sum(form == Form("A", "N", "N") for form in noise.forms) >= 15
    seasonal = fit_ets(Panel(tuple(monthly(s, 100) for s in range(20)), (12,)))
    assert all(form.seasonal for form in seasonal.forms)


def test_a_panel_in_blocks_has_the_fits_of_the_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(3)
    panel = Panel(tuple(50 + rng.standard_normal(length).cumsum() for length in (30, 9, 22, 40, 14, 31, 8)), (4,))
    whole = fit_ets(panel)
    monkeypatch.setattr("ostinato.local.ets._ROWS", 3)
    parts = fit_ets(panel)
    assert parts.forms == whole.forms
    np.testing.assert_allclose(parts.aicc, whole.aicc, rtol=1e-9)
    for name in ("theta", "last", "residuals"):
        for a, b in zip(getattr(parts, name), getattr(whole, name), strict=True):
            np.testing.assert_allclose(a, b, rtol=1e-6, atol=1e-9)


@pytest.mark.parametrize("seasons", [(), (4,)])
def test_forms_that_are_searched_together_end_where_each_ends_alone(seasons: tuple[int, ...]) -> None:
    """Forms of one recurrence are one unroll, and the search of a row knows nothing of the others."""
    rng = np.random.default_rng(5)
    panel = Panel(tuple(50 + rng.standard_normal(length).cumsum() for length in (45, 30, 38, 24, 60)), seasons)
    together = fit_ets(panel)
    alone = {form: fit_ets(panel, [form]) for form in STABLE if seasons or not form.seasonal}
    for s, chosen in enumerate(together.forms):
        assert together.aicc[s] == pytest.approx(alone[chosen].aicc[s], rel=1e-9)
        assert together.aicc[s] <= min(fit.aicc[s] for fit in alone.values()) + 1e-6
