"""The Theta models against statsforecast's and statsmodels', and their intervals on series that follow the model."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from statsmodels.tsa.forecasting.theta import ThetaModel

from ostinato.local.panel import Panel
from ostinato.local.theta import Theta, fit_dot, fit_theta
from ostinato.local.theta_lines import run, squared_answers

PEER = json.loads((Path(__file__).parents[1] / "fixtures/local/theta_peer.json").read_text())["theta"]
P = np.array([0.025, 0.5, 0.975])


def fitted(case: dict[str, Any]) -> Theta:
    panel = Panel((np.array(case["y"]),), (case["season"],) if case["season"] > 1 else ())
    return fit_dot(panel) if case["model"] == "DOTM" else fit_theta(panel)


def given(fit: Theta, case: dict[str, Any]) -> Theta:
    """Return the fit with the parameters of the peer; l_0 of the shifted series is l_0 - shift / theta."""
    start = (case["start"] - fit._shift / case["theta"]) / fit._unit
    return replace(fit, alpha=np.array([case["alpha"]]), weight=np.array([1 - 1 / case["theta"]]), _start=start)


def squares(fit: Theta) -> float:
    errors, _ = run(fit._series, fit.alpha[:, None], fit._start[:, None], fit.weight[:, None])
    return float((errors[:, 0] ** 2 * fit._series.scored).sum())


@pytest.mark.parametrize("case", PEER, ids=lambda case: f"{case['model']} of {len(case['y'])}")
def test_forecasts_with_given_parameters_are_statsforecasts(case: dict[str, Any]) -> None:
    fit = given(fitted(case), case)
    assert bool(fit.adjustments[0].seasons) == (case["season"] > 1)
    np.testing.assert_allclose(fit.ahead(15, P).point[0], case["point"], rtol=1e-8)


@pytest.mark.parametrize("case", PEER, ids=lambda case: f"{case['model']} of {len(case['y'])}")
def test_squared_errors_are_no_larger_than_statsforecasts(case: dict[str, Any]) -> None:
    fit = fitted(case)
    assert squares(fit) <= squares(given(fit, case)) * (1 + 1e-6)


@pytest.mark.parametrize("seed", range(5))
def test_theta_is_exponential_smoothing_with_half_the_slope_as_drift(seed: int) -> None:
    """Hyndman and Billah 2003, as statsmodels computes it, at the alpha that statsmodels found."""
    rng = np.random.default_rng(seed)
    y = 100 + (0.5 + rng.standard_normal(80)).cumsum()
    expected = ThetaModel(y, period=1, deseasonalize=False, use_test=False, method="auto").fit()
    alpha, slope = float(expected.params["alpha"]), float(expected.params["b0"])
    level = y[0]
    for value in y:
        level = alpha * value + (1 - alpha) * level
    smooth = level + slope / 2 * (np.arange(10) + 1 / alpha - (1 - alpha) ** 80 / alpha)
    np.testing.assert_allclose(expected.forecast(10, theta=2), smooth, rtol=1e-6)
    fit = fit_theta(Panel((y,)))
    found = replace(fit, alpha=np.array([alpha]))
    line = fit._series.line[:, 0, 0]
    start = (y[0] - fit._shift[0]) / fit._unit[0]  # l_0 + w A is the level before the first step
    found = replace(found, _start=np.array([start - 0.5 * line[0]]))
    np.testing.assert_allclose(found.ahead(10, P).point[0], smooth, rtol=1e-4)


@pytest.mark.parametrize("steps", [10, 20, 60])
def test_intervals_nearly_hold_their_level_on_random_walks_with_drift(steps: int) -> None:
    """The walk is an edge of the model (alpha = 1), which the estimates of alpha lie below."""
    rng = np.random.default_rng(0)
    y = (0.3 + rng.standard_normal((600, steps + 6))).cumsum(axis=1) - 100
    ahead = fit_dot(Panel(tuple(y[:, :steps]))).ahead(6, P)
    inside = (y[:, steps:] >= ahead.quantiles[:, :, 0]) & (y[:, steps:] <= ahead.quantiles[:, :, 2])
    assert 0.88 <= inside.mean() <= 0.99


def test_errors_that_grow_with_the_level_have_intervals_that_grow() -> None:
    rng = np.random.default_rng(1)
    y = np.exp((0.03 + 0.05 * rng.standard_normal(100)).cumsum())
    fit = fit_theta(Panel((y, y[::-1] - 100)))
    assert fit.growth.power.tolist() == [1.0, 0.0]
    one, width = fit.ahead(1, P), np.log(y[-1]) - np.log(y[-2])
    assert width != 0
    assert 0.05 * 3 < np.log(one.quantiles[0, 0, 2] / one.quantiles[0, 0, 0]) < 0.05 * 6


@pytest.mark.parametrize("fit", [fit_theta, fit_dot])
@pytest.mark.parametrize("steps", [1, 2, 5, 40])
def test_the_variance_ahead_is_that_of_every_error_by_itself(fit: Callable[[Panel], Theta], steps: int) -> None:
    """An error of 1 is put into each step alone, which is work by the square of the horizon for the same numbers."""
    horizon = 24
    y = tuple(np.random.default_rng(seed).standard_normal(steps).cumsum() for seed in range(4))
    found = fit(Panel(y))
    state = run(found._series, found.alpha[:, None], found._start[:, None], found.weight[:, None])[1]
    level, A, B, mean, n = (x[:, 0] for x in state)
    expected = np.zeros((len(y), horizon))
    for at in range(-1, horizon):  # at -1 no error comes
        paths, now = np.empty_like(expected), (level, A, B, mean)
        for h in range(horizon):
            t, (l_, a, b, m) = n + h + 1, now
            p = (1 - found.alpha) ** (t - 1)
            mu = l_ + found.weight * (p * a + (1 - p * (1 - found.alpha)) / found.alpha * b)
            value = mu + (h == at)
            l_ = found.alpha * value + (1 - found.alpha) * l_
            if found._series.dynamic:
                b = np.where(t > 1, ((t - 2) * b + 6 / t * (value - m)) / (t + 1), 0.0)
                m = ((t - 1) * m + value) / t
                a = m - (t + 1) / 2 * b
            now, paths[:, h] = (l_, a, b, m), mu
        if at < 0:
            undisturbed = paths
        else:
            expected[:, at + 1 :] += ((paths - undisturbed) ** 2)[:, at + 1 :]
    made = squared_answers(found.alpha, found.weight, found._series.steps, horizon, found._series.dynamic)
    np.testing.assert_allclose(made, expected, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("fit", [fit_dot, fit_theta])
def test_series_of_a_panel_are_fitted_as_each_alone(fit: Callable[[Panel], Theta]) -> None:
    """The panel leaves out series that have ended from a step on."""
    rng = np.random.default_rng(8)
    series = [30 + rng.standard_normal(T).cumsum() + 5 * np.sin(np.arange(T)) for T in (40, 9, 77, 5, 40, 1, 23)]
    together = fit(Panel(tuple(series), (4,)))
    for s, y in enumerate(series):
        one = fit(Panel((y,), (4,)))
        np.testing.assert_allclose([together.alpha[s], together.weight[s], together.sigma[s]],
                                   [one.alpha[0], one.weight[0], one.sigma[0]], rtol=1e-12)  # fmt: skip
        np.testing.assert_allclose(together.ahead(6, P).quantiles[s], one.ahead(6, P).quantiles[0], rtol=1e-9)
