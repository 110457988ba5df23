"""With --json, standard output of every command that has the option is one JSON document, also after an error."""

from __future__ import annotations

import json
import re
from dataclasses import fields
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from typer.main import get_command

import ostinato
from ostinato.cli.main import app, main

#: Words that succeed, by command; a command may stand here more than once. The files are those of ``home``.
SUCCESSES: tuple[tuple[str, ...], ...] = (
    ("fit", "data.csv", "--model", "ar", "-o", "new.ost"),
    ("fit", "data.csv", "--model", "ar", "-o", "new.ost", "--report", "new.html"),
    ("fit", "classes.csv", "--label", "label", "-o", "classes.ost", "--model", "ar", "--max-order", "2"),
    ("score", "data.ost", "data.csv"),
    ("score", "data.ost", "data.csv", "-o", "new.csv"),
    ("score", "words.ost", "words.txt"),
    ("score", "words.ost", "words.txt", "--by", "word"),
    ("score", "words.ost", "words.txt", "--by", "word", "-o", "new.csv"),
    ("forecast", "data.csv", "-n", "2", "--model", "naive"),
    ("forecast", "data.ost", "-n", "2", "-o", "new.csv", "--plot", "new.png"),
    ("backtest", "data.csv", "-n", "2", "--model", "ets"),
    ("backtest", "data.csv", "-n", "2", "--model", "ets", "-o", "new.csv"),
    ("cross-validation", "data.csv", "-n", "2", "--model", "ets"),
    ("diagnose", "data.ost", "data.csv", "--max-lag", "4", "--positions", "16", "-o", "new.json"),
    ("inspect", "data.csv"),
    ("inspect", "data.ost"),
    ("classify", "kept.ost", "classes.csv"),
    ("classify", "kept.ost", "classes.csv", "-o", "new.csv"),
    ("sample", "data.ost", "-n", "3"),
    ("sample", "data.ost", "-n", "3", "-o", "new.csv"),
    ("report", "data.ost", "data.csv", "-o", "new.html"),
    ("export", "data.ost", "--onnx", "new.onnx"),
    ("compress", "words.ost", "words.txt", "-o", "new.osz"),
    ("decompress", "words.ost", "words.osz", "-o", "new.txt"),
    ("doctor",),
    ("token", "one", "--tokens", "tokens.json"),
)
#: Words that the parser accepts and the command refuses, mostly for a file that is not there.
FAILURES: tuple[tuple[str, ...], ...] = (
    ("fit", "none.csv", "-o", "new.ost"),
    ("score", "none.ost", "data.csv"),
    ("forecast", "none.csv", "-n", "2"),
    ("backtest", "none.csv", "-n", "2"),
    ("cross-validation", "none.csv", "-n", "2"),
    ("diagnose", "none.ost", "data.csv"),
    ("inspect", "none.csv"),
    ("classify", "data.ost", "classes.csv"),
    ("sample", "none.ost"),
    ("report", "none.ost", "data.csv"),
    ("export", "none.ost", "--onnx", "new.onnx"),
    ("compress", "words.ost", "none.txt"),
    ("decompress", "words.ost", "words.txt"),
    ("decompress", "words.ost", "words.osz", "-o", "none/new.txt"),
    ("token", "one", "--tokens", "data.csv"),
)
#: Words that would write two things to standard output.
TWICE: tuple[tuple[str, ...], ...] = (
    ("fit", "data.csv", "--model", "ar", "-o", "-"),
    ("fit", "data.csv", "--model", "ar", "-o", "new.ost", "--report", "-"),
    ("score", "data.ost", "data.csv", "-o", "-"),
    ("forecast", "data.csv", "-n", "2", "-o", "-"),
    ("forecast", "data.csv", "-n", "2", "--plot", "-"),
    ("backtest", "data.csv", "-n", "2", "-o", "-"),
    ("diagnose", "data.ost", "data.csv", "-o", "-"),
    ("classify", "kept.ost", "classes.csv", "-o", "-"),
    ("sample", "data.ost", "-o", "-"),
    ("report", "data.ost", "data.csv", "-o", "-"),
    ("export", "data.ost", "--onnx", "-"),
    ("compress", "words.ost", "words.txt", "-o", "-"),
    ("decompress", "words.ost", "words.osz", "-o", "-"),
)


