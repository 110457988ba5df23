"""The state of a training run: all that a killed run needs to go on bitwise where it was."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from ostinato.model import SequenceModel
from ostinato.shapes import State
from ostinato.storage import load_bundle, save_bundle
from ostinato.training.workers import WorkerGroup


@dataclass
class Run:
    """One rung's progress.

    epoch, position  how many batches of which epoch are done; with step, counted over all epochs
    elapsed          seconds of training so far, over all lives of the run
    best             validation nats a step of the best weights so far, and bad, the evaluations since
    curve            (step, seconds, training loss, validation) at each evaluation, in nats a step: a loss is better
                     low, validation is a log-likelihood; before the first step there is no loss yet
    windows          (steps done, truncation window from there on, its estimated bias) whenever AdaptiveBPTT measured
    average          exponential moving average of the weights: what is judged and kept (Polyak and Juditsky 1992)
    carried          the state that truncated BPTT carries to the next chunk; of several workers, their own rows of it
    moved            what is not bitwise as it would have been, where another number of workers took the run up
    """

    optimizer: torch.optim.Optimizer
    average: dict[str, Tensor]
    weights: dict[str, Tensor] = field(default_factory=dict)
    carried: State | None = None
    epoch: int = 0
    position: int = 0
    step: int = 0
    elapsed: float = 0.0
    best: float = -float("inf")
    bad: int = 0
    recent: float = 0.0
    curve: list[tuple[int, float, float | None, float]] = field(default_factory=list)
    windows: list[tuple[int, int, float]] = field(default_factory=list)
    moved: str = ""

    _COUNTERS = ("epoch", "position", "step", "elapsed", "best", "bad", "recent", "moved")

    def save(self, path: Path, model: SequenceModel, workers: WorkerGroup, rows: int) -> None:
        """Write the run to path, atomically: one file, whatever the number of workers; rows of a batch."""
        carried = workers.joined(self.carried or (), rows)
        generators = workers.gather(torch.get_rng_state())
        if not workers.leads:
            return
        tensors = {f"live.{k}": v for k, v in model.state_dict().items()}
        tensors |= {f"average.{k}": v for k, v in self.average.items()}
        tensors |= {f"best.{k}": v for k, v in self.weights.items()}
        tensors |= {f"carried.{i}": v for i, v in enumerate(carried)}
        for index, slots in self.optimizer.state_dict()["state"].items():
            tensors |= {f"adam.{index}.{name}": value for name, value in slots.items()}
        tensors |= {f"rng.{rank}": state for rank, state in enumerate(generators)}
        counters = {k: getattr(self, k) for k in self._COUNTERS}
        counters["best"] = None if self.best == -float("inf") else self.best
        save_bundle(path, tensors, {"counters": counters, "curve": self.curve, "windows": self.windows})

    def load(self, path: Path, model: SequenceModel, workers: WorkerGroup) -> None:
        """Take the run up from path, with as many workers or another number; new ones keep the draws they have."""
        tensors, document = load_bundle(path)
        model.load_state_dict(_under(tensors, "live."))
        self.average, self.weights = _under(tensors, "average."), _under(tensors, "best.")
        carried = _under(tensors, "carried.")
        self.carried = workers.own(tuple(carried[str(i)] for i in range(len(carried)))) or None
        for name, value in document["counters"].items():
            setattr(self, name, value)
        had = sum(key.startswith("rng.") for key in tensors)
        if had != workers.size:
            self.moved = (
                f"begun by {had} workers, taken up by {workers.size}: sums round, and dropout is drawn, otherwise"
            )
        self.best = -float("inf") if self.best is None else self.best
        self.curve = [tuple(point) for point in document["curve"]]
        self.windows = [tuple(look) for look in document["windows"]]
        state: dict[int, dict[str, Any]] = {}
        for key, value in _under(tensors, "adam.").items():
            index, name = key.split(".", 1)
            state.setdefault(int(index), {})[name] = value
        self.optimizer.load_state_dict({**self.optimizer.state_dict(), "state": state})
        torch.set_rng_state(tensors.get(f"rng.{workers.rank}", torch.get_rng_state()))


def _under(tensors: dict[str, Tensor], prefix: str) -> dict[str, Tensor]:
    return {k.removeprefix(prefix): v for k, v in tensors.items() if k.startswith(prefix)}
