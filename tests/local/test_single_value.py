"""Forecasts of a single value: every method has the interval that one value can tell, and a note says why."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest

import ostinato
from ostinato.local.methods import METHODS

RNG = np.random.default_rng(0)


def ends(data: dict[str, np.ndarray], key: str, model: str, horizon: int = 3) -> tuple[np.ndarray, list[str]]:
    """Return the lower and the upper ends of the 80 and 95 % intervals of one series, (H, 4), and the notes."""
    made = ostinato.forecast(data, horizon=horizon, model=model)
    columns = [f"ostinato-{side}-{level}" for level in (80, 95) for side in ("lo", "hi")]
    return made.frame.filter(pl.col("unique_id") == key).select(columns).to_numpy(), list(made.notes)


@pytest.mark.parametrize("model", METHODS)
@pytest.mark.parametrize("value", [-5.0, 0.37, 4e120])
def test_a_value_alone_tells_its_size_and_no_more(model: str, value: float) -> None:
    made, notes = ends({"a": np.array([value])}, "a", model)
    reach = abs(value) * np.array([-3.0776835, 3.0776835, -12.7062047, 12.7062047])  # Student's t with 1 degree
    expected = np.broadcast_to(value + reach, made.shape)
    np.testing.assert_allclose(made, np.maximum(expected, 0.0) if value > 0 else expected, rtol=1e-6)
    assert any("1 series has one value" in note for note in notes)


@pytest.mark.parametrize("model", METHODS)
def test_the_panel_tells_how_far_a_single_value_moves(model: str) -> None:
    """The other series move by a tenth of their size in a step, in their own units, and so does the single value."""
    walks = {str(k): 10.0**k * (100 + 10 * RNG.standard_normal(60)).clip(50) for k in range(-2, 3)}
    made, _ = ends({"one": np.array([7.3]), **walks}, "one", model)
    share = np.median([np.sqrt(np.mean(np.diff(y) ** 2)) / y.mean() for y in walks.values()])
    width = made[:, 3] - made[:, 2]
    # t with 2 degrees of freedom; the lower end is cut off at 0
    np.testing.assert_allclose(made[:, 3] - 7.3, 4.302653 * 7.3 * share * np.sqrt([1, 2, 3]), rtol=1e-6)
    assert (width > 0).all()


def test_missing_steps_after_the_value_count_as_steps() -> None:
    walk = RNG.standard_normal(60).cumsum() + 100.5
    short, long = np.array([7.3]), np.array([7.3, np.nan, np.nan, np.nan])
    near = ends({"one": short, "walk": walk}, "one", "naive", horizon=5)[0]
    far = ends({"one": long, "walk": walk}, "one", "naive", horizon=2)[0]
    np.testing.assert_allclose(far, near[3:], rtol=1e-9)


def test_whatever_the_mean_the_interval_of_one_value_holds_its_level() -> None:
    """Two values of one normal distribution, of deviation 1 and means that no one knows."""
    for mean in (0.0, 0.3, 1.0, 3.0):
        first, second = mean + RNG.standard_normal((2, 200_000))
        held = np.abs(second - first) <= 12.7062047 * np.abs(first)
        assert held.mean() > 0.947


@pytest.mark.parametrize("model", ["auto", "ets", "ar", "theta", "naive"])
def test_a_price_alone_may_change_by_its_size(model: str) -> None:
    data = ostinato.read(pl.DataFrame({"price": [50.0]}), kind="prices")
    made = ostinato.forecast(data, horizon=2, model=model)
    row = made.frame.select("ostinato-lo-95", "ostinato-hi-95").to_numpy()
    np.testing.assert_allclose(row, [[50 / 13.7062047, 50 * 13.7062047]] * 2, rtol=1e-6)
