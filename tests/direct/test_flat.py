"""A channel that hardly changes says little about the others: their forecasts are as without it."""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest

import ostinato
from ostinato.data.read import read
from ostinato.direct_fit.panel import panel_of
from ostinato.fits.result import Fit
from ostinato.shapes import Array

STEPS = 150
_T = np.arange(STEPS)
#: A channel by what it is, and how far it may move the forecasts of the others, as a share of their 95 % interval.
FAMILY: dict[str, tuple[Array, float]] = {
    "flat": (np.full(STEPS, 5.0), 1e-9),
    "zeros": (np.zeros(STEPS), 1e-9),
    "constant after a jump": (np.where(_T < 70, 10.0, 50.0), 1e-9),
    "constant before a late jump": (np.where(_T < 142, 10.0, 5000.0), 1e-9),
    "two values": (np.where(_T % 60 < 50, 1.0, 2.0), 1e-9),
    "one event": (np.where(_T == 100, 1e6, 0.0), 1e-9),
    "events among zeros": (np.where(_T % 37 == 5, 1e3, 0.0), 1e-9),
    "stuck for long": (np.where(_T < 105, np.cos(_T * 1.7), 3.0), 1e-9),
    "fell to 0 and stays there": (np.where(_T < 105, 100 + np.cos(_T * 1.7), 0.0), 1e-9),
    "starts late": (np.where(_T < 60, 0.0, 100 + np.cos(_T * 1.7)), 1e-9),
    # the sun changes at every step of the day, and by day it has dynamics of its own
    "solar power": (np.maximum(np.sin(2 * np.pi * _T / 24) - 0.3, 0) * (5 + np.cos(_T * 1.7)), 0.25),
}


def autoregressions(count: int) -> list[Array]:
    out = []
    for seed in range(count):
        y, e = np.zeros(STEPS), np.random.default_rng(seed).standard_normal(STEPS)
        for t in range(1, STEPS):
            y[t] = 0.5 * y[t - 1] + e[t]
        out.append(y)
    return out


def forecast(series: list[Array]) -> tuple[Fit, Array]:
    data = read({f"s{i}": y for i, y in enumerate(series)})
    fit = ostinato.fit(data, model="direct", horizon=3, networks=0)
    quantiles = ostinato.forecast(fit.model, data).quantiles
    assert quantiles is not None
    return fit, quantiles


@cache
def without(count: int) -> tuple[Fit, Array]:
    return forecast(autoregressions(count))


@pytest.mark.parametrize("count", [1, 2, 6])
@pytest.mark.parametrize("name", FAMILY)
def test_the_others_are_forecast_as_without_it(name: str, count: int) -> None:
    y, most = FAMILY[name]
    usual, before = without(count)
    fit, after = forecast([*autoregressions(count), y])
    assert fit.kept.name == usual.kept.name == "least squares"
    width = (before[..., 13] - before[..., 1]).mean()
    assert np.abs(after[:count] - before).max() < most * width


def test_the_vote_of_a_series_is_its_share_of_steps_that_change() -> None:
    some = [autoregressions(1)[0], FAMILY["two values"][0], FAMILY["zeros"][0]]
    panel = panel_of(read({"a": some[0], "b": some[1], "c": some[2]}), 3, 0.1)
    assert panel.votes("abc") == {"a": 1.0, "b": 0.0, "c": 0.0}
    assert panel.votes("c") == {"c": 1.0}
    assert panel.votes("bc") == {"b": 1.0, "c": 0.0}
    half = panel_of(read({"a": some[0], "b": np.repeat(some[0], 2)[: len(some[0])]}), 3, 0.1)
    assert half.votes("ab") == {"a": 1.0, "b": pytest.approx(0.5, abs=0.01)}
    still = panel_of(read({"b": np.ones(99), "c": np.zeros(99)}), 3, 0.1)
    assert still.votes("bc") == {"b": 1.0, "c": 1.0}
