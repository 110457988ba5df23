"""Ten workers of a cluster killed at random moments, then a node, then the driver: every series once, as without kills.

A cluster of two nodes on loopback; the driver is a program of its own.

python benchmarks/kill_workers.py --series 3000
"""

from __future__ import annotations

import argparse
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

from ostinato.scale.threads import environment

os.environ.update(environment(1), RAY_USAGE_STATS_ENABLED="0", RAY_AUTH_MODE="disabled")

import numpy as np
import polars as pl
import ray
from ray.cluster_utils import Cluster

from ostinato import scale
from scale import make

DRIVER = """
from ostinato import scale
from ostinato.scale import plan
plan.ROWS = {rows}
print(scale.forecast("ar", {panel!r}, {out!r}, horizon=12, on=scale.ray({address!r})))
"""
ROWS = 25_000


def workers() -> list[int]:
    """The processes of this cluster that work on parts: they are children of its raylets."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            name = (folder / "cmdline").read_bytes().split(b"\0")[0]
            parent = int((folder / "stat").read_text().rsplit(")", 1)[1].split()[1])
            mine = os.getpid() == int(Path(f"/proc/{parent}/stat").read_text().rsplit(")", 1)[1].split()[1])
        except (OSError, ValueError):
            continue
        if name.startswith(b"ray::") and mine:
            found.append(int(folder.name))
    return found


def there(out: Path) -> int:
    """Parts that are written."""
    return len(list(out.glob("part-*")))


def kills(code: str, out: Path, cluster: Cluster, node: object, rng: np.random.Generator) -> None:
    """Start the program, and kill: workers, a node, the program itself."""
    driver = subprocess.Popen([sys.executable, "-c", code])
    while not there(out):
        if driver.poll() is not None:
            sys.exit("the driver ended before there was a part")
        time.sleep(0.1)
    shots = 0
    while driver.poll() is None and shots < 10:
        alive = workers()
        if alive:
            os.kill(int(rng.choice(alive)), signal.SIGKILL)
            shots += 1
        time.sleep(float(rng.uniform(0.2, 2.0)))
    print(f"{shots} workers killed; {there(out)} parts are there; the driver: {driver.poll() or 'runs'}", flush=True)
    cluster.remove_node(node, allow_graceful=False)
    time.sleep(3)
    print(f"a node killed; {there(out)} parts are there", flush=True)
    driver.kill()
    driver.wait()
    print(f"the driver killed; {there(out)} parts are there", flush=True)


def main() -> None:
    options = argparse.ArgumentParser()
    options.add_argument("--series", type=int, default=3000)
    options.add_argument("--folder", type=Path, default=Path("out/kills"))
    options.add_argument("--seed", type=int, default=0)
    asked = options.parse_args()
    rng, folder = np.random.default_rng(asked.seed), asked.folder
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    panel = folder / "panel.parquet"
    make(asked.series, panel)
    scale.plan.ROWS = ROWS
    print(scale.forecast("ar", panel, folder / "here", horizon=12))
    head = {"num_cpus": 0, "include_dashboard": False}
    cluster = Cluster(initialize_head=True, head_node_args=head)
    nodes = [cluster.add_node(num_cpus=1) for _ in range(2)]
    cluster.wait_for_nodes()
    address, out = cluster.address, str((folder / "there").absolute())
    code = DRIVER.format(rows=ROWS, panel=str(panel.absolute()), out=out, address=address)
    try:
        kills(code, Path(out), cluster, nodes[0], rng)
        cluster.add_node(num_cpus=1)
        if subprocess.call([sys.executable, "-c", code]):
            sys.exit("the rerun failed")
    finally:
        ray.shutdown()
        cluster.shutdown()
    ours, theirs = (pl.read_parquet(folder / name / "part-*.parquet") for name in ("here", "there"))
    if not ours.equals(theirs):
        sys.exit("the rows differ")
    once = theirs.group_by("unique_id").len()["len"]
    print(f"{len(once):,} series, each {once.min()} to {once.max()} rows, as in process")


if __name__ == "__main__":
    main()
