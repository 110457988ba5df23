"""The training speed in characters per second of `fit` and of the same torch.nn model in an ordinary loop.

Run from the repository root, with a folder of texts: python benchmarks/fit_speed.py ../shared/data/text

Both train a GRU of H = 128 on the same batches in one process: embedding, GRU, linear layer, cross entropy, gradient
clipping, AdamW. They take turns of 10 optimiser steps, of which the first two are not counted. The clock is that of
this thread, and medians are compared. ostinato does more at every step: it checks the loss and keeps an average of
the weights. The share outside the engine is the time of its loop without the forward and backward pass of its layer.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any
from unittest.mock import patch

import torch
from torch import nn

import ostinato
from ostinato.data.batching import Batch
from ostinato.data.encoding import fit_encoding
from ostinato.data.split import split
from ostinato.gradients.methods import FullBPTT, TruncatedBPTT
from ostinato.layers.front import SymbolFront
from ostinato.ops.engine import gradients as engine
from ostinato.training.build import build
from ostinato.training.closed_form import closed_form
from ostinato.training.config import Config
from ostinato.training.material import Material
from ostinato.training.setup import Setup
from ostinato.training.trainer import Trainer

H, ROWS, WINDOW, TURN = 128, 64, 128, 10


class Plain(nn.Module):
    """The model as most people write it with torch.nn."""

    def __init__(self, symbols: int, config: Config) -> None:
        super().__init__()
        self.embedding = nn.Embedding(symbols + 1, config.embedding)
        self.gru = nn.GRU(config.embedding, config.hidden)
        self.out = nn.Linear(config.hidden, symbols)

    def forward(self, x: torch.Tensor, h: torch.Tensor | None) -> tuple[torch.Tensor, torch.Tensor]:
        """Return the logits (T, B, V) of X (T, B), and the last state."""
        y, h = self.gru(self.embedding(x), h)
        return self.out(y), h


def theirs(symbols: int, config: Config) -> Callable[[Batch], None]:
    """Run one optimiser step of the plain loop; under truncated BPTT the state is carried."""
    torch.manual_seed(0)
    net = Plain(symbols, config)
    adam = torch.optim.AdamW(net.parameters(), lr=config.learning_rate, weight_decay=config.weight_decay)
    held: dict[str, Any] = {"h": None, "before": None}

    def step(batch: Batch) -> None:
        x, h = batch.x[..., 0], held["h"]
        fresh = batch.reset | (x.shape[1] != (0 if h is None else h.shape[1]))
        first = torch.full_like(x[:1], symbols) if h is None else torch.where(fresh, symbols, held["before"])
        h = None if h is None else torch.where(fresh[None, :, None], 0.0, h)
        logits, h = net(torch.cat([first, x[:-1]]), h)
        loss = nn.functional.cross_entropy(logits[batch.weight[..., 0]], x[batch.weight[..., 0]])
        adam.zero_grad()
        torch.autograd.backward(loss)
        nn.utils.clip_grad_norm_(net.parameters(), config.clip)
        adam.step()
        carried = not bool(batch.reset.all())
        held.update({"h": h.detach() if carried or held["h"] is not None else None, "before": x[-1:]})

    return step


def trainer(data: Any, truncated: bool) -> tuple[Trainer, list[Batch]]:
    """Return ostinato's trainer before its first step, and the batches of its first epoch."""
    config = Config(hidden=H, embedding=64, batch_steps=ROWS * WINDOW if truncated else 2048, max_order=2)
    cut = split(data, 0.1)
    encoding = fit_encoding(cut.take("known", data), by_id=cut.by_time)
    material = Material(data, encoding.encode(data), encoding, cut)
    base, _ = closed_form(material, config)
    torch.manual_seed(0)
    model = build("gru", material, base, config)
    ours = Trainer(model, Setup(material, config), TruncatedBPTT(WINDOW) if truncated else FullBPTT())
    ours.model.train()
    return ours, [b for b in ours._epoch() if b.x.shape[1] > 1]


def clocked(spent: list[float], run: Callable[..., Any]) -> Callable[..., Any]:
    """Wrap a call so that its time is added to spent[0]."""

    def call(*args: Any) -> Any:
        start = time.thread_time()
        found = run(*args)
        spent[0] += time.thread_time() - start
        return found

    return call


def compare(name: str, data: Any, *, truncated: bool, turns: int) -> None:
    """Measure one case and print its row of the table."""
    ours, batches = trainer(data, truncated)
    assert isinstance(ours.model.front, SymbolFront)
    plain = theirs(ours.model.front.vocabulary, ours.options)
    spent = [0.0]
    advance = ours._advance()
    tasks = {"ours": lambda b: ours._step(advance, b, 0.5), "torch.nn": plain}
    rates: dict[str, list[float]] = {name: [] for name in tasks}
    outside, at = [], 0
    with (
        patch.object(engine, "run_forward", clocked(spent, vars(engine)["run_forward"])),
        patch.object(engine.Eager, "backward", staticmethod(clocked(spent, engine.Eager.backward))),
    ):
        for turn in range(turns + 2):
            some = [batches[(at + i) % len(batches)] for i in range(TURN)]
            characters, at = sum(int(b.weight.sum()) for b in some), at + TURN
            for who, task in tasks.items():
                spent[0], start = 0.0, time.thread_time()
                for batch in some:
                    task(batch)
                took = time.thread_time() - start
                if turn >= 2:
                    rates[who].append(characters / took)
                    if who == "ours":
                        outside.append(1 - spent[0] / took)
    a, b = (statistics.median(rates[who]) for who in tasks)
    shape = tuple(batches[0].x.shape[:2])
    share = statistics.median(outside)
    print(f"{name:18} {shape!s:>11} {a:14,.0f} {b:14,.0f} {a / b:7.2f} {share:16.0%}", flush=True)


def main() -> None:
    """Measure the texts that the command line names, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--turns", type=int, default=8)
    given = parser.parse_args()
    torch.set_num_threads(1)
    print(f"{'':18} {'first (T, B)':>11} {'ours, chars/s':>14} {'torch.nn':>13} {'ratio':>7} {'outside engine':>16}")
    for name, truncated in (("names.txt", False), ("tinyshakespeare.txt", True)):
        compare(name, ostinato.read(given.folder / name), truncated=truncated, turns=given.turns)


if __name__ == "__main__":
    main()
