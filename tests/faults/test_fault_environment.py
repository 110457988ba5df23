"""Variables with nonsense, a removed working directory, odd things in place of a checkpoint: an error names them."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

import ostinato
from ostinato.cli.main import main
from ostinato.data.read import read
from ostinato.errors import OstinatoError
from ostinato.ops.variables import GPU_KERNELS, IMPLEMENTATION, INSTRUCTION_SET

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


@pytest.mark.parametrize(("variable", "values"), [(GPU_KERNELS, "0 or 1"), (INSTRUCTION_SET, "baseline")])
def test_what_chooses_the_code_is_checked_on_every_machine(variable: str, values: str) -> None:
    script = "import sys; from ostinato.cli.main import main; main(['doctor'])"
    environment = {**os.environ, variable: "banana"}
    done = subprocess.run([sys.executable, "-c", script], env=environment, capture_output=True, text=True, check=False)
    assert (done.returncode, "Traceback" in done.stderr) == (2, False), done.stderr
    assert all(word in done.stderr for word in ("banana", variable, values)), done.stderr


@pytest.mark.skipif(sys.platform != "linux", reason="needs a system that lets a working directory be removed")
@pytest.mark.parametrize(
    "command", ["doctor", "forecast {folder}/s.csv -n 2 -o f.csv", "score {folder}/gru.ost {folder}/s.csv"]
)
def test_a_working_directory_that_is_gone_is_named(folder: Path, tmp_path: Path, command: str) -> None:
    gone = tmp_path / "gone"
    gone.mkdir()
    script = "import os, sys; os.rmdir(os.getcwd()); from ostinato.cli.main import main; main(sys.argv[1:])"
    words = command.format(folder=folder).split()
    done = subprocess.run([sys.executable, "-c", script, *words], cwd=gone, capture_output=True, text=True, check=False)
    assert (done.returncode, "working directory" in done.stderr) == (1, True), done.stderr
    assert "oneMKL" not in done.stdout + done.stderr


def _a_folder(path: Path) -> Path:
    path.unlink()
    path.mkdir()
    return path


def _a_file(path: Path) -> None:
    shutil.rmtree(path)
    path.touch()


def _a_link(path: Path) -> None:
    shutil.rmtree(path)
    path.symlink_to(path.parent / "nowhere")


@pytest.mark.parametrize(
    ("change", "word"),
    [
        (lambda at: (at / "run").write_bytes(b"\xff\xfe\x00"), "belongs to a fit of other data"),
        (lambda at: (at / "run").write_bytes(b""), "belongs to a fit of other data"),
        (lambda at: _a_folder(at / "run"), "cannot use the folder of the checkpoint"),
        (lambda at: (at / "gru.ost").write_bytes(b"hello"), "cut short or altered"),
        (lambda at: _a_folder(at / "gru.ost"), "cannot read the model file"),
        (_a_file, "cannot use the folder of the checkpoint"),
        (
            _a_link,
            "cannot use the folder of the checkpoint",
        ),
    ],
)
def test_what_stands_in_the_place_of_a_checkpoint_is_named(
    folder: Path, tmp_path: Path, change: Callable[[Path], object], word: str
) -> None:
    data, at, budget = read(folder / "s.csv"), tmp_path / "checkpoint", ostinato.Budget(max_steps=2)
    ostinato.fit(data, model="gru", hidden=4, budget=budget, checkpoint=at)
    change(at)
    with pytest.raises(OstinatoError, match=word) as refused:
        ostinato.fit(data, model="gru", hidden=4, budget=budget, checkpoint=at)
    assert str(at) in str(refused.value.where)
