"""A fit of the whole ladder that is killed at random moments and resumed, compared with a fit that is never killed.

Run from the repository root: python benchmarks/kill_resume.py [--kills 5] [--steps 60] [file ...]

The default files are short texts, trained by full BPTT, and one long series, trained by truncated BPTT. The signal is
SIGKILL. For every kill the benchmark prints how far the fit was. At the end it prints whether all weights of the kept
model and the held-out table are the same bit for bit.
"""

from __future__ import annotations

import argparse
import contextlib
import random
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import torch
from public_data import FOLDER

from ostinato.errors import ModelFileError
from ostinato.storage import load_bundle
from ostinato.training.config import LADDER

DEFAULT = [FOLDER / "text/names.txt", FOLDER / "timeseries/sunspot.month.csv"]


def start(data: Path, output: Path, steps: int, *more: str) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "ostinato", "fit", str(data), "-o", str(output), "--steps", str(steps)]
    command += ["--hidden", "32", "--dropout", "0.2", "--checkpoint-every", "0.1s", *more]
    return subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)


def finish(process: subprocess.Popen[bytes]) -> None:
    _, words = process.communicate()
    if process.returncode:
        raise SystemExit(words.decode())


def progress(folder: Path, steps: int) -> float:
    """Return the number of finished rungs plus the finished share of the running rung."""
    done = float(len(list(folder.glob("[!.]*.ost"))))
    with contextlib.suppress(ModelFileError, FileNotFoundError):  # a rung may end while this reads it
        done += sum(load_bundle(p)[1]["counters"]["step"] / steps for p in folder.glob("[!.]*.running"))
    return done


def trial(data: Path, kills: int, steps: int, folder: Path, draw: random.Random) -> bool:
    """Return whether a fit that was killed ``kills`` times ends like a fit that is never killed."""
    straight, killed = folder / "straight.ost", folder / "killed.ost"
    spot = killed.with_name(killed.name + ".checkpoint")
    begun = time.monotonic()
    finish(start(data, straight, steps))
    print(f"{data.name}: {time.monotonic() - begun:.1f} s without kills", flush=True)
    for moment in sorted(draw.uniform(0, len(LADDER)) for _ in range(kills)):
        process = start(data, killed, steps, "--resume")
        while progress(spot, steps) < moment and process.poll() is None:
            time.sleep(0.01)
        time.sleep(draw.uniform(0, 0.5))
        process.kill()
        process.communicate()
        halves = list(spot.glob(".*"))
        where = f"  killed at {progress(spot, steps):.2f} of {len(LADDER)} rungs"
        print(where + (", during a write" if halves else ""), flush=True)
        for half in halves:
            half.unlink()
    finish(start(data, killed, steps, "--resume"))
    (expected, said), (got, says) = load_bundle(straight), load_bundle(killed)
    same = expected.keys() == got.keys() and all(torch.equal(expected[k], got[k]) for k in expected)
    tables = [[r["held_out"] for r in d["description"]["record"]["table"]] for d in (said, says)]
    print(f"  weights the same bit for bit: {same}; held-out table the same: {tables[0] == tables[1]}", flush=True)
    return same and tables[0] == tables[1]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("files", nargs="*", type=Path, default=DEFAULT)
    parser.add_argument("--kills", type=int, default=5)
    parser.add_argument("--steps", type=int, default=60)
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    draw, good = random.Random(args.seed), True
    for data in args.files:
        with tempfile.TemporaryDirectory() as folder:
            good &= trial(data, args.kills, args.steps, Path(folder), draw)
    sys.exit(0 if good else 1)


if __name__ == "__main__":
    main()
