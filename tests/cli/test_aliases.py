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
    [("--steps 2", "--max-steps 2"), ("--window 9", "--truncation-window 9")],
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


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("--window 12", "--lookback 12"),
        ("--season-length 6", "--season 6"),
        ("--known a --past b --static c", "--future-covariates a --past-covariates b --static-covariates c"),
    ],
)
def test_old_option_of_a_direct_fit_fits_the_same_model(
    old: str, new: str, home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    forecasts = []
    t = np.arange(120, 124)
    future = home / "future.csv"
    pl.DataFrame({"unique_id": ["s"] * 4, "ds": t, "a": t % 7}).write_csv(future)
    more = f"--future {future}" if "known" in old else ""
    source = "covariates.csv" if more else "s.csv"
    for i, words in enumerate((old, new)):
        path = home / f"direct{i}.ost"
        printed(f"fit {{home}}/{source} --target-col y --horizon 4 --networks 0 {words} -o {path}", home, capsys)
        forecasts.append(printed(f"forecast {path} {{home}}/{source} {more}", home, capsys))
    assert forecasts[0] == forecasts[1]


def test_target_col_is_target(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    frames = []
    for i, option in enumerate(("--target", "--target-col")):
        path = home / f"target{i}.csv"
        printed(f"backtest {{home}}/covariates.csv --model ar -n 3 {option} y -o {path}", home, capsys)
        frames.append(path.read_bytes())
    assert frames[0] == frames[1]


def test_second_keywords_of_backtest(home: Path) -> None:
    path = str(home / "covariates.csv")
    first = ostinato.backtest(path, (), horizon=3, target="y", season=4)
    second = ostinato.backtest(path, (), horizon=3, target_col="y", season_length=4)
    assert first.season == second.season == 4
    assert first.frame.equals(second.frame)


def test_second_keywords_of_a_direct_fit(home: Path) -> None:
    data = ostinato.read(home / "s.csv")
    first = ostinato.fit(data, horizon=3, networks=0, season=4, lookback=8)
    second = ostinato.fit(data, horizon=3, networks=0, season_length=4, window=8)
    assert ostinato.forecast(first.model, data).frame.equals(ostinato.forecast(second.model, data).frame)


def test_steps_is_max_steps_of_a_budget() -> None:
    assert ostinato.Budget(None, 5) == ostinato.Budget(None, max_steps=5) == ostinato.Budget(None, steps=5)
    assert ostinato.Budget(max_steps=5).max_steps == ostinato.Budget(max_steps=5).steps == 5
    with pytest.raises(TypeError, match="old name"):
        ostinato.Budget(max_steps=5, steps=5)


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
