"""Alarms at a stated rate: the false-alarm rate asked for and found, and the faults found, against two other methods.

Run from the repository root: python benchmarks/alarms.py [vic_elec.csv.gz] [--river PYTHON] [--rate 0.01]

The model is fitted to the first 60 % of a series, every rule is calibrated on the next 20 %, and the last 20 % are the
test: as they are for the rate, and with faults for the detections. A fault lasts 48 steps, a spike one. It is found if
there is an alarm within 48 steps from its start; the delay is the median over those found. The other methods are a
threshold on the size of the residual, and the HalfSpaceTrees of river, of the value and its differences to one step and
to one season before. Both have the cool-down of ours, and the threshold at which the calibration part gives alarms at
the rate.
"""

from __future__ import annotations

import argparse
import json
import subprocess
from collections.abc import Callable
from pathlib import Path

import numpy as np
import polars as pl
from numpy.typing import NDArray
from public_data import SERIES

import ostinato
from ostinato.forecasting.inputs import as_sequences
from ostinato.inference.alarm_rule import AlarmRule
from ostinato.inference.calibrated import COOL_DOWN, CalibratedRule
from ostinato.inference.evidence import Evidence
from ostinato.inference.response import level_response
from ostinato.inference.stream import Stream
from ostinato.model import SequenceModel
from ostinato.shapes import Array

Steps = NDArray[np.int64]
SEASON, LENGTH, APART, VARIANTS = 48, 48, 480, 4
RIVER = """
import json, sys
from river import anomaly
low, high, rows = json.load(sys.stdin)
trees, out = anomaly.HalfSpaceTrees(n_trees=25, height=8, window_size=336, seed=0), []
for row in rows:
    x = {str(k): min(max((v - a) / (b - a), 0.0), 1.0) for k, (v, a, b) in enumerate(zip(row, low, high))}
    out.append(trees.score_one(x))
    trees.learn_one(x)
json.dump(out, sys.stdout)
"""


def made(steps: int) -> Array:
    """Return a daily and a weekly rhythm with dependent noise."""
    rng, t = np.random.default_rng(5), np.arange(steps)
    noise = np.zeros(steps)
    for k in range(1, steps):
        noise[k] = 0.7 * noise[k - 1] + rng.standard_normal()
    return np.asarray(100 + 10 * np.sin(2 * np.pi * t / 48) + 4 * np.sin(2 * np.pi * t / 336) + noise)


def spike(y: Array, at: int, size: float) -> None:
    y[at] += 4 * size


def shift(y: Array, at: int, size: float) -> None:
    y[at : at + LENGTH] += 3 * size


def stuck(y: Array, at: int, size: float) -> None:
    y[at : at + LENGTH] = y[at - 1]


def flat(y: Array, at: int, size: float) -> None:
    season = y[at - 7 * SEASON : at].reshape(7, SEASON).mean(0)
    y[at : at + LENGTH] -= season - season.mean()


FAULTS: dict[str, Callable[[Array, int, float], None]] = {
    "spike": spike,
    "level shift": shift,
    "stuck sensor": stuck,
    "missing season": flat,
}


def evidence(model: SequenceModel, y: Array, first: int) -> Evidence:
    """Return what the model says of y from step ``first`` on."""
    seen = Stream(model).update(y)
    return Evidence(seen.surprisal[first:], y[first:, None], seen.prediction[first:], first)


def by_rule(rule: AlarmRule, parts: list[Evidence]) -> list[Steps]:
    """Return the steps with alarms of each part; all parts go through the rule as one batch."""
    memory = np.tile(rule.start(), (len(parts), 1))
    out: list[list[int]] = [[] for _ in parts]
    for t in range(len(parts[0].surprisal)):
        s, y, m = (np.array([part[:3][k][t] for part in parts]) for k in range(3))
        alarm, memory = rule.step(s, y, m, memory)
        for b in np.flatnonzero(alarm):
            out[b].append(t)
    return [np.array(one) for one in out]


def over(score: Array, threshold: float) -> Steps:
    """Return the steps at which a score is above a threshold, with the cool-down of the rule."""
    out, free = [], 0
    for t in np.flatnonzero(score > threshold).tolist():
        if t >= free:
            out.append(t)
            free = t + COOL_DOWN + 1
    return np.array(out)


def threshold_at(score: Array, rate: float) -> float:
    """Return the threshold at which a score gives alarms at a rate."""
    low, high = float(score.min()), float(score.max())
    for _ in range(40):
        middle = (low + high) / 2
        low, high = (middle, high) if len(over(score, middle)) > rate * len(score) else (low, middle)
    return high


