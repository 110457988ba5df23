"""Direct fits and forecasts on simulated panels and on real series."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

import ostinato
from ostinato.data.read import read
from ostinato.data.sequences import SequenceSet
from ostinato.dispatch.fit import fit as fit_any
from ostinato.emissions.quantiles import MEDIAN
from ostinato.errors import ConfigError, DataError
from ostinato.fits.budget import Budget
from ostinato.fits.result import Fit
from ostinato.inference.forecast import forecast
from ostinato.model_file import load_model, save_model
from ostinato.shapes import Array
from zoo import direct

QUICK: dict[str, Any] = {"budget": Budget(None, 30), "hidden": 8, "networks": 2}


def fit_direct(data: SequenceSet | pl.DataFrame, horizon: int, **options: Any) -> Fit:
    return fit_any(data, model="direct", horizon=horizon, **options)


def present(quantiles: Array | None) -> Array:
    """The quantiles of a direct forecast; a forecast by sample paths has none."""
    assert quantiles is not None
    return quantiles


def panel(count: int = 6, steps: int = 240, seed: int = 0, noise: float = 0.05) -> list[Array]:
    """Series of a season of 12, of sizes from 1 to 10,000, all above 0."""
    rng = np.random.default_rng(seed)
    t = np.arange(steps)
    out = []
    for b in range(count):
        season = np.exp(0.4 * np.sin(2 * np.pi * t / 12 + b))
        slow = np.cumsum(rng.standard_normal(steps)) * 0.02
        out.append(10 ** (4 * b / max(count - 1, 1)) * season * np.exp(slow + noise * rng.standard_normal(steps)))
    return out


def logistic_maps(count: int = 4, steps: int = 400) -> list[np.ndarray]:
    """Chaotic series, y(t + 1) = 3.9 y(t) (1 - y(t)): a network can forecast them, a line cannot."""
    y, rows = np.random.default_rng(0).uniform(0.2, 0.8, count), []
    for _ in range(steps):
        y = 3.9 * y * (1 - y)
        rows.append(y)
    return list(np.stack(rows, axis=1))


@cache
def fitted(backbone: str | None) -> Fit:
    return fit_direct(read(panel()), 12, season=12, backbone=backbone, **(QUICK if backbone else {}))


def walk(steps: int, seed: int = 1) -> Array:
    return 100 + np.cumsum(np.random.default_rng(seed).standard_normal(steps))


@pytest.mark.parametrize("backbone", [None, "gru"])
def test_a_forecast_depends_only_on_its_history(backbone: str | None) -> None:
    """A batch is a loop over its series."""
    model, series = direct(fitted(backbone).model), panel()
    together = forecast(model, read(series))
    for b, y in enumerate(series):
        data = replace(read([y]), ids=(model.ids[b],))
        alone = forecast(model, data)
        np.testing.assert_allclose(present(alone.quantiles)[0], present(together.quantiles)[b], rtol=1e-5)


@pytest.mark.parametrize("backbone", [None, "gru"])
def test_values_before_the_window_do_not_matter_in_a_panel(backbone: str | None) -> None:
    series = panel(52, 120)
    model = direct(fit_direct(read(series), 12, season=12, backbone=backbone, **(QUICK if backbone else {})).model)
    together = forecast(model, read(series))
    assert model.base.window.own
    K = model.base.window.lookback
    cut = forecast(model, read([y[-K:] for y in series]))
    np.testing.assert_allclose(present(cut.quantiles), present(together.quantiles), rtol=1e-9)


@pytest.mark.parametrize("backbone", [None, "gru"])
def test_a_larger_series_has_a_larger_forecast(backbone: str | None) -> None:
    """The units of a series change only the units of its forecast."""
    model, series = fitted(backbone).model, panel()
    q = present(forecast(model, read(series)).quantiles)
    np.testing.assert_allclose(present(forecast(model, read([y * 64 for y in series])).quantiles), q * 64, rtol=1e-4)


def test_quantiles_are_in_order_and_intervals_nested() -> None:
    result = forecast(fitted("gru").model, read(panel()), level=(50, 80, 95, 99.8))
    assert (np.diff(present(result.quantiles), axis=-1) >= 0).all()
    f = result.frame
    edges = [f"ostinato-lo-{p}" for p in ("99.8", "95", "80", "50")] + [
        f"ostinato-hi-{p}" for p in ("50", "80", "95", "99.8")
    ]
    assert (np.diff(f.select(edges).to_numpy(), axis=1) >= 0).all()
    assert f.columns == ["unique_id", "ds", "ostinato", *edges]


def test_with_networks_the_point_forecast_is_the_median(tmp_path: Path) -> None:
    """A logistic map has no linear forecast, so the networks are kept; after loading they forecast the same."""
    data = read(logistic_maps())
    fit = fit_direct(data, 2, season=1, lookback=4, budget=Budget(None, 120), hidden=16, networks=2)
    assert fit.model.name == "gru"
    assert len(direct(fit.model).networks) == 2
    result = forecast(fit.model, data)
    quantiles = present(result.quantiles)
    np.testing.assert_allclose(result.frame["ostinato"].to_numpy(), quantiles[..., MEDIAN].reshape(-1))
    save_model(fit.model, tmp_path / "maps.ost")
    again = forecast(load_model(tmp_path / "maps.ost"), data)
    np.testing.assert_allclose(present(again.quantiles), quantiles, rtol=1e-6)


def test_a_panel_with_a_season_is_learned_and_calibrated() -> None:
    """On the last 24 steps the closed form beats the seasonal naive forecast, and its intervals cover their level."""
    series = panel(count=40, noise=0.1)
    fit = fit_direct(read([y[:-24] for y in series]), 12, season=12, backbone=None)
    assert fit.model.name == "least squares"
    later = np.stack([y[-24:-12] for y in series])
    f = forecast(fit.model, read([y[:-24] for y in series]))
    naive = np.stack([y[-36:-24] for y in series])
    size = later.mean(axis=1, keepdims=True)
    point = f.frame["ostinato"].to_numpy().reshape(40, 12)
    assert (np.abs(point - later) / size).mean() < 0.9 * (np.abs(naive - later) / size).mean()
    inside = (later >= present(f.quantiles)[..., 1]) & (later <= present(f.quantiles)[..., -2])
    assert 0.88 <= inside.mean() <= 0.99


def test_a_random_walk_gets_the_naive_forecast_and_a_note() -> None:
    y = walk(2000)
    fit = fit_direct(read([y]), 6, season=4, backbone="gru", **QUICK)
    assert fit.model.name == "naive"
    assert any("the naive forecast is used, because nothing beats it" in note for note in fit.notes)
    result = forecast(fit.model, read([y]))
    # the median of the past changes is added, which for a walk is little
    np.testing.assert_allclose(result.frame["ostinato"].to_numpy(), y[-1], atol=0.3)
    width = present(result.quantiles)[0, :, -2] - present(result.quantiles)[0, :, 1]
    # 95 % of a walk of unit steps, h ahead
    np.testing.assert_allclose(width, 2 * 1.96 * np.sqrt(np.arange(1, 7)), rtol=0.35)


def test_values_after_the_cutoff_change_nothing() -> None:
    """Without refit, the weights depend only on values before the held-out part."""
    series = panel()
    changed = [np.concatenate([y[:-24], y[-24:] * 1.01]) for y in series]
    a, b = (direct(fit_direct(read(x), 12, season=12, backbone=None, refit=False).model) for x in (series, changed))
    assert a.base.window == b.base.window
    np.testing.assert_array_equal(a.base.weights, b.base.weights)
    assert not np.array_equal(direct(fitted(None).model).base.weights, a.base.weights)


def test_new_and_short_series_are_forecast() -> None:
    model = fitted("gru").model
    new = {"new": panel(1, seed=9)[0], "short": panel(1, seed=10)[0][:5]}
    data = replace(read(list(new.values())), ids=tuple(new))
    result = forecast(model, data, 5)
    assert np.isfinite(present(result.quantiles)).all()
    assert result.frame["unique_id"].to_list() == ["new"] * 5 + ["short"] * 5
    assert any("2 series new to the model" in note for note in result.notes)


def test_fit_and_forecast_work_with_missing_values() -> None:
    series = panel()
    for b, y in enumerate(series):
        y[20 + b : 30] = np.nan
        y[150] = np.nan
    series[0][-2:] = np.nan
    fit = fit_direct(read(series), 12, season=12, backbone=None)
    assert np.isfinite(present(forecast(fit.model, read(series)).quantiles)).all()


def test_channels_are_forecast_each_by_itself() -> None:
    y = np.stack(panel(2), axis=1)
    fit = fit_direct(read([y]), 12, season=12, backbone=None)
    frame = forecast(fit.model, read([y])).frame
    assert len(frame) == 24
    assert frame["channel"].n_unique() == 2


def test_the_same_seed_is_the_same_forecast(tmp_path: Path) -> None:
    again = fit_direct(read(panel()), 12, season=12, backbone="gru", **QUICK).model
    q = forecast(fitted("gru").model, read(panel())).quantiles
    np.testing.assert_array_equal(forecast(again, read(panel())).quantiles, q)


@pytest.mark.parametrize("backbone", [None, "gru"])
def test_a_saved_and_loaded_model_is_the_same(tmp_path: Path, backbone: str | None) -> None:
    model, path = direct(fitted(backbone).model), tmp_path / "panel.ost"
    save_model(model, path)
    loaded = direct(load_model(path))
    assert (loaded.name, loaded.ids, loaded.base.window) == (model.name, model.ids, model.base.window)
    q = present(forecast(model, read(panel())).quantiles)
    # the arrays' memory may be aligned otherwise, and the products' last bit with it
    np.testing.assert_allclose(
        present(forecast(loaded, read(panel())).quantiles), q, rtol=1e-12 if backbone is None else 1e-6
    )
    np.testing.assert_array_equal(loaded.base.weights, model.base.weights)


def test_times_continue() -> None:
    frame = pl.DataFrame(
        {
            "unique_id": ["a"] * 120,
            "ds": pl.datetime_range(pl.datetime(2010, 1, 1), pl.datetime(2019, 12, 1), "1mo", eager=True),
            "y": panel(1, 120)[0],
        }
    )
    fit = fit_direct(frame, 6, backbone=None)
    assert "season: 12 steps, from the frequency 1mo" in fit.notes
    ahead = forecast(fit.model, frame).frame["ds"].to_list()
    assert [(d.year, d.month) for d in ahead] == [(2020, m) for m in range(1, 7)]


@pytest.mark.parametrize(
    ("arguments", "word"),
    [
        ({"horizon": 0}, "horizon must be at least 1, got 0"),
        ({"backbone": "gruu"}, "unknown backbone 'gruu'"),
        ({"networks": -1}, "networks must be at least 0, got -1"),
        ({"held_out": 5}, "at least the horizon of 12 steps, got 5"),
        ({"window": 1}, "lookback must be at least 2 steps, got 1"),
        ({"season": 0}, "season must be at least 1, got 0"),
    ],
)
def test_options_out_of_range_are_refused(arguments: dict[str, object], word: str) -> None:
    with pytest.raises(ConfigError, match=word):
        fit_direct(read(panel()), **{"horizon": 12, "season": 12, **arguments})  # type: ignore[arg-type]


def test_unsuitable_data_are_refused() -> None:
    with pytest.raises(DataError, match="no series is long enough"):
        fit_direct(read([np.arange(20.0)]), 12)
    with pytest.raises(DataError, match="series or prices"):
        fit_direct(read(["abc", "de"], kind="text"), 12)
    model = fitted(None).model
    with pytest.raises(DataError, match="logarithms"):
        forecast(model, read([-panel(1)[0]]))
    with pytest.raises(DataError, match="the series has no observed value"):
        forecast(model, SequenceSet("series", np.full((9, 1), np.nan), np.array([0, 9]), ("a",)))
    with pytest.raises(ConfigError, match="horizon must be at most 12 for this model, got 13"):
        forecast(model, read(panel()), 13)
    with pytest.raises(ConfigError, match="level"):
        forecast(model, read(panel()), level=(100,))


def test_m4_weekly_is_ahead_of_naive_without_a_network(shared_data: object) -> None:
    path = shared_data("timeseries/M4-Weekly-train.csv.gz")  # type: ignore[operator]
    rows = pl.read_csv(path, infer_schema_length=None).rows()[::12]
    series = [np.array([float(v) for v in row[1:] if v is not None]) for row in rows]
    fit = fit_direct(read([y[:-13] for y in series]), 13, season=1, backbone=None)
    later = np.stack([y[-13:] for y in series])
    point = forecast(fit.model, read([y[:-13] for y in series])).frame["ostinato"].to_numpy().reshape(-1, 13)
    ours, naive = (np.mean(np.abs(f - later) / later) for f in (point, np.stack([y[-14:-13] for y in series])))
    assert ours < naive


def test_a_series_that_ends_before_the_others_is_named() -> None:
    days = np.datetime64("2024-01-01") + np.arange(120)
    parts = [
        pl.DataFrame({"unique_id": name, "ds": days[:steps], "y": 5 + np.sin(np.arange(steps) * 0.9)})
        for name, steps in (("a", 120), ("b", 117))
    ]
    frame = pl.concat(parts)
    made = ostinato.forecast(ostinato.fit(frame, model="direct", horizon=3, budget="2s").model, frame)
    assert any("1 of 2 series ends before the others" in note and note.endswith(": b") for note in made.notes)
