"""A test that kills one of two processes that train a model, under torchrun and under Ray Train.

Both launchers start all processes again. Each runs the fit once without kills, and once with workers killed at
moments spread over the fit. For every kill the benchmark prints the age of the last checkpoint, and so the number of
steps lost. At the end it prints whether the weights are the same bit for bit with and without kills, and under both
launchers.

Run from the repository root: python benchmarks/kill_ddp.py [--kills 3] [--steps 600] [--every 0.5] [file]
"""

from __future__ import annotations

import argparse
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import torch
from public_data import FOLDER

from ostinato.errors import ModelFileError
from ostinato.storage import load_bundle

DATA = FOLDER / "text/tinyshakespeare.txt"
TORCHRUN = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2", "--max-restarts"]


def start(way: str, data: Path, output: Path, args: argparse.Namespace) -> subprocess.Popen[bytes]:
    fit = ["-m", "ostinato", "fit", str(data), "-o", str(output), "--steps", str(args.steps)]
    fit += ["--model", "gru", "--hidden", "32", "--dropout", "0.2", "--checkpoint-every", f"{args.every}s"]
    if way == "torchrun":
        command = [*TORCHRUN, str(args.kills), *fit]
    else:
        command = [sys.executable, *fit, "--on", "ray", "--workers", "2"]
    with output.with_suffix(".log").open("w") as log:
        return subprocess.Popen(command, stdout=log, stderr=log)


def below(process: int) -> list[int]:
    """Return all processes below a process: its children, their children and so on."""
    parents = {}
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            parents[int(folder.name)] = int((folder / "stat").read_text().rsplit(")", 1)[1].split()[1])
        except OSError:
            continue  # the process ended meanwhile
    found = [process]
    for one in found:
        found += [child for child, parent in parents.items() if parent == one]
    return found[1:]


def workers(process: subprocess.Popen[bytes]) -> list[int]:
    """Return the processes that train."""
    found = []
    for one in below(process.pid):
        try:
            name = Path(f"/proc/{one}/cmdline").read_bytes()
            rank = b"\0RANK=" in b"\0" + Path(f"/proc/{one}/environ").read_bytes()
        except OSError:
            continue
        if name.startswith(b"ray::RayTrainWorker") or (rank and b"ostinato" in name):
            found.append(one)
    return found


def counters(running: Path) -> dict[str, Any] | None:
    """Return the counters of the run from its checkpoint; None if there is no checkpoint."""
    try:
        found: dict[str, Any] = load_bundle(running)[1]["counters"]
        return found
    except (ModelFileError, FileNotFoundError):
        return None


def killed(way: str, data: Path, output: Path, args: argparse.Namespace, draw: random.Random) -> None:
    """Run the fit with kills; after each kill, check that the next checkpoint continues from the last one."""
    running = output.with_name(output.name + ".checkpoint") / "gru.running"
    process = start(way, data, output, args)
    for moment in sorted(draw.uniform(0.1, 0.9) * args.steps for _ in range(args.kills)):
        while not (last := counters(running)) or last["step"] < moment:
            if process.poll() is not None:
                sys.exit(output.with_suffix(".log").read_text())
            time.sleep(0.01)
        time.sleep(draw.uniform(0, args.every))
        last, age = counters(running), time.time() - running.stat().st_mtime
        os.kill(draw.choice(workers(process)), signal.SIGKILL)
        assert last
        rate = last["step"] / last["elapsed"]
        while (after := counters(running)) == last and process.poll() is None:
            time.sleep(0.01)
        if after and after["step"] < last["step"]:
            sys.exit(f"the fit began anew: step {after['step']} after step {last['step']}")
        words = f"  {way}: a worker killed {age:.2f} s after the checkpoint of step {last['step']}"
        print(
            f"{words}: about {age * rate:.0f} steps lost, at most {args.every * rate:.0f} + 1 are allowed", flush=True
        )
    finish(process, output)


def finish(process: subprocess.Popen[bytes], output: Path) -> None:
    if process.wait():
        sys.exit(output.with_suffix(".log").read_text())


def same(one: Path, other: Path) -> str:
    (a, said), (b, says) = load_bundle(one), load_bundle(other)
    furthest = max(float((a[k].double() - b[k].double()).abs().max()) for k in a)
    curves = [[point[3] for point in d["description"]["record"]["curve"]] for d in (said, says)]
    bits = a.keys() == b.keys() and all(torch.equal(a[k], b[k]) for k in a)
    return f"weights bitwise the same: {bits} (furthest {furthest:.1g}); validation losses: {curves[0] == curves[1]}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("file", nargs="?", type=Path, default=DATA)
    parser.add_argument("--kills", type=int, default=3)
    parser.add_argument("--steps", type=int, default=600)
    parser.add_argument("--every", type=float, default=0.5)
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    draw = random.Random(args.seed)
    with tempfile.TemporaryDirectory(dir="/tmp") as name:
        folder = Path(name)
        os.environ.update(RAY_USAGE_STATS_ENABLED="0", RAY_TMPDIR=str(folder / "r"))  # uses a separate cluster
        for way in ("torchrun", "ray"):
            alone, shot = folder / f"{way}.ost", folder / f"{way}-killed.ost"
            finish(start(way, args.file, alone, args), alone)
            killed(way, args.file, shot, args, draw)
            print(f"{way}, with and without kills: {same(alone, shot)}", flush=True)
        print(f"torchrun and ray: {same(folder / 'torchrun.ost', folder / 'ray.ost')}")


if __name__ == "__main__":
    main()
