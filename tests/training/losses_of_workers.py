"""Train for STEPS steps with all processes that run this script; the first one writes the losses as JSON.

python losses_of_workers.py OUT, or torchrun --nproc-per-node 2 losses_of_workers.py OUT
"""

from __future__ import annotations

import json
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from ostinato.data.encoding import fit_encoding
from ostinato.data.read import read
from ostinato.data.split import split
from ostinato.fits.budget import Budget
from ostinato.gradients.methods import CheckpointedBPTT, FullBPTT, Method, TruncatedBPTT
from ostinato.training import trainer
from ostinato.training.build import build
from ostinato.training.closed_form import closed_form
from ostinato.training.config import Config
from ostinato.training.material import Material
from ostinato.training.setup import Setup
from ostinato.training.workers import started

METHODS: dict[str, Method] = {
    "full": FullBPTT(),
    "truncated": TruncatedBPTT(16),
    "checkpointed": CheckpointedBPTT(segments=3),
}
STEPS = 24


def material(dtype: torch.dtype) -> Material:
    """Seven series of uneven lengths, some values missing: rows that two workers cannot share out evenly."""
    rng = np.random.default_rng(0)
    series = [np.sin(np.arange(n) / 3) + 0.3 * rng.standard_normal(n) for n in (70, 90, 120, 45, 150, 61, 80)]
    series[2][10:13] = np.nan
    data = read(series)
    cut = split(data, 0.1)
    encoding = fit_encoding(cut.take("known", data), by_id=cut.by_time)
    encoded = encoding.encode(data)
    real = {name: getattr(encoded, name).to(dtype) for name in ("values", "unit", "low", "high")}
    return Material(data, replace(encoded, **real), encoding, cut)


def losses(method: Method, dtype: torch.dtype, workers: Any) -> list[float]:
    """Nats a value of every step's batch, over all workers."""
    made, config = material(dtype), Config(hidden=8, batch_steps=250, evaluate_every=10, patience=1000)
    base, _ = closed_form(material(torch.float32), config)
    torch.manual_seed(0)
    model = build("gru", material(torch.float32), base, config).to(dtype)
    seen: list[float] = []

    def keep(loss: float, *rest: Any) -> None:
        seen.append(loss)

    vars(trainer)["check_finite"] = keep
    trainer.Trainer(model, Setup(made, config, workers), method).fit(Budget(None, STEPS))
    return seen[::2]  # each step's loss, and then its gradient's norm


if __name__ == "__main__":
    torch.set_num_threads(1)
    with started() as joined:
        found = {
            f"{name} {dtype}": losses(method, dtype, joined)
            for name, method in METHODS.items()
            for dtype in (torch.float32, torch.float64)
        }
        if joined.leads:
            Path(sys.argv[1]).write_text(json.dumps({"workers": joined.size, "losses": found}))
