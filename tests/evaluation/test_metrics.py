"""The metrics agree with numbers computed by hand, with closed forms, and with each other."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from scipy import stats

from ostinato.emissions.quantiles import pinball
from ostinato.evaluation import metrics

Y = np.array([10.0, 12.0, 8.0])
POINT = np.array([12.0, 12.0, 4.0])
VALUES = hnp.arrays(np.float64, (2, 5), elements=st.integers(-(10**6), 10**6).map(float))


def test_by_hand() -> None:
    # |y_t - y_{t-2}| of 1, 2, 4, 8 are 3 and 6
    assert metrics.seasonal_error(np.array([1.0, 2, 4, 8]), 2) == 4.5
    assert metrics.mase(Y, POINT, np.array(4.5)) == pytest.approx((2 + 0 + 4) / 3 / 4.5)
    assert metrics.smape(Y, POINT) == pytest.approx(200 / 3 * (2 / 22 + 4 / 12))
    assert metrics.owa(0.5, 10, 1.0, 40) == pytest.approx(0.375)
    low, high = np.array([9.0, 13.0, 0.0]), np.array([11.0, 14.0, 5.0])
    # widths 2, 1, 5; the second is missed by 1 below and the third by 3 above, each 2 / 0.05 = 40 times
    assert metrics.msis(Y, low, high, 95, np.array(2.0)) == pytest.approx((2 + 1 + 5 + 40 * 4) / 3 / 2)
    assert metrics.coverage(Y, low, high) == pytest.approx(1 / 3)


def test_quantile_loss_by_hand() -> None:
    loss = pinball(np.array([5.0]), np.array([[3.0, 9.0]]), np.array([0.1, 0.9]))
    # over the quantile by 2: 2 * 0.1 * 2; under it by 4: 2 * (1 - 0.9) * 4
    np.testing.assert_allclose(loss, [[0.4, 0.8]])
    assert metrics.weighted_quantile_loss(loss, 5.0) == pytest.approx(1.2 / 2 / 5)


def test_the_mean_quantile_loss_of_a_normal_is_its_crps() -> None:
    """Gneiting and Raftery 2007, 4.2: sigma (z (2 Phi(z) - 1) + 2 phi(z) - 1 / sqrt(pi))."""
    mean, deviation, y = 3.0, 2.0, np.array([4.5, -1.0])
    p = (np.arange(20_000) + 0.5) / 20_000
    quantiles = np.repeat(stats.norm.ppf(p, mean, deviation)[None], 2, axis=0)
    z = (y - mean) / deviation
    crps = deviation * (z * (2 * stats.norm.cdf(z) - 1) + 2 * stats.norm.pdf(z) - 1 / np.sqrt(np.pi))
    np.testing.assert_allclose(pinball(y, quantiles, p).mean(axis=-1), crps, rtol=1e-4)


def test_the_true_interval_has_the_least_score_and_its_coverage() -> None:
    y = np.random.default_rng(0).standard_normal(200_000)
    scores = [metrics.interval_score(y, -w, w, 80).mean() for w in (0.6, 1.0, 1.2816, 1.6, 2.4)]  # type: ignore[arg-type]
    assert int(np.argmin(scores)) == 2
    assert metrics.coverage(y, np.array(-1.2816), np.array(1.2816)) == pytest.approx(0.8, abs=0.003)


@given(VALUES, VALUES, st.floats(0.01, 100))
def test_scaled_errors_do_not_depend_on_the_unit(y: np.ndarray, point: np.ndarray, unit: float) -> None:
    scale = np.array([2.0, 3.0])
    np.testing.assert_allclose(
        metrics.mase(y * unit, point * unit, scale * unit), metrics.mase(y, point, scale), rtol=1e-9, atol=1e-12
    )
    np.testing.assert_allclose(metrics.smape(y * unit, point * unit), metrics.smape(y, point), rtol=1e-9, atol=1e-12)
    assert (metrics.smape(y, point) <= 200 + 1e-9).all()


@given(VALUES)
def test_a_perfect_forecast_has_zero_error(y: np.ndarray) -> None:
    one = np.ones(2)
    assert not metrics.mase(y, y, one).any()
    assert not metrics.smape(y, y).any()
    assert not metrics.msis(y, y, y, 95, one).any()
    assert not pinball(y, np.stack([y, y], axis=-1), np.array([0.1, 0.9])).any()
    assert (metrics.coverage(y, y, y) == 1).all()


def test_missing_values_are_left_out_of_every_metric() -> None:
    y = np.array([[10.0, np.nan, 8.0], [np.nan, np.nan, np.nan]])
    kept = y[0, [0, 2]]
    assert metrics.mase(y, POINT, np.ones(2))[0] == metrics.mase(kept, POINT[[0, 2]], np.array(1.0))
    for figure in (metrics.smape(y, POINT), metrics.coverage(y, POINT, POINT)):
        assert np.isfinite(figure[0])
        assert np.isnan(figure[1])


def test_metrics_without_a_scale_are_nan() -> None:
    assert np.isnan(metrics.seasonal_error(np.full(9, 3.0), 1))
    assert np.isnan(metrics.seasonal_error(np.array([3.0]), 1))
    assert np.isnan(metrics.owa(1, 1, 0, 1))
    # shorter than its season: the step before stands in
    assert metrics.seasonal_error(np.array([1.0, 3.0]), 24) == 2
