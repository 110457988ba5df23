"""Backtests: no future value leaks, the windows are right, memory is constant, and the table agrees with the frame."""

from __future__ import annotations

import gc
import tracemalloc
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from ostinato.data.read import read
from ostinato.data.sequences import SequenceSet
from ostinato.dispatch.fit import fit
from ostinato.emissions.quantiles import pinball
from ostinato.errors import ConfigError, DataError
from ostinato.evaluation import auto, metrics
from ostinato.evaluation.backtest import Backtest, cross_validation
from ostinato.evaluation.baselines import BASELINES
from ostinato.evaluation.windows import LEAST, BacktestPlan
from ostinato.fits.budget import Budget
from ostinato.inference.ahead import steps_ahead
from ostinato.inference.forecast import forecast
from ostinato.inference.score import score
from zoo import fitted, made

SMALL: dict[str, Any] = {"budget": Budget(None, 3), "hidden": 4, "n_paths": 50}


def hourly(steps: int = 240, series: int = 3, seed: int = 0) -> pl.DataFrame:
    """Return series with a daily season, the last one shorter, in columns named as Nixtla's except the values."""
    rng, frames = np.random.default_rng(seed), []
    for i in range(series):
        n = steps - 30 * (i == series - 1)
        times = pl.datetime_range(pl.datetime(2024, 1, 1), pl.datetime(2025, 1, 1), "1h", eager=True)[:n]
        load = (20 + 5 * np.sin(np.arange(n) * 2 * np.pi / 24) + rng.standard_normal(n)) * 10**i
        frames.append(pl.DataFrame({"unique_id": [f"s{i}"] * n, "ds": times, "load": load}))
    return pl.concat(frames)


def run(data: Any, model: Any = (), **options: Any) -> Backtest:
    return cross_validation(data, model, **({"horizon": 6, "n_windows": 3, "step_size": 4} | SMALL | options))


def test_columns_are_nixtlas_and_values_the_datas() -> None:
    frame = hourly()
    result = run(frame, fitted("panel", "gru"), target_col="load")
    sides = ["", "-lo-95", "-lo-80", "-hi-80", "-hi-95"]
    names = ["ostinato", *BASELINES]
    assert result.frame.columns == ["unique_id", "ds", "cutoff", "y", *(n + side for n in names for side in sides)]
    both = result.frame.join(frame, on=["unique_id", "ds"], how="left", validate="m:1")
    assert (both["y"] == both["load"]).all()
    assert len(both) == 3 * 3 * 6
    # the cutoff is the step before the first, and each series is counted from its own end
    first = result.frame.group_by("unique_id", "cutoff", maintain_order=True).agg(pl.col("ds").min())
    assert ((first["ds"] - first["cutoff"]).dt.total_hours() == 1).all()
    for key, of_series in result.frame.group_by("unique_id"):
        last = frame.filter(pl.col("unique_id") == key[0])["ds"].max()
        ahead = [(last - c).total_seconds() / 3600 for c in of_series["cutoff"].unique().sort()]
        assert ahead == [14, 10, 6]


def test_pandas_polars_and_parquet_are_one(tmp_path: Path) -> None:
    frame = hourly().rename({"unique_id": "shop", "ds": "when"})
    frame.write_parquet(tmp_path / "long.parquet")
    names = {"id_col": "shop", "time_col": "when", "target_col": "load"}
    one, *others = (run(x, **names).frame for x in (frame, frame.to_pandas(), str(tmp_path / "long.parquet")))
    assert all(one.equals(other) for other in others)


