"""Forecasts of an exact line or season: the rule may still break, as often as so many changes leave."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

import ostinato
from ostinato.local.exact import exact_changes, with_exact
from ostinato.local.methods import METHODS
from ostinato.local.panel import Ahead, Panel

P = np.array([0.001, 0.025, 0.1, 0.3, 0.5, 0.7, 0.9, 0.975, 0.999])
SEASON = np.tile([1.0, 5, 2, 7], 6) + np.repeat(3.0 * np.arange(6), 4)


def widths(y: np.ndarray, model: str, season: int | None = None) -> tuple[np.ndarray, tuple[str, ...]]:
    """Return the widths of the 80 and 95 % intervals, (H, 2), and the notes."""
    made = ostinato.forecast({"y": y}, horizon=4, model=model, season=season)
    columns = [made.frame[f"ostinato-{side}-{level}"].to_numpy() for level in (80, 95) for side in ("hi", "lo")]
    return np.stack([columns[0] - columns[1], columns[2] - columns[3]], axis=1), made.notes


@pytest.mark.parametrize("n", [4, 6, 10, 19, 20, 40])
@pytest.mark.parametrize("slope", [2.0, -0.3, 1e-9, 5e100])
def test_a_break_comes_as_often_as_the_rule_of_succession_says(n: int, slope: float) -> None:
    y = slope * np.arange(n + 1.0)
    panel, none = Panel((y,)), Ahead(np.zeros((1, 3)), np.zeros((1, 3, len(P))))
    made = with_exact(none, panel, exact_changes(panel), np.zeros(1, dtype=np.int64), P)
    for h in range(1, 4):
        differs = h / (n + h)
        scale = abs(slope) / 2 * np.sqrt(h / (n + 1) / differs)
        tails = np.minimum(P, 1 - P)
        size = np.where(tails < differs / 2, -stats.t(2).ppf(np.minimum(tails / differs, 0.5)), 0.0)
        expected = np.sign(P - 0.5) * scale * size
        np.testing.assert_allclose(made.quantiles[0, h - 1], expected, rtol=1e-9, atol=1e-12 * scale)


@pytest.mark.parametrize("model", METHODS)
@pytest.mark.parametrize("y", [3 - 0.1 * np.arange(9), 100 + 7.0 * np.arange(9)], ids=["falling", "rising"])
def test_a_short_line_has_intervals_by_every_method_and_a_note(model: str, y: np.ndarray) -> None:
    found, notes = widths(y, model)
    assert (found[:, 1] > 0).all()
    assert (np.diff(found[:, 1]) >= -1e-9 * found[:-1, 1]).all() or model not in ("ets", "auto", "dot")
    assert any(
        "1 series follows a line, repeats a season or grows by one factor without any error" in note for note in notes
    )


def test_a_long_line_stays_narrow() -> None:
    found, _ = widths(5 + 0.5 * np.arange(400.0), "ets")
    assert found.max() < 1e-6


@pytest.mark.parametrize("model", ["auto", "drift", "ets", "ar"])
def test_a_line_that_ends_at_0_may_leave_it(model: str) -> None:
    """A line that goes on below 0 is held at 0, and the distances of a departure are those from 0."""
    made, notes = widths(np.linspace(28.7, 0, 31), model)
    assert (made[1:, 1] > 0).all()
    assert (made[:, 1] < 10).all()
    assert any("cut off at 0" in note for note in notes)
    up, _ = widths(np.linspace(-28.7, 0, 31), model)  # the same line without a bound on its way
    np.testing.assert_array_less(made[:, 1], up[:, 1] + 1e-9)


def test_a_season_without_error_has_intervals() -> None:
    found, notes = widths(SEASON, "ets", season=4)
    assert (found[:, 1] > 0).any() or len(SEASON) > 23
    assert any("repeats a season or grows by one factor without any error" in note for note in notes)


@pytest.mark.parametrize(
    ("y", "seasons", "count"),
    [
        (np.arange(5.0), (), 4),
        (np.arange(3.0), (), 0),  # two changes are alike by chance
        (0.1 * np.arange(30) + 1e6, (), 29),  # up to rounding
        (np.array([0, 1, 2, np.nan, 4, 5, 6, 7.0]), (), 5),
        (SEASON, (4,), 20),
        (SEASON, (), 0),
        (np.full(9, 4.0), (), 0),  # equal values are another rule
        (np.append(np.arange(8.0), 8.001), (), 0),
        (np.append(0.5, np.arange(2, 9.0)), (), 0),
    ],
    ids=str,
)
def test_what_is_exact(y: np.ndarray, seasons: tuple[int, ...], count: int) -> None:
    assert exact_changes(Panel((y,), seasons)).tolist() == [count]


def test_a_wider_interval_of_a_method_is_kept() -> None:
    line = 0.37 * np.arange(9.0)
    found, _ = widths(line, "naive")
    noisy, _ = widths(line + 1e-6 * np.arange(9) ** 2, "naive")
    np.testing.assert_allclose(found, noisy, rtol=1e-3)


@pytest.mark.parametrize("unit", [1e-3, 1e6])
def test_the_unit_does_not_matter(unit: float) -> None:
    line = 0.37 * np.arange(8.0)
    wide = widths(line, "ets")[0]
    np.testing.assert_allclose(widths(unit * line, "ets")[0], unit * wide, rtol=1e-6, atol=1e-6 * unit)


@pytest.mark.parametrize("step", [1, 2])
def test_whole_numbers_too_large_to_differ_are_named(step: int) -> None:
    made = ostinato.forecast({"y": [2**53 + step * k for k in range(12)]}, horizon=2)
    assert any("count as equal" in note and "9.01e+15 in y" in note for note in made.notes)
    made = ostinato.forecast({"y": [2**53 + 10_000 * k for k in range(12)]}, horizon=2)
    assert not any("count as equal" in note for note in made.notes)
