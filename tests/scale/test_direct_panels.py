"""A direct model gives the same forecasts for a panel in parts as for the whole panel."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
import torch
from polars.testing import assert_frame_equal

import ostinato
from ostinato import scale
from ostinato.cli.main import main
from ostinato.direct.network import NetworkForm, SegmentNetwork
from ostinato.emissions.quantiles import LEVELS
from ostinato.errors import ConfigError, ModelFileError
from ostinato.scale.plan import plan
from panels_made import POISON, series


def results(folder: Path) -> pl.DataFrame:
    return pl.read_parquet(folder / "part-*.parquet").sort("unique_id", "ds")


def good_rows(panel: Path) -> pl.DataFrame:
    whole = pl.read_parquet(panel / "*.parquet")
    return whole.filter(~pl.col("unique_id").is_in(set(POISON) - {"p-one"}))  # a direct model goes on from one value


@pytest.fixture(scope="module")
def models() -> dict[str, ostinato.DirectModel]:
    """Return two models: least squares with own weights for some series, and one with networks in addition."""
    rng = np.random.default_rng(5)
    frame = pl.concat([series(f"s{i:02d}", 200, rng) for i in range(6)])
    closed = ostinato.fit(frame, model="direct", horizon=4, season=7, backbone=None).model
    assert isinstance(closed, ostinato.DirectModel)
    assert closed.base.own
    torch.manual_seed(0)
    size = {"window": closed.base.window.lookback, "horizon": 4, "segment": 7, "series": 6, "levels": len(LEVELS)}
    form = NetworkForm("gru", **size, hidden=8, dropout=0.0)
    networks = tuple(SegmentNetwork(form).eval() for _ in range(2))
    for network in networks:
        torch.nn.init.normal_(network.head.weight, std=0.1)
    return {"closed": closed, "networks": replace(closed, networks=networks)}


@pytest.mark.parametrize("way", ["closed", "networks"])
def test_a_direct_model_forecasts_a_panel_as_it_forecasts_a_frame(
    way: str, panel: Path, tmp_path: Path, models: dict[str, ostinato.DirectModel]
) -> None:
    model = models[way]
    found = scale.forecast(model, panel, tmp_path / "out", level=[80])
    assert found.parts > 4
    expected = ostinato.forecast(model, good_rows(panel), level=[80]).frame.sort("unique_id", "ds")
    out = results(tmp_path / "out")
    assert out.columns == expected.columns
    # of networks the products have another number of rows, and float32 is summed in another order
    assert_frame_equal(out, expected, check_exact=not model.networks, rel_tol=1e-5)
    assert found.failed == len(POISON) - 1
    scale.forecast(model, panel, tmp_path / "short", horizon=2, level=[80])
    assert_frame_equal(results(tmp_path / "short"), out.group_by("unique_id", maintain_order=True).head(2))


def test_a_series_that_has_no_logarithm_is_named_by_a_model_of_logarithms(
    panel: Path, tmp_path: Path, models: dict[str, ostinato.DirectModel]
) -> None:
    closed = models["closed"]
    model = replace(closed, base=replace(closed.base, window=replace(closed.base.window, log=True)))
    above = good_rows(panel).with_columns(pl.col("y").exp())
    above.with_columns(y=pl.when(pl.col("unique_id") == "s03").then(-1.0).otherwise("y")).write_parquet(
        tmp_path / "one.parquet"
    )
    scale.forecast(model, tmp_path / "one.parquet", tmp_path / "out")
    bad = pl.read_parquet(tmp_path / "out" / "errors.parquet")
    assert bad["unique_id"].to_list() == ["s03"]
    assert "the value -1, expected values above 0 because the model uses logarithms" in bad["error"][0]
    expected = ostinato.forecast(model, above.filter(pl.col("unique_id") != "s03")).frame
    assert_frame_equal(results(tmp_path / "out"), expected.sort("unique_id", "ds"), check_exact=True)


def test_the_files_of_a_cluster_are_those_of_one_process(
    panel: Path, tmp_path: Path, models: dict[str, ostinato.DirectModel], cluster: str
) -> None:
    scale.forecast(models["networks"], panel, tmp_path / "here")
    scale.forecast(models["networks"], panel, tmp_path / "there", on=scale.ray(workers=2))
    assert len(plan(panel).parts) > 4
    for file in sorted((tmp_path / "here").glob("*.parquet")):
        assert_frame_equal(pl.read_parquet(file), pl.read_parquet(tmp_path / "there" / file.name), check_exact=True)


def test_a_backtest_in_parts_has_the_table_of_the_whole(
    panel: Path, tmp_path: Path, models: dict[str, ostinato.DirectModel]
) -> None:
    how: dict[str, Any] = {"horizon": 4, "n_windows": 2, "season": 7, "level": [80]}
    model = models["closed"]
    table, found = scale.cross_validation(model, panel, tmp_path / "out", **how)
    expected = ostinato.cross_validation(good_rows(panel).filter(pl.col("unique_id") != "p-one"), model, **how)
    same = expected.table.with_columns(model=pl.col("model").replace("least squares", "ostinato"))
    assert table["model"][0] == "ostinato"
    assert_frame_equal(table.drop("seconds"), same.drop("seconds"), rel_tol=1e-9)
    assert found.failed == len(POISON)


def test_unsupported_verbs_of_a_direct_model_are_refused_before_writing(
    panel: Path, tmp_path: Path, models: dict[str, ostinato.DirectModel]
) -> None:
    model, out = models["closed"], tmp_path / "out"
    with pytest.raises(ConfigError, match="a direct model cannot score: it has quantiles of the steps ahead"):
        scale.score(model, panel, out)
    for ask in (scale.forecast, scale.cross_validation):
        with pytest.raises(ConfigError, match="horizon must be at most 4 for this model, got 5"):
            ask(model, panel, out, horizon=5)
    hours = good_rows(panel).with_columns(ds=pl.datetime(2020, 1, 1) + pl.duration(hours=pl.int_range(pl.len())))
    hours.write_parquet(tmp_path / "hours.parquet")
    with pytest.raises(ModelFileError, match="the data have steps of 1h, expected steps of 1d as in the training data"):
        scale.forecast(model, tmp_path / "hours.parquet", out)
    known = good_rows(panel).head(500).with_columns(rain=pl.col("y") * 2)
    wet = ostinato.fit(
        ostinato.read(known, future_covariates=["rain"]), model="direct", horizon=2, season=7, backbone=None
    ).model
    with pytest.raises(ConfigError, match="the model needs the covariates rain"):
        scale.forecast(wet, panel, out)
    assert not out.exists()


def test_the_command_line_forecasts_its_own_horizon(
    panel: Path, tmp_path: Path, models: dict[str, ostinato.DirectModel]
) -> None:
    ostinato.save_model(models["networks"], tmp_path / "direct.ost")
    out = tmp_path / "out"
    with pytest.raises(SystemExit) as ended:
        main(["forecast", str(tmp_path / "direct.ost"), str(panel), "--on", "here", "-o", str(out)])
    assert ended.value.code == 0
    assert results(out).group_by("unique_id").len()["len"].unique().to_list() == [4]
