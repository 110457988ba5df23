"""The forecast of data without a model file: what goes in, what comes out, and what is said about it."""

from __future__ import annotations

import subprocess
import sys
from datetime import date
from pathlib import Path

import numpy as np
import pandas as pd
import polars as pl
import pytest
from numpy.typing import NDArray
from polars.testing import assert_frame_equal

import ostinato
from ostinato.data.calendar import Calendar
from ostinato.data.frequency import named
from ostinato.errors import ConfigError, DataError
from ostinato.local.forecast import default_horizon

#: A quick method, whose forecast is known in closed form.
QUICK = "seasonal_naive"


def months(count: int, start: str = "2015-01") -> NDArray[np.datetime64]:
    first = np.datetime64(start, "M")
    return (first + np.arange(count)).astype("datetime64[us]")


def seasonal(count: int = 60) -> pl.DataFrame:
    t = np.arange(count)
    y = 100 + t + 20 * np.sin(2 * np.pi * t / 12) + np.random.default_rng(0).standard_normal(count)
    return pl.DataFrame({"unique_id": ["a"] * count, "ds": months(count), "y": y})


def test_three_lines_give_a_table_in_the_columns_of_every_model() -> None:
    made = ostinato.forecast(seasonal(), horizon=6, level=[80, 95])
    sides = [f"ostinato-{side}" for side in ("lo-95", "lo-80", "hi-80", "hi-95")]
    assert made.frame.columns == ["unique_id", "ds", "ostinato", *sides]
    assert made.frame["ds"].to_list() == months(6, "2020-01").tolist()
    ordered = made.frame.select("ostinato-lo-95", "ostinato-lo-80", "ostinato", "ostinato-hi-80", "ostinato-hi-95")
    assert (np.diff(ordered.to_numpy(), axis=1) >= 0).all()
    assert len(made.fitted) == 1
    assert any(note.startswith("auto: ") for note in made.notes)


def test_a_method_by_name_is_that_of_the_room() -> None:
    y = seasonal()["y"].to_numpy()
    made = ostinato.forecast(seasonal(), horizon=12, model=QUICK)
    np.testing.assert_allclose(made.frame["ostinato"], y[-12:])
    with_season = ostinato.forecast(seasonal(), horizon=4, model=QUICK, season=4)
    np.testing.assert_allclose(with_season.frame["ostinato"], y[-4:])


def test_missing_steps_at_the_end_are_forecast_and_left_out() -> None:
    whole = seasonal()
    gap = whole.with_columns(y=pl.when(pl.int_range(pl.len()) >= 57).then(None).otherwise("y"))
    longer = ostinato.forecast(whole[:57], horizon=9, model=QUICK).frame
    made = ostinato.forecast(gap, horizon=6, model=QUICK).frame
    assert_frame_equal(made, longer[3:])


@pytest.mark.parametrize("stop", [1, 30, 59])
def test_a_series_that_ended_earlier_changes_no_other(stop: int) -> None:
    """The default chooses by held-out windows, which would be as long as the longest gap."""
    rng = np.random.default_rng(0)
    others = {key: 20 + rng.standard_normal(60).cumsum() for key in "ab"}
    ended = {"c": np.where(np.arange(60) < stop, 100.0, np.nan)}
    one, both = (ostinato.forecast(panel, horizon=4) for panel in (others, {**others, **ended}))
    assert_frame_equal(both.frame.filter(pl.col("unique_id") != "c"), one.frame)
    assert both.fitted[:2] == one.fitted


def test_each_frequency_of_a_panel_has_its_own_season_and_calendar() -> None:
    days = pl.DataFrame(
        {
            "unique_id": ["d"] * 28,
            "ds": np.datetime64("2024-01-01", "us") + np.arange(28) * np.timedelta64(1, "D"),
            "y": np.arange(28) % 7 + 1.5,
        }
    )
    both = pl.concat([seasonal(), days])
    made = ostinato.forecast(both, horizon=7, model=QUICK)
    for frame in (seasonal(), days):
        key = frame["unique_id"][0]
        alone = ostinato.forecast(frame, horizon=7, model=QUICK).frame
        assert_frame_equal(made.frame.filter(pl.col("unique_id") == key), alone)
    np.testing.assert_allclose(made.frame.filter(pl.col("unique_id") == "d")["ostinato"], days["y"][-7:])


@pytest.mark.parametrize(
    ("frequency", "expected"),
    [("1h", (24, 168)), ("30m", (48, 336)), ("1m", (60, 1440)), ("1d", (7,)), ("1bd", (5,)), ("1w", (52,)),
     ("1mo", (12,)), ("3mo", (4,)), ("1y", ()), ("step", ())],
)  # fmt: skip
def test_seasons_follow_the_calendar(frequency: str, expected: tuple[int, ...]) -> None:
    calendar: Calendar | None = named(frequency)
    assert calendar is not None
    assert calendar.seasons == expected


