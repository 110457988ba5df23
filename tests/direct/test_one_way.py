"""A direct model works with the same functions and commands as other models, and refuses what it does not support."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

import ostinato
from ostinato.cli.main import main
from ostinato.errors import ConfigError, ModelFileError
from ostinato.fits.budget import Budget

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Run:
    def call(*words: object) -> tuple[int, str, str]:
        with pytest.raises(SystemExit) as done:
            main([str(w) for w in words])
        out = capsys.readouterr()
        return int(done.value.code or 0), out.out, out.err

    return call


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A panel of hourly series with a week, and a direct model of it."""
    folder, rng, t = tmp_path_factory.mktemp("direct"), np.random.default_rng(0), np.arange(24 * 42)
    times = pl.datetime_range(pl.datetime(2024, 1, 1), pl.datetime(2025, 1, 1), "1h", eager=True)[: len(t)]
    # the weekend is another level, which no lag of a day or two foresees
    shape = 5 + np.sin(t / 24 * 2 * np.pi) + 2 * (t // 24 % 7 >= 5)
    frames = [
        pl.DataFrame({"unique_id": f"s{b}", "ds": times, "y": 10**b * (shape + noise)})
        for b, noise in enumerate(rng.standard_normal((3, len(t))) * 0.2)
    ]
    pl.concat(frames).write_csv(folder / "panel.csv")
    data = ostinato.read(folder / "panel.csv")
    ostinato.save_model(ostinato.fit(data, model="direct", horizon=12, networks=0).model, folder / "m.ost")
    return folder


def test_fit_forecast_inspect_and_report(home: Path, run: Run, tmp_path: Path) -> None:
    small = ("--networks", 1, "--steps", 5, "--hidden", 4)
    code, out, _ = run("fit", home / "panel.csv", "--model", "direct", "-n", 12, *small, "-o", tmp_path / "m.ost")
    assert code == 0
    assert "seasonal naive" in out
    assert " is used" in out
    code, out, _ = run("forecast", tmp_path / "m.ost", "-n", 6, "-o", tmp_path / "f.csv", "--plot", tmp_path / "f.png")
    assert code == 0
    assert len(pl.read_csv(tmp_path / "f.csv")) == 18
    assert (tmp_path / "f.png").stat().st_size > 10_000
    code, out, _ = run("forecast", tmp_path / "m.ost")
    assert out.count("\n") == 1 + 3 * 12
    code, out, _ = run("inspect", tmp_path / "m.ost")
    assert code == 0
    assert out.startswith("a direct model of series: quantiles of 12 steps ahead at once")
    code, _, _ = run("report", tmp_path / "m.ost", "-o", tmp_path / "r.html")
    assert code == 0
    page = (tmp_path / "r.html").read_text()
    assert "quantile loss on the held-out part" in page
    assert "Forecast and observed values" in page
    assert "nats" not in page


def test_auto_with_a_horizon_is_direct_and_says_so(home: Path, run: Run, tmp_path: Path) -> None:
    code, _, err = run("fit", home / "panel.csv", "-n", 12, "--networks", 0, "-o", tmp_path / "m.ost")
    assert code == 0
    assert "note: model auto fits a direct model" in err
    assert isinstance(ostinato.load_model(tmp_path / "m.ost"), ostinato.DirectModel)


@pytest.mark.parametrize("verb", ["score", "sample", "stream", "diagnose"])
def test_verbs_that_need_a_likelihood_are_refused(home: Path, run: Run, verb: str) -> None:
    data = () if verb in ("sample", "stream") else (home / "panel.csv",)
    code, _, err = run(verb, home / "m.ost", *data)
    assert code == 2
    assert "a direct model cannot" in err
    assert "fix: use forecast" in err


def test_data_with_other_channels_are_refused(home: Path) -> None:
    model = ostinato.load_model(home / "m.ost")
    with pytest.raises(ModelFileError, match=r"the data have 2 channels \(.*\), expected 1"):
        ostinato.forecast(model, np.ones((50, 2)) + np.arange(50)[:, None])


def test_a_horizon_too_far_is_refused(home: Path, run: Run) -> None:
    code, _, err = run("forecast", home / "m.ost", "-n", 13)
    assert code == 2
    assert "horizon must be at most 12 for this model, got 13" in err


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"model": "direct"}, "a direct model needs a horizon"),
        ({"model": "gru", "horizon": 3}, "a fit of gru takes no horizon, got 3"),
        ({"model": "direct", "horizon": 3, "depth": 2}, "no option 'depth'"),
        ({"model": "direct", "horizon": 3, "held_out": "s*"}, "must be a share or a number of steps, got 's\\*'"),
        ({"model": "direct", "horizon": 3, "checkpoint": "x"}, "a direct fit does not use checkpoint"),
    ],
)
def test_options_that_do_not_belong(home: Path, options: dict[str, object], words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        ostinato.fit(home / "panel.csv", **options)  # type: ignore[arg-type]


def test_a_backtest_compares_it_with_the_baselines_on_the_same_windows(home: Path, run: Run) -> None:
    model = ostinato.load_model(home / "m.ost")
    data = ostinato.read(home / "panel.csv")
    result = ostinato.cross_validation(
        data, ["direct", model], horizon=12, n_windows=2, networks=0, budget=Budget(None, 2)
    )
    assert result.table["model"].to_list()[:3] == ["direct", "ostinato", "naive"]
    assert np.isfinite(result.table["wql"].to_numpy()).all()
    assert np.isnan(result.table["log_prob"][0])
    assert any(note.startswith("direct: ") for note in result.notes)
    code, out, _ = run("backtest", home / "panel.csv", "--model", "direct", "-n", 12, "--steps", 2)
    assert code == 0
    assert "direct" in out
    assert "naive2" in out


def test_auto_in_a_backtest_compares_it(home: Path) -> None:
    """Least squares over all series, or methods with several seasons, can learn the week of these data."""
    data = ostinato.read(home / "panel.csv")
    options: dict[str, Any] = {"budget": Budget(None, 2), "networks": 0, "hidden": 4, "n_paths": 20}
    result = ostinato.cross_validation(data, horizon=12, **options)
    found = [
        note
        for note in result.notes
        if note.startswith(("auto: direct (least squares) is used", "auto: local is used"))
    ]
    assert len(found) == 1
    assert "direct (least squares)" in found[0]
