"""A backtest of the models and the naive methods on the last windows of the training files of M4-Hourly and M4-Weekly.

Run from the repository root: python benchmarks/backtest_m4.py [folder] [--windows 1] [--models ar gru] [--steps 300]
The test files of the competition are never read.
"""

from __future__ import annotations

import argparse
import json
import os
from pathlib import Path

os.environ.setdefault(
    "OPENBLAS_NUM_THREADS", "1"
)  # The work is thousands of small factorisations, in which several threads only wait for each other.

import polars as pl
from public_data import SERIES, present

import ostinato
from ostinato.fits.budget import Budget

#: The horizon and the season of each file, as in the competition.
CASES = {"M4-Hourly-train.csv.gz": (48, 24), "M4-Weekly-train.csv.gz": (13, 1)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", nargs="?", type=present, default=str(SERIES))
    parser.add_argument("--windows", type=int, default=1)
    parser.add_argument("--models", nargs="*", default=["ar", "gru"])
    parser.add_argument(
        "--steps", type=int, default=300, help="optimiser steps per model, so that any machine does the same work"
    )
    parser.add_argument("--only", choices=CASES)
    parser.add_argument("--json", type=Path, help="also write the tables to this file")
    args = parser.parse_args()
    pl.Config.set_tbl_formatting("MARKDOWN").set_tbl_hide_column_data_types(True).set_tbl_hide_dataframe_shape(True)
    pl.Config.set_tbl_cols(-1).set_tbl_width_chars(200).set_float_precision(4)
    tables = {}
    for name in [args.only] if args.only else CASES:
        horizon, season = CASES[name]
        result = ostinato.cross_validation(
            args.folder / name,
            args.models,
            horizon=horizon,
            n_windows=args.windows,
            season=season,
            on_window=lambda frame: None,
            budget=Budget(None, args.steps),
        )
        print(f"{name}: {args.windows} x {horizon} steps, {args.steps} optimiser steps per model\n\n{result.table}\n")
        print("\n".join(result.notes), flush=True)
        tables[name] = {"table": result.table.to_dicts(), "notes": result.notes, **vars(args)}
    if args.json:
        args.json.write_text(json.dumps(tables, indent=1, default=str))


if __name__ == "__main__":
    main()
