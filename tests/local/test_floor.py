"""Laws that every method of a panel obeys, whatever the series and their units."""

from __future__ import annotations

import warnings

import numpy as np
import pytest

from ostinato.local.ar import fit_ar
from ostinato.local.intermittent import fit_croston, fit_sba, fit_tsb
from ostinato.local.naive import fit_drift, fit_naive, fit_naive2, fit_seasonal_naive
from ostinato.local.panel import Fit, Panel
from ostinato.local.seasons import fit_seasons
from ostinato.local.theta import fit_dot, fit_theta

P = np.array([0.025, 0.1, 0.25, 0.5, 0.75, 0.9, 0.975])

METHODS: dict[str, Fit] = {
    "naive": fit_naive,
    "seasonal naive": fit_seasonal_naive,
    "naive2": fit_naive2,
    "drift": fit_drift,
    "theta": fit_theta,
    "dot": fit_dot,
    "ar": fit_ar,
    "croston": fit_croston,
    "sba": fit_sba,
    "tsb": fit_tsb,
    "seasons": fit_seasons,
}

#: The methods whose forecast of y + c is that of y, plus c, where neither a season nor errors depend on the level.
SHIFTED = ["naive", "drift", "seasonal naive", "theta", "dot", "ar", "seasons"]


def wave(steps: int, seed: int = 0, season: int = 12) -> np.ndarray:
    rng, t = np.random.default_rng(seed), np.arange(steps)
    return (50 + 0.2 * t) * (1 + 0.3 * np.sin(2 * np.pi * t / season)) + rng.standard_normal(steps)


def walk(steps: int, seed: int = 0) -> np.ndarray:
    return 20 + np.random.default_rng(seed).standard_normal(steps).cumsum()


def gaps(y: np.ndarray) -> np.ndarray:
    y = y.copy()
    y[[3, 7, 8, len(y) // 2]] = np.nan
    return y


POOR = {
    "one": np.array([3.0]),
    "two": np.array([3.0, 4.0]),
    "three": np.array([3.0, 4.0, 2.0]),
    "four": np.array([1.0, 2.0, 3.0, 4.0]),
    "five": np.array([5.0, 1.0, 0.0, 0.0, 2.0]),
    "constant": np.full(40, 7.0),
    "zeros": np.zeros(40),
    "one zero": np.zeros(1),
    "line": np.arange(40.0),
    "negative": -wave(50),
    "a late jump": np.r_[np.full(39, 2.0), 9.0],
    "gaps": gaps(wave(60)),
    "a gap between two": np.array([5.0, np.nan, 5.5]),
    "tiny": wave(50) * 1e-250,
    "huge": wave(50) * 1e250,
    "an offset": 1e9 + wave(50),
    "rare": np.where(np.arange(60) % 7 == 0, 3.0, 0.0),
    "seasonal": wave(120),
    "seasonal and short": wave(20),
    "walk": walk(70),
}


@pytest.mark.parametrize("method", METHODS)
def test_every_panel_has_finite_ordered_quantiles_and_no_warning(method: str) -> None:
    panel = Panel(tuple(POOR.values()), (12,))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        fitted = METHODS[method](panel)
        ahead = fitted.ahead(15, P)
    assert ahead.point.shape == (len(panel), 15)
    assert ahead.quantiles.shape == (len(panel), 15, len(P))
    assert np.isfinite(ahead.point).all()
    assert np.isfinite(ahead.quantiles).all()
    assert (np.diff(ahead.quantiles, axis=2) >= 0).all()
    for s, name in enumerate(POOR):
        assert fitted.description(s), name
    constant = list(POOR).index("constant")
    np.testing.assert_allclose(ahead.point[constant], 7.0, rtol=1e-6)
    np.testing.assert_allclose(ahead.quantiles[constant], 7.0, rtol=1e-4)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("scale", [1e-6, 3.0, 1e7])
def test_forecasts_have_the_units_of_the_series(method: str, scale: float) -> None:
    series = (wave(90), walk(60), gaps(wave(50)), walk(9), walk(3))
    one = METHODS[method](Panel(series, (12,))).ahead(14, P)
    other = METHODS[method](Panel(tuple(scale * y for y in series), (12,))).ahead(14, P)
    np.testing.assert_allclose(other.point, scale * one.point, rtol=1e-5)
    np.testing.assert_allclose(other.quantiles, scale * one.quantiles, rtol=1e-5)


@pytest.mark.parametrize("method", SHIFTED)
def test_a_shift_of_the_series_shifts_the_forecast(method: str) -> None:
    series = tuple(y - 100.0 for y in (walk(90), walk(30, 2), gaps(walk(50, 3)), walk(9, 4)))
    one = METHODS[method](Panel(series)).ahead(14, P)
    other = METHODS[method](Panel(tuple(y - 300.0 for y in series))).ahead(14, P)
    np.testing.assert_allclose(other.quantiles + 300.0, one.quantiles, rtol=1e-5)


@pytest.mark.parametrize(
    "method", [name for name in METHODS if name not in ("ar", "seasons")]
)  # which learn from the panel
def test_a_series_has_the_same_forecast_alone_and_in_a_panel(method: str) -> None:
    series = (wave(90), walk(60), gaps(wave(50)), walk(9), walk(3))
    together = METHODS[method](Panel(series, (12,))).ahead(6, P)
    for s, y in enumerate(series):
        alone = METHODS[method](Panel((y,), (12,))).ahead(6, P)
        np.testing.assert_allclose(alone.quantiles[0], together.quantiles[s], rtol=1e-8)


@pytest.mark.parametrize("method", METHODS)
def test_a_shorter_horizon_is_the_beginning_of_a_longer_one(method: str) -> None:
    fitted = METHODS[method](Panel((wave(90), walk(40)), (12,)))
    np.testing.assert_allclose(fitted.ahead(5, P).quantiles, fitted.ahead(30, P).quantiles[:, :5], rtol=1e-9)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize(
    ("factor", "steps"), [(1.1, 8), (1.1, 30), (2.0, 8), (2.0, 20), (2.0, 30), (10.0, 8), (10.0, 20)]
)
def test_growth_is_no_reason_for_intervals_far_beyond_it(method: str, factor: float, steps: int) -> None:
    """Errors grow with the level; how far coefficients are in doubt does not grow with it once more."""
    y = factor ** np.arange(float(steps))
    upper = METHODS[method](Panel((y,))).ahead(1, P).quantiles[0, 0, -1]
    assert upper - y[-1] <= 3 * (factor - 1) * y[-1]  # in units of the next change
