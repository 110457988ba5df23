"""A last value that is far from all others does not make an autoregression explode; growth is kept."""

from __future__ import annotations

import numpy as np
import pytest

import ostinato
from ostinato.layers.lag_choice import fit_dense_or_sparse

T = np.arange(60)
NOISE = np.random.default_rng(0).standard_normal(60)
SERIES = {
    "noise": 100 + 3 * NOISE,
    "a season": 100 + 10 * np.sin(T * 2 * np.pi / 12) + NOISE,
    "a walk": 100 + NOISE.cumsum(),
    "a trend": 100 + T + NOISE,
}


@pytest.mark.parametrize("steps", [15, 60])
@pytest.mark.parametrize("last", [0.0, 300.0, -100.0])
@pytest.mark.parametrize("name", SERIES)
def test_a_last_value_far_from_all_others_is_not_continued(name: str, last: float, steps: int) -> None:
    """Least squares forecast such a series at up to 5,000 times its greatest value, 12 steps ahead."""
    y = np.append(SERIES[name][-steps:-1], last)
    model = ostinato.fit([y], model="ar", support="real").model
    frame = ostinato.forecast(model, [y], horizon=12).frame
    assert frame["ostinato"].abs().max() < 3 * np.abs(y).max()
    assert (frame["ostinato-hi-95"] > frame["ostinato-lo-95"]).all()


@pytest.mark.parametrize("noise", [0.0, 0.02])
def test_growth_is_kept(noise: float) -> None:
    y = np.asarray(100 * np.exp(0.1 * np.arange(40) + noise * NOISE[:40]), dtype=np.float64)
    [fit] = fit_dense_or_sparse(y[:, None], np.array([0, 40]), 8, 16)
    assert not any("far from all others" in note for note in fit.notes)
    assert fit.forecast(y, 12)[0][-1] == pytest.approx(100 * np.exp(5.1), rel=0.3)


def test_what_does_not_count_is_named() -> None:
    y = np.append(SERIES["a season"][:-1], 0.0)
    [fit] = fit_dense_or_sparse(y[:, None], np.array([0, 60]), 8, 16)
    assert "1 step far from all others did not count for the coefficients" in fit.notes
    clean = ostinato.fit_ar(y, np.array([0, 60]), 8, held_out=np.arange(60) == 59)
    np.testing.assert_array_equal(fit.coefficients, clean.coefficients)
