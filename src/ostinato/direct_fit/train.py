"""Networks that move the quantiles of the closed form, trained by the quantile loss on its cross-fitted forecasts.

Cross-fitted means that the forecast in a network's input comes from weights that were fitted without that window, as
every real forecast does. On forecasts of windows that the weights were fitted to, the network would learn to rely on
them too much.
"""

from __future__ import annotations

import copy
import math
import time
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from ostinato import randomness
from ostinato.device import Decision, decide
from ostinato.direct.closed_form import ClosedForm
from ostinato.direct.network import NetworkForm, SegmentNetwork
from ostinato.direct.windows import Windows, bounded
from ostinato.emissions.quantiles import LEVELS
from ostinato.errors import NonFiniteLossError
from ostinato.fits.budget import Budget
from ostinato.fits.progress import TrainingProgress
from ostinato.optimiser import AdamW
from ostinato.shapes import Array

#: The greatest number of values in the windows and targets; if there are more, every second or third window is taken.
HELD = 100_000_000
#: The share of the rows of a batch whose series is hidden, so that the network can forecast a new series too.
UNKNOWN = 0.1

#: The number of passes over the windows, and the fewest and the most optimiser steps of a training.
EPOCHS, FEWEST, MOST = 4, 200, 2400


@dataclass(frozen=True)
class NetworkConfig:
    """How one network is built and trained; the attributes are those of DirectOptions."""

    backbone: str = "gru"
    hidden: int = 96
    dropout: float = 0.1
    batch: int = 256
    learning_rate: float = 2e-3
    weight_decay: float = 1e-3
    clip: float = 1.0


@dataclass(frozen=True)
class Examples:
    """The windows that the networks are trained on, as float32.

    Attributes:
        inputs: The windows, (N, K).
        base: The cross-fitted forecasts of the closed form, (N, H).
        targets: The values to forecast, (N, H).
        scale: The scale of each window, (N,).
        deviation: The deviation of the errors of each series, (N, H).
        series: The number of each window's series, from 1, (N,).
    """

    inputs: Tensor
    base: Tensor
    targets: Tensor
    scale: Tensor
    deviation: Tensor
    series: Tensor

    def to(self, device: torch.device) -> Examples:
        """Return the windows on a device."""
        parts = (self.inputs, self.base, self.targets, self.scale, self.deviation, self.series)
        return Examples(*(part.to(device) for part in parts))