def _printed(words: tuple[str, ...], capsys: pytest.CaptureFixture[str]) -> tuple[int, Any]:
    """Return the exit code and the one document on standard output."""
    capsys.readouterr()
    with pytest.raises(SystemExit) as stop:
        main([*words, "--json"])
    text = capsys.readouterr().out  # two documents would be an error here, and so are NaN and Infinity
    return int(stop.value.code or 0), json.loads(text, parse_constant=lambda word: pytest.fail(f"a bare {word}"))


def _keys_on(page: str, words: tuple[str, ...]) -> set[str]:
    """Return the keys that a page of the docs promises for a command."""
    verb = {"cross-validation": "backtest"}.get(words[0], words[0])
    verb += "".join(f" {option}" for option in ("--label", "--by") if option in words)
    text = (Path(__file__).parents[2] / "docs" / page).read_text(encoding="utf-8")
    row = next(line for line in text.splitlines() if line.startswith(f"| `{verb}` |"))
    keys = set(re.findall(r"`(\w+)`", row.partition(" |")[2]))
    if verb == "score" and words[1] == "words.ost":
        keys |= {"nats_per_character", "bits_per_character"}
    if "Diagnosis" in keys:
        keys = keys - {"Diagnosis"} | {field.name for field in fields(ostinato.Diagnosis)}
    return keys


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a table, a text, classes, and a model of each."""
    folder = tmp_path_factory.mktemp("json")
    rng = np.random.default_rng(0)
    wave = 5 + np.sin(np.arange(240) / 4) + rng.normal(size=240)
    pl.DataFrame({"unique_id": ["s"] * 240, "ds": range(1, 241), "y": wave}).write_csv(folder / "data.csv")
    rows = [
        {"unique_id": f"{i}", "ds": t, "y": rng.normal() + 4 * (i % 2) * np.sin(t), "label": f"c{i % 2}"}
        for i in range(20)
        for t in range(30)
    ]
    pl.DataFrame(rows).write_csv(folder / "classes.csv")
    (folder / "words.txt").write_text("to be or not to be\n" * 40)
    for words in (
        ("fit", "data.csv", "--model", "ar", "-o", "data.ost"),
        ("fit", "words.txt", "--model", "counts", "-o", "words.ost"),
        ("fit", "classes.csv", "--label", "label", "--model", "ar", "--max-order", "2", "-o", "kept.ost"),
        ("compress", "words.ost", "words.txt", "-o", "words.osz"),
    ):
        with pytest.MonkeyPatch.context() as patch:
            patch.chdir(folder)
            with pytest.raises(SystemExit) as stop:
                main([*words])
        assert not stop.value.code, words
    return folder


@pytest.fixture
def home(files: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(files)
    return files


def test_the_tables_have_every_command_with_the_option() -> None:
    verbs: dict[str, Any] = get_command(app).commands  # type: ignore[attr-defined]
    having = {name for name, verb in verbs.items() if any("--json" in p.opts for p in verb.params)}
    assert {words[0] for words in SUCCESSES} == having
    assert {words[0] for words in FAILURES} == having - {"doctor"}  # which has nothing that could fail
    written = {"output", "plot", "report", "onnx"}
    writing = {name for name in having if any(p.name in written for p in verbs[name].params)}
    assert {words[0] for words in TWICE} == writing - {"cross-validation"}  # which is backtest


@pytest.mark.parametrize("words", SUCCESSES, ids=" ".join)
@pytest.mark.usefixtures("home")
def test_a_result_is_one_document(words: tuple[str, ...], capsys: pytest.CaptureFixture[str]) -> None:
    code, found = _printed(words, capsys)
    assert code == 0
    assert isinstance(found, dict)
    assert "error" not in found
    for page in ("options.md", "ko/options.md"):
        assert found.keys() == _keys_on(page, words), page


@pytest.mark.parametrize("words", FAILURES, ids=" ".join)
@pytest.mark.usefixtures("home")
def test_an_error_is_one_document(words: tuple[str, ...], capsys: pytest.CaptureFixture[str]) -> None:
    code, found = _printed(words, capsys)
    assert code == 2
    assert found.keys() == {"error", "where", "fix"}


@pytest.mark.parametrize("words", TWICE, ids=" ".join)
def test_a_result_beside_the_document_is_refused(
    words: tuple[str, ...], home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = {path: path.read_bytes() for path in home.iterdir()}
    code, found = _printed(words, capsys)
    assert code == 2
    assert "--json" in found["error"]
    assert {path: path.read_bytes() for path in home.iterdir()} == before
