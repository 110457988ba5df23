"""Laws of every local method in the registry: shapes, order, scale, single values, support, and what it says."""

from __future__ import annotations

import numpy as np
import pytest

from ostinato.emissions.quantiles import LEVELS
from ostinato.local.methods import METHODS, kind
from ostinato.local.panel import Panel
from ostinato.shapes import Array

PROBABILITIES = np.array([0.05, 0.25, 0.5, 0.75, 0.95])


def sales(count: int = 5, seed: int = 0) -> tuple[Array, ...]:
    """Quarterly sales with a season and a trend, of 12 to 40 values."""
    rng = np.random.default_rng(seed)
    out = []
    for _ in range(count):
        t = np.arange(int(rng.integers(12, 40)))
        out.append((100 + t) * (1 + 0.2 * np.sin(t * np.pi / 2)) * np.exp(0.05 * rng.standard_normal(len(t))))
    return tuple(out)


def everything(name: str, series: tuple[Array, ...]) -> Array:
    said = METHODS[name](Panel(series, (4,))).ahead(5, PROBABILITIES)
    return np.concatenate([said.point[..., None], said.quantiles], axis=-1)


@pytest.mark.parametrize("name", METHODS)
def test_every_method_forecasts_series_of_any_length(name: str) -> None:
    rng = np.random.default_rng(0)
    lengths = (1, 2, 3, 4, 7, 30)
    fitted = METHODS[name](Panel(tuple(10 + rng.standard_normal(n) for n in lengths), (4,)))
    said = fitted.ahead(5, PROBABILITIES)
    assert said.point.shape == (len(lengths), 5)
    assert said.quantiles.shape == (len(lengths), 5, len(PROBABILITIES))
    assert np.isfinite(said.point).all()
    assert np.isfinite(said.quantiles).all()
    assert (np.diff(said.quantiles, axis=-1) >= 0).all()
    assert all(fitted.description(s) for s in range(len(lengths)))


@pytest.mark.parametrize("name", METHODS)
def test_a_forecast_scales_with_its_series(name: str) -> None:
    series = sales()
    plain = everything(name, series)
    np.testing.assert_allclose(everything(name, tuple(1024.0 * y for y in series)), 1024 * plain, rtol=1e-4)


@pytest.mark.parametrize("name", METHODS)
def test_the_order_of_the_series_changes_nothing(name: str) -> None:
    series = sales()
    order = [3, 0, 4, 1, 2]
    plain = everything(name, series)
    np.testing.assert_allclose(everything(name, tuple(series[s] for s in order)), plain[order], rtol=1e-3)


def test_the_default_knows_intermittent_series_by_their_type() -> None:
    rng = np.random.default_rng(0)
    demand = (rng.random(60) < 0.3) * rng.integers(1, 9, 60).astype(float)
    demand[[0, -1]] = 2.0, 1.0
    fitted = METHODS["auto"](Panel((*sales(2), demand), (4,)))
    said = fitted.ahead(6, PROBABILITIES)
    assert (said.quantiles[2] >= 0).all()
    assert said.quantiles[2, 0, 1] == 0
    assert fitted.description(2).startswith("events(")
    assert "TSB" in METHODS["auto"](Panel((*sales(2), 0.3 * demand), (4,))).description(2)
    assert "ETS" in fitted.description(0)
    assert "window" in fitted.description(0)


def test_small_counts_have_a_member_more() -> None:
    rng = np.random.default_rng(0)
    panel = Panel((rng.poisson(4.0, 60).astype(float), rng.poisson(4.0, 60) / 4, rng.poisson(400.0, 60).astype(float)))
    assert [kind(y) for y in panel.values] == ["small", "moving", "moving"]
    fitted = METHODS["auto"](panel)
    assert np.isfinite(fitted.ahead(6, LEVELS).quantiles).all()
    assert ["events" in fitted.description(s) for s in range(3)] == [True, False, False]


NOISE = np.random.default_rng(9).standard_normal(60)


@pytest.mark.parametrize("method", ["auto", "seasons", "ar"])
@pytest.mark.parametrize(
    "quiet",
    [
        np.full(60, 5.0),
        np.zeros(60),
        np.where(np.arange(60) < 30, 1.0, 9.0),
        np.where(np.arange(60) < 40, 100 + NOISE, 0.0),  # it fell and stays, within a held-out window
        np.where(np.arange(60) < 20, 0.0, 100 + NOISE),
        np.where((np.arange(60) < 20) | (np.arange(60) > 40), NOISE, 3.0),
    ],
)
def test_a_series_that_hardly_changes_says_nothing_about_the_others(quiet: Array, method: str) -> None:
    moving = tuple(np.random.default_rng(s).standard_normal(60) for s in range(2))
    one, both = (METHODS[method](Panel(series)).ahead(9, LEVELS) for series in (moving, (*moving, quiet)))
    np.testing.assert_allclose(both.quantiles[:2], one.quantiles, rtol=1e-12)
    assert np.isfinite(both.quantiles).all()


@pytest.mark.parametrize("method", [name for name in METHODS if name != "events"])  # a count has no unit
@pytest.mark.parametrize("unit", [1e-12, 1e-3, 2.0**40, 1e15])
def test_a_series_alone_has_the_same_forecast_in_every_unit(method: str, unit: float) -> None:
    """Shares of models that are equal by symmetry, such as halves, once met the points they are drawn by."""
    for seed in range(4):
        rng = np.random.default_rng(seed)
        z = rng.standard_normal(9 + seed)
        for y in (z.cumsum(), np.exp(1.5 * z), (-1.0) ** np.arange(len(z)) * (5 + z)):
            one, other = (METHODS[method](Panel((c * y,))).ahead(6, PROBABILITIES).quantiles for c in (1.0, unit))
            np.testing.assert_allclose(other / unit, one, rtol=0, atol=1e-6 * np.ptp(one))
