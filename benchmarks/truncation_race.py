"""At equal time: the window that AdaptiveBPTT chooses beside 16, 64 and 256 steps, on a text and on a series.

Each trains the same GRU by `fit` for the same seconds, to the end (no early stop; the best weights of the validation
part are kept), and is judged on the same held-out part. The clock is the processor's: of one thread on an idle machine
it is the wall's, and on another it does not run for what others do.
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
    """A rung a seed, by method."""
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
    """See the arguments."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--seconds", type=float, default=120.0, help="of one training")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--only", choices=list(DATA), nargs="+", default=list(DATA))
    args = parser.parse_args()
    vars(trainer)["time"] = SimpleNamespace(monotonic=time.process_time)
    for kind in args.only:
        name, target = DATA[kind]
        print(f"{name}: a GRU, {args.seconds:g} s each", flush=True)
        runs = race(ostinato.read(args.folder / name, target=target), args.seconds, args.seeds)
        print(f"\n{'window':8} {'held out, nats a step':>22} {'spread':>7} {'steps':>7}")
        means = {}
        for window, rungs in runs.items():
            held = [r.held_out for r in rungs]
            means[window] = statistics.mean(held)
            spread = statistics.stdev(held) if len(held) > 1 else 0.0
            print(f"{window:8} {means[window]:22.4f} {spread:7.4f} {statistics.mean(r.steps for r in rungs):7.0f}")
        best = max((w for w in means if w != "adaptive"), key=means.__getitem__)
        ahead = means["adaptive"] - means[best]
        print(f"adaptive - best fixed window ({best}): {ahead:+.4f} nats a step\n", flush=True)


if __name__ == "__main__":
    main()
