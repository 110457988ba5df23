"""The value of the past up to a lag for a closed form: known lags are found, and none in noise."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from ostinato.diagnosis.skip_chain import SymbolLags, skip_chain
from ostinato.diagnosis.sparse_ar import NOTHING, LagRewards, sparse_autoregression, together

CUTS = [0, 1, 2, 4, 8, 16, 32, 64]
FAR = [*CUTS, 128, 256, 310]
WORTH = 0.005
SEED = 0


def autoregressive(weights: dict[int, float], steps: int = 4000) -> NDArray[np.float64]:
    x = np.random.default_rng(SEED).standard_normal(steps)
    for t in range(max(weights), steps):
        x[t] += sum(w * x[t - lag] for lag, w in weights.items())
    return x


def rewards(x: NDArray[np.float64], cuts: list[int] = CUTS) -> LagRewards:
    known = np.arange(len(x)) < 0.7 * len(x)
    return sparse_autoregression(x, np.array([0, len(x)]), ~known, known, cuts)


@pytest.mark.parametrize("lag", [1, 7, 50, 300])
def test_a_lag_is_named_and_valued(lag: int) -> None:
    found = rewards(autoregressive({lag: 0.8}), FAR if lag > 64 else CUTS)
    assert found.picked == (lag,)
    assert found.reach(WORTH) == lag
    # the variance falls from 1 / (1 - 0.64) to 1: half the logarithm of the ratio
    assert found.at(310)[0] == pytest.approx(-0.5 * np.log(1 - 0.64), abs=0.08)
    assert found.at(lag - 1)[0] < 0.02
    assert found.score + found.at(310)[0] == pytest.approx(-0.5 * np.log(2 * np.pi * np.e), abs=0.05)


def test_several_lags_and_the_farthest_that_is_worth_it() -> None:
    found = rewards(autoregressive({1: 0.5, 24: 0.3, 168: 0.15}), [*CUTS, 128, 180])
    assert set(found.picked) >= {1, 24, 168}
    assert found.reach(WORTH) == 168
    assert found.reach(0.05) == 24


def test_noise_has_no_rewards() -> None:
    found = rewards(np.random.default_rng(1).standard_normal(4000))
    assert found.picked == ()
    assert found.reach(WORTH) == 0


def test_a_change_of_noise_level_rewards_no_lag() -> None:
    x = np.random.default_rng(2).standard_normal(4000)
    x[2800:] *= 9
    assert rewards(x).reach(WORTH) == 0


def test_missing_values_and_short_sequences_reduce_the_visible_lags() -> None:
    x = autoregressive({3: 0.8}, 600)
    x[::150] = np.nan
    found = rewards(x)
    assert found.picked == (3,)
    assert found.lags[-1] < 150
    assert rewards(np.full(50, np.nan)) is NOTHING
    assert rewards(np.ones(50)).reach(WORTH) == 0


def test_channels_add_up() -> None:
    one, two = rewards(autoregressive({2: 0.8})), rewards(autoregressive({9: 0.8}))
    both = together([one, two])
    assert both.picked == (2, 9)
    assert both.at(310)[0] == pytest.approx(one.at(310)[0] + two.at(310)[0])
    assert both.score == pytest.approx(one.score + two.score)
    assert both.reach(WORTH) == 9


def symbols(lag: int, steps: int, again: float = 0.6, seed: int = SEED) -> SymbolLags:
    """Return six symbols, of which a share repeats the symbol ``lag`` steps before."""
    rng = np.random.default_rng(seed)
    x, repeated = rng.integers(0, 6, steps), rng.random(steps) < again
    for t in range(lag, steps):
        x[t] = x[t - lag] if repeated[t] else x[t]
    return SymbolLags(x, np.array([0, steps]), np.arange(steps) >= 60)


@pytest.mark.parametrize("lag", [7, 50])
def test_a_symbol_far_out_is_named_and_valued(lag: int) -> None:
    train, validation, held_out = (symbols(lag, n, seed=n) for n in (8000, 3000, 3001))
    found = skip_chain(train, validation, held_out, 6, 3, [0, 1, 4, 16, 60])
    assert lag in found.picked
    assert found.reach(WORTH) == lag
    p = np.array([2 / 3, *[1 / 15] * 5])  # 0.6 for the one that is repeated, and 0.4 shared by all
    assert found.at(60)[0] == pytest.approx(np.log(6) + (p * np.log(p)).sum(), abs=0.05)


def test_letters_in_random_order_have_no_rewards() -> None:
    train, validation, held_out = (symbols(5, n, 0.0, n) for n in (8000, 3000, 3001))
    assert skip_chain(train, validation, held_out, 6, 3, [0, 1, 4, 16, 60]).reach(WORTH) == 0


def test_many_different_symbols_are_counted_alike(monkeypatch: pytest.MonkeyPatch) -> None:
    """Counting in a table and counting by sorting give the same figures."""
    train, validation, held_out = (symbols(9, n, seed=n) for n in (4000, 1500, 1501))
    table = skip_chain(train, validation, held_out, 6, 2, [0, 2, 12])
    monkeypatch.setattr("ostinato.diagnosis.skip_chain._TABLE", 0)
    np.testing.assert_array_equal(skip_chain(train, validation, held_out, 6, 2, [0, 2, 12]).gains, table.gains)
