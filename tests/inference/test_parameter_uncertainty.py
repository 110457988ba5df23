"""Forecasts of an autoregression of few values are as wide as what other coefficients would say."""

from __future__ import annotations

import numpy as np
import pytest

import ostinato
from ostinato.inference.parameter_uncertainty import _largest, _one_more, _Seen, factors, small_sample
from ostinato.model import SequenceModel

RNG = np.random.default_rng(0)


def walk(steps: int, seed: int) -> np.ndarray:
    return 20 + np.random.default_rng(seed).standard_normal(steps).cumsum()


@pytest.mark.parametrize("lags", [(), (1,), (1, 2), (3,)])
def test_factors_have_no_unit_and_grow_with_the_doubt(lags: tuple[int, ...]) -> None:
    y, phi = walk(16, 1), np.full(len(lags), 0.4)
    few = factors(y, lags, phi, 16, 8)
    assert (few >= 1).all()
    assert few[-1] > 1.05
    np.testing.assert_allclose(factors(1e-9 * (y - 1e3), lags, phi, 16, 8), few, rtol=1e-5)
    np.testing.assert_allclose(factors(y, lags, phi, 16, 3), few[:3], rtol=1e-12)
    assert (factors(y, lags, phi, 4000, 8) <= few).all()


def test_the_doubt_of_one_known_lag_is_that_of_its_level() -> None:
    """With many values in the fit and no lag, what is left is the variance of the mean, sigma^2 / n, and of the lag."""
    y = RNG.standard_normal(400)
    n = 400
    made = factors(y, (), np.zeros(0), n, 4)
    assert (made[1:] < 1 + 4 / n).all()


@pytest.mark.parametrize(
    "y", [np.array([3.0, 4.0]), np.full(9, 2.0), np.array([1.0, 2, 3, np.nan]), np.full(5, np.nan)], ids=str
)
def test_a_history_that_says_nothing_changes_nothing(y: np.ndarray) -> None:
    assert (factors(y, (1,), np.array([0.5]), 8, 3) == 1).all()


def test_walks_of_few_values_are_held() -> None:
    """Without the doubt, 95 % intervals six steps ahead hold 58 % of random walks after 8 values."""
    held = []
    for seed in range(30):
        y = walk(14, seed)
        made = ostinato.forecast(ostinato.fit(y[:8], model="ar").model, y[:8], horizon=6)
        low, high = (made.frame[f"ostinato-{side}-95"].to_numpy() for side in ("lo", "hi"))
        assert any("fitted to only 8 values" in note for note in made.notes)
        held.append((y[8:] >= low) & (y[8:] <= high))
    assert np.mean(held) > 0.85


def count(data: object, model: str) -> int | None:
    """Return the number of values of a fit whose coefficients are in doubt."""
    made = ostinato.fit(data, model=model).model
    assert isinstance(made, SequenceModel)
    return small_sample(made)


def test_models_of_more_values_or_of_panels_are_as_they_were() -> None:
    for data in (walk(420, 0), {"a": walk(9, 0), "b": walk(9, 1)}):
        assert count(data, "ar") is None
    assert count(walk(9, 0), "ets") is None
    assert count(walk(9, 0), "ar") == 9


def test_counts_stay_whole_and_above_0() -> None:
    y = np.array([3, 1, 0, 2, 4, 1, 0, 2, 3])
    made = ostinato.forecast(ostinato.fit(y, model="ar").model, y, horizon=5)
    ends = made.frame.select("ostinato-lo-95", "ostinato-hi-95").to_numpy()
    assert (ends == np.rint(ends)).all()
    assert (ends >= 0).all()


def ends_of(data: object, y: object, support: str | None = None) -> np.ndarray:
    """Return the ends of the 95 % intervals of an AR that was fitted to data, after y, (H, 2)."""
    made = ostinato.fit(data, model="ar", support=support).model
    return ostinato.forecast(made, y, horizon=4).frame.select("ostinato-lo-95", "ostinato-hi-95").to_numpy()


def test_the_bound_of_the_model_holds_and_no_other() -> None:
    """Values above 0 alone do not bound the forecast of a model whose values may fall below 0."""
    y = np.array([1.5, 0.4, 1.1, 0.2, 1.3, 0.3, 0.6, 0.1, 0.5])
    assert ends_of(y, y, "real").min() < 0
    assert ends_of(y, y).min() >= 0


def test_missing_values_at_the_end_are_in_doubt_too() -> None:
    """The first step after two missing ones is the third step after the last value."""
    y = walk(8, 3)
    whole, after = ends_of(y, y), ends_of(y, np.append(y, [np.nan, np.nan]))
    np.testing.assert_allclose(np.diff(after[:2]), np.diff(whole[2:]), rtol=0.1)


@pytest.mark.parametrize(("lags", "phi"), [((1,), [0.9]), ((1, 2), [1.2, -0.4]), ((1, 12), [0.3, 0.5])], ids=str)
def test_the_bias_is_that_of_least_squares_on_simulated_series(lags: tuple[int, ...], phi: list[float]) -> None:
    """The coefficients of least squares on many series, each fitted by numpy's least squares, are the oracle."""
    n, at, rng = 40, np.array(lags), np.random.default_rng(3)
    found = []
    for _ in range(1500):
        y = np.zeros(n + 200)
        for t in range(12, len(y)):
            y[t] = phi @ y[t - at] + rng.standard_normal()
        y = y[200:]
        rows = np.arange(at[-1], n)
        X = np.column_stack([np.ones(len(rows)), *(y[rows - lag] for lag in lags)])
        found.append(np.linalg.lstsq(X, y[rows], rcond=None)[0][1:])
    seen = _Seen.of(y, at)
    assert seen is not None
    series = np.concatenate([seen.refitted(np.array(phi), 1.0, np.random.default_rng(k)) for k in range(6)])
    error = np.sqrt(np.var(found, axis=0) / len(found) + series.var(axis=0) / len(series))
    assert (np.abs(np.mean(found, axis=0) - series.mean(axis=0)) < 4 * error + 0.02).all()


@pytest.mark.parametrize("lags", [(), (1,), (2,), (1, 2, 3), (1, 7)])
def test_one_lag_more_is_in_doubt(lags: tuple[int, ...]) -> None:
    more = _one_more(lags)
    assert set(lags) < set(more)
    assert len(more) == len(lags) + 1
    assert list(more) == sorted(more)


def test_roots_are_those_of_numpy() -> None:
    """A bound stands for the largest root where the sizes of the coefficients sum to less than .999."""
    rng, lags = np.random.default_rng(0), np.array([1, 3, 4])
    phi = rng.normal(0, 0.6, (200, 3))
    theirs = [np.abs(np.roots([1, -a, 0, -b, -c])).max() for a, b, c in phi]
    ours, small = _largest(phi, lags), np.abs(phi).sum(axis=1) <= 0.999
    np.testing.assert_allclose(ours[~small], np.array(theirs)[~small], rtol=1e-8)
    assert (np.array(theirs)[small] < 1).all()
    assert (ours[small] < 1).all()
