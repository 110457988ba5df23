"""Exponential smoothing against statsforecast: the same states, no lower likelihoods, and the speed of AutoETS.

Run from the repository root: python benchmarks/ets.py FOLDER [--python .venv-peers/bin/python] [--peer-series 60]

FOLDER has M1.csv.gz and tourism.csv.gz (unique_id, period, part, step, y). statsforecast runs in an environment of its
own (make .venv-peers/.ready). Times are those of the processor, on one thread.

given: both follow 200 series with the same drawn parameters; what is printed is the greatest relative difference.
free: both fit each form to each series. A fit of the peer whose parameters leave its bounds (0 < beta < alpha, 0 <
gamma < 1 - alpha) is counted apart, and so are the pairs that one side or both refuse. speed: the full choice of a form
for each series.
"""

from __future__ import annotations

import argparse
import csv
import gzip
import json
import math
import subprocess
import sys
import tempfile
import time
import warnings
from pathlib import Path
from typing import Any

import numpy as np

from ostinato.shapes import Array

Record = dict[str, Any]
PERIODS = {"yearly": 1, "quarterly": 4, "monthly": 12}
DRAWN = {"yearly": 20, "quarterly": 40, "monthly": 40}


def names(m: int) -> list[str]:
    """Return the forms that both have, such as "A Ad M"."""
    seasons = "NAM" if m > 1 else "N"
    return [f"{e} {t} {s}" for s in seasons for t in ("N", "A", "Ad") for e in "AM" if (e, s) != ("A", "M")]


# --- the peer, in its own environment ---------------------------------------------------------------------------------


def peer_given(record: Record) -> Record:
    from statsforecast.ets import pegelsresid_C

    y, m, told = np.array(record["y"]), record["m"], {}
    for name, theta in record["theta"].items():
        e, t, s = name.split()
        states = [theta[4], *([theta[5]] if t != "N" else []), *(theta[6:][::-1] if s != "N" else [])]
        given = [theta[0], theta[1] if t != "N" else np.nan, theta[2] if s != "N" else np.nan]
        given.append(theta[3] if t == "Ad" else np.nan)
        _, errors, path, value = pegelsresid_C(y, m, np.array(states), e, t[0], s, t == "Ad", *given, 3)
        told[name] = {"errors": errors.tolist(), "states": np.asarray(path)[-1].tolist(), "value": float(value)}
    return told


def peer_free(record: Record) -> Record:
    from statsforecast.ets import ets_f

    y, told = np.array(record["y"]), {}
    for name in names(record["m"]):
        e, t, s = name.split()
        try:
            fit = ets_f(y, record["m"], model=e + t[0] + s, damped=t == "Ad")
        except Exception:
            continue
        alpha, beta, gamma = (0.0 if np.isnan(v) else float(v) for v in fit["par"][:3])
        inside = beta <= alpha + 1e-9 and gamma <= 1 - alpha + 1e-9
        told[name] = {"value": -2 * float(fit["loglik"]), "inside": inside}
    return told


def peer_speed(record: Record) -> Record:
    from statsforecast.models import AutoETS

    start = time.process_time()
    AutoETS(season_length=record["m"]).fit(np.array(record["y"]))
    return {"seconds": time.process_time() - start}


PEER = {"given": peer_given, "free": peer_free, "speed": peer_speed}


def ask(python: Path, part: str, records: list[Record]) -> list[Record]:
    """Return what the peer says of each record."""
    with tempfile.TemporaryDirectory() as folder:
        asked, told = Path(folder, "asked.json"), Path(folder, "told.json")
        asked.write_text(json.dumps(records), encoding="utf-8")
        subprocess.run([python.absolute(), __file__, "--peer", part, asked, told], check=True)
        answer: list[Record] = json.loads(told.read_text(encoding="utf-8"))
    return answer


# --- ours -------------------------------------------------------------------------------------------------------------


def series(folder: Path, file: str, period: str) -> list[Array]:
    found: dict[str, list[float]] = {}
    with gzip.open(folder / f"{file}.csv.gz", "rt") as lines:
        for row in csv.DictReader(lines):
            if row["period"] == period and row["part"] == "train":
                found.setdefault(row["unique_id"], []).append(float(row["y"]))
    return [np.array(v) for v in found.values()]


def drawn(folder: Path) -> list[Record]:
    """Return 200 series that are long enough for every form."""
    rng, records = np.random.default_rng(0), []
    for file in ("M1", "tourism"):
        for period, m in PERIODS.items():
            long = [y for y in series(folder, file, period) if len(y) >= 3 * m + 8]
            records += [{"m": m, "y": long[i].tolist()} for i in rng.permutation(len(long))[: DRAWN[period]]]
    return records


def nats(value: float, n: int) -> float:
    """Return the log-likelihood of the peer's criterion n log(sum of squares) + 2 sum log |mu|, constants included."""
    return -0.5 * value - n / 2 * (math.log(2 * math.pi / n) + 1)


