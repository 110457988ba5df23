"""The lists of options and messages hold what the program has, and the comparison with other libraries what is run."""

from __future__ import annotations

import csv
from pathlib import Path

from coming_from.__main__ import CELLS, SIDES, TASKS, lines
from korean import SearchKorean
from reference import messages, options

DOCS = Path(__file__).resolve().parents[2] / "docs"


def test_every_command_and_option_is_listed_with_its_help() -> None:
    found = options()
    assert {"fit", "forecast", "score", "stream", "serve", "doctor"} <= set(found)
    assert all(option.names and option.help for verb in found.values() for option in verb)
    assert any(option.names == "--horizon, -n" or "--horizon" in option.names for option in found["forecast"])


def test_the_messages_of_the_source_are_listed() -> None:
    found = messages()
    assert len(found) > 300
    assert {"data", "cli", "serve", "layers"} <= {message.package for message in found}
    [unknown] = [m for m in found if m.what == "unknown backbone ‹name›"]
    assert unknown.error == "ConfigError"


def test_a_korean_word_is_found_without_its_particle() -> None:
    words = SearchKorean({}).split("예측을 LSTM으로")
    assert {"예측", "예측을"} <= set(words)
    assert "측을" not in words


def test_the_table_of_the_comparison_counts_the_lines_of_the_programs() -> None:
    with (DOCS / "coming-from.csv").open(encoding="utf-8") as file:
        table = {row[0]: row for row in csv.reader(file)}
    assert set(table) == {name for name, _ in TASKS.values()}
    for task, (name, unit) in TASKS.items():
        shown = [lines(CELLS / f"{task}_{side}.py") for side in SIDES]
        assert [int(number) for number in table[name][1].split(" / ")] == shown, name
        assert table[name][-1] == unit


def test_every_program_of_the_comparison_is_on_the_page() -> None:
    for page in (DOCS / "coming-from.md", DOCS / "ko" / "coming-from.md"):
        text = page.read_text(encoding="utf-8")
        assert all(f"/{path.name}" in text for path in CELLS.glob("*.py")), page
