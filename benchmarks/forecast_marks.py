"""fit_direct on M4-Hourly, M4-Weekly and ETTh1, beside the naive forecasts, on windows of their training parts.

Run from the repository root: python benchmarks/forecast_marks.py [folder] [--only hourly weekly ett] [--steps 2000]
    [--networks 3] [--json FILE]

M4: a fit to all but the last three horizons of every series, then a forecast of each of the three without refitting;
the competition's test files are never read. OWA is that of each window against Naive2 (naive for the weekly series,
whose official season is 1), its mean at the end; wQL over the nine deciles, the seasonal naive's from normal intervals.
ETTh1: oil temperature alone, Informer's protocol: 8,640 hours to fit, 2,880 to choose by, 2,880 to judge, all windows;
least squares only, and the mark is direct least squares on 336 hours.
"""

from __future__ import annotations

import argparse
import json
import os
import time
from pathlib import Path
from typing import Any

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # thousands of small factorisations

import numpy as np
import polars as pl
from numpy.typing import NDArray
from scipy.special import ndtri

from ostinato.data.read import read
from ostinato.emissions.quantiles import DECILES, LEVELS, coverage
from ostinato.training.direct import fit_direct

Array = NDArray[np.float64]

#: file, horizon, season of the scores, season of the model
M4 = {"hourly": ("M4-Hourly-train.csv.gz", 48, 24, 24), "weekly": ("M4-Weekly-train.csv.gz", 13, 1, 52)}
#: horizon -> MSE of direct least squares on 336 hours, the last value subtracted
ETT = {24: 0.0262, 48: 0.0388, 168: 0.0680, 336: 0.0867, 720: 0.1047}


