"""The baselines against statsmodels, closed forms and simulation; the intervals against FPP3 table 5.2."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy import stats
from statsmodels.tsa.ar_model import AutoReg
from statsmodels.tsa.seasonal import seasonal_decompose
from statsmodels.tsa.stattools import acf

from ostinato.data.read import read
from ostinato.data.seasons import season_length
from ostinato.errors import ConfigError
from ostinato.evaluation.baselines import BASELINES, Lags
from ostinato.local.naive import Shift
from ostinato.local.seasonality import indices, is_seasonal

#: The steps of an hour, a day, a week or a year by frequency.
USUAL = dict(
    zip(
        ("1s", "1m", "5m", "10m", "15m", "30m", "1h", "1d", "1bd", "1w", "1mo", "3mo"),
        (60, 60, 288, 144, 96, 48, 24, 7, 5, 52, 12, 4),
        strict=True,
    )
)


def wave(steps: int = 120, season: int = 12, seed: int = 0) -> np.ndarray:
    rng, t = np.random.default_rng(seed), np.arange(steps)
    return (50 + 0.2 * t) * (1 + 0.3 * np.sin(2 * np.pi * t / season)) + rng.standard_normal(steps)


def quiet_acf(y: np.ndarray, **options: Any) -> Any:
    """Return the acf of statsmodels without its warning about a future return type."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)
        return acf(y, **options)


@pytest.mark.parametrize("season", [4, 5, 12, 24])
def test_indices_are_statsmodels(season: int) -> None:
    y = wave(10 * season + 3, season)
    expected = seasonal_decompose(y, model="multiplicative", period=season).seasonal[:season]
    np.testing.assert_allclose(indices(y, season), expected, rtol=1e-10)


@pytest.mark.parametrize("season", [7, 24])
@pytest.mark.parametrize("strength", [0.0, 0.1, 0.3, 1.0])
def test_the_seasonal_test_is_bartletts_bound(season: int, strength: float) -> None:
    for seed in range(20):
        rng = np.random.default_rng(seed)
        y = strength * np.sin(2 * np.pi * np.arange(8 * season) / season) + rng.standard_normal(8 * season)
        r, interval = quiet_acf(y, nlags=season, alpha=0.1, bartlett_confint=True)
        half = interval[season, 1] - r[season]
        assert is_seasonal(y, season) == (abs(r[season]) > half / stats.norm.ppf(0.95) * 1.645)


def test_naive2_agrees_with_m4(shared_data: Callable[[str], Path]) -> None:
    """M4's procedure put together from statsmodels' parts, on real hourly series."""
    data, m = read(shared_data("timeseries/M4-Hourly-train.csv.gz")), 24
    for b in range(0, len(data), 9):
        y = data[b][:, 0]
        r = quiet_acf(y, nlags=m)
        seasonal = abs(r[m]) > 1.645 / np.sqrt(len(y)) * np.sqrt(1 + 2 * (r[1:m] ** 2).sum())
        figure = seasonal_decompose(y, model="multiplicative", period=m).seasonal if seasonal else np.ones(len(y))
        expected = (y / figure)[-1] * np.array([figure[-m:][h % m] for h in range(48)])
        np.testing.assert_allclose(BASELINES["naive2"](y, m).ahead(y, 48)[0], expected, rtol=1e-9)