def examples(closed: ClosedForm, crossed: dict[str, tuple[Windows, Array]], ids: tuple[str, ...]) -> Examples:
    """Return the windows of the panel with their cross-fitted forecasts."""
    number = {key: i + 1 for i, key in enumerate(ids)}
    size = sum(len(base) for _, base in crossed.values()) * (closed.window.lookback + 2 * closed.horizon)
    every = -(-size // HELD)
    parts = [
        (
            w.inputs[::every],
            base[::every],
            bounded(w.targets[::every]),
            w.scale[::every, 0],
            np.broadcast_to(closed.deviation[key], base[::every].shape),
            np.full(len(base[::every]), number[key]),
        )
        for key, (w, base) in crossed.items()
    ]
    joined = [torch.from_numpy(np.concatenate(columns)) for columns in zip(*parts, strict=True)]
    inputs, base, targets, scale, deviation = (x.float() for x in joined[:5])
    return Examples(inputs, base, targets, scale, deviation, joined[5])


def _reporter(
    on_progress: Callable[[TrainingProgress], None], name: str, number: int, count: int
) -> Callable[[int, float, float, float], None]:
    """Return a function of (step, share, loss, seconds) of one of ``count`` networks that calls on_progress."""

    def report(step: int, share: float, loss: float, seconds: float) -> None:
        speed = step / max(seconds, 1e-9)
        whole = (number + min(share, 1.0)) / count
        on_progress(TrainingProgress(name, step, whole, loss, math.nan, speed, "quantile loss"))

    return report


class Trained(NamedTuple):
    """A trained network.

    Attributes:
        network: The network, on the CPU.
        steps: The number of its optimiser steps.
        device: The device that it was trained on, and why.
    """

    network: SegmentNetwork
    steps: int
    device: Decision


@dataclass(frozen=True)
class NetworkTraining:
    """What the trainings of all networks of one fit share.

    Attributes:
        closed: The closed form whose quantiles the networks correct.
        data: The windows with their cross-fitted forecasts.
        count: The number of series.
        config: How one network is built and trained.
        bf16: Whether the products of a training on a GPU are computed in bfloat16.
    """

    closed: ClosedForm
    data: Examples
    count: int
    config: NetworkConfig
    bf16: bool = False

    def ensemble(
        self, seeds: Sequence[int], budget: Budget, on_progress: Callable[[TrainingProgress], None] | None = None
    ) -> list[Trained]:
        """Train one network for each seed.

        Args:
            seeds: The seed of each network.
            budget: The seconds of all networks together, and the steps of each.
            on_progress: Called after every optimiser step, with the share of all networks together.

        Raises:
            ConfigError: The backbone is unknown.
            NonFiniteLossError: The training diverges.
        """
        part = Budget(budget.seconds and budget.seconds / len(seeds), budget.steps)
        trained = []
        for number, seed in enumerate(seeds):
            report = _reporter(on_progress, self.config.backbone, number, len(seeds)) if on_progress else None
            trained.append(self.train(seed, part, report))
        return trained

    def train(
        self, seed: int, budget: Budget, report: Callable[[int, float, float, float], None] | None = None
    ) -> Trained:
        """Train one network.

        The learning rate falls by a cosine (Loshchilov and Hutter 2017, eq. 5) to almost 0 at the end of the budget, or
        after EPOCHS passes over the windows, whichever comes first. The training does not stop early by held-out
        windows: a few days of them are so noisy that they would stop it at random. With a budget in steps, or without a
        budget, the same seed gives the same weights.

        Args:
            seed: The seed of the weights, the batches and the dropout.
            budget: The seconds and the steps of this network.
            report: Called after every step with the step, the share of the budget, the loss and the seconds.

        Raises:
            ConfigError: The backbone is unknown.
            NonFiniteLossError: The training diverges.
        """
        randomness.seed(seed)
        config = self.config
        rng, begun = np.random.default_rng(seed), time.monotonic()
        net = self._untrained().train()
        usual = min(max(EPOCHS * len(self.data.series) // config.batch, FEWEST), MOST)
        limits, step, spent = Budget(budget.seconds, budget.steps or usual), 0, 0.0
        found = self._device(net, seed, float(budget.steps or usual))
        device = torch.device(found.device)
        net = net.to(device)
        optimizer = AdamW(net.parameters(), config.learning_rate, weight_decay=config.weight_decay)
        batches = self._batches(device, rng)
        while spent < 1:
            for group in optimizer.param_groups:
                fallen = 0.51 + 0.49 * math.cos(math.pi * spent)
                group["lr"] = config.learning_rate * min(1.0, (step + 1) / 50) * fallen
            loss = batches.loss(net)
            value = float(loss.detach())
            if not math.isfinite(value):
                raise NonFiniteLossError(
                    f"the loss at step {step + 1} is {value}, expected a finite number",
                    where=f"network of seed {seed}",
                    fix="use a smaller learning_rate",
                )
            optimizer.zero_grad(set_to_none=True)
            loss.backward()  # type: ignore[no-untyped-call]
            torch.nn.utils.clip_grad_norm_(net.parameters(), config.clip)
            optimizer.step()
            step += 1
            seconds = time.monotonic() - begun
            spent = limits.spent(seconds, step)
            if report:
                report(step, spent, value, seconds)
        return Trained(net.cpu().eval(), step, found)

    def _untrained(self) -> SegmentNetwork:
        """Return a network with its first weights."""
        window, H = self.closed.window, self.closed.horizon
        # a segment is a season, or the horizon if that is shorter; a window holds at least two segments
        segment = min(window.season if window.season > 1 else H, H, max(window.lookback // 2, 1))
        shape = window.lookback, H, segment, self.count, len(LEVELS)
        return SegmentNetwork(NetworkForm(self.config.backbone, *shape, self.config.hidden, self.config.dropout))

    def _device(self, net: SegmentNetwork, seed: int, steps: float) -> Decision:
        """Return the device of a training of some steps, by a timed first step of a copy of the network."""

        def first_step(device: str) -> Callable[[], None]:
            trial = copy.deepcopy(net).to(device)
            first = self._batches(torch.device(device), np.random.default_rng(seed))
            return lambda: torch.autograd.backward(first.loss(trial))

        # the dropout of a step that is timed must not move the random numbers of the training
        with randomness.fork():
            return decide(net.place.device, first_step, steps)

    def _batches(self, device: torch.device, rng: np.random.Generator) -> _Batches:
        """Return random batches on a device."""
        return _Batches(self.closed, self.data.to(device), self.config.batch, rng, bf16=self.bf16)


class _Batches:
    """Random batches of windows, and their quantile loss."""

    def __init__(
        self, closed: ClosedForm, data: Examples, rows: int, rng: np.random.Generator, *, bf16: bool = False
    ) -> None:
        device = data.inputs.device
        self._device, self._bf16 = device, bf16 and device.type == "cuda"
        self._data, self._rows, self._rng = data, rows, rng
        self._levels = torch.from_numpy(LEVELS.astype(np.float32)).to(device)
        self._start = torch.from_numpy(closed.shape.astype(np.float32)).to(device)
        # a window that is divided by its own deviation weighs as much as any other; so half of the weight follows the
        # relative movement of the window
        scale = data.scale
        self._weight = 0.5 + 0.5 * scale / scale.mean() if closed.window.log and closed.window.own else scale**0

    def loss(self, net: SegmentNetwork) -> Tensor:
        """Return the quantile loss of the next batch."""
        d, levels = self._data, self._levels
        rows = torch.from_numpy(self._rng.integers(0, len(d.series), self._rows)).to(self._device)
        named = torch.from_numpy(self._rng.random(self._rows) >= UNKNOWN).to(self._device)
        with torch.autocast("cuda", torch.bfloat16) if self._bf16 else nullcontext():
            moves = net(d.inputs[rows], d.base[rows], d.scale[rows], d.series[rows] * named)
        q = d.base[rows][..., None] + d.deviation[rows][..., None] * self._start + moves
        error = d.targets[rows][..., None] - q
        return (torch.maximum(levels * error, (levels - 1) * error).mean((1, 2)) * self._weight[rows]).mean()
