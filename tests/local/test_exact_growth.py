"""Forecasts of a series that grows by one factor: it goes on, and the factor may change as often as the past allows."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

import ostinato
from ostinato.local.exact_growth import exact_factors, with_exact_growth
from ostinato.local.methods import METHODS
from ostinato.local.panel import Ahead, Panel

P = np.array([0.001, 0.025, 0.1, 0.3, 0.5, 0.7, 0.9, 0.975])
T = np.arange(40.0)
MISSING = np.where(np.arange(40) == 20, np.nan, 3 * 1.07**T)


@pytest.mark.parametrize("model", METHODS)
@pytest.mark.parametrize("factor", [np.exp(0.5), 1.0001, 0.9, 2.0])
@pytest.mark.parametrize("start", [1.0, -7e-5, 1e12])
def test_exact_growth_goes_on_by_every_method(model: str, factor: float, start: float) -> None:
    made = ostinato.forecast({"y": start * factor**T}, horizon=8, model=model)
    expected = start * factor ** (40 + np.arange(8.0))
    point, low, high = (made.frame[c].to_numpy() for c in ("ostinato", "ostinato-lo-95", "ostinato-hi-95"))
    np.testing.assert_allclose(point, expected, rtol=1e-12)
    assert ((low <= point) & (point <= high)).all()
    assert low[-1] < high[-1]
    assert any("grows by one factor" in note for note in made.notes)


@pytest.mark.parametrize("sign", [1, -1])
@pytest.mark.parametrize("n", [4, 10, 39])
def test_the_factor_breaks_as_often_as_the_rule_of_succession_says(n: int, sign: int) -> None:
    y = sign * 5 * 1.1 ** np.arange(n + 1.0)
    none = Ahead(np.zeros((1, 3)), np.zeros((1, 3, len(P))))
    panel = Panel((y,))
    made = with_exact_growth(none, panel, exact_factors(panel), np.array([2]), P)
    for k, h in enumerate((3, 4, 5)):
        differs = h / (n + h)
        scale = np.log(1.1) / 2 * np.sqrt(h / (n + 1) / differs)
        tails = np.minimum(P, 1 - P)
        size = np.where(tails < differs / 2, -stats.t(2).ppf(np.minimum(tails / differs, 0.5)), 0.0)
        expected = y[-1] * 1.1**h * np.exp(sign * np.sign(P - 0.5) * scale * size)
        np.testing.assert_allclose(made.quantiles[0, k], expected, rtol=1e-9)
        assert (np.diff(made.quantiles[0, k]) >= 0).all()


@pytest.mark.parametrize(
    ("y", "count"),
    [
        (np.exp(T / 2), 39),
        (MISSING, 37),
        (2.0 ** np.arange(5), 4),
        (2.0 ** np.arange(4), 0),
        (1 + T, 0),
        (np.full(9, 4.0), 0),
        (np.tile([2.0, 3.0], 9), 0),
        ((-2.0) ** np.arange(9), 0),
        (np.zeros(9), 0),
        (np.append(np.exp(T / 2), np.exp(20.001)), 0),
        (np.append(0.5, np.exp(T[1:] / 2)), 0),
        (np.round(np.exp(T / 9), 2), 0),
    ],
    ids=str,
)
def test_what_is_exact_growth(y: np.ndarray, count: int) -> None:
    assert exact_factors(Panel((y,), (4,))).tolist() == [count]


def test_growth_beyond_all_numbers_is_left_to_the_method() -> None:
    y = 10.0 ** (30.0 * np.arange(-4, 5))
    frame = ostinato.forecast({"y": y}, horizon=8, model="naive").frame
    assert (frame["ostinato"].to_numpy() == y[-1]).all()


@pytest.mark.parametrize("seed", range(4))
def test_growth_with_errors_does_not_explode(seed: int) -> None:
    y = np.exp(0.5 * T + 0.1 * np.random.default_rng(seed).standard_normal(40))
    frame = ostinato.forecast({"y": y}, horizon=8).frame
    assert frame["ostinato-hi-95"].to_numpy().max() < 100 * y[-1]
