"""Exponential smoothing as a model file: its fit, and what it does with the data of a user."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from scipy.stats import norm

import ostinato
from ostinato.errors import ConfigError
from ostinato.layers.front import SmoothingFront
from ostinato.layers.smoothing import Parameters, Smoothing
from ostinato.record import Rung
from ostinato.shapes import Array
from ostinato.training import evidence, ladder
from ostinato.training.config import most_orders
from ostinato.training.rungs import CHANNELS, SEASONAL, SHORT, names_of, smoothing_left_out
from ostinato.training.smoothing import _nats, _parameters, _rows, fit_smoothing
from zoo import sequential


def drawn(smoothing: list[float], spread: list[float], m: int, T: int, rows: int) -> Array:
    """Return sequences of the model with sigma 1, (rows, T)."""
    rng = np.random.default_rng(3)
    alpha, beta, gamma, phi = smoothing
    out = np.empty((rows, T))
    for r in range(rows):
        level, trend = rng.standard_normal(2) * spread[:2]
        season = rng.standard_normal(m) * spread[2]
        for t in range(T):
            e, s = rng.standard_normal(), season[t % m] if m else 0.0
            trend *= phi
            out[r, t] = level + trend + s + e
            level, trend = level + trend + alpha * e, trend + beta * e
            if m:
                season[t % m] += gamma * e
    return out


def fitted(y: Array, name: str, m: int) -> Smoothing:
    """Return the fit to sequences (rows, T)."""
    rows, T = y.shape
    model, _ = fit_smoothing(name, y.reshape(-1, 1), np.arange(0, (rows + 1) * T, T), m)
    return model


def test_the_search_maximises_the_likelihood_of_the_recurrence() -> None:
    y = drawn([0.4, 0.1, 0.2, 0.9], [2.0, 0.3, 1.5], 4, 30, 3)
    x = np.linspace(-1.0, 1.0, 7)[None]
    table = _parameters(x, np.ones((1, 7), dtype=bool))
    parameters = Parameters(*(torch.from_numpy(part) for part in (table[:, :4], table[:, 4:])))
    nats, variance = _nats(_rows(list(y))[0], table, 4)
    model = Smoothing.of("", 4, parameters, torch.from_numpy(np.sqrt(variance)))
    values = torch.from_numpy(y.T)[..., None]
    mu, deviation, _ = model.path(values, model.initial_state(3))
    expected = float(np.sum(norm.logpdf(values.numpy(), mu.numpy(), deviation.numpy())))
    assert nats[0] == pytest.approx(-expected, rel=1e-9)


def test_the_parameters_are_found_again() -> None:
    model = fitted(drawn([0.5, 0.0, 0.3, 1.0], [5.0, 0.0, 4.0], 4, 80, 30), "ets", 4)
    assert model.name == "ETS(A,N,A)"
    np.testing.assert_allclose(model.smoothing[0], [0.5, 0.0, 0.3, 1.0], atol=0.05)
    assert float(model.log_sigma.exp()) == pytest.approx(1.0, abs=0.05)
    np.testing.assert_allclose(model.spread[0], [5.0, 0.0, 4.0], rtol=0.3)


def test_the_drift_of_theta_is_one_number_of_a_series() -> None:
    model = fitted(drawn([0.4, 0.0, 0.0, 1.0], [2.0, 0.8, 0.0], 0, 40, 30), "theta", 0)
    assert (model.name, model.season) == ("SES with drift", 0)
    assert float(model.smoothing[0, 1]) == 0.0
    assert float(model.spread[0, 1]) == pytest.approx(0.8, rel=0.3)


def seasonal(n: int = 96) -> Array:
    """Return a series with a season of 12 steps and a trend."""
    rng = np.random.default_rng(5)
    t = np.arange(n)
    return np.asarray(50 + 0.3 * t + 8 * np.sin(2 * np.pi * t / 12) + rng.standard_normal(n))


@pytest.mark.parametrize("name", ["ets", "theta"])
def test_a_model_file_scores_forecasts_samples_and_streams(name: str, tmp_path: Path) -> None:
    y = seasonal()
    y[20:23] = np.nan
    found = ostinato.fit(y[:84], model=name, season=12)
    found.model.save(tmp_path / "m.ost")
    model = sequential(ostinato.load_model(tmp_path / "m.ost"))
    assert isinstance(model.front, SmoothingFront)
    assert model.front.smoothing.season == 12
    ahead = ostinato.forecast(model, y[:84], horizon=12, level=[80], n_paths=400, seed=1)
    error = np.abs(ahead.frame["ostinato"].to_numpy() - y[84:])
    assert error.mean() < 2.5  # seasonal naive: 3.8
    stream = ostinato.Stream(model)
    nats = np.concatenate([stream.update(v).surprisal for v in y])
    np.testing.assert_allclose(nats, ostinato.score(model, y).surprisal, atol=1e-5)
    assert [len(path) for path in ostinato.sample(model, length=20, n_samples=3, seed=2)] == [20] * 3


def test_a_season_that_the_data_do_not_show_twice_is_noted() -> None:
    found = ostinato.fit(seasonal(20), model="ets", season=12)
    assert any("no series is longer than two seasons of 12 steps" in note for note in found.notes)


def test_a_large_panel_and_a_long_series_are_searched_in_part() -> None:
    values = np.random.default_rng(0).standard_normal((70 * 12, 1))
    _, notes = fit_smoothing("ets", values, np.arange(0, 71 * 12, 12), 0)
    assert notes == ["the parameters of smoothing were searched on 60 of 70 series"]
    _, notes = fit_smoothing("ets", values, np.array([0, 840]), 0)
    assert notes == ["the parameters of smoothing were searched on the newest 400 steps of a series"]


@pytest.mark.parametrize("values", [np.full(60, 5.0), np.r_[np.zeros(40), np.ones(40)], np.arange(4.0)])
def test_values_that_hardly_change_are_forecast(values: Array) -> None:
    ahead = ostinato.forecast(ostinato.fit(values, model="ets").model, values, horizon=3, level=[80])
    assert np.isfinite(ahead.frame["ostinato"].to_numpy()).all()


def test_what_exponential_smoothing_is_not_for_is_refused() -> None:
    with pytest.raises(ConfigError, match="the data are text"):
        ostinato.fit(ostinato.read(["anna", "otto"] * 20, kind="text"), model="ets")
    with pytest.raises(ConfigError, match="up to 60 steps, got 168"):
        ostinato.fit(seasonal(), model="theta", season=168)


@pytest.mark.parametrize("name", ["ets", "theta"])
def test_a_model_stays_on_the_processor(name: str) -> None:
    """A card waits for the host at every step, and those of Apple have no float64."""
    assert sequential(ostinato.fit(seasonal(), model=name).model).on_processor


def test_a_wrong_kind_is_refused_before_anything_is_fitted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ladder, "closed_form", None)
    with pytest.raises(ConfigError, match="the data are text"):
        ostinato.fit(ostinato.read(["anna", "otto"] * 20, kind="text"), model="theta")


def monthly(steps: int, channels: int = 1) -> ostinato.SequenceSet:
    """Return a series of months."""
    values = np.random.default_rng(0).standard_normal((steps, channels))
    months = np.datetime64("0001-01", "M") + np.arange(steps)
    return ostinato.SequenceSet(
        "series",
        values,
        np.array([0, steps]),
        ("a",),
        tuple(f"y{d}" for d in range(channels)),
        frequency="1mo",
        times=months.astype("datetime64[us]"),
    )


def test_auto_tries_smoothing_on_what_is_short_or_seasonal() -> None:
    unknown = np.zeros(SHORT + 1)
    tried = {
        "short": (ostinato.read(unknown[:SHORT]), True),
        "long without a season": (ostinato.read(unknown), False),
        "seasonal": (monthly(SHORT + 1), True),
        "seasonal and long": (monthly(SEASONAL + 1), False),
        "many channels": (monthly(SHORT, CHANNELS + 1), False),
        "text": (ostinato.read(["anna", "otto"] * 20, kind="text"), False),
        "prices": (ostinato.read(1 + np.arange(SHORT) / 100, kind="prices"), False),
    }
    assert {name: "ets" in names_of("auto", data) for name, (data, _) in tried.items()} == {
        name: expected for name, (_, expected) in tried.items()
    }
    assert names_of("auto", tried["short"][0])[:3] == ("ar", "ets", "linear")


def test_a_given_season_is_the_season_of_auto() -> None:
    y = seasonal(120)
    found = ostinato.fit(y, season=12, budget=ostinato.Budget(steps=1))
    own = ostinato.fit(y, model="ets", season=12)
    held_out = {rung.name: rung.held_out for rung in found.table if isinstance(rung, Rung)}
    assert held_out["ets"] == {rung.name: rung.held_out for rung in own.table if isinstance(rung, Rung)}["ets"]
    assert most_orders(ostinato.read(y), 12) == 24  # a fifth of the steps, and 32 if the season is unknown
    assert most_orders(ostinato.read(np.zeros(500))) == 32
    assert most_orders(ostinato.read(np.zeros(500)), 12) == 25
    assert most_orders(monthly(500), 4) == 9


def test_a_given_season_decides_whether_auto_tries_smoothing() -> None:
    long = ostinato.read(np.zeros(SHORT + 1))
    assert "ets" in names_of("auto", long, 12)
    assert "ets" not in names_of("auto", monthly(SHORT + 1), 1)
    assert "ets" not in names_of("auto", long, 168)
    assert names_of("gru", long, 12) == ("ar", "gru")
    for data in (ostinato.read(["anna", "otto"] * 20, kind="text"), ostinato.read(1 + np.arange(9) / 9, kind="prices")):
        with pytest.raises(ConfigError, match="has no option 'season', got 12"):
            names_of("auto", data, 12)


def test_a_season_that_is_too_long_for_smoothing_is_said() -> None:
    short = ostinato.read(np.zeros(SHORT))
    assert "the season has 168 steps, and it takes at most 60 steps" in smoothing_left_out(short, 168)
    for data, season in ((short, 60), (short, None), (monthly(SEASONAL + 1), 168), (monthly(SHORT, CHANNELS + 1), 168)):
        assert not smoothing_left_out(data, season)
    found = ostinato.fit(seasonal(60), season=168, budget=ostinato.Budget(steps=1))
    assert any("was not tried: the season has 168 steps" in note for note in found.notes)


def test_auto_keeps_smoothing_where_it_is_ahead_of_the_autoregression() -> None:
    """Seasons of each series: an autoregression needs a lag for each of them, and has four years of months."""
    T, R = 48, 25
    y = drawn([0.5, 0.0, 0.3, 1.0], [6.0, 0.0, 5.0], 12, T, R)
    months = (np.datetime64("2000-01", "M") + np.arange(T)).astype("datetime64[us]")
    data = ostinato.SequenceSet(
        "series",
        y.reshape(-1, 1),
        np.arange(0, (R + 1) * T, T),
        tuple(map(str, range(R))),
        times=np.tile(months, R),
        frequency="1mo",
    )
    found = ostinato.fit(data, budget=ostinato.Budget(steps=1))
    table = {rung.name: rung.held_out for rung in found.table if isinstance(rung, Rung)}
    assert found.kept.name == "ets"
    assert table["ets"] == max(table.values()) > table["ar"] + 0.3
    assert found.kept.detail == "ETS(A,N,A)"


@pytest.mark.parametrize(
    ("held_out", "ahead", "kept"),
    [
        ({"ar": -1.0, "ets": -0.9, "gru": -0.95}, {("ets", "ar")}, "ets"),
        ({"ar": -1.0, "ets": -0.9, "gru": -0.95}, set(), "ar"),
        ({"ar": -1.0, "ets": -0.9, "gru": -0.8}, {("ets", "ar"), ("gru", "ar")}, "ets"),
        ({"ar": -1.0, "ets": -0.9, "gru": -0.8}, {("ets", "ar"), ("gru", "ets")}, "gru"),
        ({"ar": -1.0, "ets": -0.9, "gru": -0.8}, {("gru", "ar")}, "gru"),
        ({"ar": -1.0, "gru": -1.1}, set(), "ar"),
    ],
)
def test_each_rung_must_be_ahead_of_the_closed_form_that_was_kept(
    held_out: dict[str, float], ahead: set[tuple[str, str]], kept: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def decided(model: Any, other: Any, material: Any) -> bool:
        return (model, other) in ahead

    monkeypatch.setattr(evidence, "ahead", decided)
    climbed: Any = [(Rung(name, value, 0.0, 0, 0, ""), name) for name, value in held_out.items()]
    nothing: Any = None
    assert evidence.chosen(climbed, nothing)[0].name == kept
