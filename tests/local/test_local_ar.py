"""The shrunken autoregression: long series give their own coefficients, short ones those of the panel."""

from __future__ import annotations

import numpy as np
import pytest

from ostinato.evaluation.baselines import local_ar
from ostinato.local.ar import _LAGS, _ROOT, _stable, fit_ar
from ostinato.local.panel import Panel

P = np.array([0.025, 0.5, 0.975])


def changes(phi: float, shape: tuple[int, int], seed: int = 0) -> np.ndarray:
    """Return series whose differences are an autoregression of order 1, below 0."""
    e = np.random.default_rng(seed).standard_normal(shape)
    for t in range(1, shape[1]):
        e[:, t] += phi * e[:, t - 1]
    return np.asarray(e.cumsum(axis=1) - 1000)


def test_a_long_series_has_its_least_squares_forecast() -> None:
    y = changes(0.6, (1, 4000))
    dy = np.diff(y[0])
    rows = np.stack([dy[_LAGS - j : len(dy) - j] for j in range(1, _LAGS + 1)], axis=1)
    phi = np.linalg.lstsq(rows, dy[_LAGS:], rcond=None)[0]
    path = list(dy)
    for _ in range(8):
        path.append(float(phi @ path[: -_LAGS - 1 : -1]))
    ahead = fit_ar(Panel((y[0],))).ahead(8, P)
    np.testing.assert_allclose(ahead.point[0] - y[0, -1], np.cumsum(path[-8:]), atol=0.1)


def test_short_series_learn_from_their_panel() -> None:
    """With 12 values each, the errors of series in a panel are smaller than alone, and than those of least squares."""
    y = changes(0.7, (60, 18))
    history, after = tuple(y[:, :12]), y[:, 12:]
    together = fit_ar(Panel(history)).ahead(6, P).point
    alone = np.concatenate([fit_ar(Panel((h,))).ahead(6, P).point for h in history])
    before = np.stack([local_ar(h, 1).ahead(h, 6)[0] for h in history])
    errors = [np.abs(after - made).mean() for made in (together, alone, before)]
    assert errors[0] < errors[1] < errors[2]


@pytest.mark.parametrize("phi", [-0.5, 0.0, 0.6])
@pytest.mark.parametrize("steps", [9, 40])
def test_intervals_hold_their_level(phi: float, steps: int) -> None:
    y = changes(phi, (400, steps + 6), seed=3)
    ahead = fit_ar(Panel(tuple(y[:, :steps]))).ahead(6, P)
    inside = (y[:, steps:] >= ahead.quantiles[:, :, 0]) & (y[:, steps:] <= ahead.quantiles[:, :, 2])
    assert 0.925 <= inside.mean() <= 0.99


def test_no_root_of_a_draw_is_beyond_its_bound() -> None:
    phi = np.random.default_rng(0).standard_normal((5, 40, _LAGS)) / 3
    for row in _stable(phi).reshape(-1, _LAGS):
        assert np.abs(np.roots(np.concatenate([[1.0], -row]))).max() <= _ROOT + 1e-9
    small = phi / 10
    np.testing.assert_array_equal(
        _stable(small / 2)[np.abs(small / 2).sum(-1) < 0.7], (small / 2)[np.abs(small / 2).sum(-1) < 0.7]
    )


def test_growth_that_explodes_is_not_continued() -> None:
    y = 1.5 ** np.arange(20.0)
    ahead = fit_ar(Panel((y,))).ahead(50, P)
    assert np.abs(ahead.point).max() < y[-1] + 60 * 50 * (y[-1] - y[-2])