@pytest.mark.parametrize("refit", [False, True])
@pytest.mark.parametrize("model", ["auto", "gru"])
def test_values_after_a_cutoff_change_nothing(model: str, refit: bool) -> None:
    """Values after the first cutoff are replaced: forecasts from it stay as they are, bit for bit.

    None is below 0: what the values can be is a fact about their unit, which the whole of the data declares.
    """
    data = read(hourly(150, 2), target="load")
    changed = data.values.copy()
    for stop in data.offsets[1:]:
        changed[stop - 14 : stop] = 1e4 * np.random.default_rng(1).exponential(size=(14, 1))
    # what a fit holds out leaves no trace in it: hold out less than a window, or a leak would not show
    pair = (data, replace(data, values=changed))
    frames = [run(x, model, refit=refit, held_out=0.02, n_windows=2, step_size=8).frame.drop("y") for x in pair]
    first = frames[0].group_by("unique_id").agg(pl.col("cutoff").min())
    one, other = (f.join(first, on=["unique_id", "cutoff"], how="semi") for f in frames)
    assert len(one) == 12
    assert one.equals(other)
    assert not frames[0].equals(frames[1])


def test_values_between_two_cutoffs_reach_the_second_by_the_state_alone() -> None:
    """Without refit, the model that was fitted to the values before the first cutoff makes every forecast."""
    data = read(hourly(150, 1), target="load")
    result = run(data, "gru")
    model = fit(
        data.take([0]).cut(np.array([0]), data.lengths - 14), model="gru", budget=Budget(None, 3), hidden=4
    ).model
    for number, stop in enumerate(data.lengths[0] - np.array([14, 10, 6])):
        expected = forecast(model, data.cut(np.array([0]), np.array([stop])), 6, n_paths=50).frame
        got = result.frame[6 * number : 6 * number + 6]
        for name in ("", "-lo-95", "-hi-80"):
            np.testing.assert_allclose(got[f"gru{name}"], expected[f"ostinato{name}"], rtol=1e-12)


def test_the_table_is_that_of_the_frame() -> None:
    data = read(hourly(), target="load")
    result = run(data, fitted("panel", "gru"))
    cells: dict[str, list[dict[str, float]]] = {}
    for (key, cutoff), part in result.frame.group_by("unique_id", "cutoff"):
        b = data.ids.index(str(key))
        y, times = part["y"].to_numpy(), data.times_of(b)
        assert times is not None
        scale = metrics.seasonal_error(data[b][times <= np.datetime64(cutoff), 0], 24)
        for name in ("ostinato", *BASELINES):
            low, high = part[f"{name}-lo-95"].to_numpy(), part[f"{name}-hi-95"].to_numpy()
            one = {
                "mase": float(metrics.mase(y, part[name].to_numpy(), np.array(scale))),
                "smape": float(metrics.smape(y, part[name].to_numpy())),
                "msis": float(metrics.msis(y, low, high, 95, np.array(scale))),
                "coverage-95": float(metrics.coverage(y, low, high)),
            }
            cells.setdefault(name, []).append(one)
    mean = {name: {k: np.mean([c[k] for c in cs]) for k in cs[0]} for name, cs in cells.items()}
    for row in result.table.iter_rows(named=True):
        ours = mean[row["model"]]
        np.testing.assert_allclose([row[k] for k in ours], list(ours.values()), rtol=1e-9)
        expected = 0.5 * sum(ours[k] / mean["naive2"][k] for k in ("mase", "smape"))
        assert row["owa"] == pytest.approx(expected, rel=1e-9)


def test_wql_and_log_prob_are_those_of_the_model() -> None:
    data, model = read(hourly(150, 2), target="load"), fitted("panel", "gru")
    row = run(data, model, n_windows=1).table.row(0, named=True)
    history = data.cut(np.zeros(2, dtype=np.int64), data.lengths - 6)
    p = np.arange(1, 10) / 10
    y = np.stack([x[-6:, 0] for x in data])
    ahead = steps_ahead(model, history, 6, p, n_paths=50, seed=0)
    quantiles = np.stack([one.quantiles[:, :, 0].T for one in ahead])
    expected = metrics.weighted_quantile_loss(pinball(y, quantiles, p), float(np.abs(y).sum()))
    assert row["wql"] == pytest.approx(expected, rel=1e-9)
    scores = score(model, data)
    assert row["log_prob"] == pytest.approx(
        -np.mean([scores.surprisal[z - 6 : z] for z in scores.offsets[1:]]), rel=1e-9
    )


