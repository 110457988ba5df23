"""Covariates: known future values are used, unknown ones do not leak, and errors name what is wrong."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

import ostinato
from ostinato.cli.main import main
from ostinato.data.future import with_future
from ostinato.direct.effects import EffectsForm, fit_effects
from ostinato.direct.inputs import series_inputs
from ostinato.direct_fit import search as direct_search
from ostinato.direct_fit.panel import held_horizons, panel_of
from ostinato.emissions.quantiles import MEDIAN
from ostinato.errors import DataError, ModelFileError, OstinatoError
from ostinato.fits.result import Fit
from ostinato.record import DirectRung
from zoo import direct

KNOWN = ["heat", "holiday"]


def shops(days: int = 40, ahead: int = 0, count: int = 3, seed: int = 0) -> pl.DataFrame:
    """Hourly series that move with the square of heat and fall on holidays; y is empty for the steps ahead."""
    rng, frames, n = np.random.default_rng(seed), [], 24 * days
    for b in range(count):
        heat = 20 + 8 * rng.standard_normal(n + ahead).cumsum() / np.sqrt(np.arange(1, n + ahead + 1))
        holiday = np.repeat(rng.random(-(-(n + ahead) // 24)) < 0.1, 24)[: n + ahead]
        t = np.arange(n + ahead)
        y = 50 + 5 * np.sin(t / 24 * 2 * np.pi) + 0.1 * (heat - 20) ** 2 - 20 * holiday + rng.standard_normal(len(t))
        frames.append(
            pl.DataFrame(
                {
                    "unique_id": f"s{b}",
                    "ds": [datetime(2024, 1, 1) + timedelta(hours=h) for h in range(n + ahead)],
                    "y": [*(10**b * y[:n]).tolist(), *[None] * ahead],
                    "heat": heat,
                    "holiday": np.where(holiday, "TRUE", "FALSE"),
                    "visits": y + rng.standard_normal(len(t)),
                    "store": "north" if b % 2 else "south",
                }
            )
        )
    return pl.concat(frames)


def read(frame: pl.DataFrame, **beside: Any) -> ostinato.SequenceSet:
    return ostinato.read(frame, target="y", **beside)


def history(frame: pl.DataFrame, **beside: Any) -> ostinato.SequenceSet:
    return read(frame.filter(pl.col("y").is_not_null()), **beside)


def fit(data: ostinato.SequenceSet, horizon: int = 12, **options: Any) -> Fit:
    return ostinato.fit(data, model="direct", horizon=horizon, **{"networks": 0, "window": 24, **options})


@cache
def fitted() -> Fit:
    return fit(read(shops(), known=KNOWN))


def test_future_covariates_improve_forecasts_and_the_record_says_so() -> None:
    frame = shops(ahead=0)
    with_them, without = (
        ostinato.cross_validation(
            read(frame, **beside), "direct", horizon=12, n_windows=4, networks=0, window=24
        ).table["wql"][0]
        for beside in ({"known": KNOWN}, {})
    )
    assert with_them < 0.7 * without
    assert "known covariates, curved" in fitted().kept.detail


def test_effects_are_those_of_the_data() -> None:
    """Least squares on seasonal differences finds a bend in heat under a season and a moving level."""
    data = read(shops(count=1), known=KNOWN)
    y, beside = data[0][:, 0], series_inputs(data, 0)["s0"]
    effects = fit_effects(EffectsForm("curved"), 24, False, {"s0": (y, beside)})
    heat, holiday = beside.known.T
    truth = 0.1 * (heat - 20) ** 2 - 20 * holiday
    found = effects.of("s0", y, beside)
    error = (found - found.mean()) - (truth - truth.mean())
    assert np.abs(error).mean() < 0.15 * np.abs(truth - truth.mean()).mean()


def test_future_rows_are_read_from_a_frame_and_change_the_forecast() -> None:
    frame, model = shops(ahead=12), fitted().model
    past = history(frame, known=KNOWN)
    future = frame.filter(pl.col("y").is_null()).drop("y")
    plain = ostinato.forecast(model, past, future=future).frame
    assert plain["ds"].to_list()[:12] == future["ds"].to_list()[:12]
    other = future.with_columns(holiday=pl.lit("TRUE"))
    changed = ostinato.forecast(model, past, future=other).frame
    calm = (future["holiday"] == "FALSE").to_numpy()
    fall = (plain["ostinato"] - changed["ostinato"]).to_numpy() / np.repeat([1, 10, 100], 12)
    np.testing.assert_allclose(fall[calm], 20, atol=8)
    np.testing.assert_allclose(fall[~calm], 0, atol=1e-9)


def test_held_out_windows_are_forecast_as_in_the_fit(monkeypatch: pytest.MonkeyPatch) -> None:
    """The effects that are subtracted from a window in training are added to the forecast again."""
    monkeypatch.setattr(direct_search, "FEW", 0)  # the series' own spread is another where more of it is known
    data = read(shops(), known=KNOWN)
    model = direct(fit(data, refit=False).model)
    panel = panel_of(data, 12, 0.1, held_horizons(data))
    cut = data.cut(np.zeros(3, dtype=np.int64), data.lengths - 12)
    ahead = ostinato.forecast(model, cut).frame["ostinato"].to_numpy().reshape(3, 12)
    for b, (key, w) in enumerate(panel.held_out(model.base.window, model.base.effects).items()):
        median = model.base.quantiles(model.base.middle(w, key), key)[..., MEDIAN]
        np.testing.assert_allclose(ahead[b], model.base.window.restore(median, w)[-1], rtol=1e-9)


def test_a_cut_keeps_the_future_covariates_after_its_end() -> None:
    data = read(shops(2), known=KNOWN, past=["visits"])
    cut = data.cut(np.zeros(3, dtype=np.int64), np.full(3, 30))
    assert cut.covariates is not None
    assert data.covariates is not None
    np.testing.assert_array_equal(cut.covariates.ahead[1], data.covariates.known[48 + 30 : 96])
    assert cut.covariates.past.shape == (90, 1)
    assert data.digest != read(shops(2)).digest


def test_past_covariates_that_lead_are_used_and_those_ahead_are_not_seen() -> None:
    rng = np.random.default_rng(0)
    lead = rng.standard_normal((4, 400)).cumsum(axis=1) * 0.3 + rng.standard_normal((4, 400))
    y = 10 + np.concatenate([np.zeros((4, 2)), lead[:, :-2]], axis=1) * 2 + 0.1 * rng.standard_normal((4, 400))
    frame = pl.concat(
        pl.DataFrame({"unique_id": f"s{b}", "ds": range(400), "y": y[b], "lead": lead[b]}) for b in range(4)
    )
    found, plain = fit(read(frame, past=["lead"]), horizon=2, window=12), fit(read(frame), horizon=2, window=12)
    assert isinstance(found.kept, DirectRung)
    assert isinstance(plain.kept, DirectRung)
    assert "past covariates" in found.kept.detail
    assert found.kept.loss < 0.8 * plain.kept.loss
    data = read(frame, past=["lead"])
    stop = np.full(4, 390)
    late = read(frame.with_columns(lead=pl.when(pl.col("ds") >= 390).then(99.0).otherwise("lead")), past=["lead"])
    one, other = (ostinato.forecast(found.model, x.cut(0 * stop, stop)).frame for x in (data, late))
    assert one.equals(other)


def test_static_categories_serve_series_that_are_new() -> None:
    """Two categories of series move in opposite directions, and a new series is forecast like its category."""
    t, rng, frames = np.arange(200), np.random.default_rng(0), []
    for b in range(12):
        wave = np.sin(t * 2 * np.pi / 8) if b % 2 else np.sign(np.sin(t * 2 * np.pi / 11))
        y = 5 + wave + 0.05 * rng.standard_normal(200)
        frames.append(pl.DataFrame({"unique_id": f"s{b}", "ds": t, "y": y, "sort": "sine" if b % 2 else "step"}))
    known, new = pl.concat(frames[:10]), pl.concat(frames[10:])
    found = fit(read(known, static=["sort"]), horizon=4, window=16, season=8)
    assert "static categories" in found.kept.detail
    later = new.group_by("unique_id", maintain_order=True).tail(4)["y"].to_numpy()
    cut = new.filter(pl.col("ds") < 196)
    right = ostinato.forecast(found.model, read(cut, static=["sort"])).frame["ostinato"].to_numpy()
    swapped = cut.with_columns(sort=pl.when(pl.col("sort") == "sine").then(pl.lit("step")).otherwise(pl.lit("sine")))
    wrong = ostinato.forecast(found.model, read(swapped, static=["sort"])).frame["ostinato"].to_numpy()
    assert np.abs(right - later).mean() < 0.8 * np.abs(wrong - later).mean()


def test_saved_and_loaded_effects_are_the_same(tmp_path: Path) -> None:
    frame = shops(ahead=12)
    data = with_future(history(frame, known=KNOWN, static=["store"]), frame)
    model = fit(data).model
    ostinato.save_model(model, tmp_path / "m.ost")
    again = ostinato.load_model(tmp_path / "m.ost")
    one, other = (ostinato.forecast(m, data).frame["ostinato"].to_numpy() for m in (model, again))
    np.testing.assert_allclose(one, other, rtol=1e-9)


def _less(frame: pl.DataFrame, row: int) -> pl.DataFrame:
    return pl.concat([frame.slice(0, row), frame.slice(row + 1)])


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda f: _less(f, 15), ("no row of future covariates for 2024-02-10T03:00:00", "row 15 (from 0)", "'s1'")),
        (lambda f: f.slice(0, 30), ("the future covariates end after 6 of 12 steps", "2024-02-10T05:00:00", "'s2'")),
        (lambda f: f.slice(0, 24), ("no rows of future covariates", "'s2'")),
        (lambda f: pl.concat([f.slice(0, 3), f.slice(2)]), ("occurs twice", "row 3 (from 0)", "'s0'")),
        (
            lambda f: f.with_columns(heat=pl.when(pl.arange(0, 36) == 20).then(None).otherwise("heat")),
            ("'heat' has a missing value", "row 20 (from 0)", "'s1'"),
        ),
        (lambda f: f.drop("heat"), ("no column 'heat'",)),
    ],
)
def test_wrong_future_rows_are_named(change: Callable[[pl.DataFrame], pl.DataFrame], words: tuple[str, ...]) -> None:
    frame = shops(ahead=12)
    future = change(frame.filter(pl.col("y").is_null()).drop("y"))
    with pytest.raises(OstinatoError) as error:
        ostinato.forecast(fitted().model, history(frame, known=KNOWN), future=future)
    assert not [word for word in words if word not in str(error.value)], str(error.value)


@pytest.mark.parametrize(
    ("change", "beside", "words"),
    [
        (
            lambda f: f.with_columns(heat=pl.when(pl.arange(0, len(f)) == 50).then(None).otherwise("heat")),
            {"known": KNOWN},
            ("'heat' has a missing value", "row 50 (from 0)", "'s1'"),
        ),
        (
            lambda f: f.with_columns(store=pl.when(pl.arange(0, len(f)) == 60).then(pl.lit("x")).otherwise("store")),
            {"static": ["store"]},
            ("static covariate 'store' changes from 'north' to 'x'", "row 60 (from 0)", "'s1'"),
        ),
        (
            lambda f: pl.concat([f.slice(0, 9), f.slice(8, 1).with_columns(pl.col("y") + 1), f.slice(9)]),
            {},
            ("occurs twice", "row 9 (from 0)", "'s0'"),
        ),
        (
            lambda f: f.with_columns(
                ds=pl.when((pl.col("unique_id") == "s1") & (pl.col("ds") > datetime(2024, 1, 1, 20)))
                .then(datetime(2024, 1, 1, 20) + (pl.col("ds") - datetime(2024, 1, 1, 20)) * 24)
                .otherwise("ds")
            ),
            {},
            (
                "the frequency changes at 2024-01-01T20:00:00: steps of 1h before, steps of 1d after",
                "row 69 (from 0)",
                "'s1'",
            ),
        ),
    ],
)
def test_wrong_rows_are_named(
    change: Callable[[pl.DataFrame], pl.DataFrame], beside: dict[str, list[str]], words: tuple[str, ...]
) -> None:
    with pytest.raises(DataError) as error:
        read(change(shops(2)), **beside)
    assert not [word for word in words if word not in str(error.value)], str(error.value)


def test_an_unknown_category_and_other_columns_are_named() -> None:
    model = fit(read(shops(10), static=["store"])).model
    odd = read(shops(10).with_columns(store=pl.lit("west")), static=["store"])
    with pytest.raises(DataError, match="unknown category 'west' in the static column 'store'") as error:
        ostinato.forecast(model, odd)
    assert "series 's0'" in str(error.value)
    with pytest.raises(ModelFileError, match="the data have no covariates, expected store as in the training data"):
        ostinato.forecast(model, read(shops(10)))


def test_a_wrong_frequency_and_missing_times_are_named() -> None:
    frame = shops(14)
    week = frame.with_columns(y=pl.col("y") + 40 * (pl.col("ds").dt.weekday() > 5) * pl.col("ds").dt.hour())
    model = direct(fit(read(week)).model)
    daily = frame.group_by("unique_id", pl.col("ds").dt.truncate("1d"), maintain_order=True).agg(pl.col("y").mean())
    with pytest.raises(ModelFileError, match="the data have steps of 1d, expected steps of 1h as in the training data"):
        ostinato.forecast(model, read(daily))
    assert model.base.effects is not None
    assert model.base.effects.form.clock
    with pytest.raises(OstinatoError, match="needs covariates or times, got none"):
        model.predict({"s0": daily["y"].to_numpy()})
    with pytest.raises(ModelFileError, match="the data have no times"):
        ostinato.forecast(model, {"s0": daily["y"].to_numpy()[:10]})


def test_the_command_line_takes_lists_of_columns_and_future_rows(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    frame = shops(20, ahead=12)
    frame.filter(pl.col("y").is_not_null()).write_csv(tmp_path / "d.csv")
    frame.filter(pl.col("y").is_null()).drop("y").write_csv(tmp_path / "future.csv")

    def run(*words: object) -> int:
        with pytest.raises(SystemExit) as done:
            main([str(w) for w in words])
        return int(done.value.code or 0)

    beside = ("--known", "heat", "holiday", "--past", "visits", "--static", "store")
    fitting = ("fit", tmp_path / "d.csv", "--target", "y", "--model", "direct", "-n", 12, "--networks", 0)
    assert run(*fitting, *beside, "-o", tmp_path / "m.ost") == 0
    assert run("forecast", tmp_path / "m.ost", "--future", tmp_path / "future.csv", "-o", tmp_path / "f.csv") == 0
    assert len(pl.read_csv(tmp_path / "f.csv")) == 36
    assert run("forecast", tmp_path / "m.ost") == 2
    assert "the future covariates end after 0 of" in capsys.readouterr().err


def test_a_history_that_never_goes_below_0_has_a_forecast_that_does_not() -> None:
    rng = np.random.default_rng(0)
    y = np.maximum(rng.standard_normal((6, 200)), 0.0)
    found = fit(ostinato.read(list(y)), horizon=4, window=8)
    result = ostinato.forecast(found.model, list(y), level=(80, 99))
    assert (result.frame.select("^ostinato.*$").to_numpy() >= 0).all()
    assert any("6 series never went below 0" in note for note in result.notes)
    below = ostinato.forecast(found.model, list(y - 0.5), level=(99,))
    assert (below.frame["ostinato-lo-99"].to_numpy() < 0).any()


def test_vic_elec_is_forecast_better_with_temperature_and_holidays(shared_data: Callable[[str], Path]) -> None:
    frame = pl.read_csv(shared_data("timeseries/vic_elec.csv.gz")).tail(48 * 150)
    columns: dict[str, Any] = {"time_col": "Time", "target": "Demand"}
    asked: dict[str, Any] = {"horizon": 48, "n_windows": 8, "step_size": 160, "networks": 0, "window": 96}
    with_them, without = (
        ostinato.cross_validation(ostinato.read(frame, **columns, future_covariates=known), "direct", **asked).table[
            "wql"
        ][0]
        for known in (["Temperature", "Holiday"], [])
    )
    assert with_them < 0.9 * without
