"""Two seasons that move, against the truth that the series were made from and the seasonal naive method."""

from __future__ import annotations

import numpy as np

import ostinato
from ostinato.local.naive import fit_seasonal_naive
from ostinato.local.panel import Panel
from ostinato.local.seasons import fit_seasons
from ostinato.local.week import with_week

P = np.array([0.025, 0.1, 0.5, 0.9, 0.975])


def demand(cycles: int, seed: int, noise: float = 1.0) -> np.ndarray:
    """Return hourly values (cycles weeks) with a day and a week of their own, of which the day moves slowly."""
    rng, steps = np.random.default_rng(seed), 168 * cycles
    hour, day = np.arange(steps) % 24, np.arange(steps) // 24
    shape = rng.standard_normal((7, 24)).cumsum(axis=1)
    moves = 0.1 * noise * rng.standard_normal((7 * cycles, 24)).cumsum(axis=0)
    e = noise * rng.standard_normal(steps)
    for t in range(1, steps):
        e[t] += 0.7 * e[t - 1]
    return np.asarray(-200 + 3 * shape[day % 7, hour] + moves[day, hour] + e)


def test_seasons_without_errors_are_continued() -> None:
    y = demand(9, 0, noise=0.0)
    ahead = fit_seasons(Panel((y[:-48],), (24, 168))).ahead(48, P)
    np.testing.assert_allclose(ahead.point[0], y[-48:], atol=0.02 * np.ptp(y))


def test_moving_seasons_are_better_than_the_last_week_and_hold_their_level() -> None:
    y = np.stack([demand(8, seed) for seed in range(24)])
    panel, after = Panel(tuple(y[:, :-48]), (24, 168)), y[:, -48:]
    ours, naive = fit_seasons(panel).ahead(48, P), fit_seasonal_naive(panel).ahead(48, P)
    assert np.abs(ours.point - after).mean() < 0.96 * np.abs(naive.point - after).mean()
    inside = (after >= ours.quantiles[:, :, 0]) & (after <= ours.quantiles[:, :, 4])
    assert 0.9 <= inside.mean() <= 0.995


def test_a_season_of_fewer_than_three_cycles_is_not_used() -> None:
    fit = fit_seasons(Panel((demand(2, 1), demand(4, 1), np.arange(5.0)), (24, 168)))
    assert [len(profiles) for profiles in fit.profiles] == [1, 2, 0]


def week(days: int = 40, day: int = 24, *, weekend: float = 0.4) -> np.ndarray:
    rng = np.random.default_rng(5)
    t = np.arange(days * day)
    size = np.where(t // day % 7 >= 5, weekend, 1.0)
    return np.asarray(100 + 20 * size * np.sin(2 * np.pi * t / day) + rng.standard_normal(len(t)))


def test_a_week_is_found_beside_a_season_of_a_day_where_days_differ() -> None:
    assert with_week(Panel((week(), week()), (24,))).seasons == (24, 168)
    assert with_week(Panel((week(weekend=1.0),), (24,))).seasons == (24,)
    assert with_week(Panel((week(20),), (24,))).seasons == (24,)
    assert with_week(Panel((week(day=12),), (12,))).seasons == (12,)
    assert with_week(Panel((np.random.default_rng(0).standard_normal(2000).cumsum(),), (24,))).seasons == (24,)
    assert with_week(Panel((np.zeros(2000), np.full(2000, 3.0)), (24,))).seasons == (24,)


def test_a_forecast_by_the_day_follows_a_week_without_times_and_says_so() -> None:
    y = week(42)
    made = ostinato.forecast({"a": y[:-48]}, horizon=48, season=24)
    error = np.abs(made.frame["ostinato"].to_numpy() - y[-48:]).mean()
    assert error < 2.0
    assert "season: 168 steps too, because the data repeat after seven shorter seasons" in made.notes