@pytest.mark.parametrize(
    "keys",
    [
        pl.Series([7, 11]),
        pl.Series(["x", "y"]),
        pl.Series(["x", "y"], dtype=pl.Categorical),
        pl.Series([date(2024, 1, 2), date(2024, 1, 5)]),
    ],
    ids=lambda keys: str(keys.dtype),
)
def test_ids_come_back_in_their_type(keys: pl.Series) -> None:
    frame = pl.DataFrame({"unique_id": keys.gather([0] * 9 + [1] * 9), "y": np.arange(18.0)})
    made = ostinato.forecast(frame, horizon=2, model="naive").frame
    assert made["unique_id"].dtype == keys.dtype
    assert made["unique_id"].to_list() == keys.gather([0, 0, 1, 1]).to_list()
    assert made["ostinato"].to_list() == [8.0, 8.0, 17.0, 17.0]


def test_channels_are_series_of_their_own() -> None:
    frame = pl.DataFrame({"ds": months(30), "u": np.arange(30.0), "v": np.arange(30.0) ** 2})
    made = ostinato.forecast(frame, horizon=2, model="naive").frame
    assert made["channel"].to_list() == ["u", "u", "v", "v"]
    assert made["ostinato"].to_list() == [29.0, 29.0, 841.0, 841.0]


def test_prices_are_forecast_as_logarithms() -> None:
    close = 50 * np.exp(0.02 * np.random.default_rng(1).standard_normal(200).cumsum())
    prices = ostinato.read(pl.DataFrame({"close": close}), kind="prices")
    made = ostinato.forecast(prices, horizon=5, model="naive", level=95).frame
    logs = ostinato.forecast(pl.DataFrame({"y": np.log(close)}), horizon=5, model="naive", level=95).frame
    for name in ("ostinato", "ostinato-lo-95", "ostinato-hi-95"):
        np.testing.assert_allclose(np.log(made[name]), logs[name], rtol=1e-12)


def test_counts_have_whole_quantiles_that_are_never_below_0() -> None:
    counts = np.random.default_rng(2).poisson(1.5, 80)
    made = ostinato.forecast(pl.DataFrame({"y": counts}), horizon=6, model="naive")
    assert made.history.count
    ends = made.frame.select(pl.col("^ostinato-.*$")).to_numpy()
    assert (ends == np.rint(ends)).all()
    assert ends.min() == 0
    assert any("cut off at 0: " in note for note in made.notes)
    below = ostinato.forecast(pl.DataFrame({"y": counts - 10.5}), horizon=6, model="naive")
    assert not any("cut off at 0" in note for note in below.notes)


def test_a_series_without_a_value_is_missing_and_named() -> None:
    frame = pl.DataFrame({"unique_id": ["a"] * 4 + ["b"] * 4, "y": [1.0, 2, 3, 4, *[None] * 4]})
    with pytest.raises(DataError, match="every value"):
        ostinato.forecast(frame.filter(pl.col("unique_id") == "b"), horizon=2)
    data = ostinato.read(pl.DataFrame({"u": [1.0, 2, 3], "v": [1.0, 5.0, 2.0]}))
    data.values[:, 1] = np.nan
    made = ostinato.forecast(data, horizon=2, model="naive")
    assert made.frame["ostinato"].is_nan().to_list() == [False, False, True, True]
    assert any("1 series has no value" in note and "v" in note for note in made.notes)


@pytest.mark.parametrize("count", [1, 2, 3])
@pytest.mark.parametrize("model", ["auto", "ets", "theta", "ar", "naive"])
def test_the_shortest_series_have_a_forecast(model: str, count: int) -> None:
    made = ostinato.forecast(pl.DataFrame({"y": np.arange(count) + 5.5}), horizon=3, model=model)
    assert np.isfinite(made.frame.select(pl.col(pl.Float64)).to_numpy()).all()


def test_the_horizon_is_two_seasons_and_is_said() -> None:
    made = ostinato.forecast(seasonal(), model=QUICK)
    assert made.horizon == 24
    assert any(note.startswith("horizon: 24 steps, two seasons") for note in made.notes)
    assert default_horizon(ostinato.read(seasonal(20)))[0] == 12
    assert default_horizon(ostinato.read([np.arange(9.0)]))[0] == 12


def test_a_frame_of_pandas_and_a_path_are_read(tmp_path: Path) -> None:
    seasonal().write_csv(tmp_path / "a.csv")
    expected = ostinato.forecast(seasonal(), horizon=3, model=QUICK).frame
    for source in (pd.DataFrame(seasonal().to_dict(as_series=False)), str(tmp_path / "a.csv")):
        made = ostinato.forecast(source, horizon=3, model=QUICK).frame
        np.testing.assert_array_equal(made["ostinato"], expected["ostinato"])


def test_a_fitted_model_goes_first_or_by_name() -> None:
    model = ostinato.fit(seasonal(), model="ar").model
    first = ostinato.forecast(model, seasonal(), 3, 80).frame
    assert_frame_equal(ostinato.forecast(seasonal(), model=model, horizon=3, level=80).frame, first)
    assert_frame_equal(ostinato.forecast(model=model, data=seasonal(), horizon=3, level=80).frame, first)


