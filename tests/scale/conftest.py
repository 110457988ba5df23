"""Fixtures: a generated panel, and a Ray cluster of two nodes on this machine."""

from __future__ import annotations

import os
import signal
import socket
import warnings
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from ostinato.scale import plan
from panels_made import poisoned, series


@pytest.fixture
def panel(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """24 series of 20 to 90 days and the poisoned ones, in two files; one series lies across them. Parts are small."""
    monkeypatch.setattr(plan, "ROWS", 150)
    monkeypatch.setattr(plan, "MOST", 1200)
    rng = np.random.default_rng(1)
    made = [series(f"s{i:02d}", int(rng.integers(20, 91)), rng) for i in range(24)]
    whole = pl.concat([*poisoned(), *made])
    folder, half = tmp_path / "panel", len(whole) // 2
    folder.mkdir()
    whole[:half].write_parquet(folder / "a.parquet", row_group_size=60)
    whole[half:].write_parquet(folder / "b.parquet", row_group_size=60)
    return folder


@pytest.fixture(scope="package")
def clients() -> int:
    """Return the port at which programs on other machines connect to the cluster."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


@pytest.fixture(scope="package")
def cluster(clients: int) -> Iterator[str]:
    """The address of a cluster of two nodes of two processors each; ray is connected.

    What watches logs and asks for more machines is left out: each is a Python, and so are two agents of each node.
    """
    ray = pytest.importorskip("ray", reason="needs ostinato[ray]")
    from ray.cluster_utils import Cluster

    os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # ray's own, of what it will change one day
        left_out = {"include_dashboard": False, "include_log_monitor": False, "no_monitor": True}
        # workers that gave way to all other tests of the machine would be waited for
        how = {"_system_config": {"worker_niceness": 0}}
        head = {"num_cpus": 2, "ray_client_server_port": clients, **left_out, **how}
        nodes = Cluster(initialize_head=True, head_node_args=head)
        nodes.add_node(num_cpus=2)
        nodes.wait_for_nodes()
        usual = signal.getsignal(signal.SIGTERM)
        ray.init(address=nodes.address, log_to_driver=False, logging_level="error")
        try:
            yield nodes.address
        finally:
            ray.shutdown()
            nodes.shutdown()
            signal.signal(signal.SIGTERM, usual)  # ray leaves its own handler, which ends the process
