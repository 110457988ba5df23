"""Diagnoses of small models of the four kinds of sequence and of data made with a known lag.

The budget is a number of optimiser steps, so that every machine gives the same figures.
Run from the repository root: python benchmarks/diagnose_four_kinds.py [folder of data] [--only made] [--keep folder]
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from public_data import FOLDER, present

import ostinato
from ostinato.data.sequences import SequenceSet
from ostinato.fits.budget import Budget


@dataclass(frozen=True)
class Case:
    """The data of one case (a file, or data made here) and the training options of each model."""

    data: str | Callable[[], SequenceSet]
    models: tuple[str, ...]
    steps: int
    held_out: float | str = 0.1
    read: tuple[tuple[str, Any], ...] = ()
    options: tuple[tuple[str, Any], ...] = ()


def echo(lag: int, steps: int = 20_000) -> SequenceSet:
    """Return a series with x_t = 0.8 x_{t-lag} + 0.6 noise, in which only the value at ``lag`` is informative."""
    x = np.random.default_rng(lag).standard_normal(steps)
    for t in range(lag, steps):
        x[t] = 0.8 * x[t - lag] + 0.6 * x[t]
    return SequenceSet("series", x[:, None], np.array([0, steps]), ("echo",))


def copies(lag: int, steps: int = 30_000) -> SequenceSet:
    """Return a text of six letters in which 60 % of the letters repeat the letter ``lag`` steps before."""
    rng = np.random.default_rng(lag)
    x, again = rng.integers(97, 103, steps), rng.random(steps) < 0.6
    for t in range(lag, steps):
        x[t] = x[t - lag] if again[t] else x[t]
    points = x.astype(np.int32)[:, None]
    return SequenceSet("text", points, np.array([0, steps]), ("copies",), meta={"alphabet": "characters"})


CASES = {
    "made, lag 7": Case(
        lambda: echo(7), ("ar", "rnn", "lstm", "conv"), 300, options=(("max_order", 4), ("hidden", 32))
    ),
    "made, lag 50": Case(lambda: echo(50), ("ar", "rnn", "conv"), 300, options=(("max_order", 8), ("hidden", 32))),
    "made, lag 300": Case(lambda: echo(300), ("ar", "rnn", "conv"), 300, options=(("max_order", 8), ("hidden", 32))),
    "made text, lag 50": Case(lambda: copies(50), ("ar", "gru"), 300, options=(("hidden", 32),)),
    "series": Case("timeseries/ETTh1.csv.gz", ("ar", "rnn", "gru", "lstm"), 600, read=(("target", "OT"),)),
    "demand": Case("timeseries/vic_elec.csv.gz", ("ar", "gru"), 600, read=(("target", "Demand"),)),
    "prices": Case("stocks/wiki_5_tickers_daily_ohlcv.csv.gz", ("ar", "gru"), 400),
    "text": Case("text/tinyshakespeare.txt", ("ar", "gru"), 300),
    "names": Case("text/names.txt", ("ar", "gru"), 300),
    "sound": Case("sound/fsdd", ("ar", "gru"), 60, "*_[0-4]"),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", nargs="?", type=present, default=str(FOLDER))
    parser.add_argument("--only", help="run only the cases whose name begins with this")
    parser.add_argument(
        "--keep",
        type=Path,
        default=Path(tempfile.mkdtemp()),
        help="keep the fitted models in this folder, and use the models that are there",
    )
    args = parser.parse_args()
    args.keep.mkdir(exist_ok=True)
    for name, case in CASES.items():
        if args.only and not name.startswith(args.only):
            continue
        data = ostinato.read(args.folder / case.data, **dict(case.read)) if isinstance(case.data, str) else case.data()
        print(f"\n{name}", flush=True)
        for backbone in case.models:
            path = args.keep / f"{name.replace(', ', '-').replace(' ', '-')}-{backbone}.ost"
            if not path.exists():
                budget = Budget(None, case.steps)
                fit = ostinato.fit(data, model=backbone, budget=budget, held_out=case.held_out, **dict(case.options))
                ostinato.save_model(fit.model, path)
            begun = time.monotonic()
            found = ostinato.diagnose(ostinato.load_model(path), data, held_out=case.held_out)
            seconds = time.monotonic() - begun
            print(f"  {backbone}: {found.verdict}")
            growth = "" if found.lyapunov is None else f", Lyapunov {found.lyapunov:+.4f} ± {found.lyapunov_error:.4f}"
            print(
                f"    score {found.score:.4f} nats{growth}, reference uses {found.picked}; {seconds:.0f} s", flush=True
            )


if __name__ == "__main__":
    main()
