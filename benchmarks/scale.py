"""The speed and memory of autoregressions and their forecasts over a panel of made series, in parts.

Each series gets an autoregression of the best order and a forecast of 12 steps, in process and on a Ray cluster of
this machine with one and with two workers. The rows are checked to be the same. The benchmark prints the series per
second, the cost of Ray, and the peak memory of the driver and of each worker. With --peers (the Python of the peers'
environment; make .venv-peers/.ready), it also times the autoregressions of statsforecast on the first thousand
series.

python benchmarks/scale.py --series 10000 --peers .venv-peers/bin/python --json out/scale.json
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

from ostinato.scale.threads import environment

os.environ.update(environment(1), RAY_USAGE_STATS_ENABLED="0")

import numpy as np
import polars as pl
import pyarrow.parquet as pq
from scipy.signal import lfilter

from ostinato import scale
from ostinato.scale.local_forecast import ForecastLocal
from ostinato.scale.plan import plan
from ostinato.scale.run import run
from ostinato.scale.work import PartResult

#: The smallest and the largest number of points of a series.
POINTS = (60, 1001)
#: The rows of a row group.
GROUP = 100_000
#: The models of benchmarks/scale_peers.py, and the number of series for each.
PEERS = (
    ("AutoRegressive of the true order 2", 1000),
    ("AutoARIMA of autoregressions alone", 1000),
    ("AutoARIMA", 100),
)


def make(count: int, file: Path, group: int = GROUP) -> int:
    """Write ``count`` daily series, AR(2) with a trend in a fifth of them, a thousand at a time; return the rows."""
    rng, writer, rows = np.random.default_rng(0), None, 0
    for first in range(0, count, 1000):
        lengths = rng.integers(*POINTS, size=min(1000, count - first))
        total = int(lengths.sum())
        step = np.arange(total) - np.repeat(np.cumsum(lengths) - lengths, lengths)
        slope = np.repeat(np.where(rng.random(len(lengths)) < 0.2, 0.01, 0.0), lengths)
        y = 50 + lfilter([1.0], [1.0, -0.6, -0.2], rng.standard_normal(total)) + slope * step
        ids = pl.Series([f"s{first + i:08d}" for i in range(len(lengths))])
        frame = pl.DataFrame(
            {
                "unique_id": pl.select(pl.lit(ids).repeat_by(pl.Series(lengths)).explode()).to_series(),
                "ds": np.datetime64("2015-01-01", "us") + step * np.timedelta64(1, "D"),
                "y": y,
            }
        ).to_arrow()
        writer = writer or pq.ParquetWriter(file, frame.schema)
        writer.write_table(frame, row_group_size=group)
        rows += total
    if writer:
        writer.close()
    return rows


def megabytes() -> float:
    """Return the peak memory of this process in MB; getrusage would include that of its parent."""
    status = Path("/proc/self/status").read_text()
    return int(next(line for line in status.splitlines() if line.startswith("VmHWM")).split()[1]) / 1024


@dataclass(frozen=True)
class Watched(ForecastLocal):
    """The forecast verb, which also writes the figures of its worker to a file after each part."""

    folder: str

    def __call__(self, data: object, number: int) -> PartResult:
        out = super().__call__(data, number)  # type: ignore[arg-type]
        told = [os.getpid(), megabytes(), time.process_time(), len(out.frame) // self.horizon]
        (Path(self.folder) / str(number)).write_text(json.dumps(told))
        return out


def processor(told: list[tuple[int, float, float, int]]) -> float:
    """Return the processor seconds per series of the workers, from the end of each worker's first part to its last."""
    seconds, series = 0.0, 0
    for worker in {pid for pid, *_ in told}:
        own = sorted((at, count) for pid, _, at, count in told if pid == worker)
        seconds, series = seconds + own[-1][0] - own[0][0], series + sum(count for _, count in own[1:])
    return seconds / max(series, 1)


