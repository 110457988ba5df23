"""Densities of the next return by ostinato, a random walk of constant variance, and GARCH(1,1) with Student's t.

Every method is fitted to the first 70 % of each series and then gives the density of the next return, day after day.
The benchmark makes no claim about the mean. It compares log-likelihoods and checks the calibration of the densities.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from scipy import stats

from ostinato.data.read import read
from ostinato.dispatch.fit import fit
from ostinato.evaluation.calibration import calibrate
from ostinato.fits.budget import Budget
from ostinato.inference.score import score
from ostinato.model import SequenceModel
from ostinato.shapes import Array

#: The share of each series that may be fitted.
SHARE = 0.7
#: The optimiser steps of each rung.
STEPS = 600


@dataclass(frozen=True)
class Judged:
    """The results of one method on the returns after the fitted part, series after series: nats (N,) and PIT (N,)."""

    log_prob: Array
    pit: Array
    seconds: float
    note: str = ""


def panels(folder: Path) -> dict[str, dict[str, Array]]:
    """Return daily closes: five tickers, adjusted for splits and dividends, and four indices."""
    tickers = pl.read_csv(folder / "wiki_5_tickers_daily_ohlcv.csv.gz")
    indices = pl.read_csv(folder / "EuStockMarkets.csv").drop("rownames")
    return {
        "tickers": {
            str(key): part["Adj Close"].to_numpy().astype(np.float64)
            for (key,), part in tickers.group_by("Ticker", maintain_order=True)
        },
        "indices": {name: indices[name].to_numpy().astype(np.float64) for name in indices.columns},
    }


def stop(y: Array) -> int:
    """Return how many prices (T,) may be fitted."""
    return int((len(y) - 1) * SHARE) + 1


def walk(series: dict[str, Array]) -> Judged:
    """Score normal log returns of constant mean and variance."""
    nats, pit = [], []
    for y in series.values():
        r, known = np.diff(np.log(y)), stop(y) - 1
        told = stats.norm(r[:known].mean(), r[:known].std())
        nats.append(told.logpdf(r[known:]))
        pit.append(told.cdf(r[known:]))
    return Judged(np.concatenate(nats), np.concatenate(pit), 0.0)


def ours(series: dict[str, Array]) -> Judged:
    """Score the model that ``fit`` chooses from the ladder; the budget is in optimiser steps."""
    begun = time.perf_counter()
    chosen = fit(read({key: y[: stop(y)] for key, y in series.items()}, kind="prices"), budget=Budget(None, STEPS))
    seconds = time.perf_counter() - begun
    model, data = chosen.model, read(series, kind="prices")
    assert isinstance(model, SequenceModel)
    scores = score(model, data)
    spans = [(b, stop(y), len(y)) for b, y in enumerate(series.values())]
    nats = [-scores.surprisal[scores.offsets[b] + a : scores.offsets[b] + z] for b, a, z in spans]
    pit = calibrate(model, model.encoding.encode(data), spans).pit
    return Judged(np.concatenate(nats), pit, seconds, chosen.kept.name)


def garch(series: dict[str, Array], name: str, folder: Path, peer: Callable[[list[str]], None]) -> Judged | None:
    """Score GARCH in the peers' environment, or read its earlier result; None if there is neither."""
    done = folder / f"{name}.garch.parquet"
    returns = {key: 100 * np.diff(np.log(y)) for key, y in series.items()}
    if not done.exists():
        frames = [
            pl.DataFrame(
                {"unique_id": [key] * len(r), "y": r, "known": (np.arange(len(r)) < stop(series[key]) - 1) * 1}
            )
            for key, r in returns.items()
        ]
        folder.mkdir(parents=True, exist_ok=True)
        pl.concat(frames).write_parquet(folder / f"{name}.parquet")
        peer(["forecast.garch", str(folder), name])
    if not done.exists():
        return None
    frame = pl.read_parquet(done)
    later = np.concatenate([np.arange(len(r)) >= stop(series[key]) - 1 for key, r in returns.items()])
    seconds = json.loads((folder / f"{name}.garch.json").read_text())["seconds"]
    return Judged(frame["log_prob"].to_numpy()[later], frame["pit"].to_numpy()[later], seconds)


def rows(series: dict[str, Array], everyone: dict[str, Judged]) -> list[dict[str, Any]]:
    """Return one row per model and series, then one for all series.

    ``ahead`` is the lead of ostinato over the model in nats per day, with its standard error. For all series together
    the days are averaged first, since markets move together: the error is that of the days.
    """
    counts = [len(y) - stop(y) for y in series.values()]
    at = np.cumsum([0, *counts])
    out = []
    for name, judged in everyone.items():
        ahead = everyone["ostinato"].log_prob - judged.log_prob
        parts = [(key, slice(at[i], at[i + 1])) for i, key in enumerate(series)]
        for key, part in [*parts, ("all", slice(0, at[-1]))]:
            pit = judged.pit[part]
            error = standard_error(ahead[part]) if key != "all" else _by_days([ahead[p] for _, p in parts])
            out.append(
                {
                    "series": key,
                    "model": name,
                    "days": len(pit),
                    "log_prob": float(judged.log_prob[part].mean()),
                    "ours ahead": float(ahead[part].mean()),
                    "standard error": error,
                    "in 95 %": float((np.abs(pit - 0.5) <= 0.475).mean()),
                    "in 99 %": float((np.abs(pit - 0.5) <= 0.495).mean()),
                    "PIT: KS distance": float(stats.kstest(pit, "uniform").statistic),
                    "seconds": judged.seconds,
                }
            )
    return out


def standard_error(x: Array, lags: int = 10) -> float:
    """Return the standard error of the mean of x (N,) for dependent neighbours (Newey and West 1987)."""
    z, n = x - x.mean(), len(x)
    total = float(z @ z) + 2 * sum((1 - k / (lags + 1)) * float(z[k:] @ z[:-k]) for k in range(1, min(lags, n - 1) + 1))
    return float(np.sqrt(max(total, 0.0)) / n)


def _by_days(parts: list[Array]) -> float:
    """Return the standard error of the mean over series that end on the same day."""
    longest = max(map(len, parts))
    total = sum(np.pad(part, (longest - len(part), 0)) for part in parts)
    days = np.asarray(total) * longest / sum(map(len, parts))
    return standard_error(days)


def run(folder: Path, out: Path, peer: Callable[[list[str]], None]) -> dict[str, list[dict[str, Any]]]:
    """Run both panels."""
    found = {}
    for name, series in panels(folder).items():
        everyone = {"ostinato": ours(series), "constant variance": walk(series)}
        other = garch(series, name, out, peer)
        if other:
            everyone["arch GARCH(1,1)-t"] = other
        print(f"  {name}: {everyone['ostinato'].note}, {everyone['ostinato'].seconds:.0f} s", flush=True)
        found[name] = rows(series, everyone)
    return found
