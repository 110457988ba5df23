"""On a terminal no command is silent for long, and --quiet leaves results and errors alone."""

from __future__ import annotations

import io
import json
import shutil
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from typer.main import get_command

from ostinato.cli import demo, screen, standard
from ostinato.cli.demo_steps import Step
from ostinato.cli.main import app, main


class _Terminal(io.StringIO):
    """Text that is written to a terminal."""

    def isatty(self) -> bool:
        return True


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("screen")
    wave = 5 + np.sin(np.arange(240) / 4) + np.random.default_rng(0).normal(size=240)
    pl.DataFrame({"unique_id": ["s"] * 240, "ds": range(1, 241), "y": wave}).write_csv(folder / "slow.csv")
    with pytest.raises(SystemExit) as stop:
        main(["fit", f"{folder / 'slow.csv'}", "--model", "ar", "-o", f"{folder / 'slow.ost'}", "--quiet"])
    assert not stop.value.code
    return folder


@pytest.fixture(autouse=True)
def _loud() -> Any:
    yield
    screen.quiet(False)


def _slowed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let every reader of data take longer than the sign waits for."""
    monkeypatch.setattr(screen, "SILENCE", 0.02)
    monkeypatch.setattr(screen, "FRAME", 0.01)
    import ostinato.data.read
    import ostinato.forecasting.inputs
    import ostinato.model_file

    def slow(function: Any) -> Any:
        def after(*given: Any, **named: Any) -> Any:
            time.sleep(0.2)
            return function(*given, **named)

        return after

    monkeypatch.setattr(ostinato.data.read, "read", slow(ostinato.data.read.read))
    monkeypatch.setattr(ostinato.forecasting.inputs, "as_sequences", slow(ostinato.forecasting.inputs.as_sequences))
    monkeypatch.setattr(ostinato.model_file, "load_model", slow(ostinato.model_file.load_model))


#: What each verb does on a slow file, and what it says meanwhile.
SIGNS = {
    "fit slow.csv --model ar -o again.ost": "reading slow.csv",
    "forecast slow.csv --horizon 2 --model naive": "reading slow.csv",
    "forecast slow.ost slow.csv --horizon 2": "reading slow.csv",
    "backtest slow.csv --model ets --horizon 2": "reading slow.csv",
    "score slow.ost slow.csv": "reading slow.csv",
    "diagnose slow.ost slow.csv --max-lag 4 --positions 16": "reading slow.csv",
    "report slow.ost slow.csv -o slow.html": "reading slow.csv",
    "inspect slow.csv": "reading slow.csv",
    "classify class.ost class.csv": "reading class.csv",
    "sample text.ost --n-samples 1 --length 4": "reading text.ost",
    "stream slow.ost": "reading slow.ost",
    "serve slow.ost": "reading slow.ost",
    "compress text.ost text.txt -o text.osz": "compressing 1 file",
    "decompress text.ost small.osz -o text.back": "decompressing small.osz",
    "export slow.ost --onnx slow.onnx": "exporting slow.ost",
    "demo series": "reading sales.csv",
}
#: Verbs whose whole work takes no second.
AT_ONCE = {"doctor", "token"}
EXTRAS = {"export": "onnxruntime", "serve": "starlette"}


def test_every_verb_is_walked() -> None:
    verbs = {name for name, verb in get_command(app).commands.items() if not verb.hidden}  # type: ignore[attr-defined]
    assert {words.split()[0] for words in SIGNS} == verbs - AT_ONCE


@pytest.fixture(scope="module")
def others(home: Path) -> Path:
    """The folder with a model of text, a compressed file and a classifier too."""
    (home / "text.txt").write_text("to be or not to be\n" * 12)
    rows = ["unique_id,ds,y,kind"]
    rows += [f"s{i:02},{t},{(t * (3 + 4 * (i % 2)) + i) % 11}.5,{'ab'[i % 2]}" for i in range(8) for t in range(12)]
    (home / "class.csv").write_text("\n".join(rows) + "\n")
    made = [
        ["fit", f"{home / 'text.txt'}", "--model", "counts", "-o", f"{home / 'text.ost'}", "-q"],
        ["fit", f"{home / 'class.csv'}", "--label", "kind", "--model", "ar", "-o", f"{home / 'class.ost'}", "-q"],
    ]
    made.append(["compress", *(f"{home / name}" for name in ("text.ost", "text.txt")), "-o", f"{home / 'small.osz'}"])
    for words in made:
        with pytest.raises(SystemExit) as stop:
            main(words)
        assert not stop.value.code
    return home


@pytest.mark.parametrize("words", SIGNS)
def test_a_command_that_waits_says_what_it_does(
    words: str, others: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    verb = words.split(maxsplit=1)[0]
    if verb in EXTRAS:
        pytest.importorskip(EXTRAS[verb])
    monkeypatch.chdir(others)
    _slowed(monkeypatch)
    if verb == "serve":
        import ostinato.serve.run

        monkeypatch.setattr(ostinato.serve.run, "serve", lambda *given: None)
    monkeypatch.setattr(demo, "WALKS", {"series": (Step("Look.", "inspect sales.csv", "It is a series."),)})
    terminal = _Terminal()
    with capsys.disabled(), monkeypatch.context() as patch, (others / "lines.txt").open("w+") as lines:
        lines.write("5\n")
        lines.seek(0)
        patch.setattr(sys, "stdin", lines)
        patch.setattr(sys, "stderr", terminal)
        patch.setattr(sys, "stdout", io.StringIO())
        with pytest.raises(SystemExit) as stop:
            main(words.split())
    assert not stop.value.code, terminal.getvalue()
    assert f"{SIGNS[words]}, " in terminal.getvalue()
    assert terminal.getvalue().endswith(("\r\033[K", "\n"))


@contextmanager
def _impatient(terminal: _Terminal) -> Iterator[pytest.MonkeyPatch]:
    """Let the sign appear on a terminal at once, and move quickly."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(screen, "SILENCE", 0.0)
        patch.setattr(screen, "FRAME", 0.005)
        patch.setattr(sys, "stderr", terminal)
        yield patch


