"""Values that nothing else in a series comes near, and series whose zeros come by the calendar."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import polars as pl
import pytest

import ostinato
from ostinato import scale
from ostinato.local.growth import growth
from ostinato.local.intermittent import is_intermittent
from ostinato.local.methods import METHODS
from ostinato.local.outliers import last_jump, outliers
from ostinato.local.panel import Panel


def noise(count: int = 60, level: float = 100.0) -> np.ndarray:
    return level + np.random.default_rng(0).standard_normal(count)


@pytest.mark.parametrize("at", [0, 30, 58])
@pytest.mark.parametrize("value", [1e6, -1e6, 1e-200])
@pytest.mark.parametrize("unit", [1e-100, 1.0, 1e100])
def test_one_value_far_from_all_others_is_an_outlier_in_any_unit(at: int, value: float, unit: float) -> None:
    y = noise()
    y[at] = value
    np.testing.assert_array_equal(np.flatnonzero(outliers(y * unit)), [at])


@pytest.mark.parametrize(
    "y",
    [
        pytest.param(noise(), id="noise"),
        pytest.param(np.r_[noise(59), 1e6], id="the last value"),
        pytest.param(np.r_[noise(30), [1e6, 1e6], noise(30)], id="two in a row"),
        pytest.param(np.r_[noise(30), noise(30, 1e4)], id="a new level"),
        pytest.param(np.r_[np.zeros(30), 5.0, np.zeros(30)], id="one event"),
        pytest.param(np.r_[noise(3), 1e6, noise(3)], id="few values"),
        pytest.param(1.3 ** np.arange(60), id="exponential growth"),
        pytest.param(np.full(60, np.nan), id="no value"),
        pytest.param(np.random.default_rng(1).standard_cauchy(200), id="heavy tails"),
    ],
)
def test_what_is_no_outlier(y: np.ndarray) -> None:
    assert not outliers(y).any()


def test_peaks_a_season_apart_are_a_season() -> None:
    y = noise(130)
    y[[30, 83]] = 1e6
    assert outliers(y).sum() == 2
    assert not outliers(y, (52,)).any()


@pytest.mark.parametrize("at", [0, 30, 58])
def test_a_forecast_does_not_follow_an_outlier_and_says_so(at: int) -> None:
    y = noise()
    y[at] = 1e6
    made = ostinato.forecast({"a": y}, horizon=12)
    figures = made.frame.select("ostinato", "ostinato-lo-95", "ostinato-hi-95").to_numpy()
    assert figures.min() > 90
    assert figures.max() < 110
    assert any("taken as missing: 1 value of 1 series" in note for note in made.notes)


@pytest.mark.parametrize("model", METHODS)
@pytest.mark.parametrize("value", [1e6, -1e6, 1000.0, 160.0])
def test_a_last_value_far_away_may_be_a_mistake_or_a_new_level(model: str, value: float) -> None:
    made = ostinato.forecast({"a": np.r_[noise(59), value], "b": noise()}, horizon=12, model=model)
    a, b = (made.frame.filter(unique_id=key).drop("unique_id", "ds") for key in "ab")
    low, high = sorted([100.0, value])
    assert 0.9 * (high - low) > np.abs(a["ostinato"].to_numpy() - low).max()
    assert 0.9 * (high - low) > np.abs(a["ostinato"].to_numpy() - high).max()
    for level in (80, 95):
        ends = a.select(f"ostinato-lo-{level}", f"ostinato-hi-{level}").to_numpy()
        assert (ends[:, 0] < low + 1).all()
        assert (ends[:, 1] > high - 1).all()
        assert (ends[:, 1] - ends[:, 0] < high - low + 60).all()
    assert b.to_numpy().max() < 110
    assert any("the last value of 1 series is far from all others" in note for note in made.notes)


@pytest.mark.parametrize(
    ("y", "jumps"),
    [
        (np.r_[noise(59), 1e6], True),
        (np.r_[noise(58), 1e6, np.nan], True),
        (np.r_[noise(58), 1e6, 1e6], False),  # a new level, which the methods follow
        (np.r_[noise(57), [1e6] * 3], False),
        (noise(), False),
        (np.r_[np.zeros(59), 5.0], False),  # the first event
        (30.0 ** np.arange(20), False),  # growth: every value is as far from those before it
        (np.r_[noise(6), 1e6], False),
        (np.full(60, np.nan), False),
    ],
    ids=str,
)
def test_when_the_last_value_is_set_aside(y: np.ndarray, jumps: bool) -> None:
    assert (last_jump(y) != 0) == jumps


def test_a_new_level_of_two_values_is_followed() -> None:
    made = ostinato.forecast({"a": np.r_[noise(58), 1000.0, 1001.0]}, horizon=6)
    assert (np.abs(made.frame["ostinato"].to_numpy() - 1000) < 150).all()
    assert not any("may be a mistake" in note for note in made.notes)


@pytest.mark.parametrize("name", METHODS)
def test_a_last_value_far_above_does_not_scale_the_errors_beyond_it(name: str) -> None:
    y = noise()
    y[-1] = 1e6
    upper = METHODS[name](Panel((y,), (12,))).ahead(12, np.array([0.5, 0.975])).quantiles
    assert upper.max() < 2e7


def test_errors_above_the_known_levels_grow_no_further() -> None:
    level = np.linspace(10, 100, 50)[None]
    errors = level * np.where(np.arange(50) % 2, 0.1, -0.1)
    grown = growth(errors, level, level)
    assert grown.power[0] == 1
    at = grown.at(np.array([[50.0, 100.0, 200.0, 1e6]]))[0]
    np.testing.assert_allclose(at / at[1], [0.5, 1.0, 2.0, 2.0])


def test_zeros_by_the_calendar_are_a_season_and_not_rare_demand() -> None:
    rng = np.random.default_rng(0)
    t = np.arange(140)
    week = np.where(t % 7 < 5, 50 + rng.standard_normal(140), 0.0)
    rare = np.where(rng.random(140) < 5 / 7, 50 + rng.standard_normal(140), 0.0)
    assert is_intermittent(week)
    assert not is_intermittent(week, (7,))
    assert is_intermittent(rare, (7,))
    point = METHODS["auto"](Panel((week,), (7,))).ahead(7, np.array([0.5])).point[0]
    np.testing.assert_allclose(point, np.where(np.arange(7) < 5, 50.0, 0.0), atol=3.0)


def test_two_values_do_not_have_intervals_of_a_hundred_changes() -> None:
    upper = METHODS["auto"](Panel((np.array([5.0, 7.0]),))).ahead(12, np.array([0.5, 0.975])).quantiles[0, :, 1]
    assert upper.max() < 7 + 2 * 30


@pytest.mark.parametrize("value", [0.0, 5.0, -1e-12, 1e140])
@pytest.mark.parametrize("count", [3, 60])
def test_a_series_that_never_changed_goes_on_as_it_was(value: float, count: int) -> None:
    """Its point is the value itself, without rounding, and so is every quantile that a change is too rare to move."""
    made = ostinato.forecast({"a": np.full(count, value)}, horizon=24)
    assert (made.frame["ostinato"].to_numpy() == value).all()
    ends = made.frame.select("ostinato-lo-80", "ostinato-hi-80").to_numpy()
    rare = np.arange(1, 25) / (count + np.arange(1, 25)) < 0.1  # a zero changes to one side, by all of its chance
    assert (ends[rare] == value).all()


def test_a_backtest_says_which_series_had_outliers() -> None:
    made = ostinato.backtest(with_an_outlier(), "ets", horizon=4, n_windows=2)
    (said,) = (note for note in made.notes if "far from all others" in note)
    assert said == "ets took values far from all others as missing, in 2 histories of 1 series: far"


def test_a_panel_in_parts_counts_the_series_with_outliers(tmp_path: Path) -> None:
    data = with_an_outlier()
    rows = [(key, t, float(v)) for key, x in zip(data.ids, data, strict=True) for t, v in enumerate(x[:, 0])]
    file = tmp_path / "panel.parquet"
    pl.DataFrame(rows, ["unique_id", "ds", "y"], orient="row").write_parquet(file)
    pytest.importorskip("pyarrow")
    assert scale.forecast("ets", file, tmp_path / "ahead", horizon=4).set_aside == 1
    assert scale.forecast("ets", file, tmp_path / "ahead", horizon=4).set_aside == 1  # from the parts that are there
    _, outcome = scale.cross_validation("ets", file, tmp_path / "judged", horizon=4)
    assert outcome.set_aside == 1


def with_an_outlier() -> ostinato.SequenceSet:
    """Return two series, of which one has a value in the middle that is far from all others."""
    rng = np.random.default_rng(0)
    near, far = 100 + rng.standard_normal((2, 40))
    far[12] = 1e6
    values, offsets = np.concatenate([near, far])[:, None], np.array([0, 40, 80])
    return ostinato.SequenceSet("series", values, offsets=offsets, ids=("near", "far"))