def one(panel: Path, out: Path, workers: int) -> dict[str, float]:
    """Run the forecast in this process (0 workers) or on a cluster, and return its figures."""
    marks = out.with_name(out.name + "-marks")
    marks.mkdir()
    begun = time.perf_counter()
    on = None
    if workers:
        import ray

        ray.init("local", num_cpus=workers, include_dashboard=False, log_to_driver=False, logging_level="error")
        # The clock starts after the processes have started and imported their packages.
        ray.get([ray.remote(_warm).options(runtime_env={"env_vars": environment(1)}).remote() for _ in range(workers)])
        on = scale.ray(workers=workers)
    started, driver = time.perf_counter(), time.process_time()
    found = run(plan(panel), Watched("ar", 7, 12, (80.0, 95.0), str(marks)), out, on)
    seconds = time.perf_counter() - started
    told = [tuple(json.loads(mark.read_text())) for mark in marks.iterdir()]
    return {
        "workers": workers,
        "series": found.series,
        "start": started - begun,
        "seconds": seconds,
        "series_per_second": found.series / seconds,
        "worker_ms": 1e3 * processor(told),
        "processor_ms": 1e3 * (time.process_time() - driver) / found.series,
        "driver_mb": megabytes(),
        "worker_mb": max(most for _, most, _, _ in told),
    }


def _warm() -> None:

    time.sleep(2)  # each worker gets one of these tasks


def peer_times(python: str, folder: Path) -> list[dict[str, object]]:
    """Return the processor times of the peers and of ostinato in process, for the same series."""
    panel, rows = folder / "panel-1000.parquet", []
    if not panel.exists():
        make(1000, panel)
    for old in folder.glob("out-0*"):
        shutil.rmtree(old)
    ours = [sys.executable, __file__, "--series", "1000", "--folder", str(folder), "--one", "0"]
    theirs = [python, str(Path(__file__).with_name("scale_peers.py")), str(panel)]
    runs = [("ostinato, the order by BIC", 1000, ours)]
    runs += [(what, count, [*theirs, str(count), what]) for what, count in PEERS]
    for what, count, command in runs:
        ran = subprocess.run(command, capture_output=True, text=True, check=False)
        if ran.returncode:
            sys.exit(ran.stderr)
        ms = json.loads(ran.stdout.splitlines()[-1])["processor_ms"]
        rows.append({"what": what, "series": count, "processor_ms": ms, "series_per_second": 1e3 / ms})
    return rows


def main() -> None:
    options = argparse.ArgumentParser()
    options.add_argument("--series", type=int, default=10_000)
    options.add_argument("--workers", type=int, nargs="*", default=[0, 1, 2])
    options.add_argument("--folder", type=Path, default=Path("out/scale"))
    options.add_argument("--json", type=Path)
    options.add_argument("--peers", help="the Python of the peers' environment")
    options.add_argument("--one", type=int, help=argparse.SUPPRESS)
    args = options.parse_args()
    panel = args.folder / f"panel-{args.series}.parquet"
    if args.one is not None:
        print(json.dumps(one(panel, args.folder / f"out-{args.one}", args.one)))
        return
    args.folder.mkdir(parents=True, exist_ok=True)
    for old in args.folder.glob("out-*"):
        shutil.rmtree(old)
    rows = make(args.series, panel)
    print(f"{args.series:,} series, {rows:,} points, {panel.stat().st_size / 1e6:.0f} MB")
    results: list[dict[str, float]] = []
    same: pl.DataFrame | None = None
    for workers in args.workers:
        command = [sys.executable, __file__, "--series", str(args.series), "--folder", str(args.folder)]
        ran = subprocess.run([*command, "--one", str(workers)], capture_output=True, text=True, check=False)
        if ran.returncode:
            sys.exit(ran.stderr)
        results.append(json.loads(ran.stdout.splitlines()[-1]))
        whole = pl.scan_parquet(args.folder / f"out-{workers}" / "part-*.parquet").collect()
        same = whole if same is None else same
        if not same.equals(whole):
            sys.exit(f"{workers} workers gave other rows than {args.workers[0]} workers")
        r = results[-1]
        r["under_by_clock"] = 1 - r["series_per_second"] / max(workers, 1) / results[0]["series_per_second"]
        driver = r["processor_ms"] if workers else 0.0
        r["over_by_processor"] = (r["worker_ms"] + driver) / results[0]["worker_ms"] - 1
        print({name: round(value, 3) for name, value in r.items()}, flush=True)
    peers = peer_times(args.peers, args.folder) if args.peers else []
    for peer in peers:
        print(peer, flush=True)
    if args.json:
        args.json.write_text(json.dumps({"rows": rows, "runs": results, "peers": peers}, indent=1))


if __name__ == "__main__":
    main()
