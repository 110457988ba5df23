"""Run the cells of the page "Coming from": the same task with another library and with ostinato.

python -m coming_from --python PEERS/bin/python [--only river] [--write ../docs/coming-from.csv], in benchmarks/.

Each cell is a program as a user would write it. It runs in a process of its own, in a folder with the data that
``made.py`` makes, and leaves its answer in ``result``. The table gives, for the other library and for ostinato: the
lines of the program; the seconds of the process, imports included; its processor seconds; and what the answer is
worth. Each cell of the table is a pair: the other library / ostinato. It gives the least of ``--repeat`` runs.
"""

from __future__ import annotations

import argparse
import csv
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from coming_from import made

CELLS = Path(__file__).parent / "cells"
SIDES = ("theirs", "ours")
#: The name, the task, and how the answer is judged: a function of the answer and the truth, and its unit.
TASKS: dict[str, tuple[str, str]] = {
    "torch": ("torch.nn", "loss after 100 steps"),
    "statsforecast": ("statsforecast", "mean absolute error"),
    "neuralforecast": ("neuralforecast", "mean absolute error"),
    "darts": ("Darts", "mean absolute error"),
    "gluonts": ("GluonTS", "mean absolute error"),
    "river": ("river", "faults found of 10"),
    "char_rnn": ("char-rnn", "bits a character"),
}
#: Runs a cell, and prints its answer and the processor seconds of the process as the last line.
RUNNER = """
import json, runpy, sys, time, warnings
warnings.simplefilter("ignore")
answer = runpy.run_path(sys.argv[1])["result"]
answer = [float(one) for one in answer] if hasattr(answer, "__len__") else float(answer)
print("\\n" + json.dumps([answer, time.process_time()]))
"""


class Run(NamedTuple):
    """One run of one cell."""

    lines: int
    seconds: float
    processor: float
    worth: float


def lines(cell: Path) -> int:
    """Return the number of lines of code: no empty lines, no comments."""
    texts = (line.strip() for line in cell.read_text(encoding="utf-8").splitlines())
    return sum(bool(text) and not text.startswith("#") for text in texts)


def judge(task: str, answer: Any, truth: dict[str, Any]) -> float:
    """Return what the answer of a task is worth."""
    if task in ("torch", "char_rnn"):
        return float(answer)
    if task == "river":
        loudest = set(np.argsort(answer)[-20:].tolist())
        return float(sum(any(one + k in loudest for k in range(3)) for one in truth["faults"]))
    key = {"darts": "one", "neuralforecast": "load"}.get(task, "sales")
    return float(np.abs(np.asarray(answer) - np.asarray(truth[key])).mean())


def run(python: str, task: str, side: str, folder: Path, truth: dict[str, Any]) -> Run:
    """Run one cell in a process of its own."""
    cell = CELLS / f"{task}_{side}.py"
    start = time.perf_counter()
    done = subprocess.run([python, "-c", RUNNER, str(cell)], cwd=folder, capture_output=True, text=True, check=False)
    seconds = time.perf_counter() - start
    if done.returncode:
        raise RuntimeError(f"{cell.name}: {done.stderr[-2000:]}")
    answer, processor = json.loads(done.stdout.strip().splitlines()[-1])
    return Run(lines(cell), seconds, processor, judge(task, answer, truth))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--python", default=sys.executable, help="the Python of the environment with the peers")
    parser.add_argument("--only", nargs="*", default=list(TASKS), choices=list(TASKS))
    parser.add_argument("--repeat", type=int, default=2)
    parser.add_argument("--write", type=Path)
    told = parser.parse_args()
    pythons = {"theirs": told.python, "ours": sys.executable}
    rows = []
    with tempfile.TemporaryDirectory() as name:
        truth = made.write(Path(name))
        for task in told.only:
            runs: dict[str, list[Run]] = {side: [] for side in SIDES}
            for _ in range(told.repeat):
                for side in SIDES:
                    runs[side].append(run(pythons[side], task, side, Path(name), truth))
            best = {side: Run(*(min(values) for values in zip(*runs[side], strict=True))) for side in SIDES}
            theirs, ours = best["theirs"], best["ours"]
            label, unit = TASKS[task]
            pairs = [
                (f"{run.lines}", f"{run.seconds:.1f}", f"{run.processor:.1f}", f"{run.worth:.3g}")
                for run in (theirs, ours)
            ]
            rows.append([label, *(f"{one} / {other}" for one, other in zip(*pairs, strict=True)), unit])
            print(*rows[-1], sep=" | ", flush=True)
    if told.write:
        write(told.write, rows)


def write(path: Path, rows: list[list[str]]) -> None:
    """Write the table; the rows of tasks that were not run stay."""
    known: dict[str, list[str]] = {}
    if path.exists():
        with path.open(newline="", encoding="utf-8") as file:
            known = {row[0]: row for row in csv.reader(file)}
    known |= {row[0]: row for row in rows}
    with path.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file, lineterminator="\n").writerows(known[label] for label, _ in TASKS.values() if label in known)


if __name__ == "__main__":
    main()
