"""A writer that is killed leaves a temporary file, which the next process that writes there removes."""

from __future__ import annotations

import fcntl
import os
import platform
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from ostinato.storage import atomic_write, leftovers

#: A process that writes a part of a file, says so, and waits.
WRITER = """
import sys
from ostinato.storage import atomic_write

def parts():
    yield b"half"
    print("begun", flush=True)
    sys.stdin.read()
    yield b" and half"

atomic_write(sys.argv[1], parts())
"""


@pytest.fixture(autouse=True)
def _fresh(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(leftovers, "_seen", set())


def writer(target: Path) -> subprocess.Popen[bytes]:
    process = subprocess.Popen([sys.executable, "-c", WRITER, str(target)], stdin=-1, stdout=-1)
    assert process.stdout
    assert process.stdout.readline() == b"begun\n"
    return process


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


@pytest.mark.parametrize("name", ["m.ost", "n" * 255, "\ubc25" * 80])
@pytest.mark.parametrize("other", [True, False])
def test_the_file_of_a_killed_writer_is_removed(tmp_path: Path, name: str, other: bool) -> None:
    with writer(tmp_path / name) as process:
        process.kill()
    assert process.returncode == -signal.SIGKILL
    assert len(names(tmp_path)) == 1
    target = "other" if other else name
    atomic_write(tmp_path / target, b"new")
    assert names(tmp_path) == [target]


def test_the_file_of_a_writer_at_work_stays(tmp_path: Path) -> None:
    with writer(tmp_path / "m.ost") as process:
        atomic_write(tmp_path / "m.ost", b"mine")
        assert len(names(tmp_path)) == 2
        assert process.stdin
        process.stdin.close()
    assert process.returncode == 0
    assert names(tmp_path) == ["m.ost"]
    assert (tmp_path / "m.ost").read_bytes() == b"half and half"


def test_files_of_other_machines_and_programs_stay(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    mine = f".m.ost.abcdefgh{leftovers._ending()}"
    monkeypatch.setattr(platform, "node", lambda: "another")
    others = [f".m.ost.abcdefgh{leftovers._ending()}", ".m.ost.abcdefgh", ".m.ost.swp", "m.ostinato", mine[1:]]
    monkeypatch.undo()
    for name in (*others, mine):
        (tmp_path / name).write_bytes(b"x")
    os.mkfifo(tmp_path / f".pipe{leftovers._ending()}")
    leftovers.remove_leftovers(tmp_path)
    assert names(tmp_path) == sorted([*others, f".pipe{leftovers._ending()}"])


def test_a_file_that_is_removed_before_its_lock_is_made_anew(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    lock = fcntl.flock
    removed: list[Path] = []

    def late(handle: int, kind: int) -> None:
        if not removed:
            removed.extend(tmp_path.iterdir())
            removed[0].unlink()
        lock(handle, kind)

    monkeypatch.setattr(fcntl, "flock", late)
    atomic_write(tmp_path / "m.ost", b"new")
    assert removed
    assert names(tmp_path) == ["m.ost"]


def test_a_file_system_without_locks_is_written_to(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def none(handle: int, kind: int) -> None:
        raise OSError(95, "Operation not supported")

    monkeypatch.setattr(fcntl, "flock", none)
    (tmp_path / f".m.ost.abcdefgh{leftovers._ending()}").write_bytes(b"perhaps at work")
    atomic_write(tmp_path / "m.ost", b"new")
    assert len(names(tmp_path)) == 2


def test_a_system_without_these_locks_reads_and_writes(tmp_path: Path) -> None:
    """Windows has no fcntl; there nothing is removed, because nothing shows whether a writer is at work."""
    code = "import sys; sys.modules['fcntl'] = None\nfrom ostinato.storage import atomic_write\n"
    left = tmp_path / f".x.12345678{leftovers._ending()}"
    left.write_bytes(b"half")
    target = tmp_path / "x"
    subprocess.run([sys.executable, "-c", f"{code}atomic_write({str(target)!r}, b'whole')"], check=True)
    assert target.read_bytes() == b"whole"
    assert sorted(tmp_path.iterdir()) == sorted([left, target])
