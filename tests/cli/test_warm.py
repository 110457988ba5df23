"""A forked command ends, answers and is stopped as one that a user starts."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

import warm
from strict import STRICT
from warm import programs


@pytest.mark.parametrize("words", ["--version", "", "fit absent.csv", "inspect s.csv", "inspect s.csv --target z"])
def test_a_forked_command_says_and_returns_what_a_started_one_does(words: str, tmp_path: Path) -> None:
    (tmp_path / "s.csv").write_text("y\n" + "".join(f"{i % 7}.5\n" for i in range(30)))
    forked, started = (
        subprocess.run([*command, *words.split()], cwd=tmp_path, capture_output=True, check=False)
        for command in ([programs() / "ostinato"], [*STRICT, "-m", "ostinato"])
    )
    assert (forked.returncode, forked.stdout, forked.stderr) == (started.returncode, started.stdout, started.stderr)


def script(folder: Path, code: str) -> list[str]:
    (folder / "script.py").write_text(code)
    return [str(programs() / "python"), str(folder / "script.py"), "a word"]


def test_a_forked_script_has_the_words_the_folder_the_variables_and_the_streams(tmp_path: Path) -> None:
    code = "import os, sys\nprint(sys.argv[1:], os.getcwd(), os.environ['OF_THE_TEST'], sys.stdin.read(), __name__)"
    given = {**os.environ, "OF_THE_TEST": "variable"}
    done = subprocess.run(
        script(tmp_path, code), cwd=tmp_path, env=given, input=b"text", capture_output=True, check=True
    )
    assert done.stdout.decode().strip() == f"['a word'] {tmp_path.resolve()} variable text __main__"


def test_variables_that_are_read_at_the_start_start_a_python_of_its_own(tmp_path: Path) -> None:
    """Of Python's own variables, which a fork could not heed any more."""
    words, given = script(tmp_path, "import sys; print(sys.flags.optimize)"), {**os.environ, "PYTHONOPTIMIZE": "2"}
    assert subprocess.run(words, env=given, capture_output=True, check=True).stdout == b"2\n"
    assert subprocess.run(words, capture_output=True, check=True).stdout == b"0\n"


def test_variables_that_something_leaves_are_taken_back(monkeypatch: pytest.MonkeyPatch) -> None:
    """As ray.init leaves PYTHONBREAKPOINT: from then on each command would start a Python of its own."""
    monkeypatch.setenv("PYTHONHASHSEED", "1")
    began = warm.early(dict(os.environ))
    os.environ |= {"PYTHONBREAKPOINT": "left", "PYTHONHASHSEED": "2"}
    warm.restore(began)
    assert warm.early(dict(os.environ)) == began


def test_a_fork_has_the_number_of_threads_of_its_variables(tmp_path: Path) -> None:
    words = script(tmp_path, "import os, torch; print(torch.get_num_threads(), os.getppid())")
    for count in ("1", "3"):
        given = {**os.environ, "OMP_NUM_THREADS": count}
        found, parent = subprocess.run(words, env=given, capture_output=True, check=True).stdout.split()
        assert found.decode() == count
        assert int(parent) != os.getpid() or sys.platform != "linux"  # a Python of its own would be our child


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_a_fork_ends_with_its_program(tmp_path: Path, number: int) -> None:
    code = "import os, sys, time\nprint(os.getpid(), flush=True)\ntime.sleep(600)"
    with subprocess.Popen(script(tmp_path, code), stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        forked = int(process.stdout.readline())
        process.send_signal(number)  # first, because a failure would wait for the end of the process
        assert forked != process.pid or sys.platform != "linux"
        assert process.wait(60) == -number
        until = time.monotonic() + 60
        while Path(f"/proc/{forked}").exists() and time.monotonic() < until:
            time.sleep(0.01)
        assert not Path(f"/proc/{forked}").exists()


def test_a_forked_script_ends_with_its_code(tmp_path: Path) -> None:
    assert subprocess.run(script(tmp_path, "raise SystemExit(7)"), check=False).returncode == 7


def test_a_module_is_forked_and_a_text_of_python_is_started(tmp_path: Path) -> None:
    (tmp_path / "told.py").write_text("import sys; print(sys.argv[1:], sys.path[0], 'torch' in sys.modules)")
    python, text = str(programs() / "python"), "import sys; print(sys.argv, 'torch' in sys.modules)"
    for words, printed in (
        (["-m", "told", "a"], f"['a'] {tmp_path.resolve()} {sys.platform == 'linux'}"),
        (["-c", text, "a"], "['-c', 'a'] False"),
    ):
        done = subprocess.run([python, *words], cwd=tmp_path, capture_output=True, text=True, check=True)
        assert done.stdout.strip() == printed
