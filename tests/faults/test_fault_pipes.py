"""Pipes in the place of files: what a command reads from one and writes to one is what a file would hold."""

from __future__ import annotations

import contextlib
import gzip
import hashlib
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
import soundfile

import ostinato
from ostinato.cli import stopping
from ostinato.cli.main import main
from ostinato.data.read import read
from ostinato.errors import DataError
from ostinato.storage import atomic_write

SERIES = "ds,y\n" + "".join(f"2024-01-{i + 1:02},{i % 7}.5\n" for i in range(30))
NAMES = "ada\nbob\ncid\n" * 20
FORECAST = ["--model", "naive", "-n", "1"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with data and models of series, text and sound."""
    made = tmp_path_factory.mktemp("pipes")
    (made / "s.csv").write_text(SERIES)
    (made / "n.txt").write_text(NAMES)
    wave = (3000 * np.sin(np.arange(600) / 5)).astype(np.int16)
    soundfile.write(made / "a.wav", wave, 8000)
    for name in ("s.csv", "n.txt", "a.wav"):
        ostinato.fit(read(made / name), model="ar").model.save(made / f"{name[0]}.ost")
    return made


@contextmanager
def fed(content: bytes, number: int = 0) -> Iterator[str]:
    """Let a descriptor, standard input by default, be a pipe with some content, and return its path."""
    before = os.dup(number)
    reading, writing = os.pipe()

    def write() -> None:
        with os.fdopen(writing, "wb") as file:
            file.write(content)

    thread = threading.Thread(target=write)
    os.dup2(reading, number)
    os.close(reading)
    thread.start()
    try:
        yield f"/dev/fd/{number}"
    finally:
        os.dup2(before, number)
        os.close(before)
        thread.join()


def answer(capfd: pytest.CaptureFixture[str], *words: object, code: int = 0) -> str:
    """Run a command, and return what it prints on standard output."""
    with pytest.raises(SystemExit) as stopped:
        main([str(word) for word in words])
    printed = capfd.readouterr()
    assert stopped.value.code == code, printed.err
    return printed.out


@pytest.mark.parametrize("name", ["-", "/dev/stdin", "/dev/fd/0"])
@pytest.mark.parametrize("packed", [False, True])
def test_standard_input_is_read_as_the_file(
    folder: Path, capfd: pytest.CaptureFixture[str], name: str, packed: bool
) -> None:
    expected = answer(capfd, "forecast", folder / "s.csv", *FORECAST)
    content = (folder / "s.csv").read_bytes()
    with fed(gzip.compress(content) if packed else content):
        assert answer(capfd, "forecast", name, *FORECAST) == expected


@pytest.mark.parametrize(("model", "data"), [("s.ost", "s.csv"), ("n.ost", "n.txt"), ("a.ost", "a.wav")])
def test_every_kind_comes_through_a_pipe(
    folder: Path, capfd: pytest.CaptureFixture[str], model: str, data: str
) -> None:
    # the last lines name the sequences, whose names are those of the files
    expected = answer(capfd, "score", folder / model, folder / data, "--top", 0).splitlines()[:2]
    with fed((folder / data).read_bytes()):
        assert answer(capfd, "score", folder / model, "-", "--top", 0).splitlines()[:2] == expected


def test_a_model_and_data_come_through_two_pipes(folder: Path, capfd: pytest.CaptureFixture[str]) -> None:
    expected = answer(capfd, "forecast", folder / "s.ost", folder / "s.csv", "-n", 2)
    model = os.dup(0)
    with fed((folder / "s.csv").read_bytes()), fed((folder / "s.ost").read_bytes(), model) as path:
        assert answer(capfd, "forecast", path, "-", "-n", 2) == expected
    os.close(model)


@pytest.mark.parametrize("content", [b"", b"ds,y\n2024-01-01,1\n2024-01-02,x\n2024-01-03,3\n"])
def test_an_error_names_the_pipe_and_not_a_temporary_file(capfd: pytest.CaptureFixture[str], content: bytes) -> None:
    with fed(content), pytest.raises(SystemExit) as stopped:
        main(["forecast", "-", "-n", "2"])
    said = capfd.readouterr().err
    assert (stopped.value.code, "where: standard input" in said, "ostinato-pipe" in said) == (2, True, False), said


def test_a_named_pipe_is_read_once(folder: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    os.mkfifo(tmp_path / "pipe")
    thread = threading.Thread(target=(tmp_path / "pipe").write_bytes, args=[(folder / "s.csv").read_bytes()])
    thread.start()
    assert answer(capfd, "forecast", tmp_path / "pipe", *FORECAST).startswith("unique_id,ds,")
    thread.join()


def test_a_model_says_that_its_data_came_through_a_pipe(
    folder: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    with fed((folder / "s.csv").read_bytes()):
        answer(capfd, "fit", "-", "--model", "ar", "-o", tmp_path / "m.ost")
    with pytest.raises(SystemExit) as stopped:
        main(["forecast", str(tmp_path / "m.ost")])
    assert stopped.value.code == 2
    assert "came through a pipe" in capfd.readouterr().err


@pytest.mark.parametrize("name", ["-", "/dev/stdout"])
@pytest.mark.parametrize(
    "words",
    [
        "forecast s.csv --model naive -n 2 -o",
        "forecast s.csv --model naive -n 2 --plot",
        "sample n.ost -o",
        "sample s.ost -o",
        "score s.ost s.csv -o",
        "fit s.csv --model ar -o",
        "diagnose s.ost s.csv -o",
        "report s.ost s.csv -o",
    ],
)
def test_standard_output_holds_the_result_alone(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfdbinary: pytest.CaptureFixture[bytes],
    words: str, name: str,
) -> None:  # fmt: skip
    monkeypatch.chdir(folder)
    for target in (str(tmp_path / "file"), name):
        with pytest.raises(SystemExit) as stopped:
            main([*words.split(), target])
        assert not stopped.value.code
        printed = capfdbinary.readouterr().out
    expected = (tmp_path / "file").read_bytes()
    match words.split(maxsplit=1)[0]:
        case "fit":  # the command is in the file
            assert hashlib.sha256(printed[:-32]).digest() == printed[-32:]
        case "report":
            assert printed.endswith(b"</html>")
        case _:
            assert printed == expected


def test_text_is_packed_and_unpacked_between_pipes(folder: Path, capfdbinary: pytest.CaptureFixture[bytes]) -> None:
    def through(verb: str, content: bytes) -> bytes:
        with fed(content), pytest.raises(SystemExit) as stopped:
            main([verb, str(folder / "n.ost"), "-", "-o", "-"])
        assert not stopped.value.code
        return capfdbinary.readouterr().out

    assert through("decompress", through("compress", NAMES.encode())) == NAMES.encode()
    for verb in ("compress", "decompress"):
        with fed(b"ada\n"), pytest.raises(SystemExit) as stopped:
            main([verb, str(folder / "n.ost"), "-"])
        assert stopped.value.code == 2
        assert b"no output given" in capfdbinary.readouterr().err


def test_what_standard_output_goes_to_is_added_to(tmp_path: Path) -> None:
    """A shell opens the file after ``>>`` to add to it, and the file is not replaced."""
    script = "import sys; from ostinato.storage import atomic_write; print(atomic_write(sys.argv[1], b'new'), end='')"
    for path, expected in (("/dev/stdout", "oldnew3"), ("all.csv", "oldnew3")):
        (tmp_path / "all.csv").write_text("old")
        with (tmp_path / "all.csv").open("a") as output:
            subprocess.run([sys.executable, "-c", script, path], cwd=tmp_path, stdout=output, check=True)
        assert (tmp_path / "all.csv").read_text() == expected


def test_two_results_do_not_go_to_one_file(folder: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    one, link = tmp_path / "one", tmp_path / "link"
    link.symlink_to(one)
    words = ["forecast", folder / "s.csv", *FORECAST, "-o"]
    for first, second in ((one, one), (one, link), ("-", "-")):
        answer(capfd, *words, first, "--plot", second, code=2)
    answer(capfd, *words, os.devnull, "--plot", os.devnull)
    assert not one.exists()


def test_links_and_names_that_lead_nowhere(tmp_path: Path) -> None:
    (tmp_path / "loop").symlink_to("loop")
    (tmp_path / "broken.csv").symlink_to("nowhere.csv")
    for name, words in (("loop", "symbolic links"), ("broken.csv", "leads to nowhere.csv"), ("n" * 5000, "too long")):
        with pytest.raises(DataError, match=words) as caught:
            read(tmp_path / name)
        assert len(str(caught.value)) < 400


@pytest.mark.parametrize("name", ["-x.csv", "a\nb.csv", "\U0001f600.csv", "[a].csv", "n" * 251 + ".csv", "a b'\".csv"])
def test_names_of_files_are_taken_as_they_are(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_text(SERIES)
    assert len(read(tmp_path / name).values) == 30
    assert atomic_write(tmp_path / name, b"ab") == 2


class TestCtrlC:
    """Ctrl-C ends a stream that waits. polars, which is loaded by then, lets a call that waits go on after it."""

    def stopped(self, folder: Path, reading: int) -> None:
        # nohup and an ampersand let Ctrl-C be ignored
        heeding = "import signal; signal.signal(signal.SIGINT, signal.default_int_handler)"
        command = [sys.executable, "-c", f"{heeding}; from ostinato.cli.main import main; main()", "stream", "s.ost"]
        pipe = subprocess.PIPE

        with subprocess.Popen(command, cwd=folder, stdin=reading, stdout=pipe, stderr=pipe) as process:
            assert process.stdout is not None
            try:
                assert process.stdout.readline().startswith(b"value")
                time.sleep(2)
                process.send_signal(signal.SIGINT)
                assert process.wait(60) == 130
            finally:
                process.kill()

    def test_a_stream_that_waits_for_input_is_stopped(self, folder: Path) -> None:
        reading, writing = os.pipe()
        os.write(writing, b"1\n")
        self.stopped(folder, reading)
        os.close(reading)
        os.close(writing)

    def test_a_stream_that_waits_for_its_reader_is_stopped(self, folder: Path, tmp_path: Path) -> None:
        (tmp_path / "lines").write_text("1\n" * 60_000)
        with (tmp_path / "lines").open() as lines:
            self.stopped(folder, lines.fileno())

    @pytest.mark.usefixtures("heeded")
    def test_a_signal_that_was_lost_ends_the_next_wait(self) -> None:
        reading, writing = os.pipe()
        with stopping.unwinding():
            with contextlib.suppress(KeyboardInterrupt):
                os.kill(os.getpid(), signal.SIGTERM)
            with pytest.raises(stopping.Stopped):
                next(stopping.arriving(reading))
        os.close(reading)
        os.close(writing)