def test_the_sign_disappears_before_a_result() -> None:
    terminal = _Terminal()
    with _impatient(terminal) as patch:
        patch.setattr(sys, "stdout", terminal)
        with screen.sign("adding"):
            while "adding" not in terminal.getvalue():
                time.sleep(0.005)
            print("result")
    before = terminal.getvalue().split("result")[0]
    assert before.endswith("\r\033[K")
    assert sys.stderr is not terminal


def test_the_sign_disappears_while_a_command_waits_for_a_person() -> None:
    terminal = _Terminal()
    with _impatient(terminal), screen.sign("starting"):
        while "starting" not in terminal.getvalue():
            time.sleep(0.005)
        screen.doing("")
        while not terminal.getvalue().endswith("\r\033[K"):
            time.sleep(0.005)


def test_the_sign_names_a_pipe_and_not_the_file_that_keeps_it(
    home: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    _slowed(monkeypatch)
    terminal = _Terminal()
    with capsys.disabled(), monkeypatch.context() as patch, (home / "slow.csv").open() as rows:
        patch.setattr(standard, "_passes", lambda one: str(one) == "-")
        patch.setattr(standard, "_as_given", lambda one, folder: str(shutil.copy(home / "slow.csv", folder / "stdin")))
        patch.setattr(sys, "stdin", rows)
        patch.setattr(sys, "stderr", terminal)
        patch.setattr(sys, "stdout", io.StringIO())
        with pytest.raises(SystemExit) as stop:
            main(["inspect", "-"])
    assert not stop.value.code
    assert "reading standard input, " in terminal.getvalue()
    assert "ostinato-pipe" not in terminal.getvalue()


def test_a_command_without_a_terminal_draws_nothing(
    home: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    _slowed(monkeypatch)
    with pytest.raises(SystemExit):
        main(["inspect", f"{home / 'slow.csv'}"])
    assert capsys.readouterr().err == ""


def test_quiet_prints_no_notes(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["score", f"{home / 'slow.ost'}", f"{home / 'slow.csv'}", "--quiet"])
    assert "nats a step" in capsys.readouterr().out
    screen.quiet(False)
    with pytest.raises(SystemExit):
        main(["forecast", f"{home / 'slow.csv'}", "--horizon", "2", "-q"])
    assert capsys.readouterr().err == ""
    with pytest.raises(SystemExit):
        main(["forecast", f"{home / 'slow.csv'}", "--horizon", "2"])
    assert "note: " in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "names"),
    [
        (["fit", "slow.csv", "--model", "ar", "-o", "json.ost"], {"model", "kept", "verdict", "table", "notes"}),
        (["forecast", "slow.csv", "-n", "2", "--model", "naive"], {"horizon", "level", "notes", "forecast"}),
        (["backtest", "slow.csv", "-n", "2", "--model", "ets"], {"table", "season", "notes", "verdict"}),
        (["score", "slow.ost", "slow.csv"], {"nats_per_step", "bits_per_step", "log_prob", "steps", "sequences"}),
        (["diagnose", "slow.ost", "slow.csv", "--max-lag", "4", "--positions", "16"], {"score", "lags", "verdict"}),
        (["inspect", "slow.csv"], {"facts"}),
        (["sample", "slow.ost", "-n", "3"], {"kind", "output", "samples"}),
        (["report", "slow.ost", "slow.csv", "-o", "json.html"], {"report"}),
        (["export", "slow.ost", "--onnx", "json.onnx"], {"onnx", "states", "steps", "worst", "notes"}),
        (["doctor"], {"ostinato", "torch", "engine", "devices", "threads", "variables", "cells"}),
        (["token", "one", "--tokens", "json-tokens"], {"name", "token", "tokens"}),
    ],
    ids=lambda value: value[0] if isinstance(value, list) else "",
)
def test_json_is_all_that_a_program_reads(
    words: list[str],
    names: set[str],
    home: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(home)
    with pytest.raises(SystemExit) as stop:
        main([*words, "--json"])
    assert not stop.value.code
    assert names <= set(json.loads(capsys.readouterr().out))


@pytest.mark.parametrize(
    "words",
    [
        ["score", "none.ost", "slow.csv"],
        ["forecast", "none.csv", "-n", "2"],
        ["forecast", "slow.csv", "--horizon", "x"],
        ["fit", "slow.csv", "--model", "banana"],
        ["doctor", "--banana"],
        ["banana"],
    ],
    ids=" ".join,
)
def test_a_program_reads_an_error_as_json_too(
    words: list[str], home: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(home)
    with pytest.raises(SystemExit) as stop:
        main([*words, "--json"])
    assert stop.value.code == 2
    told = capsys.readouterr()
    found = json.loads(told.out)
    assert found.keys() == {"error", "where", "fix"}
    assert told.err.startswith(f"error: {found['error']}")
