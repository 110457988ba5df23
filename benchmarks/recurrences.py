"""A comparison of the engine with torch.nn through the public modules; each problem is verified before it is timed.

Both run in turn in one process, six times per turn, and the medians of the last four runs are compared. The first two
are not counted, because they pay for the other module: the allocator must sort the memory that the other freed (just
after torch's GRU even a bare autograd function takes five times as long), and the other's threads spin for a while on
cores that are needed. With one thread the clock is the processor time of that thread, which does not depend on the
load of the machine. With more threads it is the wall clock.
"""

from __future__ import annotations

import argparse
import json
import math
import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import overhead
import torch
from problems import Problem, catalogue, training_step, verify

from ostinato.ops.engine import extension

Clock = Callable[[], float]


@dataclass(frozen=True)
class Row:
    """The result of one problem: milliseconds, torch / ours, and the share of the peak, forward and in training."""

    problem: str
    group: str
    cell: str
    threads: int
    forward_ms: float
    forward_ratio: float
    train_ms: float
    train_ratio: float
    train_gflops: float
    share: float
    enough: bool


def medians(tasks: Sequence[Callable[[], object]], clock: Clock, seconds: float) -> list[float]:
    """Return the median times, run in turn until the time is used up: six runs per turn, the first two not counted."""
    for task in tasks:
        task()
    found: list[list[float]] = [[] for _ in tasks]
    until = time.perf_counter() + seconds
    while len(found[0]) < 4 or time.perf_counter() < until:
        for task, times in zip(tasks, found, strict=True):
            for i in range(6):
                start = clock()
                task()
                if i >= 2:
                    times.append(clock() - start)
    return [statistics.median(times) for times in found]


def peak(clock: Clock) -> float:
    """Return the operations per second of multiply-adds on registers on one core: the best of five runs."""
    from ostinato.ops.engine import _engine

    best = 0.0
    for _ in range(5):
        start = clock()
        operations = _engine.peak(2_000_000)
        best = max(best, operations / (clock() - start))
    return best


def measure(problem: Problem, threads: int, seconds: float) -> Row:
    """Verify one problem, then time it."""
    torch.set_num_threads(threads)
    verify(problem)
    clock = time.thread_time if threads == 1 else time.perf_counter
    ours, theirs = problem.modules()
    x, dy = problem.inputs()

    def forward(net: torch.nn.Module) -> Callable[[], Any]:
        def run() -> Any:
            with torch.no_grad():
                return net(x)

        return run

    tasks = [forward(ours), forward(theirs), training_step(ours, x, dy), training_step(theirs, x, dy)]
    a, b, c, d = medians(tasks, clock, seconds)
    speed = 3 * problem.operations / c
    return Row(
        problem=str(problem),
        group=problem.group,
        cell=problem.cell,
        threads=threads,
        forward_ms=a * 1e3,
        forward_ratio=b / a,
        train_ms=c * 1e3,
        train_ratio=d / c,
        train_gflops=speed / 1e9,
        share=speed / (threads * peak(clock)),
        enough=b / a >= problem.forward and d / c >= problem.train,
    )


def packed_cost(problem: Problem, seconds: float) -> float:
    """Return our time per real step on a packed batch divided by that on a padded batch of as many real steps."""
    torch.set_num_threads(1)
    padded = replace(problem, T=round(sum(problem.lengths) / problem.B), ragged=False)
    steps = [training_step(p.modules()[0], *p.inputs()) for p in (problem, padded)]
    a, b = medians(steps, time.thread_time, seconds)
    return a / sum(problem.lengths) / (b / sum(padded.lengths))


def show(rows: Sequence[Row]) -> None:
    """Print the geometric means of the training ratios."""
    for threads in sorted({r.threads for r in rows}):
        for group, cell in sorted({(r.group, r.cell) for r in rows}):
            logs = [math.log(r.train_ratio) for r in rows if (r.group, r.cell, r.threads) == (group, cell, threads)]
            print(f"geometric mean, training, {group} {cell}, threads {threads}: {math.exp(statistics.mean(logs)):.2f}")


def draw(rows: Sequence[Row], path: Path) -> None:
    """Draw the training ratios as bars on a logarithmic axis."""
    import matplotlib as mpl

    mpl.use("Agg")
    from matplotlib import pyplot as plt

    kept = [r for r in rows if r.threads == 1] or list(rows)
    figure, axes = plt.subplots(figsize=(9, 0.24 * len(kept) + 1.2), layout="constrained")
    colours = {"rnn": "#4477aa", "gru": "#228833", "lstm": "#ee6677"}
    axes.barh([r.problem for r in kept], [r.train_ratio for r in kept], color=[colours[r.cell] for r in kept])
    axes.axvline(1, color="black", linewidth=1)
    axes.set_xscale("log")
    axes.invert_yaxis()
    axes.tick_params(labelsize=7)
    axes.set_xlabel("forward + backward, one thread: time of torch.nn / time of ostinato.nn")
    figure.savefig(path, dpi=150)


def main() -> None:
    """Run the problems that the command line selects, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", default="", help="run only the problems whose name contains this")
    parser.add_argument("--threads", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--seconds", type=float, default=1.0, help="seconds for each problem, at least three rounds")
    parser.add_argument("--json", type=Path)
    parser.add_argument("--picture", type=Path)
    given = parser.parse_args()
    if extension.ABSENT:
        parser.exit(1, f"{extension.ABSENT}\n")
    print(f"instruction set {extension.set_in_use()}, torch {torch.__version__}; ratio: time of torch / ours\n")
    print(f"{'':44} threads  forward ms  ratio   train ms  ratio  GFLOP/s  of peak")
    rows = []
    for problem in catalogue():
        if given.only not in f"{problem.group} {problem}":
            continue
        if problem.ragged:
            cost = packed_cost(problem, given.seconds)
            print(f"{problem!s:44} one real step costs {cost:.2f} of a padded one")
        for threads in given.threads:
            r = measure(problem, threads, given.seconds)
            rows.append(r)
            print(
                f"{r.problem:44} {threads:7} {r.forward_ms:11.3f} {r.forward_ratio:6.2f} {r.train_ms:10.3f} "
                f"{r.train_ratio:6.2f} {r.train_gflops:8.1f} {r.share:7.0%} {'' if r.enough else ' <'}",
                flush=True,
            )
    show(rows)
    overhead.show()
    if given.json:
        facts = {"set": extension.set_in_use(), "torch": torch.__version__}
        given.json.write_text(json.dumps({**facts, "rows": [asdict(r) for r in rows]}, indent=1) + "\n")
    if given.picture:
        draw(rows, given.picture)


if __name__ == "__main__":
    main()
