"""The closed form: the least squares that its pooled and own weights solve, and the calibration of its quantiles."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from ostinato.direct.ridge import design, drift_kept, moments, own, pooled, seasonal_naive
from ostinato.direct.windows import RISE, WindowSpec, filled
from ostinato.emissions.quantiles import LEVELS, MEDIAN, at, calibrated, calibration, coverage, quantile_loss

RNG = np.random.default_rng


def problem(n: int = 60, K: int = 5, H: int = 3, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    rng = RNG(seed)
    return rng.standard_normal((n, K)), rng.standard_normal((n, H))


def test_pooled_without_a_penalty_is_least_squares() -> None:
    X, Y = problem()
    W = pooled(moments(X, Y), 0.0)
    np.testing.assert_allclose(W, np.linalg.lstsq(design(X), Y, rcond=None)[0], atol=1e-7)


@pytest.mark.parametrize("strength", [0.5, 10.0, 1e4])
def test_own_weights_solve_the_augmented_least_squares(strength: float) -> None:
    """|B - A W|^2 + strength |W - W0|^2 is least squares with sqrt(strength) I below A, and W0 times it below B."""
    (X, Y), W0 = problem(), RNG(1).standard_normal((6, 3))
    root = np.sqrt(strength)
    below = np.vstack([design(X), root * np.eye(6)]), np.vstack([Y, root * W0])
    np.testing.assert_allclose(own(moments(X, Y), W0, strength), np.linalg.lstsq(*below, rcond=None)[0], atol=1e-9)


def test_a_series_without_windows_keeps_the_panels_weights() -> None:
    W = RNG(2).standard_normal((6, 3))
    np.testing.assert_array_equal(own(moments(np.zeros((0, 5)), np.zeros((0, 3))), W, 1.0), W)
    np.testing.assert_array_equal(own(moments(*problem()), W, np.inf), W)


def test_moments_add_up() -> None:
    (X, Y), (U, V) = problem(), problem(seed=5)
    both = moments(np.vstack([X, U]), np.vstack([Y, V]))
    total = moments(X, Y) + moments(U, V)
    np.testing.assert_allclose(total.G, both.G)
    np.testing.assert_allclose((both - moments(U, V)).C, moments(X, Y).C)


def test_seasonal_naive_repeats_the_season() -> None:
    y = np.arange(20.0)
    window = WindowSpec(8, log=False, own=True, season=4)
    last = window.last(y)
    z = design(last.inputs) @ seasonal_naive(8, 6, 4)
    np.testing.assert_allclose(window.restore(z, last)[0], [16, 17, 18, 19, 16, 17])


@given(st.integers(12, 60), st.integers(1, 5), st.integers(10, 20), st.booleans(), st.booleans(), st.integers(0, 9))
def test_windows_come_back_to_the_values(T: int, H: int, K: int, log: bool, own_scale: bool, seed: int) -> None:
    y = np.exp(0.1 * RNG(seed).standard_normal(T))
    window = WindowSpec(K, log, own_scale, 1)
    w = window.cut(y, H, 0, T)
    assert len(w.inputs) == max(0, T - H - (10 if T < 2 * (K + H) else K) + 1)
    if len(w.inputs):
        np.testing.assert_allclose(window.restore(w.targets, w)[-1], y[-H:])
        np.testing.assert_array_equal(w.inputs[:, -1], 0)


def test_missing_values_are_filled_from_a_season_before() -> None:
    nan = np.nan
    y = np.array([nan, 1, 2, 3, 4, nan, nan, 7, nan, nan])
    np.testing.assert_array_equal(filled(y, 3), [1, 1, 2, 3, 4, 2, 3, 7, 2, 3])
    np.testing.assert_array_equal(filled(y, 50), [1, 1, 2, 3, 4, 4, 4, 7, 7, 7])


def test_windows_contain_no_value_of_their_targets() -> None:
    y = np.exp(0.1 * RNG(0).standard_normal(80))
    window = WindowSpec(12, log=True, own=True, season=4)
    z = y.copy()
    z[-5:] = 99.0
    a, b = (window.cut(x, 5, 75, 80) for x in (y, z))
    np.testing.assert_array_equal(a.inputs, b.inputs)
    np.testing.assert_array_equal(a.level, b.level)


def test_quantiles_between_the_levels_are_a_normals() -> None:
    q = stats.norm.ppf(LEVELS)[None]
    wanted = np.array([0.001, 0.03, 0.5, 0.66, 0.999])
    np.testing.assert_allclose(at(q, wanted)[0], stats.norm.ppf(wanted), atol=1e-12)


def test_the_loss_is_least_at_the_true_quantiles() -> None:
    y = RNG(0).standard_normal(20_000)
    true, wide, moved = (stats.norm.ppf(LEVELS) * s + m for s, m in ((1, 0), (1.5, 0), (1, 0.3)))
    loss = [quantile_loss(y, np.broadcast_to(q, (len(y), len(q)))).mean() for q in (true, wide, moved)]
    assert loss[0] < min(loss[1:])
    # over all levels it would be the CRPS of the standard normal, 1 / sqrt(pi); nine are near it
    assert loss[0] == pytest.approx(0.5642, rel=0.15)


def test_intervals_too_narrow_are_widened_to_their_level_and_wide_ones_left() -> None:
    y = RNG(1).standard_normal(50_000)
    narrow = np.broadcast_to(0.6 * stats.norm.ppf(LEVELS), (len(y), len(LEVELS)))
    wide = narrow / 0.3
    factors = calibration(y[:25_000], narrow[:25_000])
    np.testing.assert_allclose(factors, 1 / 0.6, rtol=0.05)
    covered = coverage(y[25_000:], calibrated(narrow[25_000:], factors))
    np.testing.assert_allclose(covered, 1 - 2 * LEVELS[:MEDIAN], atol=0.01)
    np.testing.assert_array_equal(calibration(y, wide), 1.0)


def test_logarithms_continue_by_their_tangent_beyond_a_rise() -> None:
    """A steep rise is not continued as an exponential one, and the map has an inverse."""
    window = WindowSpec(12, log=True, own=True, season=1)
    last = window.last(np.r_[np.full(6, 1.0), 1.1, 0.9, 1.0, 4.0, 20.0, 60.0])
    z = np.linspace(-3, 12, 60)[None]
    x = last.level + last.scale * z
    y = window.restore(z, last)
    bend = 60.0 * RISE
    np.testing.assert_allclose(y[y < bend], np.exp(x[y < bend]))
    np.testing.assert_allclose(y[y >= bend], bend * (1 + x[y >= bend] - np.log(bend)))
    assert y.max() < 0.01 * np.exp(x.max())
    jump = np.r_[np.exp(0.1 * RNG(0).standard_normal(60)), 900.0, 7.0, 1.0]
    w = window.cut(jump, 3, 0, len(jump))
    np.testing.assert_allclose(window.restore(w.targets, w)[-1], jump[-3:])


@pytest.mark.parametrize("shift", [0.0, 1.0])
def test_only_a_history_that_never_goes_below_0_has_forecasts_that_do_not(shift: float) -> None:
    y = np.abs(RNG(0).standard_normal(40)) - shift
    window = WindowSpec(12, log=False, own=True, season=1)
    w = window.cut(y, 3, 0, 40)
    found = window.forecast(np.full((len(w.inputs), 3), -50.0), w)
    np.testing.assert_array_equal(found == 0, shift == 0)
    assert (window.restore(np.full((len(w.inputs), 3), -50.0), w) < 0).all()


def test_a_drift_is_kept_as_far_as_stretches_of_time_agree_on_it() -> None:
    rng = np.random.default_rng(0)
    noise = rng.standard_normal((6, 200))
    assert drift_kept(noise) == 0.0
    assert 0.9 < drift_kept(noise + 5.0) < 1.0
    assert drift_kept(noise[:2]) == 1.0  # two stretches say nothing


def test_an_intercept_is_drawn_to_zero_by_what_is_kept_of_it() -> None:
    X, Y = problem()
    whole, half, none = (pooled(moments(X, Y), 0.0, kept) for kept in (1.0, 0.5, 0.0))
    np.testing.assert_allclose(none[-1], 0.0, atol=1e-6)
    np.testing.assert_allclose(none[:-1], np.linalg.lstsq(X, Y, rcond=None)[0], atol=1e-6)
    assert (np.abs(half[-1]) < np.abs(whole[-1])).all()
