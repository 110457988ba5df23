"""The true relative bias of the gradient in chunks of K steps, compared with the estimate of AdaptiveBPTT.

The weights are those of a GRU after a number of optimiser steps, on the oil temperature of ETTh1 and on
tinyshakespeare. The true bias is ||E g_K - g|| / ||g|| over long stretches: g is full BPTT over each stretch, and E
averages over the positions of the chunk borders. Its error comes from a jackknife over eight groups of stretches. The
estimate is the one that AdaptiveBPTT makes when its window is the power of two below K, from other, shorter stretches
drawn as in training. "plain" is the true bias without the correction for the part of a norm that chance adds. "norms
alone" is the share of the gradient's norm by lag that chunks omit.
Run from the repository root: python benchmarks/truncation_bias.py [folder of data] [--steps 100]
"""

from __future__ import annotations

import argparse
from typing import Any

import numpy as np
import torch
from public_data import FOLDER, present
from torch import Tensor

import ostinato
from ostinato.data.encoding import fit_encoding
from ostinato.data.split import split
from ostinato.fits.budget import Budget
from ostinato.gradients.methods import TruncatedBPTT
from ostinato.model import SequenceModel
from ostinato.training.material import Material
from ostinato.training.truncation import SHORTEST, Bias, norm

WINDOWS = (5, 10, 16, 20, 32, 50, 64, 100, 128, 200, 256, 400)
DATA: dict[str, tuple[str, dict[str, Any]]] = {
    "ETTh1, OT": ("timeseries/ETTh1.csv.gz", {"target": "OT"}),
    "tinyshakespeare": ("text/tinyshakespeare.txt", {}),
}
#: The steps in a stretch, and in all stretches, of the true bias.
LONG, MANY, GROUPS = 2048, 131_072, 8


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", nargs="?", type=present, default=str(FOLDER))
    parser.add_argument("--steps", type=int, default=100)
    parser.add_argument("--only", help="run only the data whose name begins with this")
    parser.add_argument("--hidden", type=int, default=64)
    args = parser.parse_args()
    torch.set_num_threads(1)
    for name, (file, how) in DATA.items():
        if args.only and not name.startswith(args.only):
            continue
        data = ostinato.read(args.folder / file, **how)
        model = ostinato.fit(
            data, model="gru", budget=Budget(None, args.steps), method=TruncatedBPTT(128), hidden=args.hidden
        ).model
        assert isinstance(model, SequenceModel)
        cut = split(data, 0.1)
        encoding = fit_encoding(cut.take("known", data), by_id=cut.by_time)
        encoded = encoding.encode(data)
        spans = Material(data, encoded, encoding, cut).spans("train")
        truth = Bias(model, encoded, spans, LONG, np.random.default_rng(0), MANY, GROUPS)
        print(f"\n{name}: GRU of {args.hidden}, {args.steps} training steps")
        print(
            f"{'K':>4} {'true':>8} {'error':>7} {'estimate':>9} {'ratio':>6} {'plain':>8} {'norms alone':>12}",
            flush=True,
        )
        seen: dict[int, Bias] = {}
        for window in WINDOWS:
            stand = min(max(1 << (window.bit_length() - 1), 16), 1024)
            if stand not in seen:
                seen[stand] = Bias(model, encoded, spans, max(4 * stand, SHORTEST), np.random.default_rng(stand))
            missed, error, plain = true(truth.missed(window, 8), truth.whole, truth.drawn)
            found = seen[stand].at(window)
            print(
                f"{window:4} {missed:8.2%} {error:7.2%} {found:9.2%} {found / missed if missed else np.nan:6.2f} "
                f"{plain:8.2%} {seen[stand].decay.lost(window):12.2%}",
                flush=True,
            )


def true(missed: Tensor, whole: Tensor, drawn: float) -> tuple[float, float, float]:
    """Return the relative bias, its standard error, and the bias without the correction for chance; rows are groups."""
    found = norm(missed, drawn) / norm(whole, drawn)
    others = [torch.arange(len(whole)) != g for g in range(len(whole))]
    left = np.array([norm(missed[o], drawn) / norm(whole[o], drawn) for o in others])
    error = np.sqrt((1 - drawn) * (len(left) - 1) * left.var())
    return found, float(error), float(missed.mean(0).norm() / whole.mean(0).norm())


if __name__ == "__main__":
    main()
