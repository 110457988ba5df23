"""How the engine gains from threads, against torch.nn: each problem is verified, then timed on 1, 2, 4, 8, 16 threads.

Both modules run in turn, and the medians of the wall clock are compared. The table has six shapes at which threads once
did not help; --catalogue adds the problems of problems.toml. With --between, a row is a whole step of training a
language model, whose other operators compute on torch's threads between the calls.
"""

from __future__ import annotations

import argparse
import math
import statistics
import time
from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import Any

import torch
from problems import Problem, catalogue, text_step, training_step, verify

from ostinato.ops.engine import _engine, extension
from ostinato.threads import cores

#: The shapes at which more threads once made the engine slower, or torch.nn was faster.
SHAPES = [
    Problem("threads", "gru", 200, 32, 64, 64),
    Problem("threads", "gru", 50, 64, 512, 512),
    Problem("threads", "lstm", 200, 32, 64, 64),
    Problem("threads", "lstm", 50, 64, 512, 512),
    Problem("threads", "lstm", 100, 256, 128, 128),
    Problem("threads", "lstm", 256, 64, 512, 512),
]


def time_of(step: Callable[[], object], threads: int, seconds: float) -> list[float]:
    """Return the times of a step on this many threads, the first run not counted."""
    torch.set_num_threads(threads)
    step()
    times: list[float] = []
    until = time.perf_counter() + seconds
    while len(times) < 2 or (time.perf_counter() < until and len(times) < 60):
        start = time.perf_counter()
        step()
        times.append(time.perf_counter() - start)
    return times


def grid(problem: Problem, threads: int) -> str:
    """Return how the engine shares the problem: parts x team, by its cost model."""
    places = sum(problem.lengths)
    sizes = problem.B, problem.T, places, problem.D, problem.H, problem.P or problem.H, False
    cell = {"rnn": "rnn_tanh", "lstm": "lstm_projected" if problem.P else "lstm"}.get(problem.cell, problem.cell)
    parts, team, together = _engine.grid_of(cell, 32, sizes, threads)
    return f"{parts}x{team}{'' if together or team == 1 else '-'}"


def row(
    problem: Problem, counts: Sequence[int], seconds: float, rounds: int, peers: bool, between: bool
) -> tuple[Any, Any]:
    """Return the median seconds of ours and of torch.nn's training step, by the number of threads."""
    inputs = problem.inputs()
    mine, other = (text_step(net, problem) if between else training_step(net, *inputs) for net in problem.modules())
    a: dict[int, list[float]] = {n: [] for n in counts}
    b: dict[int, list[float]] = {n: [] for n in counts}
    for _ in range(rounds):
        for n in counts:
            a[n] += time_of(mine, n, seconds / rounds)
        for n in counts if peers else ():
            b[n] += time_of(other, n, seconds / rounds / 2)
    return {n: statistics.median(t) for n, t in a.items()}, {n: statistics.median(t) for n, t in b.items() if t}


def constants(most: int) -> None:
    """Measure two constants of the model in csrc/plan.cpp: what it costs to wake a thread, and to meet in a step."""

    def fastest(problem: Problem, threads: int, parts: int, team: int) -> float:
        _engine.force_grid(parts, team)
        net, (x, _) = problem.modules()[0], problem.inputs()
        with torch.no_grad():
            times = sorted(time_of(lambda: net(x), threads, 0.3))
        _engine.force_grid(0, 0)
        return 1e6 * statistics.median(times)

    short, long = Problem("", "gru", 1, 64, 8, 16), Problem("", "gru", 400, 1, 8, 512)
    for n in [n for n in (2, 4, 8, 16, 32) if n <= most]:
        wake = (fastest(short, n, n, 1) - fastest(short, 1, 1, 1)) / (n - 1)
        meet = (fastest(long, n, 1, n) - fastest(long, 1, 1, 1) / n) / 400
        print(f"{n} threads: {wake:.1f} us to wake one more; {meet:.2f} us to meet in a step of 512 units")


def grids(most: int, problems: Sequence[Problem]) -> None:
    """Print the milliseconds of grids of up to so many threads, and that of the cost model."""
    teams = [n for n in (1, 2, 4, 8, 16, 32, 64) if n <= most]
    parts = [n for n in (1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 64) if n <= most]
    for problem in problems:
        step = training_step(problem.modules()[0], *problem.inputs())
        said = []
        for p, team in [(p, team) for p in parts for team in teams if p * team <= most]:
            _engine.force_grid(p, team)
            said.append(f"{p}x{team} {1e3 * statistics.median(time_of(step, most, 0.03)):.2f}")
        _engine.force_grid(0, 0)
        own = 1e3 * statistics.median(time_of(step, most, 0.03))
        print(f"{problem!s:42} {'  '.join(said)} | {grid(problem, most)} {own:.2f}", flush=True)


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", default="", help="run only the problems whose name contains this")
    parser.add_argument(
        "--counts", type=int, nargs="+", help="the numbers of threads; 1, 2, 4 ... up to the cores by default"
    )
    parser.add_argument("--seconds", type=float, default=0.25, help="seconds for each number of threads of a problem")
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--catalogue", action="store_true", help="also run the problems of problems.toml")
    parser.add_argument("--between", action="store_true", help="time steps with other operators between the calls")
    parser.add_argument("--alone", action="store_true", help="do not run torch.nn")
    parser.add_argument("--grids", action="store_true", help="time grids of up to so many threads instead")
    parser.add_argument("--constants", action="store_true", help="measure the constants of the cost model instead")
    given = parser.parse_args()
    if extension.ABSENT:
        parser.exit(1, f"{extension.ABSENT}\n")
    machine, why = cores()
    counts = given.counts or [n for n in (1, 2, 4, 8, 16, 32, 64) if n <= machine]
    if given.constants:
        constants(machine)
        return
    if given.grids:
        grids(counts[-1], SHAPES + (catalogue() if given.catalogue else []))
        return
    print(f"{why}; instruction set {extension.set_in_use()}, torch {torch.__version__}; training, milliseconds")
    print("our time (time of torch.nn / ours) for each number of threads; then how many times faster than with half\n")
    worst: dict[int, float] = {}
    behind: list[str] = []
    for problem in SHAPES + (catalogue() if given.catalogue else []):
        if given.only not in f"{problem.group} {problem}" or (given.between and problem.ragged):
            continue
        torch.set_num_threads(counts[-1])
        verify(problem.short())
        ours, theirs = row(problem, counts, given.seconds, given.rounds, not given.alone, given.between)
        cells = []
        for n in counts:
            ratio = f" ({theirs[n] / ours[n]:.2f})" if n in theirs else ""
            cells.append(f"{n}: {1e3 * ours[n]:.2f}{ratio}")
            if n in theirs and theirs[n] < ours[n]:
                behind.append(f"{problem} at {n}: {theirs[n] / ours[n]:.2f}")
        gains = []
        for half, n in pairwise(counts):
            gain = ours[half] / ours[n]
            worst[n] = min(worst.get(n, math.inf), gain)
            gains.append(f"{n}:{half} {gain:.2f}")
        last = f"{counts[-1]}:1 {ours[1] / ours[counts[-1]]:.2f}" if 1 in ours else ""
        print(
            f"{problem!s:42} {'  '.join(cells)} | {'  '.join(gains)}  {last} | {grid(problem, counts[-1])}", flush=True
        )
    for n, gain in worst.items():
        print(f"the least gain of {n} threads over the number before: {gain:.2f}")
    print("behind torch.nn: " + ("; ".join(behind) or "no row"))


if __name__ == "__main__":
    main()
