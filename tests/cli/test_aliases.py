"""Old names of options, keywords and commands give the same bytes as the new names."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

import ostinato
from ostinato.cli.main import main, spread
from ostinato.renamed import renamed


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with one short series and an autoregression of it."""
    folder = tmp_path_factory.mktemp("aliases")
    t = np.arange(120)
    y = 20 + 5 * np.sin(t / 4) + np.random.default_rng(0).standard_normal(120)
    frame = pl.DataFrame({"unique_id": ["s"] * 120, "ds": t, "y": y, "a": t % 7, "b": t % 5, "c": ["x"] * 120})
    frame.write_csv(folder / "covariates.csv")
    frame.select("unique_id", "ds", "y").write_csv(folder / "s.csv")
    ostinato.save_model(ostinato.fit(str(folder / "s.csv"), model="ar").model, folder / "s.ost")
    return folder


def printed(words: str, home: Path, capsys: pytest.CaptureFixture[str]) -> str:
    with pytest.raises(SystemExit) as stop:
        main(words.format(home=home).split())
    out, err = capsys.readouterr()
    assert not stop.value.code, err
    return out


@pytest.mark.parametrize(
    ("command", "old", "new"),
    [
        ("sample {home}/s.ost -n 5", "--count 3", "--n-samples 3"),
        ("forecast {home}/s.ost -n 3", "--paths 20", "--n-paths 20"),
    ],
)
def test_old_option_gives_the_same_bytes(
    command: str, old: str, new: str, home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    first = printed(f"{command} {old}", home, capsys)
    assert first
    assert first == printed(f"{command} {new}", home, capsys)


@pytest.mark.parametrize("old", ["backtest --windows 2 --step 3 --paths 20 --season 4 --steps 2"])
def test_old_backtest_gives_the_same_forecasts(old: str, home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    new = "cross-validation --n-windows 2 --step-size 3 --n-paths 20 --season-length 4 --max-steps 2"
    frames = []
    for i, words in enumerate((old, new)):
        verb, *options = words.split()
        place = home / f"cv{i}.csv"
        printed(f"{verb} {{home}}/s.csv --model ar -n 3 {' '.join(options)} -o {place}", home, capsys)
        frames.append(place.read_bytes())
    assert frames[0] == frames[1]


@pytest.mark.parametrize(
    ("old", "new"),
    [("--known", "--future-covariates"), ("--past", "--past-covariates"), ("--static", "--static-covariates")],
)
def test_lists_spread_after_both_spellings(old: str, new: str) -> None:
    assert spread([old, "a", "b", "-n", "3"]) == [old, "a", old, "b", "-n", "3"]
    assert spread([new, "a", "b", "-n", "3"]) == [new, "a", new, "b", "-n", "3"]


@pytest.mark.parametrize(
    ("old", "new"),
    [("--steps 2", "--max-steps 2"), ("--window 9", "--truncation-window 9"), ("--window 9", "--lookback 9")],
)
def test_old_option_of_fit_fits_the_same_model(
    old: str, new: str, home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    more = "" if "steps" in old else " --max-steps 2"
    forecasts = []
    for i, words in enumerate((old, new)):
        path = home / f"fit{i}.ost"
        printed(f"fit {{home}}/s.csv --model rnn --hidden 4 {words}{more} -o {path}", home, capsys)
        forecasts.append(printed(f"forecast {path} {{home}}/s.csv -n 3 --n-paths 20", home, capsys))
    assert forecasts[0] == forecasts[1]


@pytest.mark.parametrize(("old", "column"), [("known", "a"), ("past", "b"), ("static", "c")])
def test_old_keyword_of_read(old: str, column: str, home: Path) -> None:
    new = {"known": "future", "past": "past", "static": "static"}[old] + "_covariates"
    path = str(home / "covariates.csv")
    by_old: dict[str, Any] = {old: [column]}
    by_new: dict[str, Any] = {new: [column]}
    one = ostinato.read(path, target="y", **by_old)
    other = ostinato.read(path, target="y", **by_new)
    assert one.meta == other.meta
    assert one.covariates is not None
    with pytest.raises(TypeError, match="old name"):
        ostinato.read(path, target="y", **by_old, **by_new)


def test_old_keyword_of_sample(home: Path) -> None:
    model = ostinato.load_model(home / "s.ost")
    by_old: dict[str, Any] = {"n": 2}
    np.testing.assert_array_equal(ostinato.sample(model, 4, **by_old), ostinato.sample(model, 4, n_samples=2))


def test_renamed_keeps_the_signature() -> None:
    @renamed(old="new")
    def twice(new: int) -> int:
        return 2 * new

    assert twice(3) == twice(**{"old": 3}) == 6
    with pytest.raises(TypeError, match="both 'new' and its old name 'old'"):
        twice(**{"old": 1, "new": 2})
