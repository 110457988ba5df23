"""The processor time of `fit --model direct` by the defaults and with OPENBLAS_NUM_THREADS=1, next to a busy process.

Run from the repository root: python benchmarks/busy_direct.py ../shared/data/timeseries/M4-Hourly-train.csv.gz

A BLAS whose threads poll for work costs processor time that no other process gets. The fits take turns, as processes of
their own, so that each starts with the pools that it finds; the processor time is that of the whole process, all its
threads included. Meanwhile a process that only counts runs on each core but one.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import polars as pl

from ostinato.threads import cores

VARIABLES = "OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS"


def fit(data: Path, model: Path, given: dict[str, str]) -> tuple[float, float]:
    """Return the processor seconds and the wall seconds of one fit with these variables in the environment."""
    kept = {name: value for name, value in os.environ.items() if name not in VARIABLES}
    words = ["fit", str(data), "--model", "direct", "--horizon", "48", "--season", "24", "-o", str(model)]
    program = [sys.executable, "-c", "from ostinato.cli.main import main; main()"]
    start = time.perf_counter()
    with tempfile.TemporaryFile() as said:
        process = subprocess.Popen([*program, *words], env=kept | given, stdout=said, stderr=said)
        _, status, used = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        said.seek(0)
        if process.returncode:
            raise SystemExit(said.read().decode())
    return used.ru_utime + used.ru_stime, time.perf_counter() - start


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("file", type=Path, help="M4-Hourly-train.csv.gz: a series in each row")
    parser.add_argument("--series", type=int, help="take the first so many series; all by default")
    parser.add_argument("--rounds", type=int, default=1)
    given = parser.parse_args()
    wide = pl.read_csv(given.file, n_rows=given.series)
    first = wide.columns[0]
    long = wide.unpivot(index=first, variable_name="ds", value_name="y").drop_nulls()
    long = long.select(unique_id=first, ds=pl.col("ds").str.slice(1).cast(pl.Int64), y="y").sort("unique_id", "ds")
    found: dict[str, list[tuple[float, float]]] = {"the defaults": [], "OPENBLAS_NUM_THREADS=1": []}
    with tempfile.TemporaryDirectory() as folder:
        data, model = Path(folder) / "panel.csv", Path(folder) / "model.ost"
        long.write_csv(data)
        others = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(max(1, cores()[0] - 1))]
        try:
            for _ in range(given.rounds):
                for name, times in found.items():
                    times.append(fit(data, model, {"OPENBLAS_NUM_THREADS": "1"} if "=" in name else {}))
        finally:
            for other in others:
                other.kill()
                other.wait()
    print(f"direct on {wide.height} series of {given.file.name}, {cores()[1]}, {len(others)} busy processes")
    medians = {name: statistics.median(t for t, _ in times) for name, times in found.items()}
    for name, times in found.items():
        wall = statistics.median(w for _, w in times)
        print(f"{name:24} {medians[name]:8.1f} processor seconds, {wall:8.1f} seconds of wall time")
    default, single = medians.values()
    print(f"the defaults take {default / single:.2f} times the processor time", flush=True)


if __name__ == "__main__":
    main()
