"""A bad input gives only an exit code and a message with the problem, its place, and what to do."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from bad_inputs import Bad, fit_models, run
from bad_rows import ROWS


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return fit_models(tmp_path_factory.mktemp("models"))


def test_no_row_is_there_twice() -> None:
    assert len({bad.name for bad in ROWS}) == len(ROWS) >= 100


@pytest.mark.parametrize("bad", ROWS, ids=lambda bad: bad.name)
def test_bad_input(bad: Bad, tmp_path: Path, models: Path) -> None:
    outcome = run(bad, tmp_path, models)
    assert outcome.code == bad.code, outcome.err
    for words in bad.says:
        assert words in outcome.err
    assert "fix: " in outcome.err
    if "--json" in bad.command.split():  # the error is a document too, besides its text
        assert json.loads(outcome.out)["error"] in outcome.err
    else:
        assert outcome.out == ""
    assert outcome.after == outcome.before, "an earlier file is as it was, and none is left over"
