"""What windows of a few dates are worth, against the analysis of variance of scipy, and in intervals."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.special import ndtri
from scipy.stats import f_oneway

from ostinato.emissions.quantiles import LEVELS
from ostinato.local.calibrate import calibrate
from ostinato.local.dates import independent
from ostinato.local.held_out import Windows
from ostinato.shapes import Array


@given(st.integers(0, 2**31), st.integers(2, 6), st.integers(2, 40), st.floats(0, 2))
def test_the_likeness_of_dates_is_that_of_the_analysis_of_variance(
    seed: int, dates: int, each: int, move: float
) -> None:
    rng = np.random.default_rng(seed)
    x = rng.standard_normal((dates, each)) + move * rng.standard_normal((dates, 1))
    more = max(float(f_oneway(*x).statistic) - 1, 0.0)
    alike = more / (more + each)
    expected = dates * each / (1 + (each - 1) * alike)
    assert independent(x.ravel(), np.repeat(np.arange(dates), each)) == pytest.approx(expected)


def test_windows_that_repeat_what_their_date_says_count_as_dates() -> None:
    date = np.repeat([0, 1, 3], 50)
    assert independent(date * 1.0, date) == pytest.approx(3)


def test_windows_count_in_full_if_nothing_says_what_they_share() -> None:
    x = np.random.default_rng(0).standard_normal(30)
    assert independent(x, np.zeros(30, np.int64)) == 30
    assert independent(x, np.arange(30)) == 30
    assert independent(np.ones(30), np.arange(30) % 2) == 30
    assert independent(x[:1], np.zeros(1, np.int64)) == 1


@given(st.integers(0, 2**31), st.floats(-3, 3), st.floats(0.1, 10))
def test_units_and_order_do_not_matter_and_no_window_counts_more_than_once(
    seed: int, shift: float, unit: float
) -> None:
    rng = np.random.default_rng(seed)
    date = rng.integers(0, 4, 60)
    x = rng.standard_normal(60) + date
    order = rng.permutation(60)
    plain = independent(x, date)
    assert 1 <= plain <= 60
    assert independent((shift + unit * x)[order], date[order]) == pytest.approx(plain)


def _ends(moves: Array, series: int = 400) -> tuple[float, float]:
    """Return the 80 % interval of a panel whose two dates move all normal values of all series by these moves."""
    rng = np.random.default_rng(0)
    y = rng.standard_normal((series, 2, 6)) + moves[:, None]
    quantiles = np.broadcast_to(ndtri(LEVELS), (2 * series, 6, len(LEVELS)))
    at, age = np.divmod(np.arange(2 * series), 2)
    windows = Windows(at, age, y.reshape(2 * series, 6), np.ones(2 * series), quantiles[None])
    wide = calibrate(windows, quantiles, series).widen(quantiles[:1], np.zeros((1, 6)), LEVELS)[0].mean(axis=0)
    return float(wide[3]), float(wide[-4])


def test_the_side_of_errors_is_believed_as_far_as_dates_agree() -> None:
    same, differ = _ends(np.array([0.6, 0.6])), _ends(np.array([1.2, 0.0]))
    assert same[0] + same[1] > 0.9  # the ends of the values themselves add up to 1.2
    assert differ[0] + differ[1] < 0.5  # 1.7 if each window counted