def naive2(y: Array, m: int, horizon: int) -> Array:
    """Naive on the seasonally adjusted series, where M4's test finds a season (Makridakis et al. 2020, appendix A)."""
    z = y - y.mean()
    r = np.array([z[lag:] @ z[:-lag] for lag in range(1, m + 1)]) / max(float(z @ z), 1e-300)
    if m == 1 or len(y) < 3 * m or abs(r[-1]) <= 1.645 * np.sqrt((1 + 2 * (r[:-1] ** 2).sum()) / len(y)):
        return np.full(horizon, y[-1])
    weights = np.concatenate([[0.5], np.ones(m - 1), [0.5]]) / m
    trend = np.convolve(y, weights, mode="valid")
    place = (np.arange(len(trend)) + m // 2) % m
    ratio = y[m // 2 : m // 2 + len(trend)] / trend
    index = np.array([ratio[place == k].mean() for k in range(m)])
    return y[-1] / index[(len(y) - 1) % m] * index[(len(y) + np.arange(horizon)) % m]


def seasonal_naive(y: Array, m: int, horizon: int) -> Array:
    """(H, 9): the deciles of normal intervals around the last season."""
    ahead = np.arange(horizon)
    spread = np.sqrt(np.mean((y[m:] - y[:-m]) ** 2) * (ahead // m + 1))
    return y[len(y) - m + ahead % m][:, None] + spread[:, None] * ndtri(LEVELS[DECILES])


def errors(y: Array, f: Array, scale: Array) -> tuple[float, float]:
    """sMAPE and MASE of forecasts (B, H)."""
    size = np.abs(y - f)
    return float((2 * size / (np.abs(y) + np.abs(f))).mean()), float((size.mean(axis=1) / scale).mean())


def wql(y: Array, q: Array) -> float:
    """Mean weighted quantile loss of deciles (B, H, 9)."""
    e, level = y[..., None] - q, LEVELS[DECILES]
    return float(2 * np.maximum(level * e, (level - 1) * e).sum() / 9 / np.abs(y).sum())


def panel(path: Path, horizon: int, m: int, season: int, **options: Any) -> list[dict[str, Any]]:
    """A row a window, oldest first, and their mean."""
    rows = pl.read_csv(path, infer_schema_length=None).rows()
    series = {row[0]: np.array([v for v in row[1:] if v is not None], dtype=np.float64) for row in rows}
    begun = time.monotonic()
    fit = fit_direct(read({k: y[: -3 * horizon] for k, y in series.items()}), horizon, season=season, **options)
    seconds = time.monotonic() - begun
    print("\n".join(f"  {note}" for note in fit.notes), flush=True)
    table = []
    for back in (3, 2, 1):
        cut = {k: (y[: len(y) - back * horizon], y[len(y) - back * horizon :][:horizon]) for k, y in series.items()}
        history, y = {k: a for k, (a, _) in cut.items()}, np.stack([b for _, b in cut.values()])
        begun = time.monotonic()
        point, q = fit.model.predict(history)
        spent = time.monotonic() - begun
        scale = np.array([np.abs(a[m:] - a[:-m]).mean() for a in history.values()])
        ours, theirs = (
            errors(y, point, scale),
            errors(y, np.stack([naive2(a, m, horizon) for a in history.values()]), scale),
        )
        naive = np.stack([seasonal_naive(a, m, horizon) for a in history.values()])
        said = errors(y, naive[..., 4], scale)
        table.append(
            {
                "OWA": (ours[0] / theirs[0] + ours[1] / theirs[1]) / 2,
                "OWA, seasonal naive": (said[0] / theirs[0] + said[1] / theirs[1]) / 2,
                "wQL": wql(y, q[..., DECILES]),
                "wQL, seasonal naive": wql(y, naive),
                "in 95 %": float(coverage(y, q)[1]),
                "fit s": seconds,
                "forecast s": spent,
            }
        )
    return [*table, {k: float(np.mean([row[k] for row in table])) for k in table[0]}]


def ett(path: Path) -> list[dict[str, Any]]:
    """A row a horizon."""
    y = pl.read_csv(path)["OT"].to_numpy().astype(np.float64)
    y = (y - y[:8640].mean()) / y[:8640].std()
    table = []
    for horizon, mark in ETT.items():
        begun = time.monotonic()
        fit = fit_direct(read([y[:11520]]), horizon, season=24, memory=None, held_out=2880, refit=False)
        base, key = fit.model.base, fit.model.ids[0]
        windows = base.window.cut(y[:14400], horizon, 11520, 14400)
        error = base.window.restore(base.middle(windows, key), windows) - base.window.restore(windows.targets, windows)
        last = base.window.restore(windows.targets, windows) - windows.level
        table.append(
            {
                "horizon": horizon,
                "MSE": float((error**2).mean()),
                "mark": mark,
                "last value": float((last**2).mean()),
                "memory": base.window.memory,
                "fit s": time.monotonic() - begun,
            }
        )
    return table


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    home = Path(__file__).resolve().parents[2] / "shared/data/timeseries"
    parser.add_argument("folder", nargs="?", type=Path, default=home)
    parser.add_argument("--only", nargs="*", choices=[*M4, "ett"], default=[*M4, "ett"])
    parser.add_argument("--steps", type=int, default=2000, help="optimiser steps a network")
    parser.add_argument("--networks", type=int, default=3)
    parser.add_argument("--json", type=Path, help="write the tables here too")
    args = parser.parse_args()
    pl.Config.set_tbl_formatting("MARKDOWN").set_tbl_hide_column_data_types(True).set_tbl_hide_dataframe_shape(True)
    pl.Config.set_tbl_cols(-1).set_tbl_width_chars(160).set_float_precision(4)
    tables = {}
    for name in args.only:
        print(name, flush=True)
        if name == "ett":
            tables[name] = ett(args.folder / "ETTh1.csv.gz")
        else:
            file, *numbers = M4[name]
            tables[name] = panel(args.folder / file, *numbers, steps=args.steps, networks=args.networks)
        print(pl.DataFrame(tables[name]), flush=True)
    if args.json:
        args.json.write_text(json.dumps(tables, indent=1))


if __name__ == "__main__":
    main()
