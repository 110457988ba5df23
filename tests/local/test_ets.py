"""Exponential smoothing fitted to panels: real series, laws, and what no series may do to it."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from ostinato.local.ets import fit_ets
from ostinato.local.panel import Panel

Array = NDArray[np.float64]
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
