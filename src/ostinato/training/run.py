"""The state of a training: everything that a stopped training needs to continue to the bit."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from ostinato import randomness
from ostinato.errors import ModelFileError
from ostinato.model import SequenceModel
from ostinato.numbers import counted
from ostinato.shapes import State
from ostinato.storage import load_bundle, save_bundle
from ostinato.training.checkpoint import reading
from ostinato.training.workers import WorkerGroup


@dataclass
class Run:
    """The state of the training of one network.

    Attributes:
        optimizer: The optimiser with its state.
        average: The exponential moving average of the weights, which is evaluated and kept (Polyak and Juditsky 1992).
        weights: The best weights so far.
        carried: The state that truncated BPTT carries to the next chunk; for several workers, the rows of this one.
        epoch: The number of finished epochs.
        position: The number of finished batches in this epoch.
        step: The number of optimiser steps in all epochs.
        elapsed: The seconds of training, also before the training was stopped and continued.
        best: The validation log-likelihood of the best weights, in nats a step.
        bad: The number of evaluations since the best one.
        recent: The moving average of the training loss, in nats a step.
        curve: (step, seconds, training loss, validation log-likelihood) of each evaluation, in nats a step. There is no
            loss before the first step.
        windows: (step, truncation window from there on, its estimated bias) whenever AdaptiveBPTT measured.
        moved: A note if another number of workers, or another device, continued the training, so that it is not equal
            to the bit; or empty.
    """

    optimizer: torch.optim.AdamW
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
        """Write the state to one file, atomically.

        Args:
            path: The file.
            model: The model in training.
            workers: The processes that train together.
            rows: The number of rows of a batch of all workers together.
        """
        carried = workers.joined(self.carried or (), rows)
        generators = workers.gather(randomness.state())
        card = model.device if model.device.type == "cuda" else None
        on_cards = [] if card is None else workers.gather(torch.cuda.get_rng_state(card))
        if not workers.leads:
            return
        tensors = {f"live.{k}": v for k, v in model.state_dict().items()}
        tensors |= {f"average.{k}": v for k, v in self.average.items()}
        tensors |= {f"best.{k}": v for k, v in self.weights.items()}
        tensors |= {f"carried.{i}": v for i, v in enumerate(carried)}
        for index, slots in self.optimizer.state_dict()["state"].items():
            tensors |= {f"adam.{index}.{name}": value for name, value in slots.items()}
        tensors |= {f"rng.{rank}": state for rank, state in enumerate(generators)}
        tensors |= {f"card.rng.{rank}": state for rank, state in enumerate(on_cards)}
        counters = {k: getattr(self, k) for k in self._COUNTERS}
        counters["best"] = None if self.best == -float("inf") else self.best
        document = {"counters": counters, "curve": self.curve, "windows": self.windows, "device": model.device.type}
        save_bundle(path, tensors, document)

    def load(self, path: Path, model: SequenceModel, workers: WorkerGroup) -> None:
        """Continue from a file. The number of workers may differ; new workers keep their random generators.

        Raises:
            ModelFileError: The file is damaged, or it is not the state of a fit.
        """
        with reading():
            tensors, document = load_bundle(path)
            if "counters" not in document:
                raise ModelFileError("the file is not the state of a fit", where=str(path))
        model.load_state_dict(_under(tensors, "live."))
        here = model.device
        self.average, self.weights = (_under(tensors, name, here) for name in ("average.", "best."))
        carried = _under(tensors, "carried.", here)
        self.carried = workers.own(tuple(carried[str(i)] for i in range(len(carried)))) or None
        for name, value in document["counters"].items():
            setattr(self, name, value)
        had = sum(key.startswith("rng.") for key in tensors)
        if had != workers.size:
            self.moved = (
                f"started with {counted(had, 'worker')}, continued with {workers.size}: "
                "rounding and dropout differ from then on"
            )
        before = document.get("device", "cpu")
        if before != here.type:
            self.moved = (
                f"started on {before}, continued on {here.type}: from then on rounding differs, and dropout draws "
                "other numbers"
            )
        self.best = -float("inf") if self.best is None else self.best
        self.curve = [tuple(point) for point in document["curve"]]
        self.windows = [tuple(point) for point in document["windows"]]
        state: dict[int, dict[str, Any]] = {}
        for key, value in _under(tensors, "adam.").items():
            index, name = key.split(".", 1)
            state.setdefault(int(index), {})[name] = value
        self.optimizer.load_state_dict({**self.optimizer.state_dict(), "state": state})
        randomness.set_state(tensors.get(f"rng.{workers.rank}", randomness.state()))
        on_card = tensors.get(f"card.rng.{workers.rank}")
        if on_card is not None and here.type == "cuda":
            torch.cuda.set_rng_state(on_card, here)


def _under(tensors: dict[str, Tensor], prefix: str, device: torch.device | None = None) -> dict[str, Tensor]:
    """Return the tensors whose names begin with a prefix, without it and on a device."""
    return {k.removeprefix(prefix): v.to(device) for k, v in tensors.items() if k.startswith(prefix)}
