"""The resident memory and the speed of `ostinato stream` after 10 million steps, for an AR and a GRU.

Run from the repository root: python benchmarks/stream_memory.py [--steps 10000000]

A thread makes the lines and pipes them into the command, and the benchmark reads and counts the output. The memory is
that of the command's process, from /proc, after it has answered the given number of lines. The speed includes the
start of the process. The last figures are latencies: the time from one line in to its line out.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from statistics import median

import numpy as np
import torch

import ostinato

BLOCK = 10_000


def models(folder: Path) -> dict[str, Path]:
    """Fit an AR and a GRU of 32 units to a noisy wave; their weights do not matter here."""
    torch.set_num_threads(1)
    rng = np.random.default_rng(0)
    wave = np.sin(np.arange(2000) / 5) + 0.3 * rng.standard_normal(2000)
    # The checkpoint of a fit keeps every rung.
    ostinato.fit(wave, model="gru", budget=ostinato.Budget(None, 60), hidden=32, checkpoint=folder)
    return {name: folder / f"{name}.ost" for name in ("ar", "gru")}


def start(model: Path) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "ostinato", "stream", str(model)]
    return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)


def resident(pid: int) -> float:
    """Return the resident memory of a process in MiB."""
    words = Path(f"/proc/{pid}/status").read_text().split("VmRSS:")[1].split()
    return int(words[0]) / 1024


def pour(pipe: subprocess.Popen[bytes], steps: int) -> None:
    assert pipe.stdin
    rng = np.random.default_rng(1)
    for first in range(0, steps, BLOCK):
        wave = np.sin(np.arange(first, first + BLOCK) / 5) + 0.3 * rng.standard_normal(BLOCK)
        pipe.stdin.write("".join(f"{v:.4f}\n" for v in wave).encode())
    pipe.stdin.close()


def memory(model: Path, steps: int, marks: list[int]) -> list[tuple[int, float, float]]:
    """Yield (steps, MiB, steps per second so far) at each mark."""
    pipe, out = start(model), []
    assert pipe.stdout
    writer = threading.Thread(target=pour, args=(pipe, steps), daemon=True)
    begun = time.perf_counter()
    writer.start()
    count = 0
    for count, _ in enumerate(pipe.stdout):  # the header is line 0
        if count in marks:
            out.append((count, resident(pipe.pid), count / (time.perf_counter() - begun)))
    if pipe.wait() or count != steps:
        raise SystemExit(f"the stream ended after {count} of {steps} steps")
    return out


def latency(model: Path, rounds: int = 2000) -> float:
    """Return the median seconds from a line in to its line out."""
    pipe, took = start(model), []
    assert pipe.stdin
    assert pipe.stdout
    pipe.stdin.write(b"0\n")
    pipe.stdin.flush()
    pipe.stdout.readline()
    pipe.stdout.readline()
    for i in range(rounds):
        begun = time.perf_counter()
        pipe.stdin.write(f"{np.sin(i / 5):.4f}\n".encode())
        pipe.stdin.flush()
        pipe.stdout.readline()
        took.append(time.perf_counter() - begun)
    pipe.stdin.close()
    pipe.wait()
    return median(took)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--steps", type=int, default=10_000_000)
    steps = parser.parse_args().steps
    marks = [steps // 10, steps // 5, steps // 2, steps]
    with tempfile.TemporaryDirectory() as folder:
        for name, model in models(Path(folder)).items():
            for count, held, speed in memory(model, steps, marks):
                print(f"{name:4s} {count:>11,d} steps  {held:7.1f} MiB  {speed:9,.0f} steps/s", flush=True)
            print(f"{name:4s} one line in, one line out: {1e6 * latency(model):.0f} us", flush=True)


if __name__ == "__main__":
    main()
