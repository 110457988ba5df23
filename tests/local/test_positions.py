"""Widths follow the position in the season where the errors of the past do, and nowhere else."""

from __future__ import annotations

import numpy as np
import pytest

from ostinato.emissions.quantiles import LEVELS, MEDIAN
from ostinato.local.calibrate import log_error_ratio
from ostinato.local.held_out import Windows, hold_out
from ostinato.local.methods import MEMBERS, METHODS
from ostinato.local.panel import Panel
from ostinato.local.positions import shares, with_shares

PROFILE = np.array([0.2, 0.2, 0.5, 1.0, 2.0, 2.1, 1.5, 0.5])


def demand(cycles: int, profile: np.ndarray, seed: int, extra: int = 0) -> np.ndarray:
    """Return a season with errors whose size follows a profile, and which are rough on some days."""
    rng = np.random.default_rng(seed)
    n = cycles * len(profile) + extra
    rough = np.repeat(np.exp(0.5 * rng.standard_normal(cycles + 1)), len(profile))[:n]
    errors = np.resize(profile, n) * rough * rng.standard_normal(n)
    return np.asarray(50 + np.resize(np.arange(len(profile)), n) + errors)


@pytest.mark.parametrize("extra", [0, 3])
def test_the_profile_is_found_from_the_next_step_on(extra: int) -> None:
    found = np.mean([shares([demand(400, PROFILE, seed, extra)], (8,))[0] for seed in range(40)], axis=0)
    np.testing.assert_allclose(found, np.roll(PROFILE / PROFILE.mean(), -extra), atol=0.05)


def test_a_position_without_errors_leaves_the_others_as_they_are() -> None:
    night = np.array([0, 0, 0.5, 1.0, 2.0, 2.1, 1.5, 0.9])
    found = np.mean([shares([demand(400, night, seed)], (8,))[0] for seed in range(40)], axis=0)
    np.testing.assert_allclose(found, night / night.mean(), atol=0.05)


def test_errors_that_do_not_follow_the_season_change_nothing() -> None:
    panels = [[demand(60, np.ones(8), 40 * p + k) for k in range(40)] for p in range(5)]
    assert np.mean([np.abs(shares(panel, (8,)) - 1).mean() for panel in panels]) < 0.01


@pytest.mark.parametrize("seasons", [(), (8,), (8, 56)])
def test_short_series_and_series_without_a_season_change_nothing(seasons: tuple[int, ...]) -> None:
    assert (shares([demand(8, PROFILE, 0)[:60], np.arange(3.0)], seasons) == 1).all()


def test_the_unit_and_missing_values_do_not_matter() -> None:
    y = demand(100, PROFILE, 2)
    whole = shares([y], (8,))
    np.testing.assert_allclose(shares([1e-6 * y], (8,)), whole, rtol=1e-3)
    y[::13] = np.nan
    np.testing.assert_allclose(shares([y], (8,)), whole, rtol=0.25)
    assert np.isfinite(shares([np.full(400, np.nan), y], (8,))).all()
    assert (shares([np.full(400, 2.0)], (8,)) == 1).all()


def test_widths_move_about_the_median() -> None:
    q = np.sort(np.random.default_rng(0).standard_normal((2, 5, len(LEVELS))), axis=-1)
    made = with_shares(q, q[..., MEDIAN], np.array([[0.5, 2.0], [1.0, 1.0]]))
    np.testing.assert_allclose(made[1], q[1])
    np.testing.assert_allclose(np.ptp(made[0], axis=-1), np.ptp(q[0], axis=-1) * [0.5, 2, 0.5, 2, 0.5])
    np.testing.assert_array_equal(made[..., MEDIAN], q[..., MEDIAN])


def test_every_step_of_a_day_is_held_alike() -> None:
    """Without the profile, 80 % intervals hold all values of the calm steps and too few of those of the rough ones."""
    y = np.stack([demand(61, PROFILE, seed) for seed in range(48)])
    q = METHODS["auto"](Panel(tuple(y[:, :-8]), (8,))).ahead(8, np.array([0.1, 0.9])).quantiles
    held = ((y[:, -8:] >= q[..., 0]) & (y[:, -8:] <= q[..., 1])).mean(axis=0)
    assert abs(held[:3].mean() - held[3:7].mean()) < 0.12  # .05, and .21 without the profile


def test_windows_know_where_in_the_season_they_begin() -> None:
    y = demand(60, PROFILE, 3)
    windows = hold_out(Panel((y,), (8,)), [MEMBERS["seasonal_naive"]], 3, 4)
    for age, share in zip(windows.age, windows.shares, strict=True):
        start = len(y) - 3 * (int(age) + 1)
        assert np.corrcoef(share, np.roll(PROFILE, -(start % 8)))[0, 1] > 0.9


def windows_of(errors: np.ndarray) -> tuple[Windows, np.ndarray, np.ndarray]:
    """Return windows with errors (M, N, H) of M members, their mean, and equal weights."""
    M, N, H = errors.shape
    quantiles = errors[..., None] + LEVELS - 0.5
    made = Windows(np.zeros(N, np.int64), np.arange(N), np.zeros((N, H)), np.ones(N), quantiles)
    return made, quantiles.mean(axis=0), np.full((N, M), 1 / M)


def test_members_that_err_apart_make_a_mean_that_errs_less() -> None:
    rng = np.random.default_rng(1)
    long = np.array([10**6])
    apart = windows_of(rng.standard_normal((4, 3, 400)))
    assert np.exp(log_error_ratio(*apart, long))[0] == pytest.approx(0.5, rel=0.1)
    alike = windows_of(np.repeat(rng.standard_normal((1, 3, 40)), 4, axis=0))
    assert log_error_ratio(*alike, long)[0] == pytest.approx(0, abs=1e-3)


def test_how_rough_a_window_is_cancels_and_short_series_say_little() -> None:
    errors = np.random.default_rng(2).standard_normal((4, 3, 400))
    calm, rough = (log_error_ratio(*windows_of(size * errors), np.array([10**6])) for size in (0.01, 100))
    np.testing.assert_allclose(calm, rough, rtol=1e-6)
    short, long = log_error_ratio(*windows_of(errors), np.array([400 * 5, 400 * 1000]))
    assert long < short < 0
    assert short > 0.2 * long


def test_members_without_errors_say_nothing() -> None:
    assert (log_error_ratio(*windows_of(np.zeros((3, 2, 4))), np.array([100, 50])) == 0).all()
