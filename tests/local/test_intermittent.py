"""Intermittent demand: Croston against statsforecast, and a distribution that is that of the data."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

import ostinato
from ostinato.local.intermittent import croston, fit_croston, fit_sba, fit_tsb, is_intermittent
from ostinato.local.methods import fit_auto
from ostinato.local.panel import Fit, Panel

PEER = json.loads((Path(__file__).parents[1] / "fixtures/local/theta_peer.json").read_text())["croston"]
METHODS: dict[str, Fit] = {"croston": fit_croston, "sba": fit_sba, "tsb": fit_tsb}
P = np.array([0.05, 0.2, 0.4, 0.6, 0.8, 0.9, 0.95, 0.99])


def demand(steps: int, often: float, seed: int, *, whole: bool = True) -> np.ndarray:
    rng = np.random.default_rng(seed)
    sizes = rng.poisson(4, steps) + 1 if whole else rng.gamma(3.0, 2.0, steps)
    return np.where(rng.random(steps) < often, sizes, 0).astype(np.float64)


def test_croston_is_statsforecasts() -> None:
    size, interval = croston(np.array(PEER["y"]), 0.1, 0.1)
    np.testing.assert_allclose(size / interval, PEER["croston"], rtol=1e-12)
    np.testing.assert_allclose(0.95 * size / interval, PEER["sba"], rtol=1e-12)


@pytest.mark.parametrize("method", METHODS)
def test_quantiles_hold_their_share(method: str) -> None:
    series = tuple(demand(120, 0.3, seed, whole=False) for seed in range(300))
    after = np.stack([demand(12, 0.3, seed + 1000, whole=False) for seed in range(300)])
    ahead = METHODS[method](Panel(series)).ahead(12, P)
    below = (after[:, :, None] <= ahead.quantiles).mean(axis=(0, 1))
    # a quantile of 0 holds all the steps without demand
    np.testing.assert_allclose(below, np.maximum(P, 0.7), atol=0.03)


def test_held_out_windows_do_not_narrow_intervals_that_begin_at_0() -> None:
    """From 0 to the 90 % quantile there are 90 % of the values: to hold 80 % is no task of that interval."""
    for seed in (0, 5000):
        series = tuple(demand(60, 0.4, seed + s, whole=False) for s in range(200))
        after = np.stack([demand(6, 0.4, seed + s + 1000, whole=False) for s in range(200)])
        below = (after[:, :, None] <= fit_auto(Panel(series)).ahead(6, P).quantiles).mean(axis=(0, 1))
        np.testing.assert_allclose(below[-4:], P[-4:], atol=0.03)


@pytest.mark.parametrize("method", METHODS)
def test_whole_numbers_have_whole_quantiles_and_none_is_negative(method: str) -> None:
    series = tuple(demand(40, 0.2, seed) for seed in range(30))
    assert all(is_intermittent(y) for y in series)
    quantiles = METHODS[method](Panel(series)).ahead(5, P).quantiles
    np.testing.assert_array_equal(quantiles, np.round(quantiles))
    assert quantiles.min() == 0


def test_the_mean_is_that_of_the_demand() -> None:
    y = tuple(demand(600, 0.25, seed) for seed in range(40))
    for method in (fit_sba, fit_tsb):
        np.testing.assert_allclose(method(Panel(y)).ahead(1, P).point.mean(), 0.25 * 5, rtol=0.1)


@pytest.mark.parametrize(
    ("y", "intermittent"),
    [
        (np.array([0.0, 0, 3, 0, 2, 0]), True),
        (np.array([1.0, 2, 3, 0, 2, 4]), False),
        (np.array([0.0, 0, -3, 0, 2, 0]), False),
        (np.zeros(9), False),
        (np.array([0.0, np.nan, 3, 0, 2, 0]), True),
        (np.array([20.0, 19, 21, 20, 0, 0, 0, 0]), False),  # it ended
        (np.array([0.0, 0, 0, 0, 20, 19, 21]), False),  # it began
        (np.array([0.0, 0, 0, 0, 4, 5]), True),
    ],
)
def test_intermittent_series_have_an_interval_above_the_bound(y: np.ndarray, intermittent: bool) -> None:
    assert is_intermittent(y) == intermittent


def test_tsb_forgets_a_product_that_nobody_buys_any_more() -> None:
    y = np.concatenate([demand(60, 0.6, 0), np.zeros(40)])
    tsb, old = fit_tsb(Panel((y,))).ahead(1, P), fit_croston(Panel((y[:60],))).ahead(1, P)
    assert tsb.point[0, 0] < 0.3 * old.point[0, 0]


def test_a_series_that_fell_to_0_is_not_forecast_as_its_mean_demand() -> None:
    """It fell by 2 at each step and then stayed at 0; the interval of the next step has 0 in it."""
    for seed in range(5):
        y = np.maximum(0, 20 - 2 * np.arange(15) + np.random.default_rng(seed).standard_normal(15))
        made = ostinato.forecast({"a": y}, horizon=4).frame
        assert (made["ostinato-lo-80"] == 0).all()
        assert (made["ostinato"] < 0.5).all()
