"""ETTh1 by Informer's protocol, beside direct least squares on 336 hours, which this file computes.

8,640 hours to fit, 2,880 to choose by, 2,880 to judge, all windows; each channel standardised by the first part. The
mark is fitted to the first part, a channel at a time, the last value subtracted and without an intercept; with one it
is a harder mark, printed beside it. We are fitted to the first part as well. Informer's own figures are no mark:
repeating the last value beats them.
"""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from ostinato.data.read import read
from ostinato.direct.model import DirectModel
from ostinato.direct_fit.fit import fit_direct

Array = NDArray[np.float64]

HORIZONS = (24, 48, 168, 336, 720)
TRAIN, CHOOSE, JUDGE = 8640, 11520, 14400
#: Hours that the mark looks at.
WINDOW = 336


def channels(path: Path) -> dict[str, Array]:
    """The seven channels, standardised by the first part."""
    frame = pl.read_csv(path).drop("date")
    values = frame.to_numpy().astype(np.float64)[:JUDGE]
    values = (values - values[:TRAIN].mean(axis=0)) / values[:TRAIN].std(axis=0)
    return dict(zip(frame.columns, values.T, strict=True))


def least_squares(y: Array, horizon: int, *, intercept: bool) -> float:
    """MSE of direct least squares on the last part of a channel (T,)."""
    cut = np.lib.stride_tricks.sliding_window_view(y, WINDOW + horizon)
    inputs, targets = cut[:, :WINDOW] - cut[:, WINDOW - 1 : WINDOW], cut[:, WINDOW:] - cut[:, WINDOW - 1 : WINDOW]
    inputs = np.concatenate([inputs[:, :-1], np.ones((len(cut), int(intercept)))], axis=1)
    known, first = TRAIN - WINDOW - horizon + 1, CHOOSE - WINDOW
    weights = np.linalg.lstsq(inputs[:known], targets[:known], rcond=None)[0]
    return float(np.mean((inputs[first:] @ weights - targets[first:]) ** 2))


def ours(series: dict[str, Array], horizon: int) -> dict[str, Any]:
    """MSE of the closed form of fit_direct, by channel; what it saw, and the seconds it took."""
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


def run(path: Path) -> list[dict[str, Any]]:
    """A row a horizon, of the oil temperature alone and of all seven channels."""
    series, out = channels(path), []
    for what, some in (("OT", {"OT": series["OT"]}), ("7 channels", series)):
        for horizon in HORIZONS:
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
