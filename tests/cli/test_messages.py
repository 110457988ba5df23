"""What the messages of the whole package have in common: plurals, commands that can be copied, near names."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

import ostinato
from ostinato.choices import advice, nearest, nearest_file, unknown
from ostinato.cli.main import main
from ostinato.numbers import counted

HOME = Path(ostinato.__file__).parent
SOURCES = sorted(HOME.rglob("*.py"))
PAGES = sorted(p for folder in (HOME.parents[1] / "docs", HOME.parents[1]) for p in folder.glob("*.md"))
#: The nouns that are counted in messages, where a number may be 1.
NOUNS = (
    "cells|channels|characters|columns|components|events|files|lags|layers|parts|rows|samples|sequences|steps|streams|"
    "symbols|trials|units|values|windows|workers"
)
#: Functions that count by rules of their own: each has a test of its sentence.
PLURAL_ALWAYS = {"step.py", "threads.py", "truncation.py", "progress.py", "result.py", "describe.py"}


def texts(path: Path) -> Iterator[tuple[int, str]]:
    """Yield the line and the text of every string of a module; a value in it is written as {}."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.JoinedStr):
            yield node.lineno, "".join(v.value if isinstance(v, ast.Constant) else "{}" for v in node.values)  # type: ignore[misc]
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield node.lineno, node.value


def messages(pattern: str, but: set[str]) -> list[str]:
    """Return the strings of all modules in which a pattern is found, but for those of some files."""
    return [
        f"{path.relative_to(HOME)}:{line}: {text}"
        for path in SOURCES
        if path.name not in but
        for line, text in texts(path)
        if re.search(pattern, text)
    ]


def test_no_message_puts_a_plural_after_a_number_that_may_be_one() -> None:
    found = messages(rf"(?<!\S)\{{\}} ({NOUNS})\b(?! a second)", PLURAL_ALWAYS)
    assert found == [], "write counted(number, 'step')"


@pytest.mark.parametrize(
    ("number", "words", "said"),
    [
        (0, ("step",), "0 steps"),
        (1, ("step",), "1 step"),
        (1.0, ("step",), "1 step"),
        (1200, ("sequence",), "1,200 sequences"),
        (2, ("category",), "2 categories"),
        (2, ("day",), "2 days"),
        (2, ("process",), "2 processes"),
        (2, ("series", "series"), "2 series"),
        (2.5, ("event",), "2.5 events"),
    ],
)
def test_a_count_agrees_with_its_noun(number: float, words: tuple[str, ...], said: str) -> None:
    assert counted(number, *words) == said


def test_every_command_of_pip_in_a_message_can_be_pasted_into_any_shell() -> None:
    """Zsh takes ostinato[plot] without quotes for a pattern of files, and stops."""
    found = [
        f"{name}: {text}"
        for name, text in [
            *((f"{path.name}:{line}", text) for path in SOURCES for line, text in texts(path)),
            *((page.name, line) for page in PAGES for line in page.read_text().splitlines()),
        ]
        if re.search(r"pip install (?:-\S+ )*[^'\"`\s]*\[", text)
    ]
    assert found == []


@pytest.mark.parametrize(
    ("given", "near"),
    [("gur", "gru"), ("LSTM", "lstm"), ("seasonal", "seasonal_naive"), ("tehta", "theta"), ("xyz", None), ("", None)],
)
def test_the_nearest_name_is_found(given: str, near: str | None) -> None:
    assert nearest(given, ("gru", "lstm", "seasonal_naive", "theta")) == near


@pytest.mark.parametrize("given", ["--missing", "--period", "--epochs"])
def test_an_option_of_another_meaning_is_not_near(given: str) -> None:
    assert nearest(given, ("--emission", "--prior", "--each")) is None


def test_the_advice_names_the_nearest_and_all(tmp_path: Path) -> None:
    assert advice("gur", ("gru", "lstm")) == "did you mean 'gru'? Use one of gru, lstm"
    assert advice("xyz", ("gru", "lstm")) == "use one of gru, lstm"
    error = unknown("model", "gur", ("gru",))
    assert (error.what, error.fix) == ("unknown model 'gur'", "did you mean 'gru'? Use one of gru")
    (tmp_path / "sales.csv").touch()
    assert "sales.csv" in nearest_file(tmp_path / "slaes.csv")
    assert nearest_file(tmp_path / "absent" / "slaes.csv") == "check the path"
    assert nearest_file(tmp_path / "sales.ost") == "check the path"  # data are no model


def test_no_module_makes_the_error_about_an_unknown_name_by_itself() -> None:
    own = {"choices.py", "auth.py", "encoding.py", "read.py", "hardware.py", "store.py", "app.py"}
    found = messages(r"^unknown \w+ \{\}", own)
    assert found == [], "raise choices.unknown"


SUN = str(HOME / "datasets" / "sunspots.csv")


@pytest.mark.parametrize(
    ("words", "meant"),
    [
        (["forcast", SUN], "forecast"),
        (["forecast", SUN, "--horizn", "3"], "--horizon"),
        (["forecast", SUN, "--model", "tehta"], "theta"),
        (["forecast", SUN, "--target", "Y"], "y"),
        (["forecast", SUN, "--id-col", "unique"], "unique_id"),
        (["forecast", SUN, "--kind", "serie"], "series"),
        (["forecast", SUN, "--zone", "Europe/Berln"], "Europe/Berlin"),
        (["forecast", SUN.replace("sunspots", "sunpots")], SUN),
        (["fit", SUN, "--model", "gur"], "gru"),
        (["fit", SUN, "--model", "ar", "--precision", "bf61"], "bf16"),
        (["fit", SUN, "--model", "ar", "--support", "rael"], "real"),
        (["fit", SUN, "--model", "gru", "--emission", "norml"], "normal"),
        (["fit", SUN, "--alphabet", "byte"], "bytes"),
        (["backtest", SUN, "--model", "etss"], "ets"),
        (["score", SUN.replace("sunspots.csv", "sunspots.cvs"), SUN], SUN),
        (["demo", "serie"], "series"),
    ],
    ids=lambda value: " ".join(value[-2:]) if isinstance(value, list) else "",
)
def test_an_error_names_the_nearest(words: list[str], meant: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stop:
        main(words)
    assert stop.value.code == 2
    assert f"did you mean {meant!r}?" in capsys.readouterr().err
