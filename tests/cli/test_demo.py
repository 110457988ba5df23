"""The walks of ``ostinato demo``: every command of each runs, and nothing is wider than 80 columns."""

from __future__ import annotations

from pathlib import Path

import pytest

from ostinato.cli.demo_steps import WALKS, Step
from ostinato.cli.main import main
from ostinato.datasets.demos import DEMOS


@pytest.fixture(autouse=True)
def _narrow(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.chdir(tmp_path)


@pytest.mark.parametrize("kind", WALKS)
def test_a_walk_runs_and_fits_in_eighty_columns(kind: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stop:
        main(["demo", kind])
    out, err = capsys.readouterr()
    assert (stop.value.code, err) == (0, "")
    assert max(map(len, out.splitlines())) <= 80
    assert Path.cwd() == tmp_path
    for step in WALKS[kind]:
        assert f"$ ostinato {step.command}" in out
    assert {p.name for p in (tmp_path / f"demo-{kind}").iterdir()} >= set(DEMOS[kind]())


def test_every_kind_has_files_and_a_walk_and_the_files_are_the_same_each_time() -> None:
    assert DEMOS.keys() == WALKS.keys()
    assert all(make() == make() for make in DEMOS.values())


def test_a_step_that_fails_ends_the_walk_with_its_code(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(WALKS, "series", (Step("See.", "inspect absent.csv", "Never said."),))
    with pytest.raises(SystemExit) as stop:
        main(["demo", "series"])
    assert stop.value.code == 2
    out = capsys.readouterr().out
    assert "there is no such file" in out
    assert "Never said" not in out
