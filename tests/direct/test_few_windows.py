"""With few held-out windows the simpler forecaster is kept, intervals are wider, and the verdict says how few."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy import stats

import ostinato
from ostinato.data.read import read
from ostinato.direct_fit.losses import BEFORE, USUAL, Losses
from ostinato.direct_fit.panel import panel_of
from ostinato.emissions.quantiles import LEVELS, MEDIAN, PRIOR, UNSEEN, calibration


def losses(*each: list[float]) -> Losses:
    names = [str(i) for i in range(len(each))]
    return Losses(dict(zip(names, map(np.array, each), strict=True)), dict.fromkeys(names, 1.0), sum(map(len, each)))


def test_one_stretch_is_not_enough_for_a_gain_of_a_tenth_and_a_hundred_are() -> None:
    ours, naive = [0.9, 0.91, 0.89, 0.9], [1.0, 1.01, 1.0, 0.99]
    assert not losses(ours[:1]).gain_over(losses(naive[:1])).certain
    gain = losses(ours * 25).gain_over(losses(naive * 25))
    assert gain.certain
    assert gain.share == pytest.approx(0.1)


def test_the_error_of_a_gain_without_a_deviation_is_the_usual_one() -> None:
    gain = losses([0.8] * 6).gain_over(losses([1.0] * 6))
    d = 0.2 / 1.8
    expected = 2 / (1 + d) ** 2 * USUAL * np.sqrt(BEFORE / (6 + BEFORE) / 6)
    assert gain.share == pytest.approx(0.2)
    assert gain.error == pytest.approx(expected)


def test_the_error_of_a_gain_tends_to_that_of_the_bootstrap() -> None:
    rng = np.random.default_rng(0)
    a = rng.gamma(4, 0.25, 2000)
    b = a * np.exp(0.5 * rng.standard_normal(2000)) * 0.8
    gain = losses(b.tolist()).gain_over(losses(a.tolist()))
    rows = rng.integers(0, 2000, (400, 2000))
    assert gain.error == pytest.approx((1 - b[rows].mean(1) / a[rows].mean(1)).std(), rel=0.15)


def test_a_series_without_a_vote_changes_no_gain() -> None:
    few, far = losses([0.9, 0.8], [50.0]), losses([1.0, 1.0], [1e-3])
    heard = {"0": 1.0, "1": 0.0}
    gain = replace(few, votes=heard).gain_over(replace(far, votes=heard))
    alone = losses([0.9, 0.8]).gain_over(losses([1.0, 1.0]))
    assert gain.share == pytest.approx(alone.share)
    assert gain.error == pytest.approx(alone.error)


def test_a_single_series_holds_out_up_to_a_third_and_many_series_one_horizon() -> None:
    y = np.random.default_rng(0).standard_normal(108)
    assert panel_of(read([y]), 8, 0.1, 12).known == {"0": 72}
    assert panel_of(read([y]), 8, 0.1, 1).known == panel_of(read([y]), 8, 0.1).known == {"0": 98}
    fit = ostinato.fit(read([y] * 30), model="direct", horizon=8, networks=0)
    assert fit.model.description.direct_record.held_horizons == 1


def test_intervals_of_few_stretches_are_those_of_a_t_distribution() -> None:
    """One stretch counts 1 of 1 + PRIOR, and the rest is what is usual before any stretch is seen."""
    y = np.random.default_rng(1).standard_normal(20_000)
    right = np.broadcast_to(stats.norm.ppf(LEVELS), (len(y), len(LEVELS)))
    t = stats.t.ppf(LEVELS[:MEDIAN], 1 + PRIOR) / stats.norm.ppf(LEVELS[:MEDIAN])
    before = t * UNSEEN ** (PRIOR / (1 + PRIOR))
    np.testing.assert_allclose(calibration(y, right, 1), before, rtol=0.02)
    np.testing.assert_allclose(calibration(y, 0.5 * right, 1), 2 ** (1 / (1 + PRIOR)) * before, rtol=0.02)
    np.testing.assert_allclose(calibration(y, 0.5 * right, 1e9), calibration(y, 0.5 * right), rtol=1e-6)


def test_the_verdict_names_the_number_of_its_windows() -> None:
    y = 100 + np.cumsum(np.random.default_rng(3).standard_normal(60))
    fit = ostinato.fit(read([y]), model="direct", horizon=8, season=4, networks=0)
    verdict = fit.model.description.direct_record.verdict
    assert "on 13 held-out windows of 1 series, 2 of them without overlap" in verdict
    assert "standard error" in verdict
