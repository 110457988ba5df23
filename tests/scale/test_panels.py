"""A panel in parts, in this process, gives the results of the whole panel."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from polars.testing import assert_frame_equal

import ostinato
from ostinato import scale
from ostinato.data.read import read
from ostinato.errors import ConfigError, DataError, ModelFileError
from ostinato.evaluation.baselines import Lags, local_ar
from ostinato.scale import work
from ostinato.scale.plan import plan
from ostinato.scale.series import load
from panels_made import POISON
from zoo import sequential

GOOD = [f"s{i:02d}" for i in range(24)]


def results(folder: Path) -> pl.DataFrame:
    return pl.read_parquet(folder / "part-*.parquet")


def good_rows(panel: Path) -> pl.DataFrame:
    return pl.read_parquet(panel / "*.parquet").filter(pl.col("unique_id").is_in(GOOD))


def failures(folder: Path) -> dict[str, str]:
    return dict(pl.read_parquet(folder / "errors.parquet").rows())


def test_every_series_is_fitted_once_and_a_poisoned_one_is_named(panel: Path, tmp_path: Path) -> None:
    assert len(plan(panel).parts) > 4
    found = scale.fit_each(panel, tmp_path / "out", season=7)
    files = sorted((tmp_path / "out").glob("part-*.parquet"))
    out = results(tmp_path / "out")
    assert out["unique_id"].to_list() == GOOD
    assert (found.series, found.failed, found.parts) == (24, len(POISON), len(files))
    said = failures(tmp_path / "out")
    assert said.keys() == POISON.keys()
    assert all(POISON[key] in word for key, word in said.items())
    data = read(good_rows(panel))
    assert found.steps == len(data.values)
    for row, y in zip(out.iter_rows(named=True), data, strict=True):
        rule = local_ar(y[:, 0], 7)
        assert isinstance(rule, Lags)
        assert row["coefficients"] == rule.fit.coefficients.tolist()
        assert (row["steps"], row["n"], row["order"]) == (len(y), rule.fit.n, rule.fit.order)
        assert row["sigma"] == np.sqrt(rule.fit.sigma2)


@pytest.mark.parametrize("method", ["ar", "theta", "local"])
def test_a_method_forecasts_a_part_as_it_forecasts_these_series_in_memory(
    method: str, panel: Path, tmp_path: Path
) -> None:
    scale.forecast(method, panel, tmp_path / "out", horizon=3, level=[80], season=7)
    parts = [part for file in sorted((tmp_path / "out").glob("part-*.parquet")) if len(part := pl.read_parquet(file))]
    assert len(parts) > 4
    for part in parts:
        rows = pl.read_parquet(panel / "*.parquet").filter(pl.col("unique_id").is_in(part["unique_id"].implode()))
        alone = ostinato.forecast(rows, horizon=3, level=80, model=method, season=7).frame
        assert_frame_equal(part, alone, rel_tol=1e-9)
    assert ["p-one", *GOOD] == sorted(results(tmp_path / "out")["unique_id"].unique())
    assert failures(tmp_path / "out").keys() == POISON.keys() - {"p-one"}


def test_a_local_method_is_backtested_in_parts(panel: Path, tmp_path: Path) -> None:
    how: dict[str, Any] = {"horizon": 4, "season": 7, "level": [80]}
    table, found = scale.cross_validation("theta", panel, tmp_path / "out", **how)
    assert table["model"][0] == "theta"
    assert np.isfinite(table["wql"][0])
    assert {"theta", "theta-lo-80"} <= {*results(tmp_path / "out").columns}
    assert found.series == 24


@pytest.fixture(scope="module")
def model() -> ostinato.SequenceModel:
    rng = np.random.default_rng(3)
    return sequential(ostinato.fit([rng.standard_normal(80).cumsum() for _ in range(4)], model="ar").model)


def test_a_model_scores_a_panel_as_it_scores_a_frame(
    panel: Path, tmp_path: Path, model: ostinato.SequenceModel
) -> None:
    found = scale.score(model, panel, tmp_path / "out")
    out = results(tmp_path / "out")
    expected = ostinato.score(model, pl.read_parquet(panel / "*.parquet").filter(~pl.col("unique_id").is_in(POISON)))
    inside = out.filter(pl.col("unique_id").is_in(GOOD))
    assert inside["unique_id"].unique(maintain_order=True).to_list() == GOOD
    np.testing.assert_allclose(inside["surprisal"], expected.surprisal, rtol=1e-5)
    assert found.sums["log_prob"] == pytest.approx(-float(np.nansum(out["surprisal"])))
    assert found.sums["scored"] == int(out["surprisal"].is_not_nan().sum())


def test_a_model_forecasts_a_panel(panel: Path, tmp_path: Path, model: ostinato.SequenceModel) -> None:
    scale.forecast(model, panel, tmp_path / "out", horizon=2, level=[80], n_paths=4000)
    out = results(tmp_path / "out").filter(pl.col("unique_id").is_in(GOOD))
    expected = ostinato.forecast(model, good_rows(panel), 2, [80], n_paths=4000).frame
    assert_frame_equal(out.select("unique_id", "ds"), expected.select("unique_id", "ds"))
    spread = (expected["ostinato-hi-80"] - expected["ostinato-lo-80"]).to_numpy()
    for column in ("ostinato", "ostinato-lo-80"):
        assert (np.abs(out[column] - expected[column]) < 0.1 * spread).all()


def test_a_backtest_in_parts_has_the_table_of_the_whole(
    panel: Path, tmp_path: Path, model: ostinato.SequenceModel
) -> None:
    how: dict[str, Any] = {"horizon": 4, "n_windows": 2, "season": 7, "level": [80]}
    table, found = scale.cross_validation(None, panel, tmp_path / "out", **how)
    expected = ostinato.cross_validation(good_rows(panel), (), **how)
    assert_frame_equal(table.drop("seconds"), expected.table.drop("seconds"), rel_tol=1e-9)
    by = ["unique_id", "ds", "cutoff"]
    assert_frame_equal(results(tmp_path / "out").sort(by), expected.frame.sort(by), check_exact=True)
    assert failures(tmp_path / "out")["p-one"] == "the series is too short for the backtest windows"
    table, _ = scale.cross_validation(model, panel, tmp_path / "model", **how)
    assert table["model"][0] == "ostinato"
    assert {"ostinato", "ostinato-lo-80"} <= {*results(tmp_path / "model").columns}
    assert found.series == 24


@pytest.mark.parametrize("groups", [50, 100_000])
def test_a_panel_with_mixed_rows_gives_the_same_results(groups: int, panel: Path, tmp_path: Path) -> None:
    whole = pl.read_parquet(panel / "*.parquet")
    day = pl.int_range(pl.len()).over("unique_id")  # the first rows of all series, then the second ones
    mixed = whole.with_columns(day=day).sort("day", maintain_order=True).drop("day")
    (tmp_path / "mixed").mkdir()
    mixed.write_parquet(tmp_path / "mixed" / "a.parquet", row_group_size=groups)
    assert not plan(tmp_path / "mixed").parts
    scale.fit_each(panel, tmp_path / "sorted-fits", season=7)
    scale.fit_each(tmp_path / "mixed", tmp_path / "mixed-fits", season=7)
    found = [results(tmp_path / name).sort("unique_id") for name in ("sorted-fits", "mixed-fits")]
    assert_frame_equal(*found, check_exact=True)
    assert failures(tmp_path / "sorted-fits") == failures(tmp_path / "mixed-fits")
    assert not (tmp_path / "mixed-fits" / ".arranged").exists()


def test_a_run_that_stopped_goes_on_from_its_parts(
    panel: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole, again = tmp_path / "whole", tmp_path / "again"
    scale.fit_each(panel, whole)
    count = 0

    def dying(*given: Any) -> object:
        nonlocal count
        count += 1
        if count == 4:
            raise KeyboardInterrupt
        return load(*given)

    monkeypatch.setattr(work, "load", dying)
    with pytest.raises(KeyboardInterrupt):
        scale.fit_each(panel, again)
    kept = {f.name: f.stat().st_mtime_ns for f in again.glob("part-*")}
    assert len(kept) == 3
    half = again / ".part-000003.parquet.half"  # as a kill leaves it
    half.touch()
    found = scale.fit_each(panel, again)
    assert found.earlier == 3
    assert not half.exists()
    assert all((again / name).stat().st_mtime_ns == at for name, at in kept.items())
    assert_frame_equal(results(whole), results(again), check_exact=True)
    assert failures(whole) == failures(again)
    assert scale.fit_each(panel, again).earlier == found.parts


def test_a_folder_of_something_else_is_refused(panel: Path, tmp_path: Path, model: ostinato.SequenceModel) -> None:
    scale.fit_each(panel, tmp_path / "out")
    for other in ({"season": 12}, {"kind": "prices"}):
        with pytest.raises(ConfigError, match="results of other data or other options"):
            scale.fit_each(panel, tmp_path / "out", **other)
    with pytest.raises(ConfigError, match="already has other files"):
        scale.fit_each(panel, panel)
    (tmp_path / "a.csv").write_text("unique_id,y\na,1\n")
    with pytest.raises(DataError, match="must be Parquet"):
        scale.fit_each(tmp_path / "a.csv", tmp_path / "new")
    pl.DataFrame({"y": [1.0, 2.0]}).write_parquet(tmp_path / "y.parquet")
    with pytest.raises(DataError, match="no column of series ids"):
        scale.fit_each(tmp_path / "y.parquet", tmp_path / "new")
    pl.DataFrame({"unique_id": ["a"], "u": [1.0], "v": [2.0]}).write_parquet(tmp_path / "uv.parquet")
    with pytest.raises(ModelFileError, match=r"the data have 2 channels \(.*\), expected 1"):
        scale.score(model, tmp_path / "uv.parquet", tmp_path / "new")
    assert not (tmp_path / "new").exists()


@pytest.mark.parametrize("there", [False, True])
def test_a_refused_run_leaves_the_folder_as_it_was(panel: Path, tmp_path: Path, there: bool) -> None:
    out = tmp_path / "out"
    if there:
        out.mkdir()
    with pytest.raises(ConfigError, match="naive is a baseline"):
        scale.cross_validation("naive", panel, out, horizon=2)
    assert [out.exists(), *(out.iterdir() if there else ())] == [there]
    assert scale.cross_validation("theta", panel, out, horizon=2)[1].series


def test_a_run_that_is_refused_after_its_first_result_keeps_it(
    panel: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    call = work.Task.__call__
    done: list[Any] = []

    def second_fails(task: work.Task, part: Any) -> Any:
        if done:
            raise ConfigError("no second part")
        done.append(part)
        return call(task, part)

    with monkeypatch.context() as patch:
        patch.setattr(work.Task, "__call__", second_fails)
        with pytest.raises(ConfigError, match="no second part"):
            scale.fit_each(panel, tmp_path / "out")
    assert scale.fit_each(panel, tmp_path / "out").earlier == 1


def test_prices_are_fitted_in_logarithms_and_years_left_out_are_missing(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    close = 50 * np.exp(0.1 * rng.standard_normal(60).cumsum())
    frame = pl.DataFrame({"ticker": ["A"] * 60, "close": close})
    frame.write_parquet(tmp_path / "prices.parquet")
    scale.fit_each(tmp_path / "prices.parquet", tmp_path / "prices")
    assert results(tmp_path / "prices")["sigma"][0] == np.sqrt(local_ar(np.log(close), 1).fit.sigma2)
    years = pl.DataFrame({"id": ["A"] * 60, "year": np.arange(1900, 1960), "y": close})
    years.filter(pl.col("year") != 1930).write_parquet(tmp_path / "years.parquet")
    scale.fit_each(tmp_path / "years.parquet", tmp_path / "years")
    assert results(tmp_path / "years")["steps"].to_list() == [60]


@pytest.mark.parametrize("model", ["naive", "a model"])
def test_the_horizon_of_a_panel_is_as_long_as_that_of_the_same_series_in_memory(model: str, tmp_path: Path) -> None:
    lengths = {"a": 30, "b": 120, "c": 40}
    days = pl.date_range(pl.date(2020, 1, 1), pl.date(2021, 1, 1), "1d", eager=True)
    parts = [
        pl.DataFrame({"unique_id": key, "ds": days[:n], "y": np.sin(np.arange(n)) + 0.1 * (np.arange(n) % 3)})
        for key, n in lengths.items()
    ]
    rows = pl.concat(parts)
    for key, part in zip(lengths, parts, strict=True):  # the short series lie in files of their own
        part.write_parquet(tmp_path / f"{key}.parquet")
    how: Any = ostinato.fit(read(rows), model="ar").model if model == "a model" else model
    source = str(tmp_path / "*.parquet")
    for steps, fits in ((1200, True), (1201, False)):
        memory = (
            partial(ostinato.forecast, how, rows) if model == "a model" else partial(ostinato.forecast, rows, model=how)
        )
        panel = partial(scale.forecast, how, source, tmp_path / f"{steps}", n_paths=2)
        if fits:
            assert panel(horizon=steps).failed == 0
            assert results(tmp_path / f"{steps}").height == memory(horizon=steps).frame.height
        else:
            said = []
            for made in (memory, panel):
                with pytest.raises(ConfigError, match="use at most 1,200 steps") as caught:
                    made(horizon=steps)
                said.append(str(caught.value))
            assert said[0] == said[1]
            assert not (tmp_path / f"{steps}").exists()


def test_rows_that_occur_twice_are_counted(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The rows are left out as in memory, in two of four series, and a note says so; a second run says it again."""
    from ostinato.cli.main import main

    rows = [(f"s{k}", d, float(k * d % 7)) for k in range(1, 5) for d in range(2000, 2040)]
    twice = [*rows[:81], rows[80], *rows[81:121], rows[120], *rows[121:]]
    columns = ["unique_id", "year", "y"]
    for name, given in (("once", rows), ("twice", twice)):
        (tmp_path / name).mkdir()
        pl.DataFrame(given, columns, orient="row").write_parquet(tmp_path / name / "a.parquet")
    outcomes = {name: scale.fit_each(tmp_path / name, tmp_path / f"{name}.out") for name in ("once", "twice")}
    assert [outcomes[name].twice for name in ("once", "twice")] == [0, 2]
    assert_frame_equal(results(tmp_path / "once.out"), results(tmp_path / "twice.out"))
    for _ in range(2):
        with pytest.raises(SystemExit):
            main(
                [
                    "forecast",
                    str(tmp_path / "twice"),
                    "--on",
                    "here",
                    "--model",
                    "theta",
                    "--horizon",
                    "2",
                    "-o",
                    str(tmp_path / "f"),
                ]
            )
        assert "rows that occur twice are left out, in 2 series" in capsys.readouterr().err