def test_a_direct_model_is_fitted_on_the_way() -> None:
    made = ostinato.forecast(seasonal(96), horizon=3, model="direct")
    assert any(note.startswith("direct: ") for note in made.notes)
    assert len(made.frame) == 3


@pytest.mark.parametrize(
    ("given", "options", "says"),
    [
        ((), {}, "no data are given"),
        ((seasonal(), 12), {}, "must be a fitted model, got DataFrame"),
        (("ets", seasonal()), {}, "must be a fitted model, got 'ets'"),
        ((seasonal(),), {"model": "arima"}, "unknown method 'arima'"),
        ((seasonal(),), {"model": "gru"}, "gru is a model that is trained first"),
        ((seasonal(),), {"model": 3}, "the name of a method or a fitted model, got int"),
        ((seasonal(),), {"n_paths": 5}, "does not use n_paths"),
        ((seasonal(),), {"horizon": 0}, "horizon must be at least 1"),
        ((seasonal(),), {"season": 0}, "season must be at least 1"),
    ],
)
def test_what_cannot_be_meant_is_refused(given: tuple[object, ...], options: dict[str, object], says: str) -> None:
    with pytest.raises(ConfigError, match=says):
        ostinato.forecast(*given, **options)  # type: ignore[call-overload]


def test_text_and_sound_name_the_verb_to_use() -> None:
    with pytest.raises(ConfigError) as text:
        ostinato.forecast(ostinato.read(["anna", "bob"], kind="text"), horizon=3)
    assert "ostinato.sample(model)" in (text.value.fix or "")


@pytest.mark.parametrize("name", ["dot", "croston", "naive", "local"])
def test_fit_says_how_a_local_method_is_used(name: str) -> None:
    with pytest.raises(ConfigError, match="makes no model file") as error:
        ostinato.fit(seasonal(), model=name)
    assert f'model="{name}"' in (error.value.fix or "")


def test_a_backtest_takes_local_methods_beside_the_baselines() -> None:
    made = ostinato.backtest(seasonal(), ["theta", "local"], horizon=6, n_windows=2)
    assert made.table["model"][:2].to_list() == ["theta", "local"]
    assert made.table["wql"].is_finite().all()
    last = made.frame.filter(pl.col("cutoff") == pl.col("cutoff").max())
    alone = ostinato.forecast(seasonal()[:-6], horizon=6, model="theta").frame
    np.testing.assert_allclose(last["theta"], alone["ostinato"])


def test_a_quick_method_imports_no_torch() -> None:
    """What takes seconds to import is not imported by the reader, the table and the picture."""
    code = (
        "import sys, ostinato, ostinato.report.fan, ostinato.forecasting.inputs;"
        "ostinato.forecast([float(x * x % 7) for x in range(30)], horizon=3);"
        "assert 'torch' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


@pytest.mark.parametrize("model", ["auto", "naive", "ets"])
def test_prices_above_1_may_fall_below_it(model: str) -> None:
    """The logarithm of such a price is never below 0, and its forecast is."""
    walk = 0.01 * np.random.default_rng(0).standard_normal(300).cumsum()
    walk = walk[: walk.argmin() + 1]
    data = ostinato.read(pl.DataFrame({"close": np.exp(walk - walk.min())}), kind="prices")
    frame = ostinato.forecast(data, horizon=20, level=[99], model=model).frame
    assert (frame["ostinato-lo-99"] < 1).any()


@pytest.mark.parametrize("model", ["auto", "theta"])
def test_a_forecast_that_is_cut_off_says_so(model: str) -> None:
    y = np.abs(np.random.default_rng(0).standard_normal(40))
    result = ostinato.forecast(y.tolist(), horizon=12, level=[99], model=model)
    assert (result.frame["ostinato-lo-99"] == 0).any()
    assert any("cut off at 0" in note for note in result.notes)


def test_windows_that_hold_no_value_are_left_out() -> None:
    y = np.sin(np.arange(60.0)) + 5
    y[36:52] = np.nan
    assert ostinato.forecast(y, horizon=8).frame["ostinato"].is_finite().all()


def test_series_that_end_before_the_others_are_named() -> None:
    whole = seasonal()
    early = seasonal(58).with_columns(unique_id=pl.lit("b"))
    for frame, named_ones in (
        (pl.concat([whole, whole.with_columns(unique_id=pl.lit("c"))]), None),
        (pl.concat([whole, early]), "1 of 2 series ends before the others, and its forecast begins where"),
        (pl.concat([whole, early, early.with_columns(unique_id=pl.lit("c"))]), "2 of 3 series end before the others"),
    ):
        found = [note for note in ostinato.forecast(frame, horizon=3, model=QUICK).notes if "before the others" in note]
        assert len(found) == (named_ones is not None)
        assert all(note.startswith(named_ones or "") and ": b" in note for note in found)
