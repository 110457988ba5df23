"""A cluster run in which ten workers, then a node, then the driver are killed; every series must still come out once.

The kills come at random moments. The result must be the same as without kills. The cluster has two nodes on loopback,
and the driver is a separate program.

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
#: The rows of a part and of a row group; few rows, so that ten workers die and are replaced before the run ends.
ROWS = 2_000
KILLS = 10


def workers() -> list[int]:
    """Return the processes of this cluster that work on parts or start to do so; they are children of its raylets.

    A raylet has two more children, ray::DashboardAgent and ray::RuntimeEnvAgent, and it ends without them.
    """
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            name = (folder / "cmdline").read_bytes()
            parent = int((folder / "stat").read_text().rsplit(")", 1)[1].split()[1])
            mine = os.getpid() == int(Path(f"/proc/{parent}/stat").read_text().rsplit(")", 1)[1].split()[1])
        except (OSError, ValueError):
            continue
        if mine and (name.startswith((b"ray::_call", b"ray::IDLE")) or b"default_worker.py" in name):
            found.append(int(folder.name))
    return found


def there(out: Path) -> int:
    """Return the number of parts that are written."""
    return len(list(out.glob("part-*")))


def wait(driver: subprocess.Popen[bytes], out: Path, parts: int) -> None:
    """Wait until this many parts are written."""
    while there(out) < parts:
        if driver.poll() is not None:
            sys.exit(f"the driver ended with {driver.returncode} after {there(out)} parts")
        time.sleep(0.01)


def kills(code: str, out: Path, parts: int, cluster: Cluster, node: object, rng: np.random.Generator) -> None:
    """Start the program, then kill workers at moments spread over its course, a node, and the program itself."""
    driver = subprocess.Popen([sys.executable, "-c", code])
    moments = np.sort(rng.integers(1, int(0.8 * parts), KILLS))
    for moment in moments:
        wait(driver, out, int(moment))
        time.sleep(float(rng.uniform(0, 0.2)))
        while not (alive := workers()):
            time.sleep(0.01)
        shot = int(rng.choice(alive))
        name = Path(f"/proc/{shot}/cmdline").read_bytes()
        os.kill(shot, signal.SIGKILL)
        does = "at work" if b"_call" in name else "idle" if b"IDLE" in name else "starting"
        print(f"a worker killed, {does}; {there(out)} of {parts} parts are written", flush=True)
    wait(driver, out, int(0.85 * parts))
    cluster.remove_node(node, allow_graceful=False)
    print(f"a node killed; {there(out)} parts are written", flush=True)
    wait(driver, out, int(0.9 * parts))
    driver.kill()
    driver.wait()
    print(f"the driver killed; {there(out)} parts are written", flush=True)


def main() -> None:
    options = argparse.ArgumentParser()
    options.add_argument("--series", type=int, default=3000)
    options.add_argument("--folder", type=Path, default=Path("out/kills"))
    options.add_argument("--seed", type=int, default=0)
    args = options.parse_args()
    rng, folder = np.random.default_rng(args.seed), args.folder
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    panel = folder / "panel.parquet"
    make(args.series, panel, ROWS)
    scale.plan.ROWS = ROWS
    found = scale.forecast("ar", panel, folder / "here", horizon=12)
    print(found)
    head = {"num_cpus": 0, "include_dashboard": False}
    cluster = Cluster(initialize_head=True, head_node_args=head)
    nodes = [cluster.add_node(num_cpus=1) for _ in range(2)]
    cluster.wait_for_nodes()
    address, out = cluster.address, str((folder / "there").absolute())
    code = DRIVER.format(rows=ROWS, panel=str(panel.absolute()), out=out, address=address)
    try:
        kills(code, Path(out), found.parts, cluster, nodes[0], rng)
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
    print(f"{len(once):,} series, each {once.min()!r} to {once.max()!r} rows, as in process")


if __name__ == "__main__":
    main()
