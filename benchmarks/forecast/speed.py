"""The time of a forecast from a fitted model in memory, for one small series and for ten thousand.

The small series is AirPassengers with 24 steps; the others are 10,000 copies, each at its own level. ostinato runs
without and with sample paths. The networks of the peers are trained for a few steps only, because the forecasts do
not matter here.
"""

from __future__ import annotations

import json
import statistics
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import torch

from ostinato.data.read import read
from ostinato.direct.model import DirectModel
from ostinato.direct.windows import channels
from ostinato.direct_fit.fit import fit_direct
from ostinato.dispatch.fit import fit
from ostinato.fits.budget import Budget
from ostinato.inference.forecast import forecast
from ostinato.shapes import Array

HORIZON, PATHS, MANY = 24, 200, 10_000


def passengers(folder: Path) -> Array:
    """Return AirPassengers, (144,)."""
    return pl.read_csv(folder / "AirPassengers.csv")["value"].to_numpy().astype(np.float64)


def many(y: Array) -> Array:
    """Return the same series at other levels, (MANY, 144)."""
    return y * np.exp(np.random.default_rng(0).normal(0, 1, (MANY, 1)))


def median_ms(task: Callable[[], object], times: int) -> float:
    """Return the seconds of a call after a warm-up."""
    task()
    found = []
    for _ in range(times):
        begun = time.perf_counter()
        task()
        found.append(time.perf_counter() - begun)
    return 1e3 * statistics.median(found)


def ours(folder: Path) -> list[dict[str, Any]]:
    """Return rows with the name, ms for one series, and series per second of many."""
    torch.set_num_threads(1)
    y = passengers(folder) + 0.5  # values that are not whole numbers get a density, as with the peers
    one, all_ = read([y]), read(list(many(y)))
    direct = fit_direct(one, HORIZON, season=12, backbone=None).model
    assert isinstance(direct, DirectModel)
    sequence = fit(one, model="gru", budget=Budget(None, 30)).model
    tasks: dict[str, Callable[[Any], object]] = {
        "direct, the point and all quantiles as arrays": lambda data: direct.predict(channels(data)),
        "direct, as a frame": lambda data: forecast(direct, data, HORIZON),
        f"gru, {PATHS} sample paths and quantiles as a frame": lambda data: forecast(
            sequence, data, HORIZON, n_paths=PATHS
        ),
    }
    rows = []
    for name, task in tasks.items():
        begun = time.perf_counter()
        task(all_)
        rows.append(
            {
                "what": name,
                "ms": median_ms(partial(task, one), 50),
                "series a second": MANY / (time.perf_counter() - begun),
            }
        )
    return rows


def run(folder: Path, out: Path, peer: Callable[[list[str]], None]) -> list[dict[str, Any]]:
    """Measure ostinato, then the peers."""
    rows = [{"who": "ostinato", **row} for row in ours(folder)]
    done = out / "speed.peers.json"
    if not done.exists():
        out.mkdir(parents=True, exist_ok=True)
        y = passengers(folder) + 0.5
        np.save(out / "speed.npy", np.concatenate([y[None], many(y)]))
        peer(["forecast.peer_speed", str(out), str(HORIZON)])
    return rows + (json.loads(done.read_text()) if done.exists() else [])
