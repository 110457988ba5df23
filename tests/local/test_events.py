"""Events: the mixture's parts against scipy's distributions, and intervals that hold what they claim."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
from scipy.stats import nbinom, poisson

import ostinato
from ostinato.emissions.quantiles import LEVELS, pinball
from ostinato.local.events import MOST, Events, _log_pmf, _mixed, _Models, are_counts, fit_events
from ostinato.local.intermittent import fit_tsb
from ostinato.local.methods import fit_auto
from ostinato.local.panel import Panel

P = np.array([0.005, 0.025, 0.1, 0.25, 0.5, 0.75, 0.9, 0.975, 0.995])


def one(chance: float, mean: float, dispersion: float, *, hurdle: bool) -> _Models:
    """Return a mixture of one model whose level is known and does not move."""
    weight, often, spread = (np.array([x]) for x in (1.0, chance, dispersion))
    return _Models(weight, often, np.array([[mean]]), spread, np.zeros(1), np.zeros(1), np.array([hurdle]))


@pytest.mark.parametrize("mean", [0.01, 0.7, 3.0, 40.0])
@pytest.mark.parametrize("dispersion", [0.0, 0.1, 1.0, 8.0])
def test_a_model_is_scipys_distribution(mean: float, dispersion: float) -> None:
    shape = 1 / dispersion if dispersion else 0.0
    theirs = nbinom(shape, shape / (shape + mean)) if dispersion else poisson(mean)
    y = np.arange(60.0)
    np.testing.assert_allclose(_log_pmf(y, np.array(mean), np.array(dispersion)), theirs.logpmf(y), rtol=1e-9)
    point, quantiles = _mixed(one(1.0, mean, dispersion, hurdle=False), np.arange(2), P)
    np.testing.assert_allclose(point, mean)
    np.testing.assert_array_equal(quantiles, np.tile(theirs.ppf(P), (2, 1)))
    point, quantiles = _mixed(one(0.3, mean, dispersion, hurdle=True), np.arange(1), P)
    np.testing.assert_allclose(point, 0.3 * (1 + mean))
    sizes = 1 + theirs.ppf(np.clip((P - 0.7) / 0.3, 1e-12, 1.0))
    np.testing.assert_array_equal(quantiles[0], np.where(P > 0.7, sizes, 0.0))


def family(name: str, steps: int, rng: np.random.Generator) -> np.ndarray:
    """Return a series of one kind."""
    at, drawn = np.arange(steps), rng.random(steps)
    rate = {
        "poisson": np.full(steps, 0.8),
        "overdispersed": rng.gamma(0.5, 2.0, steps),
        "zeros": 3.0 * (drawn < 0.4),
        "moving": np.exp(0.1 * rng.standard_normal(steps).cumsum()),
        "season": 1 + 0.9 * np.sin(2 * np.pi * at / 12),
        "lumpy": rng.gamma(1.0, 8.0, steps),
        "ends": np.full(steps, 3.0),
    }[name]
    y = rng.poisson(rate).astype(np.float64)
    ends = np.where(at < steps * rng.uniform(0.5, 1.2), 0.5, 0.05)
    often: dict[str, np.ndarray | float] = {"lumpy": 0.25, "ends": ends}
    return np.where(drawn < often[name], 1 + y, 0.0) if name in often else y


FAMILIES = ("poisson", "overdispersed", "zeros", "lumpy", "moving", "season", "ends")


@pytest.mark.parametrize("name", FAMILIES)
def test_intervals_hold_their_share_and_no_loss_is_above_that_of_tsb(name: str) -> None:
    rng, H = np.random.default_rng(len(name)), 6
    made = [y for y in (family(name, 54, rng) for _ in range(300)) if (y[:-H] > 0).sum() > 1]
    panel, after = Panel(tuple(y[:-H] for y in made), (12,)), np.stack([y[-H:] for y in made])
    ours, tsb = (fit(panel).ahead(H, LEVELS).quantiles for fit in (fit_events, fit_tsb))
    held = {i: ((after >= ours[..., i]) & (after <= ours[..., -1 - i])).mean() for i in (1, 3)}
    assert held[1] >= 0.945
    assert held[3] >= 0.80
    assert pinball(after, ours, LEVELS).mean() <= 1.01 * pinball(after, tsb, LEVELS).mean()


def test_a_season_of_counts_is_found() -> None:
    y = family("season", 120, np.random.default_rng(0))
    point = fit_events(Panel((y,), (12,))).ahead(12, P).point[0]
    assert point[3] > 3 * point[9]  # the crest and the trough of the sine
    plain = family("poisson", 120, np.random.default_rng(0))
    point = fit_events(Panel((plain,), (12,))).ahead(12, P).point[0]
    assert point.max() < 1.7 * point.min()


def test_quantiles_of_counts_are_whole_and_rise() -> None:
    rng = np.random.default_rng(3)
    quantiles = fit_auto(Panel(tuple(family(name, 40, rng) for name in FAMILIES))).ahead(150, LEVELS).quantiles
    np.testing.assert_array_equal(quantiles, np.rint(quantiles))
    assert quantiles.min() == 0
    assert (np.diff(quantiles, axis=-1) >= 0).all()


def test_later_steps_of_a_moving_level_are_less_sure() -> None:
    y = family("moving", 200, np.random.default_rng(5))
    quantiles = fit_events(Panel((y,))).ahead(60, LEVELS).quantiles[0]
    assert quantiles[-1, -2] > quantiles[0, -2]


@pytest.mark.parametrize(
    ("y", "counts"),
    [
        ([0.0, 1, 0, 2], True),
        ([0.0, np.nan, 3], True),
        ([0.0, 0.5, 1], False),
        ([0.0, -1, 1], False),
        ([0.0, 0, 0], False),
        ([0.0, MOST + 1, 0], False),
        ([1e-12, 0, 3e-12], False),
    ],
)
def test_counts_are_small_whole_numbers(y: list[float], counts: bool) -> None:
    assert are_counts(np.array(y)) == counts


def test_every_series_has_a_forecast_without_a_warning() -> None:
    rare = np.zeros(400)
    rare[[3, 300]] = 1, MOST
    series = (
        rare,
        np.array([1.0]),
        np.array([0.0, 1]),
        np.array([0.0, np.nan, 2, 0]),
        np.array([0.5, 1.5]),
        np.ones(9),
    )
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        fitted = fit_events(Panel(series, (4,)))
        made = fitted.ahead(9, LEVELS)
    assert isinstance(fitted, Events)
    assert np.isfinite(made.point).all()
    assert np.isfinite(made.quantiles).all()
    assert "no counts" in fitted.description(4)


def test_the_default_uses_it_for_counts_that_are_often_0() -> None:
    y = family("lumpy", 60, np.random.default_rng(1))
    made = ostinato.forecast({"a": y}, horizon=5)
    assert made.fitted[0].startswith("events(")
    assert not ostinato.forecast({"a": 0.01 * y}, horizon=5).fitted[0].startswith("events(")


def test_steps_that_are_computed_apart_are_those_computed_together(monkeypatch: pytest.MonkeyPatch) -> None:
    y = np.where(np.arange(40) % 5 == 0, 30.0, 0.0)
    together = fit_events(Panel((y,), ())).ahead(9, P)
    monkeypatch.setattr("ostinato.local.events._NUMBERS", 1)
    apart = fit_events(Panel((y,), ())).ahead(9, P)
    np.testing.assert_array_equal(apart.quantiles, together.quantiles)
    np.testing.assert_allclose(apart.point, together.point, rtol=1e-12)