def given(python: Path, records: list[Record]) -> None:
    import torch

    from ostinato.ops.ets.form import Batch, Form
    from ostinato.ops.selection import explain, pick

    rng = np.random.default_rng(1)
    for record in records:
        y, m, record["theta"] = np.array(record["y"]), record["m"], {}
        for name in names(m):
            _, t, s = name.split()
            alpha = rng.uniform(0.05, 0.6)
            season = np.asarray(rng.uniform(0.8, 1.2, m) if s == "M" else rng.normal(0, 0.05, m) * y.mean())
            smoothing = [alpha, (t != "N") * alpha * rng.random() * 0.3, (s != "N") * (1 - alpha) * rng.random() * 0.3]
            state = [y[:4].mean(), (t != "N") * 0.001 * y.mean()]
            damping = rng.uniform(0.8, 0.98) if t == "Ad" else 1.0
            record["theta"][name] = [*smoothing, damping, *state, *(season.tolist() if s != "N" else [])]
    theirs, worst = ask(python, "given", records), {"errors": 0.0, "states": 0.0, "nats": 0.0}
    unroll, count = pick("ets", dtype=torch.float64), 0
    for record, told in zip(records, theirs, strict=True):
        y = np.array(record["y"])
        for name, theta in record["theta"].items():
            form, row = Form(*name.split()), np.zeros(1, np.int64)
            batch = Batch(y[None], row, row + len(y), np.zeros(1))
            found = unroll(batch, form, np.array([theta]), path=True)
            if not np.isfinite(found.log_likelihood[0]):
                continue  # the mean of a relative error passed zero, which only the peer gives a probability
            errors = (y - found.mean[0]) / (found.mean[0] if form.error == "M" else 1)
            last = found.last[0]
            state = [last[0], *([last[1]] if form.trend != "N" else []), *last[2:][::-1]]
            size = np.abs(errors).max()
            worst["errors"] = max(worst["errors"], np.abs(errors - told[name]["errors"]).max() / size)
            scale = max(np.abs(state).max(), 1e-300)
            worst["states"] = max(
                worst["states"], np.abs(np.array(state) - told[name]["states"][: len(state)]).max() / scale
            )
            worst["nats"] = max(worst["nats"], abs(found.log_likelihood[0] - nats(told[name]["value"], len(y))))
            count += 1
    print(explain("ets", dtype=torch.float64))
    print(f"given: {count} pairs of series and form, greatest difference: {worst}", flush=True)


def free(python: Path, records: list[Record]) -> None:
    from ostinato.local.ets import fit_ets
    from ostinato.local.panel import Panel
    from ostinato.ops.ets.form import Form

    theirs = ask(python, "free", records)
    inside: list[float] = []
    outside: list[float] = []
    refused = {"peer": 0, "ours": 0, "both": 0}
    print(f"{'free':>14} {'pairs':>6} {'within .1 nats or above':>24} {'above by .1':>12} {'median':>8}")
    for name in names(12):
        form = Form(*name.split())
        gaps: list[float] = []
        for m in PERIODS.values():
            rows = [i for i, r in enumerate(records) if r["m"] == m and name in names(m)]
            if not rows:
                continue
            values = tuple(np.array(records[i]["y"]) for i in rows)
            fit = fit_ets(Panel(values, (m,) if m > 1 else ()), [form])
            for k, i in enumerate(rows):
                ours, peer = fit.forms[k] == form, name in theirs[i]
                if ours and peer:
                    gap = fit.log_likelihood[k] - nats(theirs[i][name]["value"], len(values[k]))
                    (gaps if theirs[i][name]["inside"] else outside).append(gap)
                else:
                    refused["peer" if ours else "ours" if peer else "both"] += 1
        inside += gaps
        line(str(form), gaps)
    line("all", inside)
    line("out of bounds", outside)
    print("free: pairs that were refused by one side or both: " + ", ".join(f"{who} {n}" for who, n in refused.items()))


def line(name: str, gaps: list[float]) -> None:
    g = np.array(gaps)
    print(f"{name:>14} {len(g):6d} {(g > -0.1).mean():24.3f} {(g > 0.1).mean():12.3f} {np.median(g):8.3f}", flush=True)


def made(count: int) -> list[Array]:
    """Return monthly series of 120 steps with a trend and a season, of which half are multiplicative."""
    rng, t = np.random.default_rng(2), np.arange(120)
    result = []
    for i in range(count):
        level = 100 + np.cumsum(rng.normal(0.2, 1, 120))
        season = rng.normal(0, 8, 12)[t % 12]
        y = level * (1 + season / 100) if i % 2 else level + season
        result.append(np.maximum(y + rng.normal(0, 3, 120), 1))
    return result


def speed(python: Path, folder: Path, peer_series: int) -> None:
    import torch

    from ostinato.local.ets import fit_ets
    from ostinato.local.panel import Panel

    torch.set_num_threads(1)
    for name, values in (("M1 monthly", series(folder, "M1", "monthly")), ("made monthly", made(10_000))):
        start = time.process_time()
        fit_ets(Panel(tuple(values), (12,)))
        ours = (time.process_time() - start) / len(values)
        some = values[:: max(1, len(values) // peer_series)]
        theirs = np.mean([r["seconds"] for r in ask(python, "speed", [{"m": 12, "y": y.tolist()} for y in some])])
        print(
            f"speed: {name}: {1 / ours:.0f} series a second and core ({len(values)} series), "
            f"AutoETS {1 / theirs:.1f} ({len(some)} series): {theirs / ours:.1f} times",
            flush=True,
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--python", type=Path, default=Path(__file__).parents[1] / ".venv-peers/bin/python")
    parser.add_argument("--peer-series", type=int, default=60, help="how many series AutoETS is timed on")
    args = parser.parse_args()
    records = drawn(args.folder)
    given(args.python, [dict(record) for record in records])
    free(args.python, records)
    speed(args.python, args.folder, args.peer_series)


if __name__ == "__main__":
    if sys.argv[1:2] == ["--peer"]:
        warnings.simplefilter("ignore")
        answer = PEER[sys.argv[2]]
        records = json.loads(Path(sys.argv[3]).read_text(encoding="utf-8"))
        Path(sys.argv[4]).write_text(json.dumps([answer(record) for record in records]), encoding="utf-8")
    else:
        main()