def test_a_random_walks_log_prob_is_that_of_its_log_returns() -> None:
    """On prices the naive density is one of log returns, as in ``score``, so that both can be compared."""
    data = made("prices").take([4])
    row = run(data, n_windows=1, horizon=8).table.row(0, named=True)
    returns = np.diff(np.log(data[0][:, 0]))
    sigma2 = np.mean(returns[:-8] ** 2)
    expected = -0.5 * np.mean(np.log(2 * np.pi * sigma2) + returns[-8:] ** 2 / sigma2)
    assert row["log_prob"] == pytest.approx(expected)


def test_memory_is_flat_in_the_number_of_windows() -> None:
    data = read(hourly(300, 2), target="load")

    def peak(windows: int) -> int:
        gc.collect()
        tracemalloc.start()
        try:
            run(data, n_windows=windows, step_size=1, on_window=lambda frame: None)
            return tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()

    peak(2)
    few, many = peak(3), peak(40)
    assert many < 1.25 * few
    assert not len(run(data, on_window=lambda frame: None).frame)


def test_auto_falls_back_to_the_baseline_and_says_so() -> None:
    """On a random walk nothing beats the last value, least of all a model after three training steps."""
    walk = np.random.default_rng(5).standard_normal(300).cumsum() + 100
    result = run(walk, "auto", horizon=10, step_size=10)
    reason = " is used, because no model is better by 2% on the 6 windows before the first cutoff: "
    notes = [note for note in result.notes if note.startswith("auto: ") and reason in note]
    assert len(notes) == 1
    used = notes[0].removeprefix("auto: ").split(reason)[0]
    assert used in BASELINES
    for side in ("", "-lo-95", "-hi-80"):
        assert (result.frame[f"auto{side}"] == result.frame[f"{used}{side}"]).all()


def test_auto_keeps_a_model_that_is_ahead() -> None:
    """Many short series share an oscillation that a joint autoregression learns and one of a single series does not."""
    rng, y = np.random.default_rng(2), np.zeros((90, 60))
    for t in range(2, 90):
        y[t] = 1.6 * y[t - 1] - 0.9 * y[t - 2] + rng.standard_normal(60)
    panel = {f"s{i}": 100 + y[-26:, i] for i in range(60)}
    result = run(panel, "auto", horizon=4, n_windows=1, n_paths=300)
    assert [note for note in result.notes if note.startswith("auto: ") and " is used: on the 1 window before" in note]
    assert not (result.frame["auto"] == result.frame["local_ar"]).any()
    assert "auto beats every baseline" in result.notes[-1]


def test_a_history_too_short_for_a_choice_gives_a_note() -> None:
    result = run(np.arange(20.0) + np.random.default_rng(0).standard_normal(20), "auto", n_windows=1, horizon=8)
    assert any("the longest series has 12 steps, too few to compare models" in note for note in result.notes)
    assert (result.frame["auto"] == result.frame["naive2"]).all()


def test_series_too_short_are_left_out_and_counted() -> None:
    data = {"long": np.arange(40.0), "middle": np.arange(15.0) ** 2, "short": np.ones(5)}
    result = run(data, n_windows=2, horizon=6, step_size=6)
    assert result.frame.group_by("unique_id").len().sort("unique_id")["len"].to_list() == [12, 12]
    result = run(data, n_windows=3, horizon=6, step_size=4)
    assert "2 series are too short for the first window, and 1 of them for every window" in result.notes
    assert len(result.frame.filter(pl.col("unique_id") == "middle")) == 12
    with pytest.raises(DataError, match=f"they need {10 + 6 * 6 + LEAST} steps, and the longest has 40"):
        run(data, n_windows=7, horizon=10, step_size=6)


def test_channels_and_missing_values() -> None:
    data = made("channels").take([4])
    values = data.values.copy()
    values[-3:] = np.nan
    result = run(replace(data, values=values), fitted("channels", "ar"), n_windows=2)
    assert result.frame["channel"].unique(maintain_order=True).to_list() == ["u", "v"]
    figures = result.table.select("mase", "smape", "wql", "msis", "coverage-80", "log_prob").to_numpy()
    assert np.isfinite(figures).all()