def test_means_and_deviations_of_table_5_2() -> None:
    y, m, h = wave(), 12, np.arange(1, 31)
    T = len(y)
    mean, deviation = BASELINES["naive"](y, m).ahead(y, 30)
    np.testing.assert_allclose(mean, y[-1])
    np.testing.assert_allclose(deviation, np.sqrt(np.mean(np.diff(y) ** 2) * h))
    mean, deviation = BASELINES["seasonal_naive"](y, m).ahead(y, 30)
    np.testing.assert_allclose(mean, np.tile(y[-m:], 3)[:30])
    np.testing.assert_allclose(deviation, np.sqrt(np.mean((y[m:] - y[:-m]) ** 2) * ((h - 1) // m + 1)))
    mean, deviation = BASELINES["drift"](y, m).ahead(y, 30)
    slope = (y[-1] - y[0]) / (T - 1)
    sigma = np.sqrt(((np.diff(y) - slope) ** 2).sum() / (T - 2))
    np.testing.assert_allclose(mean, y[-1] + slope * h)
    np.testing.assert_allclose(deviation, sigma * np.sqrt(h * (1 + h / (T - 1))))


def test_local_ar_is_statsmodels() -> None:
    y = wave()
    rule = BASELINES["local_ar"](y, 12)
    assert isinstance(rule, Lags)
    expected = AutoReg(y, rule.fit.order).fit()
    mean, deviation = rule.ahead(y, 20)
    prediction = expected.get_prediction(len(y), len(y) + 19)
    np.testing.assert_allclose(mean, prediction.predicted_mean, rtol=1e-6)
    np.testing.assert_allclose(deviation, prediction.se_mean, rtol=1e-6)


@pytest.mark.parametrize("name", BASELINES)
def test_each_step_in_turn_is_one_step_ahead(name: str) -> None:
    """one_step of several steps is ahead(1) of histories that grow, with the rule as it was fitted."""
    y = wave()
    rule = BASELINES[name](y[:90], 12)
    mean, deviation = rule.one_step(y[:90], y[90:])
    single = [rule.ahead(y[:t], 1) for t in range(90, 120)]
    np.testing.assert_allclose(mean, [m[0] for m, _ in single], rtol=1e-12)
    growth = np.sqrt(1 + 1 / 89) if name == "drift" else 1.0  # its slope is not certain
    np.testing.assert_allclose(deviation * growth, [s[0] for _, s in single], rtol=1e-12)


@pytest.mark.parametrize("name", BASELINES)
@pytest.mark.parametrize("scale", [1e-3, 1e4])
def test_forecasts_scale_with_the_units(name: str, scale: float) -> None:
    y = wave()
    for one, other in zip(
        BASELINES[name](y, 12).ahead(y, 15), BASELINES[name](y * scale, 12).ahead(y * scale, 15), strict=True
    ):
        np.testing.assert_allclose(other, one * scale, rtol=1e-6)


@pytest.mark.parametrize("name", BASELINES)
@pytest.mark.parametrize(
    "y",
    [
        np.full(30, 7.0),
        np.zeros(30),
        np.array([1.0, 2.0, 4.0]),
        np.array([5.0, np.nan, 5.5]),
        np.array([3.0, np.nan, np.nan]),
    ],
    ids=["constant", "zero", "three steps", "a gap", "one value"],
)
def test_poor_histories_have_finite_forecasts(name: str, y: np.ndarray) -> None:
    rule = BASELINES[name](y[: np.flatnonzero(np.isfinite(y))[-1] + 1], 12)
    for figures in (rule.ahead(y, 5), rule.one_step(y, y[:2])):
        assert all(np.isfinite(x).all() for x in figures)
        assert (figures[1] > 0).all()


def test_missing_values_are_taken_from_a_season_before() -> None:
    y = wave(60)
    y[[50, 58]] = np.nan
    rule = BASELINES["seasonal_naive"](y, 12)
    assert isinstance(rule, Shift)
    np.testing.assert_allclose(rule.ahead(y, 12)[0], [*y[48:50], y[38], *y[51:58], y[46], y[59]])


def test_naive2_needs_positive_values() -> None:
    y = wave() - 50
    np.testing.assert_allclose(BASELINES["naive2"](y, 12).ahead(y, 3)[0], y[-1])


def test_the_season_follows_the_frequency() -> None:
    hourly = read({"a": np.arange(9.0)})
    assert season_length(hourly)[0] == 1
    assert season_length(hourly, 24) == (24, "as given")
    for frequency, season in USUAL.items():
        assert season_length(replace(hourly, frequency=frequency))[0] == season
    with pytest.raises(ConfigError, match="season must be at least 1"):
        season_length(hourly, 0)
