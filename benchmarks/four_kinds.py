"""One fit for each kind of sequence, with its held-out result and that of a baseline on the same steps.

Run from the repository root: python benchmarks/four_kinds.py [folder of data] [--only text] [--keep folder of models]
"""

from __future__ import annotations

import argparse
import io
import math
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import soundfile
from public_data import FOLDER, present

import ostinato
from ostinato.data.sequences import SequenceSet
from ostinato.data.split import Split, split

Baseline = Callable[[SequenceSet, Split], dict[str, float]]


def random_walk(data: SequenceSet, cut: Split) -> dict[str, float]:
    """Return the nats per step of log returns under N(0, the variance of the ticker), without and with a mean."""
    totals, steps = np.zeros(2), 0
    for b, _, stop in cut.spans("known", data.lengths, data.lengths):
        returns = np.diff(np.log(data[b][:, 0]))
        known, held = returns[: stop - 1], returns[stop - 1 :]
        for i, mean in enumerate((0.0, float(known.mean()))):
            variance = float(((known - mean) ** 2).mean())
            totals[i] -= 0.5 * (np.log(2 * np.pi * variance) + (held - mean) ** 2 / variance).sum()
        steps += len(held)
    return {"Gaussian random walk": totals[0] / steps, "with drift": totals[1] / steps}


def counted(data: SequenceSet, cut: Split) -> dict[str, float]:
    """Return the nats per character of add-one bigrams and trigrams; the end of a line is a character."""
    symbols = {c: i + 1 for i, c in enumerate(np.unique(data.values).tolist())}
    V = len(symbols) + 1

    def lines(part: str) -> list[list[int]]:
        return [[symbols[c] for c in row[:, 0].tolist()] + [0] for row in cut.take(part, data)]  # type: ignore[arg-type]

    out = {}
    for name, order in (("add-one bigram", 1), ("add-one trigram", 2)):
        counts = np.ones((V,) * (order + 1))
        for line in lines("known"):
            for t in range(len(line)):
                counts[tuple(([0] * order + line)[t : t + order + 1])] += 1
        logs = np.log(counts / counts.sum(-1, keepdims=True))
        held = lines("held-out")
        total = sum(logs[tuple(([0] * order + line)[t : t + order + 1])] for line in held for t in range(len(line)))
        out[name] = float(total) / sum(map(len, held))
    return out


def flac(data: SequenceSet, cut: Split) -> dict[str, float]:
    """Return the nats per sample of FLAC at its highest compression, with and without metadata blocks."""
    whole = audio = samples = 0
    for row in cut.take("held-out", data):
        buffer = io.BytesIO()
        soundfile.write(
            buffer,
            row[:, 0].astype(np.int16),
            data.meta["sample_rate"],
            format="FLAC",
            subtype="PCM_16",
            compression_level=1.0,
        )
        raw, at, last = buffer.getvalue(), 4, False
        while not last:
            last = bool(raw[at] >> 7)
            at += 4 + int.from_bytes(raw[at + 1 : at + 4], "big")
        whole, audio, samples = whole + len(raw), audio + len(raw) - at, samples + len(row)
    nats = -8 * math.log(2) / samples
    return {"FLAC": whole * nats, "FLAC without metadata": audio * nats}


def closed_form(_: SequenceSet, __: Split) -> dict[str, float]:
    """Return no baseline: the AR of the best order is already the first line of the table."""
    return {}


@dataclass(frozen=True)
class Case:
    """The arguments after ``ostinato fit`` and the baseline, in nats per step or in bits (fewer are better)."""

    file: str
    options: tuple[str, ...]
    read: dict[str, str]
    held_out: float | str
    baseline: Baseline
    bits: bool


CASES = {
    "series": Case(
        "timeseries/ETTh1.csv.gz",
        ("--target", "OT", "--budget", "3m"),
        {"target": "OT"},
        0.1,
        closed_form,
        False,
    ),
    "prices": Case(
        "stocks/wiki_5_tickers_daily_ohlcv.csv.gz",
        ("--budget", "2m"),
        {},
        0.1,
        random_walk,
        False,
    ),
    "text": Case("text/names.txt", ("--model", "gru", "--budget", "3m"), {}, 0.1, counted, False),
    "sound": Case(
        "sound/fsdd", ("--held-out", "*_[0-4]", "--model", "rnn", "--budget", "5m"), {}, "*_[0-4]", flac, True
    ),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", nargs="?", type=present, default=str(FOLDER))
    parser.add_argument("--only", choices=CASES)
    parser.add_argument("--keep", type=Path, default=Path(tempfile.mkdtemp()))
    args = parser.parse_args()
    for name in [args.only] if args.only else CASES:
        case, model = CASES[name], args.keep / f"{name}.ost"
        command = ["fit", str(args.folder / case.file), *case.options, "-o", str(model)]
        print(f"{name}: ostinato {' '.join(command)}", flush=True)
        begun = time.monotonic()
        subprocess.run([sys.executable, "-m", "ostinato", *command], check=True, stderr=subprocess.DEVNULL)
        seconds = time.monotonic() - begun
        fitted = ostinato.load_model(model)
        data = ostinato.read(args.folder / case.file, **case.read)  # type: ignore[arg-type]
        table = {row["name"] + " " + row["detail"]: row["held_out"] for row in fitted.description.record["table"]}
        figures = table | case.baseline(data, split(data, case.held_out))
        for label, nats in figures.items():
            bits = f"   {-nats / math.log(2):7.4f} bits" if case.bits or name == "text" else ""
            print(f"  {label.strip():24s} {nats:8.4f} nats{bits}")
        print(f"  kept {fitted.description.name}; {seconds:.0f} s\n", flush=True)


if __name__ == "__main__":
    main()
