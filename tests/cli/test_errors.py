"""A failed command writes nothing new, keeps every earlier file, and returns the right exit code."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest
from bad_inputs import fit_models

from ostinato.cli.checkpoint import checkpoint
from ostinato.cli.main import main
from ostinato.errors import ConfigError, LostError, WriteError
from ostinato.storage import atomic_write
from warm import programs


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return fit_models(tmp_path_factory.mktemp("models"))


def attempt(model: Path, error: type[BaseException], *, resume: bool = False, begun: bool = True) -> None:
    """Start a fit that an error stops, before or after it has begun to write."""
    with checkpoint(model, resume=resume) as spot:
        if begun:
            (spot / "ar.ost").touch()
        raise error("stopped")


@pytest.mark.parametrize(
    ("arguments", "code", "says"),
    [
        (("fit", "absent.csv"), 2, b"there is no such file"),
        (("inspect", "series.csv", "--target", "z"), 2, b"there is no column 'z'"),
        (("score", "series.csv", "series.ost"), 2, b"not an ostinato model file"),
        (("fit", "series.csv", "--hiden", "3"), 2, b"unknown option"),
        (("--version",), 0, b""),
        ((), 2, b""),
    ],
)
def test_a_process(models: Path, arguments: tuple[str, ...], code: int, says: bytes) -> None:
    there = [str(models / a) if "." in a else a for a in arguments]
    done = subprocess.run([programs() / "ostinato", *there], stdin=subprocess.DEVNULL, capture_output=True, check=False)
    assert (done.returncode, b"Traceback" in done.stderr) == (code, False)
    assert says in done.stderr


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
def test_no_space_on_standard_output(models: Path) -> None:
    words = [sys.executable, "-m", "ostinato", "forecast", str(models / "series.ost"), str(models / "series.csv")]
    with Path("/dev/full").open("wb") as full:
        done = subprocess.run(words, stdin=subprocess.DEVNULL, stdout=full, stderr=subprocess.PIPE, check=False)
    assert done.returncode == 1
    assert b"No space left on device" in done.stderr
    assert b"where: standard output" in done.stderr
    assert b"Exception" not in done.stderr


def test_a_stream_answers_the_lines_before_a_bad_one(models: Path) -> None:
    words = [str(programs() / "ostinato"), "stream", str(models / "series.ost")]
    done = subprocess.run(words, input=b"1\n2\nthree\n4\n", capture_output=True, check=False)
    assert done.returncode == 2
    assert [line.split(b",")[0] for line in done.stdout.splitlines()] == [b"value", b"1", b"2"]
    assert b"line 3 of standard input: 'three'" in done.stderr


class TestCheckpoint:
    """The folder of a run."""

    def test_it_is_removed_after_a_successful_fit(self, tmp_path: Path) -> None:
        (tmp_path / "m.checkpoint").mkdir()
        with checkpoint(tmp_path / "m", resume=False) as spot:
            (spot / "ar.ost").touch()
        assert not list(tmp_path.iterdir())

    @pytest.mark.parametrize("begun", [False, True])
    def test_an_error_restores_the_earlier_run(self, tmp_path: Path, begun: bool) -> None:
        (tmp_path / "m.checkpoint").mkdir()
        (tmp_path / "m.checkpoint" / "gru.running").write_text("hours of work")
        with pytest.raises(ConfigError):
            attempt(tmp_path / "m", ConfigError, begun=begun)
        assert [p.name for p in tmp_path.iterdir()] == ["m.checkpoint"]
        assert (tmp_path / "m.checkpoint" / "gru.running").read_text() == "hours of work"

    @pytest.mark.parametrize("error", [WriteError, LostError, KeyboardInterrupt])
    def test_a_run_that_can_be_resumed_is_kept(self, tmp_path: Path, error: type[BaseException]) -> None:
        with pytest.raises(error):
            attempt(tmp_path / "m", error)
        with pytest.raises(ConfigError):
            attempt(tmp_path / "m", ConfigError, resume=True, begun=False)
        assert (tmp_path / "m.checkpoint" / "ar.ost").exists()


class TestAtomicWrite:
    """``atomic_write`` to a path that is not a plain file."""

    def test_a_link_is_followed(self, tmp_path: Path) -> None:
        (tmp_path / "real").mkdir()
        (tmp_path / "real" / "m.ost").write_bytes(b"earlier")
        (tmp_path / "link.ost").symlink_to(tmp_path / "real" / "m.ost")
        atomic_write(tmp_path / "link.ost", b"later")
        assert (tmp_path / "link.ost").is_symlink()
        assert (tmp_path / "real" / "m.ost").read_bytes() == b"later"
        assert len(list((tmp_path / "real").iterdir())) == 1

    def test_a_pipe_is_written_to_and_not_replaced(self, tmp_path: Path) -> None:
        pipe = tmp_path / "pipe"
        os.mkfifo(pipe)
        reader = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
        atomic_write(pipe, b"words")
        assert os.read(reader, 99) == b"words"
        os.close(reader)
        assert stat.S_ISFIFO(pipe.stat().st_mode)


@pytest.mark.parametrize(
    "error", [MemoryError(), RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate 16 bytes")]
)
def test_memory_that_is_refused_is_an_error_without_a_traceback(
    error: Exception, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def refuse(*_: object) -> None:
        raise error

    model = tmp_path / "any.ost"
    model.touch()
    monkeypatch.setattr("ostinato.model_file.load_model", refuse)
    with pytest.raises(SystemExit) as stop:
        main(["sample", str(model)])
    assert stop.value.code == 1
    assert "the memory of this machine is not enough" in capsys.readouterr().err


def test_a_library_that_cannot_be_loaded_is_no_fault_of_the_output(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def refuse(*_: object) -> None:
        raise OSError("cannot load library 'libsndfile.so'")

    model = tmp_path / "any.ost"
    model.touch()
    monkeypatch.setattr("ostinato.model_file.load_model", refuse)
    with pytest.raises(SystemExit) as stop:
        main(["sample", str(model)])
    said = capsys.readouterr().err
    assert stop.value.code == 1
    assert "cannot load library 'libsndfile.so'" in said
    assert "standard output" not in said


def test_other_errors_of_the_program_keep_their_traceback(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise RuntimeError("sizes do not match")

    model = tmp_path / "any.ost"
    model.touch()
    monkeypatch.setattr("ostinato.model_file.load_model", fail)
    with pytest.raises(RuntimeError, match="sizes do not match"):
        main(["sample", str(model)])
