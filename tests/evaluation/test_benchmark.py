"""The forecast benchmark scores as a backtest does, loads its saved forecasts unchanged, and computes right numbers."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from forecast import cases, ett, files, peers, prices, scores

from ostinato.data.read import read
from ostinato.emissions.quantiles import LEVELS
from ostinato.evaluation.backtest import cross_validation
from ostinato.evaluation.summary import probabilities


def panel() -> cases.Case:
    rng = np.random.default_rng(0)
    series = {
        key: 50 + 10 * np.sin(np.arange(n) * np.pi / 6) + rng.standard_normal(n).cumsum()
        for key, n in (("a", 90), ("b", 70))
    }
    return cases.Case("hourly", 6, 12, (12,), series, (18, 12, 6), "h")


def test_all_forecasters_of_the_benchmark_use_the_same_levels() -> None:
    np.testing.assert_allclose(peers.LEVELS, LEVELS)
    np.testing.assert_allclose(probabilities(scores.INTERVALS), LEVELS)


def test_scores_are_those_of_a_backtest() -> None:
    case = panel()
    table = scores.table(case, {name: scores.naive(case, name) for name in scores.NAIVE})
    expected = cross_validation(read(case.series), (), horizon=6, n_windows=3, season=12).table
    for row in table.iter_rows(named=True):
        other = expected.filter(model=row["model"]).row(0, named=True)
        for measure in ("owa", "wql", "mase", "smape", "msis", "coverage-95"):
            assert row[measure] == pytest.approx(other[measure], rel=1e-9), (row["model"], measure)
        assert len(row["owa of a window"]) == 3


def test_saved_forecasts_are_loaded_unchanged(tmp_path: Path) -> None:
    case = panel()
    said = scores.naive(case, "naive")
    files.write(case, tmp_path)
    assert files.kept(case, "naive", tmp_path) is None
    files.keep(case, "naive", said, tmp_path)
    again = files.kept(case, "naive", tmp_path)
    assert again is not None
    np.testing.assert_array_equal(again.point, said.point)
    np.testing.assert_array_equal(again.quantiles, said.quantiles)


def test_a_peer_sees_only_the_values_before_a_cutoff(tmp_path: Path) -> None:
    case = panel()
    files.write(case, tmp_path)
    task = peers.Task(tmp_path, case.name)
    for back in case.backs:
        given = task.before(back)
        for key, y in case.before(back).items():
            np.testing.assert_array_equal(given.loc[given["unique_id"] == key, "y"], y)
        assert len(task.ahead(back)) == 2 * case.horizon


def test_least_squares_recovers_linear_relations() -> None:
    y = np.sin(np.arange(ett.JUDGE) / 9) + 3
    assert ett.least_squares(y, 24, intercept=True) < 1e-10


def test_the_standard_error_of_noise() -> None:
    x = np.random.default_rng(0).standard_normal(20_000)
    assert prices.standard_error(x) == pytest.approx(1 / np.sqrt(20_000), rel=0.1)
    # every value twice: half as many that are independent
    assert prices.standard_error(np.repeat(x, 2)) == pytest.approx(1 / np.sqrt(20_000), rel=0.1)
