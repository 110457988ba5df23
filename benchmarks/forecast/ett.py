"""ETTh1 by the protocol of Informer, compared with direct least squares on 336 hours.

The protocol fits on 8,640 hours, chooses on 2,880 hours and scores all windows of 2,880 hours; each channel is
standardised by the first part. This file computes the target mark: direct least squares fitted to the first part, one
channel at a time, with the last value subtracted and without an intercept. With an intercept it is a harder mark,
which is printed next to it. Run python -m forecast.ett --only "7 channels" --horizons 720 from benchmarks/ for a part.
ostinato is fitted to the first part as well. The figures of Informer are not a useful mark,
because repeating the last value beats them.
"""

from __future__ import annotations

import argparse
import os
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ostinato.shapes import Array

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import numpy as np
import polars as pl
from public_data import SERIES, present

from ostinato.data.read import read
from ostinato.direct.model import DirectModel
from ostinato.direct_fit.fit import fit_direct

HORIZONS = (24, 48, 168, 336, 720)
TRAIN, CHOOSE, JUDGE = 8640, 11520, 14400
#: The hours of the window of the mark.
WINDOW = 336


def channels(path: Path) -> dict[str, Array]:
    """Return the seven channels, standardised by the first part."""
    frame = pl.read_csv(path).drop("date")
    values = frame.to_numpy().astype(np.float64)[:JUDGE]
    values = (values - values[:TRAIN].mean(axis=0)) / values[:TRAIN].std(axis=0)
    return dict(zip(frame.columns, values.T, strict=True))


def least_squares(y: Array, horizon: int, *, intercept: bool) -> float:
    """Return the MSE of direct least squares on the last part of a channel (T,)."""
    cut = np.lib.stride_tricks.sliding_window_view(y, WINDOW + horizon)
    inputs, targets = cut[:, :WINDOW] - cut[:, WINDOW - 1 : WINDOW], cut[:, WINDOW:] - cut[:, WINDOW - 1 : WINDOW]
    inputs = np.concatenate([inputs[:, :-1], np.ones((len(cut), int(intercept)))], axis=1)
    known, first = TRAIN - WINDOW - horizon + 1, CHOOSE - WINDOW
    weights = np.linalg.lstsq(inputs[:known], targets[:known], rcond=None)[0]
    return float(np.mean((inputs[first:] @ weights - targets[first:]) ** 2))


def ours(series: dict[str, Array], horizon: int) -> dict[str, Any]:
    """Return the MSE of the closed form of fit_direct by channel, its window, and the seconds of the fit."""
    begun = time.perf_counter()
    known = read({key: y[:CHOOSE] for key, y in series.items()})
    fit = fit_direct(known, horizon, season=24, backbone=None, held_out=CHOOSE - TRAIN, refit=False)
    model, errors, naive = fit.model, {}, {}
    assert isinstance(model, DirectModel)
    base = model.base
    for key, y in series.items():
        windows = base.window.cut(y, horizon, CHOOSE, JUDGE)
        came = base.window.restore(windows.targets, windows)
        errors[key] = float(np.mean((base.window.restore(base.middle(windows, key), windows) - came) ** 2))
        naive[key] = float(np.mean((windows.level - came) ** 2))
    return {
        "mse": errors,
        "last value": naive,
        "kept": fit.model.name,
        "memory": base.window.lookback,
        "seconds": time.perf_counter() - begun,
    }


def run(path: Path, horizons: Sequence[int] = HORIZONS, only: str = "") -> list[dict[str, Any]]:
    """Return one row per horizon, for the oil temperature alone and for all seven channels.

    Args:
        path: The file.
        horizons: The steps ahead.
        only: "OT" or "7 channels" for one of the two alone.
    """
    series, out = channels(path), []
    for what, some in (("OT", {"OT": series["OT"]}), ("7 channels", series)):
        for horizon in horizons if only in ("", what) else ():
            found = ours(some, horizon)
            marks = {key: least_squares(y, horizon, intercept=False) for key, y in some.items()}
            harder = [least_squares(y, horizon, intercept=True) for y in some.values()]
            under = [found["mse"][key] < marks[key] for key in some]
            out.append(
                {
                    "of": what,
                    "horizon": horizon,
                    "MSE": float(np.mean(list(found["mse"].values()))),
                    "mark": float(np.mean(list(marks.values()))),
                    "channels under": f"{sum(under)}/{len(under)}",
                    "with an intercept": float(np.mean(harder)),
                    "last value": float(np.mean(list(found["last value"].values()))),
                    "memory": found["memory"],
                    "fit s": found["seconds"],
                    "channels": {key: [found["mse"][key], marks[key]] for key in some},
                }
            )
            print(f"  {what}, {horizon}: {out[-1]['MSE']:.4f}, mark {out[-1]['mark']:.4f}", flush=True)
    return out


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=present, default=str(SERIES))
    parser.add_argument("--only", choices=("OT", "7 channels"), default="")
    parser.add_argument("--horizons", type=int, nargs="*", default=HORIZONS)
    given = parser.parse_args()
    run(given.data / "ETTh1.csv.gz", given.horizons, given.only)
