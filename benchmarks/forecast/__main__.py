"""A comparison of ostinato with the peers: accuracy and time on the same windows, marks, JSON, a picture.

Run python -m forecast from benchmarks/. Forecasts that are requested and are not yet under --out are computed; the
others are only scored. Remove a file under --out to compute it again.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
from pathlib import Path
from typing import Any

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # the work is thousands of small factorisations

import polars as pl
from public_data import FOLDER, present

from forecast import cases, ett, prices, scores, speed
from forecast.files import Said, keep, kept, write
from forecast.ours import ostinato
from forecast.picture import draw

#: The peers of panels, by their names in peers.py.
PEERS = (
    *(f"statsforecast-{name}" for name in ("SeasonalNaive", "AutoETS", "AutoTheta", "MSTL")),
    *(f"neuralforecast-{name}" for name in ("LSTM", "GRU", "DeepAR")),
    "gluonts-DeepAR",
)
OTHERS = ("ett", "prices", "speed")


def main() -> None:
    """Run the cases and the peers that the command line selects, and print and save the tables."""
    root = Path(__file__).resolve().parents[2]
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    every = [*cases.NAMES, *cases.OLDER, *OTHERS]
    parser.add_argument("--data", type=present, default=str(FOLDER), help="the folder with timeseries/ and stocks/")
    parser.add_argument("--only", nargs="*", choices=every, default=[*cases.NAMES, *OTHERS])
    parser.add_argument(
        "--peers", nargs="*", choices=PEERS, default=list(PEERS), help="the peers to run; kept results are always shown"
    )
    parser.add_argument(
        "--minutes", type=int, help="the time limit for training a peer's network, which may take hours"
    )
    parser.add_argument("--python", type=Path, default=root / ".venv-peers/bin/python", help="the Python of the peers")
    parser.add_argument("--out", type=Path, default=root / "out/forecast")
    parser.add_argument("--steps", type=int, help="the optimiser steps of each network")
    parser.add_argument("--networks", type=int, default=3)
    args = parser.parse_args()
    out: Path = args.out.resolve()
    out.mkdir(parents=True, exist_ok=True)

    def peer(words: list[str]) -> None:
        """Run one of the peers' modules in their environment; if it fails, print the failure and continue."""
        if not args.python.exists():
            print(
                f"  skipped: {' '.join(words)}: {args.python} does not exist; run make .venv-peers/.ready", flush=True
            )
            return
        done = subprocess.run(
            [args.python.absolute(), "-m", *words],
            cwd=Path(__file__).parents[1],
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            print(f"  failed: {' '.join(words)}: {(done.stderr.strip().splitlines() or ['?'])[-1]}", flush=True)

    pl.Config.set_tbl_formatting("MARKDOWN").set_tbl_hide_column_data_types(True).set_tbl_hide_dataframe_shape(True)
    pl.Config.set_tbl_cols(-1).set_tbl_rows(-1).set_tbl_width_chars(180).set_float_precision(4).set_fmt_str_lengths(60)
    tables: dict[str, pl.DataFrame] = {}
    found: dict[str, Any] = {}
    for name in args.only:
        print(f"\n{name}", flush=True)
        match name:
            case "ett":
                found[name] = ett.run(args.data / "timeseries/ETTh1.csv.gz")
                print(pl.DataFrame(found[name]).drop("channels"), flush=True)
            case "prices":
                found[name] = prices.run(args.data / "stocks", out, peer)
                for panel, rows in found[name].items():
                    print(f"{panel}\n{pl.DataFrame(rows)}", flush=True)
            case "speed":
                found[name] = speed.run(args.data / "timeseries", out, peer)
                print(pl.DataFrame(found[name]), flush=True)
            case _:
                case_ = cases.load(args.data / "timeseries", name)
                said = _everyone(case_, out, args.peers, peer, args.minutes, steps=args.steps, networks=args.networks)
                tables[name] = scores.table(case_, said)
                marks = scores.words(case_, tables[name])
                print(tables[name].drop("owa of a window"), *said["ostinato"].notes, *marks, sep="\n", flush=True)
                found[name] = {"table": tables[name].to_dicts(), "marks": marks, "notes": said["ostinato"].notes}
        (out / f"result.{name}.json").write_text(json.dumps(found[name], indent=1) + "\n")
    if tables:
        draw(tables, out / "forecast.png")
        print(f"\n{out / 'forecast.png'}")


def _everyone(
    case: cases.Case, out: Path, asked: list[str], peer: Any, minutes: int | None, **options: Any
) -> dict[str, Said]:
    """Return the forecasts of this case by all methods; compute those that are not kept."""
    write(case, out)
    own = kept(case, "ostinato", out)
    if own is None:
        own = ostinato(case, **options)
        keep(case, "ostinato", own, out)
    said = {"ostinato": own, **{name: scores.naive(case, name) for name in scores.NAIVE}}
    for name in PEERS:
        if name.endswith("MSTL") and max(case.seasons) == 1:
            continue  # this peer decomposes by seasons, and the case has no season
        there = kept(case, name, out)
        if there is None and name in asked:
            peer(["forecast.peers", str(out), case.name, name, *([str(minutes)] if minutes else [])])
            there = kept(case, name, out)
        if there is not None:
            said[name] = there
    return said


if __name__ == "__main__":
    main()