def trees(python: str, y: Array, known: int) -> Array:
    """Return the scores of river's HalfSpaceTrees, (T,)."""
    back = np.concatenate([np.zeros(SEASON), y[:-SEASON]])
    rows = np.column_stack([y, np.diff(y, prepend=y[0]), y - back])
    low, high = rows[SEASON:known].min(0), rows[SEASON:known].max(0)
    given = json.dumps([low.tolist(), high.tolist(), rows.tolist()])
    done = subprocess.run([python, "-c", RIVER], input=given, capture_output=True, text=True, check=True)
    return np.array(json.loads(done.stdout))


def found(alarms: list[Steps], onsets: list[Steps]) -> tuple[float, float]:
    """Return the share of the faults with an alarm in time, and the median delay of those in steps."""
    delays = []
    for steps, starts in zip(alarms, onsets, strict=True):
        for at in starts:
            inside = steps[(steps >= at) & (steps < at + LENGTH)]
            delays.append(inside[0] - at if len(inside) else np.inf)
    hits = [d for d in delays if np.isfinite(d)]
    return len(hits) / len(delays), float(np.median(hits)) if hits else float("nan")


def compare(name: str, y: Array, rates: list[float], river: str | None) -> None:
    known, calibrated = int(0.6 * len(y)), int(0.8 * len(y))
    fitted = ostinato.fit(y[:known], model="ar", held_out=0.1, seed=0).model
    assert isinstance(fitted, SequenceModel)
    before = evidence(fitted, y[:calibrated], known)
    test = evidence(fitted, y, calibrated)
    size = float(np.std(before.values - before.expected))
    response = level_response(fitted, as_sequences(fitted, y[:calibrated]), np.array([size]))
    faulty: dict[str, tuple[list[Array], list[Steps]]] = {}
    for fault, inject in FAULTS.items():
        copies, onsets = [], []
        for variant in range(VARIANTS):
            changed = y.copy()
            starts = np.arange(calibrated + 100 + variant * 113, len(y) - LENGTH, APART)
            for at in starts:
                inject(changed, int(at), size)
            copies.append(changed)
            onsets.append(starts - calibrated)
        faulty[fault] = copies, onsets
    parts = {f: [evidence(fitted, c, calibrated) for c in copies] for f, (copies, _) in faulty.items()}
    scores = None
    if river is not None:
        scores = {f: [trees(river, c, known) for c in copies[:1]] for f, (copies, _) in faulty.items()}
        clean = trees(river, y, known)
    print(f"\n{name}: {len(y):,} steps, {fitted.facts()[1][1]}; one standard deviation of the residual {size:.4g}")
    print("| rate asked | rule | rate found | " + " | ".join(f"{f}, delay" for f in FAULTS) + " |")
    print("| --- | --- | --- |" + " --- |" * len(FAULTS))
    for rate in rates:
        rule = CalibratedRule([before], rate, warm=fitted.front.reach, response=response)
        many = [by_rule(rule, [test])[0]]
        row = [found(by_rule(rule, parts[f]), faulty[f][1]) for f in FAULTS]
        tell(rate, "calibrated", many[0], len(test.surprisal), row)
        limit = threshold_at(_size(before), rate)
        row = [found([over(_size(one), limit) for one in parts[f]], faulty[f][1]) for f in FAULTS]
        tell(rate, "residual", over(_size(test), limit), len(test.surprisal), row)
        if scores is not None:
            limit = threshold_at(clean[known:calibrated], rate)
            row = [found([over(s[calibrated:], limit) for s in scores[f]], faulty[f][1][:1]) for f in FAULTS]
            tell(rate, "HalfSpaceTrees", over(clean[calibrated:], limit), len(test.surprisal), row)


def _size(one: Evidence) -> Array:
    return np.abs(one.values - one.expected)[:, 0]


def tell(rate: float, rule: str, alarms: Steps, steps: int, row: list[tuple[float, float]]) -> None:
    cells = " | ".join(f"{share:.0%}, {delay:.0f}" for share, delay in row)
    print(f"| {rate:g} | {rule} | {len(alarms) / steps:.4f} ({len(alarms)}) | {cells} |", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("file", nargs="?", type=Path, default=SERIES / "vic_elec.csv.gz")
    parser.add_argument("--river", help="A Python with river, which stays out of ours.")
    parser.add_argument("--rate", type=float, nargs="+", default=[0.01, 0.003])
    given = parser.parse_args()
    compare("made", made(50_000), given.rate, given.river)
    if given.file.exists():
        compare("vic_elec", pl.read_csv(given.file)["Demand"].to_numpy(), given.rate, given.river)


if __name__ == "__main__":
    main()
