"""The help of every command fits a screen, and names every option."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest
import soundfile
from typer.main import get_command

import ostinato
from ostinato.cli.main import app, main
from ostinato.data.sequences import SequenceSet
from ostinato.fits.budget import Budget
from ostinato.training.config import defaults

VERBS = sorted(name for name, verb in get_command(app).commands.items() if not verb.hidden)  # type: ignore[attr-defined]


@pytest.fixture(autouse=True)
def _narrow(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")


def _printed(words: list[str], capsys: pytest.CaptureFixture[str]) -> str:
    with pytest.raises(SystemExit) as stop:
        main(words)
    assert not stop.value.code
    return capsys.readouterr().out


def _names(verb: str) -> set[str]:
    """Return the first name of every option of a command that is not hidden."""
    options = get_command(app).commands[verb].params  # type: ignore[attr-defined]
    return {o.opts[0] for o in options if o.param_type_name == "option" and not o.hidden}


@pytest.mark.parametrize("verb", VERBS)
def test_the_help_fits_sixty_lines_of_eighty_columns(verb: str, capsys: pytest.CaptureFixture[str]) -> None:
    lines = _printed([verb, "--help"], capsys).splitlines()
    assert len(lines) <= 60
    assert max(map(len, lines)) <= 80


@pytest.mark.parametrize("columns", [40, 51, 52, 60])
def test_the_help_is_as_narrow_as_the_terminal(
    columns: int, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", str(columns))
    for words in (["--help"], ["fit", "--help"], ["serve", "--help"], ["token", "--help"]):
        assert max(map(len, _printed(words, capsys).splitlines())) <= columns


@pytest.mark.parametrize("verb", VERBS)
def test_the_short_help_names_every_option_in_one_piece(verb: str, capsys: pytest.CaptureFixture[str]) -> None:
    words = re.split(r"[\s,]+", _printed([verb, "--help"], capsys))
    assert _names(verb) <= set(words)


@pytest.mark.parametrize("verb", VERBS)
def test_the_whole_help_explains_every_option(verb: str, capsys: pytest.CaptureFixture[str]) -> None:
    short = _printed([verb, "--help"], capsys)
    whole = _printed([verb, "--help-all"], capsys) if "--help-all" in short else short
    assert short.splitlines()[0] == whole.splitlines()[0]
    explained = re.findall(r"^  (?:-\w, )?(--[a-z-]+)", whole, re.MULTILINE)
    assert _names(verb) <= set(explained) | set(re.findall(r"^  (-\w), --", whole, re.MULTILINE))


def _sets_of_each_kind(folder: Path) -> list[SequenceSet]:
    """Return data of each kind: few and many numbers, one long text, and texts of a line each."""
    numbers = [ostinato.read(np.sin(np.arange(n)), kind="series") for n in (200, 20_000)]
    (folder / "long.txt").write_text("to be or not\n" * 200_000)
    texts = [ostinato.read(folder / "long.txt", per_line=per_line) for per_line in (False, True)]
    soundfile.write(folder / "rise.wav", np.arange(-500, 500, dtype=np.int16), 8000)
    return [*numbers, *texts, ostinato.read(folder / "rise.wav")]


@pytest.mark.parametrize("option", ["learning_rate", "hidden", "dropout"])
def test_the_help_of_fit_gives_the_range_of_the_defaults(option: str, tmp_path: Path) -> None:
    help_text = next(o.help for o in get_command(app).commands["fit"].params if o.name == option)  # type: ignore[attr-defined]
    stated = re.search(r"Default: ([\d.]+) to (\d[\d.]*\d|\d)", help_text)
    assert stated
    budgets = [Budget(seconds) for seconds in (1, 60, 600, 36_000)]
    found = [getattr(defaults(data, budget), option) for data in _sets_of_each_kind(tmp_path) for budget in budgets]
    assert [min(found), max(found)] == [float(number) for number in stated.groups()]
