"""Environment variables that hold nonsense, and a working directory that was removed: an error names them."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

import ostinato
from ostinato.cli.main import main
from ostinato.data.read import read
from ostinato.ops.variables import IMPLEMENTATION

SERIES = "ds,y\n" + "".join(f"2024-01-{i + 1:02},{i % 7}.5\n" for i in range(30))
FIT = "fit {folder}/s.csv --model gru --steps 2 --hidden 4 -o {folder}/new.ost"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("made")
    (made / "s.csv").write_text(SERIES)
    budget = ostinato.Budget(max_steps=2)
    ostinato.fit(read(made / "s.csv"), model="gru", hidden=4, budget=budget).model.save(made / "gru.ost")
    return made


@pytest.mark.parametrize(
    ("variable", "value", "command"),
    [
        *[("WORLD_SIZE", value, FIT) for value in ("banana", "-1", "1.5", "2")],
        *[(IMPLEMENTATION, value, "score {folder}/gru.ost {folder}/s.csv") for value in ("banana", "cuda")],
        (IMPLEMENTATION, "banana", FIT),
        (IMPLEMENTATION, "banana", "forecast {folder}/s.csv -n 2 --model ets"),
    ],
)
def test_an_error_names_the_variable(
    folder: Path,
    variable: str,
    value: str,
    command: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv(variable, value)
    with pytest.raises(SystemExit) as stopped:
        main(command.format(folder=folder).split())
    said = capsys.readouterr().err
    assert (stopped.value.code, "environment" in said, variable in said) == (2, True, True), said
    assert "cannot read the model" not in said
    assert not (folder / "new.ost").exists()


@pytest.mark.skipif(sys.platform != "linux", reason="needs a system that lets a working directory be removed")
def test_a_working_directory_that_is_gone_is_named(folder: Path, tmp_path: Path) -> None:
    gone = tmp_path / "gone"
    gone.mkdir()
    script = "import os, sys; os.rmdir(os.getcwd()); from ostinato.cli.main import main; main(sys.argv[1:])"
    words = ["forecast", str(folder / "s.csv"), "-n", "2", "-o", "f.csv"]
    done = subprocess.run([sys.executable, "-c", script, *words], cwd=gone, capture_output=True, text=True, check=False)
    assert (done.returncode, "working directory" in done.stderr) == (1, True), done.stderr
