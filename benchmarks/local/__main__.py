"""The local methods against the peers over six groups of short series with known answers.

Run python -m local from benchmarks/. The peers' forecasts are read from --peers, where peers.py writes them. Each
method is fitted to a whole group at once, and with --alone to 50 series of each group one at a time. With
--half, the table is over every second series of each group (tuned: the first, third and so on; other: the rest). The
members of the combination and its constants were compared on all series of these groups, and the constants for a
single series on the half called tuned. So only data beyond these groups show what the choices are worth. With --back K,
the forecasts begin K horizons earlier and see only what was known then, without peers: whether the last window is like
those before it.
"""

from __future__ import annotations

import argparse
import os
import time
from pathlib import Path

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import numpy as np
import polars as pl
from numpy.typing import NDArray
from public_data import SERIES, present

from local import groups
from local.peers import DEMAND, PROBABILITIES
from local.scores import Said, gap, table
from ostinato.local.methods import METHODS
from ostinato.local.panel import Panel

#: The strongest cheap ensemble that is known: the median of the peers, quantile by quantile.
MEDIAN = "median of peers"
PEERS = ("AutoETS", "AutoTheta", "DynamicOptimizedTheta", "AutoCES", "AutoARIMA")
#: The number of series of a group that are forecast alone.
_ALONE = 50


def main() -> None:
    """Run the groups and methods that the command line selects, and print a table for each group and their mean."""
    root = Path(__file__).resolve().parents[2]
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=present, default=str(SERIES))
    parser.add_argument("--peers", type=Path, default=root / "out/local", help="the folder of the peers' forecasts")
    parser.add_argument("--only", nargs="*", choices=[*groups.NAMES, groups.DEMAND], default=list(groups.NAMES))
    parser.add_argument("--methods", nargs="*", choices=list(METHODS), default=list(METHODS))
    parser.add_argument("--half", choices=("all", "tuned", "other"), default="all")
    parser.add_argument("--alone", action="store_true", help=f"{_ALONE} series of each group, one at a time")
    parser.add_argument("--back", type=int, default=0, metavar="K", help="forecast K horizons before the answers")
    args = parser.parse_args()
    pl.Config.set_tbl_formatting("MARKDOWN").set_tbl_hide_column_data_types(True).set_tbl_hide_dataframe_shape(True)
    pl.Config.set_tbl_cols(-1).set_tbl_rows(-1).set_tbl_width_chars(180).set_float_precision(4)
    tables, lines = [], []
    for name in args.only:
        group = groups.earlier(groups.load(args.data, name), args.back)
        order = np.arange(len(group.ids))
        rows = {"all": order >= 0, "tuned": order % 2 == 0, "other": order % 2 == 1}[args.half]
        if args.alone:
            drawn = np.random.default_rng(0).choice(np.flatnonzero(rows), min(_ALONE, int(rows.sum())), replace=False)
            rows = np.isin(order, drawn)
        said = {} if args.back else peers(args.peers, group)
        for method in args.methods:
            said[method] = alone(method, group, rows) if args.alone else whole(method, group)
        tables.append(table(group, said, rows).with_columns(group=pl.lit(name)))
        print(f"\n{name}", tables[-1].drop("group"), sep="\n", flush=True)
        if {"auto", MEDIAN} <= said.keys():
            lines.append(line(name, tables[-1], gap(group, said["auto"], said[MEDIAN], rows)))
    both = pl.concat(tables)
    print("\nmean over the groups", both.drop("group").group_by("method", maintain_order=True).mean(), sep="\n")
    if lines:
        print(f"\nauto, {MEDIAN}", "| group | OWA | wQL | gap in wQL | 80 % | 95 % |", *lines, sep="\n")


def line(name: str, scored: pl.DataFrame, ahead: tuple[float, float]) -> str:
    """Return the row of a group in the table of docs/forecast.md: the default, and then the median of the peers."""
    ours, theirs = (scored.row(by_predicate=pl.col("method") == who, named=True) for who in ("auto", MEDIAN))
    held = " | ".join(f"{ours[c]:.1%}, {theirs[c]:.1%}" for c in ("cov80", "cov95"))
    pairs = " | ".join(f"{ours[c]:.{d}f}, {theirs[c]:.{d}f}" for c, d in (("owa", 3), ("wql", 4)))
    return f"| {name} | {pairs} | {ahead[0]:+.1%} ± {ahead[1]:.1%} | {held} |"


def whole(method: str, group: groups.Group) -> Said:
    """Return the forecasts of a method that is fitted to a whole group at once."""
    begun = time.process_time()
    ahead = METHODS[method](Panel(group.history, group.seasons)).ahead(group.horizon, PROBABILITIES)
    return Said(ahead.point, ahead.quantiles, time.process_time() - begun)


def alone(method: str, group: groups.Group, rows: NDArray[np.bool_]) -> Said:
    """Return the forecasts of a method that is fitted to some series of a group, one at a time."""
    point = np.full(group.after.shape, np.nan)
    quantiles = np.full((*group.after.shape, len(PROBABILITIES)), np.nan)
    begun = time.process_time()
    for s in np.flatnonzero(rows):
        ahead = METHODS[method](Panel((group.history[s],), group.seasons)).ahead(group.horizon, PROBABILITIES)
        point[s], quantiles[s] = ahead.point[0], ahead.quantiles[0]
    return Said(point, quantiles, time.process_time() - begun)


def peers(folder: Path, group: groups.Group) -> dict[str, Said]:
    """Return the kept forecasts of the peers, and their median, quantile by quantile."""
    out = {}
    for name in DEMAND if group.name == groups.DEMAND else PEERS:
        path = folder / f"{group.name}.{name}.npz"
        if path.exists():
            kept = np.load(path)
            out[name] = Said(kept["point"], kept["quantiles"], float(np.nansum(kept["seconds"])))
    if len(out) > 1:
        point, quantiles = (np.stack([getattr(said, part) for said in out.values()]) for part in ("point", "quantiles"))
        out[MEDIAN] = Said(
            np.nanmedian(point, axis=0), np.nanmedian(quantiles, axis=0), sum(said.seconds for said in out.values())
        )
    return out


if __name__ == "__main__":
    main()