def test_without_times_steps_are_counted_from_1() -> None:
    frame = run(np.arange(30.0), n_windows=1).frame
    assert frame["cutoff"].unique().to_list() == [24]
    assert frame["ds"].to_list() == list(range(25, 31))


def test_windows_are_made_one_at_a_time() -> None:
    windows = BacktestPlan(5, 3, 2).windows(made("series").take([0, 4]))
    lengths = [w.history.lengths.tolist() for w in windows]
    assert lengths == [[51, 81], [53, 83], [55, 85]]


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"horizon": 0}, "horizon must be at least 1, got 0"),
        ({"n_windows": 0}, "n_windows must be at least 1, got 0"),
        ({"step_size": 0}, "step_size must be at least 1, got 0"),
        ({"level": (100,)}, "percent, got 100"),
        ({"season": 0}, "season must be at least 1, got 0"),
        ({"model": ["gru", "gru"]}, "each model must be named once, got gru twice"),
        ({"model": "naive"}, "naive is a baseline"),
        ({"model": "transformer"}, "unknown model 'transformer'"),
    ],
)
def test_invalid_options_of_a_backtest_are_refused(options: dict[str, Any], words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        run(np.arange(60.0), **options)


def test_text_is_not_backtested() -> None:
    text: SequenceSet = made("text")
    with pytest.raises(ConfigError, match="use score"):
        run(text)


def test_exchange_rates_get_a_note_that_naive_is_not_beaten(shared_data: Callable[[str], Path]) -> None:
    """The best baseline is within 1 % of the naive forecast, because exchange rates cannot be predicted."""
    result = run(read(shared_data("timeseries/exchange_rate.txt.gz")), horizon=30, step_size=30)
    table = dict(zip(result.table["model"], result.table["wql"], strict=True))
    assert min(table.values()) > 0.9 * table["naive"]
    assert result.notes[-1].startswith("the best baseline is ")


@pytest.mark.parametrize("season", [None, 7])
def test_the_ladder_of_a_backtest_has_the_season_that_was_given(
    season: int | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The autoregression of "auto", of its refit and of a model by name reaches the same lags."""
    seen: list[int | None] = []

    def noted(history: SequenceSet, *, model: str, **options: Any) -> Any:
        if model == "direct":
            raise DataError("no direct model here")
        seen.append(options.get("season"))
        return fit(history, model="ar", **options)  # the imported one, not this

    monkeypatch.setattr(auto, "fit", noted)
    monkeypatch.setattr(auto, "_losses", lambda candidates, *_: np.arange(len(candidates), 0.0, -1.0))
    y = np.resize([1.0, 5.0, 2.0, 8.0, 3.0, 3.0, 9.0], 120) + 0.1 * np.random.default_rng(0).standard_normal(120)
    cross_validation(y, ["auto", "ar"], horizon=5, season=season)
    assert seen == [season] * 3


def test_a_note_compares_the_best_model_with_the_values_of_a_season_ago() -> None:
    y = 20 + np.tile([5.0, 1, 0, 2, 3, 9, 14], 12) + np.random.default_rng(0).normal(0, 1, 84)
    alone = cross_validation([y], "ets", horizon=7, season=7, n_windows=2)
    assert "seasonal_naive" in alone.notes[-1]
    assert not any("7 steps ago" in note for note in alone.notes[:-1])  # the verdict compares with these values
    y = y + np.linspace(0, 200, 84)
    result = cross_validation([y], "ets", horizon=7, season=7, n_windows=2)
    assert "seasonal_naive" not in result.notes[-1]
    wql = dict(result.table.select("model", "wql").rows())
    [note] = [one for one in result.notes if "the values of 7 steps ago (seasonal_naive)" in one]
    assert note.endswith(f"and ets has {100 * (1 - wql['ets'] / wql['seasonal_naive']):.1f} % less")
    for season, models in ((1, "ets"), (7, ())):
        notes = cross_validation([y], models, horizon=7, season=season).notes
        assert not [one for one in notes if "seasonal_naive)" in one]
