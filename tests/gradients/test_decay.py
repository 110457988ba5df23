"""The share of geometric gradients that chunks leave out, against the sums in closed form."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from ostinato.errors import ConfigError
from ostinato.gradients.decay import Decay
from ostinato.gradients.methods import AdaptiveBPTT

LAGS = 40


def powers(rate: float, lags: int) -> NDArray[np.float64]:
    """Return the powers of the rate from 0 on."""
    return np.asarray(rate ** np.arange(lags), dtype=np.float64)


def bias(rate: float, window: int) -> float:
    """Return (1 / W) sum_{j=1..W} rate^j, the bias if all terms have the same direction."""
    return rate * (1 - rate**window) / (window * (1 - rate))


@pytest.mark.parametrize("rate", [0.1, 0.5, 0.9, 0.99])
@pytest.mark.parametrize("window", [1, 2, 16, LAGS, LAGS + 1, 5 * LAGS, 1000])
def test_the_lost_share_equals_the_sum_in_closed_form(rate: float, window: int) -> None:
    decay = Decay.fit(3.0 * powers(rate, LAGS))
    assert decay.lost(window) == pytest.approx(bias(rate, window), rel=1e-6)


@pytest.mark.parametrize("window", [3, 16, 64])
def test_a_stretch_is_enough_to_know_the_bias_without_end(window: int) -> None:
    rate, lags = 0.97, np.arange(128)
    held = rate**lags * (1 - lags / len(lags))
    share = (held * np.minimum(lags / window, 1)).sum() / held.sum()
    decay = Decay.fit(powers(rate, len(lags)))
    assert share < 0.98 * bias(rate, window)
    assert decay.without_end(share, window, len(lags)) == pytest.approx(bias(rate, window), rel=1e-3)


def test_the_rate_is_that_of_the_tail() -> None:
    lags = np.arange(200)
    assert Decay.fit(0.5**lags + 0.01 * 0.97**lags).rate == pytest.approx(0.97, abs=1e-4)


@pytest.mark.parametrize("rate", [1.0, 1.1])
def test_a_gradient_that_does_not_decay_is_almost_all_lost(rate: float) -> None:
    assert Decay.fit(powers(rate, LAGS)).lost(LAGS) > 0.85


def test_a_vanished_gradient_has_no_tail() -> None:
    norms = np.zeros(LAGS)
    assert Decay.fit(norms).lost(7) == 0
    norms[:2] = 1.0
    assert Decay.fit(norms).lost(4) == pytest.approx(1 / 8)
    assert Decay.fit(norms).without_end(0.0, 4, 16) == 0


@pytest.mark.parametrize("how", [{"bias": 0.0}, {"bias": 1.0}, {"window": 8}, {"longest": 64}, {"shortest": 0}])
def test_unusable_options_are_refused(how: dict[str, float]) -> None:
    with pytest.raises(ConfigError, match="must be"):
        AdaptiveBPTT(**how)  # type: ignore[arg-type]
