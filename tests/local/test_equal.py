"""Forecasts of equal values: they may still change, as often as so many equal values leave, and a note says so."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest
from scipy import stats

import ostinato
from ostinato.local.equal import are_equal
from ostinato.local.methods import METHODS
from ostinato.local.panel import Ahead, Panel
from ostinato.local.series import SPECIAL
from ostinato.local.special import with_special

P = np.array([0.001, 0.025, 0.1, 0.3, 0.5, 0.7, 0.9, 0.975, 0.999])


def ends(data: object, key: str = "y", horizon: int = 3, model: str = "auto") -> tuple[np.ndarray, list[str]]:
    """Return the lower and the upper ends of the 80 and 95 % intervals of one series, (H, 4), and the notes."""
    made = ostinato.forecast(data, horizon=horizon, model=model)
    columns = [f"ostinato-{side}-{level}" for level in (80, 95) for side in ("lo", "hi")]
    return np.asarray(made.frame.filter(pl.col("unique_id") == key).select(columns).to_numpy()), list(made.notes)


def said(y: np.ndarray, others: tuple[np.ndarray, ...] = (), gap: int = 0, steps: int = 4) -> np.ndarray:
    """Return the quantiles at P of a series of equal values beside others, (H, Q)."""
    panel = Panel((y, *others))
    none = Ahead(np.zeros((len(panel), steps)), np.zeros((len(panel), steps, len(P))))
    gaps = np.array([gap] + [0] * len(others))
    return np.asarray(with_special(none, panel, gaps, P, SPECIAL, logs=False).quantiles[0])


def reached(n: int, h: int, p: float, size: float) -> float:
    """Return how far the quantile p lies from n equal values, by the chance of each step."""
    stays = np.prod([(n + i) / (n + i + 1) for i in range(h)])  # one more equal value each time: Laplace, 1 / (n + 1)
    scale = size / 2
    if p < (1 - stays) / 2:
        return float(scale * stats.t(2).ppf(p / (1 - stays)))
    return float(-scale * stats.t(2).ppf((1 - p) / (1 - stays))) if 1 - p < (1 - stays) / 2 else 0.0


@pytest.mark.parametrize("n", [2, 3, 5, 8, 12, 18, 19, 30, 500])
@pytest.mark.parametrize("value", [-5.0, 0.37, 3.0, 4e120, -1e-12])
def test_a_change_comes_as_often_as_the_rule_of_succession_says(n: int, value: float) -> None:
    made = said(np.full(n, value))
    expected = [[value + reached(n, h, p, abs(value)) for p in P] for h in range(1, 5)]
    np.testing.assert_allclose(made, expected, rtol=1e-9)


@pytest.mark.parametrize("model", METHODS)
@pytest.mark.parametrize("n", range(2, 13))
def test_no_number_of_equal_values_leaves_the_95_percent_interval_without_width(model: str, n: int) -> None:
    for value in (5.0, 3, -0.2, 1e12):
        made, notes = ends(np.full(n, value), model=model)
        assert (made[:, 2] < value).all()
        assert (made[:, 3] > value).all()
        assert (np.diff(made[:, 3]) >= 0).all()
        assert value < 0 or (made >= 0).all()
        assert any("1 series never changed" in note for note in notes)


@pytest.mark.parametrize("model", METHODS)
@pytest.mark.parametrize("n", range(1, 13))
def test_zeros_change_upwards(model: str, n: int) -> None:
    made, _ = ends(np.zeros(n), model=model)
    assert (made[:, [0, 2]] == 0).all()
    assert (made[:, 3] > 0).all()


def test_a_long_constant_stays_what_it_is() -> None:
    made, notes = ends(np.full(500, 5.0), horizon=20)
    assert (made == 5.0).all()
    assert any("never changed" in note for note in notes)


def test_missing_steps_are_no_equal_values_and_those_at_the_end_are_steps() -> None:
    gaps = np.array([5.0, np.nan, 5.0, np.nan, np.nan, 5.0])
    np.testing.assert_array_equal(said(gaps), said(np.full(3, 5.0)))
    np.testing.assert_array_equal(said(np.full(3, 5.0), gap=2, steps=2), said(np.full(3, 5.0))[2:])
    made, _ = ends(np.array([5.0, 5.0, 5.0, np.nan, np.nan]), horizon=1)
    whole, _ = ends(np.full(3, 5.0))
    np.testing.assert_allclose(made[0], whole[2], rtol=1e-9)


def test_rounding_is_no_change() -> None:
    assert are_equal(Panel((np.array([0.1 + 0.2, 0.3, 0.3]), np.array([0.3, 0.3001]), np.array([0.3])))).tolist() == [
        True,
        False,
        False,
    ]


def test_the_panel_tells_how_often_and_how_far() -> None:
    """Of twenty other series, each stays for 9 steps and moves by a tenth in every tenth."""
    rng = np.random.default_rng(0)
    moves = [100 * 10.0 ** rng.integers(-2, 3) * (1 + 0.1 * (rng.random(31) < 0.5)) for _ in range(20)]
    others = tuple(np.repeat(levels, 10) for levels in moves)
    made = said(np.full(4, 50.0), others)
    # a change after at least 2 equal values: once in 8 or fewer steps there, for certain not at every one
    narrow = said(np.full(4, 50.0))
    assert (made[0, -2] - 50) < 0.5 * (narrow[0, -2] - 50)
    still = tuple(np.full(40, float(k)) for k in range(1, 30))
    assert (said(np.full(4, 50.0), still)[:, 1:-1] == 50.0).all()  # nothing ever changed in 800 such steps
    # two equal values among series that always change: the next value changes as theirs do
    walks = tuple(100 + 10 * rng.standard_normal(60) for _ in range(50))
    step = np.median([np.sqrt(np.mean(np.diff(y) ** 2)) / np.abs(y).mean() for y in walks])
    np.testing.assert_allclose(
        said(np.full(2, 50.0), walks)[0, 6:8] - 50, 50 * step * stats.t(2).ppf(P[6:8]), rtol=0.01
    )


def test_a_zero_moves_as_far_as_other_series_do() -> None:
    """A zero has no size: beside series of millions it moves by theirs, and beside tiny ones by theirs."""
    for scale in (1e-12, 1.0, 1e9):
        walk = scale * (100 + np.random.default_rng(1).standard_normal(40).cumsum())
        for n in (1, 4):
            made, _ = ends({"a": np.zeros(n), "b": walk}, "a")
            assert 0.1 * scale < made[0, 3] < 20 * scale


def test_the_step_of_two_series_of_different_units_lies_between_theirs_as_a_factor() -> None:
    walk = 100 + np.random.default_rng(1).standard_normal(40).cumsum()
    panels = ({"a": np.zeros(4), "b": walk}, {"a": np.zeros(4), "b": walk, "c": 1e10 * walk})
    one, both = (ends(panel, "a")[0][0, 3] for panel in panels)
    np.testing.assert_allclose(both, 1e5 * one, rtol=0.5)  # the chance of a change is that of one more series


@pytest.mark.parametrize(
    "y",
    [
        [5.0] * 9 + [9.0],
        [5.0] * 5 + [9.0] * 5,
        [0.0] * 9 + [3.0],
        [0.0] * 5 + [3.0] + [0.0] * 5,
        [1.0, 2.0] * 6,
        [1.0, 2.0] * 2,
        [0.0, 7.0] * 5,
        [5.0, 5.0, 9.0],
        [3, 3, 3, 3, 4],
        [-5.0] * 6 + [-9.0],
        [5.0, np.nan, 5.0, 6.0],
    ],
    ids=str,
)
def test_series_of_few_different_values_have_intervals_with_width(y: list[float]) -> None:
    seen = np.array(y, dtype=np.float64)
    made, notes = ends(seen)
    assert (made[:, 3] - made[:, 2] >= 0.5 * np.ptp(seen[np.isfinite(seen)])).all()
    assert np.nanmin(seen) < 0 or (made >= 0).all()
    assert not any("never changed" in note for note in notes)


def test_a_price_that_never_changed_may_change_by_a_factor() -> None:
    data = ostinato.read(pl.DataFrame({"price": [50.0] * 3}), kind="prices")
    made, _ = ends(data, data.ids[0], horizon=1)
    factor = np.exp(0.5 * stats.t(2).ppf(1 - 0.025 / 0.25))
    np.testing.assert_allclose(made[0, 2:], [50 / factor, 50 * factor], rtol=1e-6)
