"""A race at equal time between the window that AdaptiveBPTT chooses and windows of 16, 64 and 256 steps.

The data are a text and a series. Each method trains the same GRU by `fit` for the same number of seconds, without
early stopping (the best weights on the validation part are kept), and is compared on the same held-out part. The
clock is the processor time: it equals the wall clock on an idle machine with one thread, and it does not count the
time of others.
Run from the repository root: python benchmarks/truncation_race.py ../shared/data [--seconds 120] [--seeds 3]
"""

from __future__ import annotations

import argparse
import statistics
import time
from pathlib import Path
from types import SimpleNamespace

import ostinato
from ostinato.fits.budget import Budget
from ostinato.fits.result import Rung
from ostinato.gradients.methods import AdaptiveBPTT, Method, TruncatedBPTT
from ostinato.training import trainer

METHODS: dict[str, Method] = {
    "adaptive": AdaptiveBPTT(),
    "16": TruncatedBPTT(16),
    "64": TruncatedBPTT(64),
    "256": TruncatedBPTT(256),
}

DATA = {"text": ("text/tinyshakespeare.txt", None), "series": ("timeseries/ETTh1.csv.gz", "OT")}


def race(data: ostinato.SequenceSet, seconds: float, seeds: int) -> dict[str, list[Rung]]:
    """Fit with every method and every seed, and return the rungs by method."""
    runs: dict[str, list[Rung]] = {name: [] for name in METHODS}
    for seed in range(seeds):
        for name, method in METHODS.items():
            found = ostinato.fit(
                data, model="gru", budget=Budget(seconds), method=method, seed=seed, patience=1_000_000
            ).kept
            assert isinstance(found, Rung)
            runs[name].append(found)
            print(
                f"  seed {seed} {name:8} {found.held_out:.4f} nats, {found.steps} steps, {found.seconds:.0f} s",
                flush=True,
            )
    return runs


def main() -> None:
    """Run the race on the data that the command line selects, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--seconds", type=float, default=120.0, help="seconds of one training")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--only", choices=list(DATA), nargs="+", default=list(DATA))
    args = parser.parse_args()
    vars(trainer)["time"] = SimpleNamespace(monotonic=time.process_time)
    for kind in args.only:
        name, target = DATA[kind]
        print(f"{name}: a GRU, {args.seconds:g} s each", flush=True)
        runs = race(ostinato.read(args.folder / name, target=target), args.seconds, args.seeds)
        print(f"\n{'window':8} {'held out, nats per step':>23} {'spread':>7} {'steps':>7}")
        means = {}
        for window, rungs in runs.items():
            held = [r.held_out for r in rungs]
            means[window] = statistics.mean(held)
            spread = statistics.stdev(held) if len(held) > 1 else 0.0
            print(f"{window:8} {means[window]:23.4f} {spread:7.4f} {statistics.mean(r.steps for r in rungs):7.0f}")
        best = max((w for w in means if w != "adaptive"), key=means.__getitem__)
        ahead = means["adaptive"] - means[best]
        print(f"adaptive - best fixed window ({best}): {ahead:+.4f} nats per step\n", flush=True)


if __name__ == "__main__":
    main()
