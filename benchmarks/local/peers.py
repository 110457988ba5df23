"""The peers with their default settings; this file runs in their environment without ostinato.

python -m local.peers DATA OUT MODEL GROUP [MINUTES], from benchmarks/, forecasts every series of a group (M1-monthly
and so on, or demand, which made.py makes) with one model of statsforecast, and writes OUT/GROUP.MODEL.npz. Each series
is fitted alone, on one core, in an order that is shuffled with a fixed seed. If the time limit ends the run, the series
that are left hold NaN. A series that the model refuses gets the naive forecast, and the file counts them.
"""

from __future__ import annotations

import os

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
os.environ.setdefault("OMP_NUM_THREADS", "1")

import sys
import time
import warnings
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from local import made

PROBABILITIES = np.array([0.025, 0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 0.975])
INTERVALS = [20, 40, 60, 80, 90, 95]
HORIZON = {"M1": {"yearly": 6, "quarterly": 8, "monthly": 18}, "tourism": {"yearly": 4, "quarterly": 8, "monthly": 24}}
DEMAND = ("CrostonClassic", "CrostonOptimized", "CrostonSBA", "TSB", "ADIDA", "IMAPA")
SEASON = {"yearly": 1, "quarterly": 4, "monthly": 12}


def histories(data: Path, group: str) -> list[np.ndarray]:
    """Return the training part of each series of a group, in the order of the file."""
    name, period = group.split("-")
    frame = pd.read_csv(data / f"{name}.csv.gz")
    frame = frame[(frame["period"] == period) & (frame["part"] == "train")]
    return [one["y"].to_numpy(float) for _, one in frame.groupby("unique_id", sort=False)]


def model(name: str, season: int, horizon: int) -> Any:
    """Return a model by its name. Those of intermittent demand know no intervals, and get conformal ones."""
    from statsforecast import models
    from statsforecast.utils import ConformalIntervals

    made_ = getattr(models, name)
    intervals = {"prediction_intervals": ConformalIntervals(h=horizon, n_windows=2)}
    if name == "TSB":
        return made_(alpha_d=0.2, alpha_p=0.2, **intervals)
    return made_(**intervals) if name in DEMAND else made_(season_length=season)


def main() -> None:
    """Run one peer on one group; see the module."""
    from statsforecast import models

    warnings.simplefilter("ignore")
    data, out, name, group = Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3], sys.argv[4]
    limit = 60 * float(sys.argv[5]) if len(sys.argv) > 5 else np.inf
    if group == "demand":
        horizon, season, series = made.HORIZON, 12, list(made.demand()[0])
    else:
        first, period = group.split("-")
        horizon, season, series = HORIZON[first][period], SEASON[period], histories(data, group)
    point = np.full((len(series), horizon), np.nan)
    quantiles = np.full((len(series), horizon, len(PROBABILITIES)), np.nan)
    seconds, refused = np.full(len(series), np.nan), 0
    begun = time.process_time()
    for s in np.random.default_rng(0).permutation(len(series)):
        if time.process_time() - begun > limit:
            break
        start, said = time.process_time(), None
        with suppress(Exception):
            said = model(name, season, horizon).forecast(series[s], horizon, level=INTERVALS)
        if said is None or not np.isfinite(said["mean"]).all():
            refused += 1
            said = models.Naive().forecast(series[s], horizon, level=INTERVALS)
        seconds[s] = time.process_time() - start
        point[s] = said["mean"]
        columns = [f"lo-{i}" for i in reversed(INTERVALS)], [f"hi-{i}" for i in INTERVALS]
        both = [*(said[c] for c in columns[0]), said["mean"], *(said[c] for c in columns[1])]
        quantiles[s] = np.stack(both, -1)
    np.savez(out / f"{group}.{name}.npz", point=point, quantiles=quantiles, seconds=seconds, refused=refused)
    print(group, name, f"{np.nansum(seconds):.0f} s, {refused} refused, {np.isfinite(seconds).sum()} of {len(series)}")


if __name__ == "__main__":
    main()
