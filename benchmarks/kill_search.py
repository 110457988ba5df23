"""A search of 20 trials that is killed with SIGKILL half-way and started again.

Run from the repository root: python benchmarks/kill_search.py [--trials 20] [--at 10] [--steps 40] [--ray]

The study at the moment of the kill is compared with the final table. Every finished trial must be in the table
unchanged, the trial that was running must be run again and counted once, and the table must have the requested number
of trials. With --ray, the search is that of Ray Tune with one worker.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from ostinato.scale.threads import environment

os.environ.update(environment(1), RAY_USAGE_STATS_ENABLED="0")

import numpy as np
import optuna

from ostinato.model_file import load_model

Trials = dict[int, tuple[dict[str, Any], float | None]]


def study(folder: Path) -> list[optuna.trial.FrozenTrial]:
    """Return the trials of a search from the study on the disk."""
    file = folder / "study.db"
    if not file.exists():
        return []
    try:
        return optuna.load_study(study_name="search", storage=f"sqlite:///{file}").trials
    except (KeyError, optuna.exceptions.StorageInternalError):  # the study is being created
        return []


def ended(folder: Path) -> Trials:
    """Return the finished trials of a search in this process."""
    found = [trial for trial in study(folder) if trial.state.name in ("COMPLETE", "PRUNED")]
    return {t.number: (t.params, t.value if t.state.name == "COMPLETE" else None) for t in found}


def done_by_ray(folder: Path) -> Trials:
    """Return the finished trials of Ray Tune's workers."""
    out: Trials = {}
    for i, file in enumerate(sorted(folder.glob("ray/search/_work_*/result.json"))):
        lines = [json.loads(line) for line in file.read_text().splitlines() if line.endswith("}")]
        if lines and lines[-1].get("whole"):
            out[i] = (lines[-1]["config"], lines[-1]["validation"])
    return out


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--trials", type=int, default=20)
    options.add_argument("--at", type=int, default=10)
    options.add_argument("--steps", type=int, default=40)
    options.add_argument("--ray", action="store_true")
    options.add_argument("--folder", type=Path, default=Path("out/kill-search"))
    args = options.parse_args()
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    shutil.rmtree(args.folder, ignore_errors=True)
    args.folder.mkdir(parents=True)
    data, model = args.folder / "wave.csv", args.folder / "wave.ost"
    wave = np.sin(np.arange(600) / 3) + 0.3 * np.random.default_rng(0).standard_normal(600)
    data.write_text("y\n" + "".join(f"{y:.4f}\n" for y in wave))
    command = [sys.executable, "-m", "ostinato", "fit", str(data), "-o", str(model), "--resume"]
    command += ["--search", str(args.trials), "--steps", str(args.steps)]
    command += ["--on", "ray", "--workers", "1"] if args.ray else []
    spot, look = model.with_name(model.name + ".checkpoint"), done_by_ray if args.ray else ended
    log = (args.folder / "log").open("w")
    running = subprocess.Popen(command, stderr=log, stdout=log)
    while len(look(spot)) < args.at:
        if running.poll() is not None:
            sys.exit(f"the search ended before {args.at} trials were finished; see {log.name}")
        time.sleep(0.05)
    time.sleep(0.3)  # the kill must hit the next trial
    running.send_signal(signal.SIGKILL)
    running.wait()
    before, stopped = look(spot), [t.params for t in study(spot) if t.state.name == "RUNNING"]
    print(f"killed after {len(before)} trials, {len(stopped)} running", flush=True)
    if subprocess.call(command, stderr=log, stdout=log):
        sys.exit(f"the rerun failed: see {log.name}")
    table = load_model(model).description.record["search"]
    after = [(row["asked"], row["validation"]) for row in table]
    lost = [one for one in before.values() if after.count(one) != 1]
    # A trial killed while its settings were drawn may have had no settings yet.
    again = [sum(params.items() <= settings.items() for settings, _ in after) for params in stopped if params]
    states = {state: sum(row["state"] == state for row in table) for state in ("complete", "pruned", "fail")}
    print(f"{len(table)} trials in the table, {len({row['number'] for row in table})} numbers, {states}")
    print(f"of {len(before)} finished trials, {len(before) - len(lost)} are in the table once and unchanged")
    print(f"the running trials are in the table {again} times")
    good = len(table) == args.trials and not lost and all(n == 1 for n in again) and not spot.exists()
    sys.exit(0 if good else "something is lost or counted twice")


if __name__ == "__main__":
    main()
