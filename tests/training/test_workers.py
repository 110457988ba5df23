"""Two processes started by torchrun train the same model as one process with all rows."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import torch
from losses_of_workers import METHODS, STEPS

from ostinato.errors import ModelFileError
from ostinato.storage import load_bundle
from warm import programs

HERE = Path(__file__).parent
TORCHRUN = ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2", "--no-python"]


def done(command: list[str]) -> str:
    """Run a command, and return its output and its messages; fail if it fails."""
    ran = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
    assert ran.returncode == 0, ran.stderr
    return ran.stdout + ran.stderr


@pytest.fixture(scope="module")
def losses(tmp_path_factory: pytest.TempPathFactory) -> list[dict[str, list[float]]]:
    """Return the losses of one process and of two."""
    folder, out = tmp_path_factory.mktemp("losses"), []
    python, script = str(programs() / "python"), str(HERE / "losses_of_workers.py")
    for count, start in ((1, []), (2, [python, *TORCHRUN])):
        file = folder / f"{count}.json"
        done([*start, python, script, str(file)])
        found = json.loads(file.read_text())
        assert found["workers"] == count
        out.append(found["losses"])
    return out


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize(("dtype", "bound"), [(torch.float32, 1e-5), (torch.float64, 1e-10)])
def test_two_workers_are_one_with_the_joined_batch(
    method: str, dtype: torch.dtype, bound: float, losses: list[dict[str, list[float]]]
) -> None:
    one, two = (np.array(found[f"{method} {dtype}"]) for found in losses)
    assert len(one) == len(two) == STEPS
    assert np.ptp(one) > 0.02  # they moved
    np.testing.assert_allclose(two, one, rtol=0, atol=bound)


def held_out(model: Path) -> list[float]:
    return [rung["held_out"] for rung in load_bundle(model)[1]["description"]["record"]["table"]]


def step_beyond(before: int, running: Path, processes: subprocess.Popen[str]) -> int:
    """Wait for a checkpoint of a later step, and check that no checkpoint is of an earlier one."""
    found, seen = before, -1
    while found == before:
        assert processes.poll() is None, "it ended before it could be killed"
        time.sleep(0.002)
        with contextlib.suppress(FileNotFoundError, ModelFileError):
            if (number := running.stat().st_ino) != seen:  # each checkpoint is a new file
                found, seen = load_bundle(running)[1]["counters"]["step"], number
    assert found > before
    return found


def workers(processes: subprocess.Popen[str]) -> list[int]:
    return list(map(int, Path(f"/proc/{processes.pid}/task/{processes.pid}/children").read_text().split()))


@pytest.mark.skipif(sys.platform != "linux", reason="finds the processes by /proc")
def test_a_fit_resumes_after_its_processes_are_killed(tmp_path: Path) -> None:
    wave = np.sin(np.arange(3000) / 5) + 0.3 * np.random.default_rng(0).standard_normal(3000)
    data, one, two = tmp_path / "wave.csv", tmp_path / "one.ost", tmp_path / "two.ost"
    data.write_text("y\n" + "".join(f"{v:.4f}\n" for v in wave))
    fit = ["fit", str(data), "--model", "gru", "--hidden", "8", "--dropout", "0", "--steps", "60"]
    fit += ["--checkpoint-every", "0s", "-o"]
    alone = [str(programs() / "ostinato"), *fit]
    done([*alone, str(one)])
    running = tmp_path / "two.ost.checkpoint" / "gru.running"
    pair = subprocess.Popen(
        [sys.executable, *TORCHRUN, "--max-restarts", "1", *alone, str(two)], stderr=subprocess.PIPE, text=True
    )
    step_beyond(0, running, pair)
    first = workers(pair)
    os.kill(first[1], signal.SIGKILL)  # torchrun starts both again
    while set(workers(pair)) & {*first}:
        time.sleep(0.002)
    step_beyond(load_bundle(running)[1]["counters"]["step"], running, pair)
    for process in (pair.pid, *workers(pair)):
        os.kill(process, signal.SIGKILL)
    pair.communicate()  # to the end of the forks, which write to its standard error too
    assert "started with 2 workers, continued with 1" in done(
        [str(programs() / "ostinato"), *fit, str(two), "--resume"]
    )
    np.testing.assert_allclose(held_out(two), held_out(one), atol=1e-4)
