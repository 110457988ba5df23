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

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ostinato.device import Decision, decide
from ostinato.direct.closed_form import ClosedForm
from ostinato.direct.network import SegmentNetwork
from ostinato.direct.windows import Windows, bounded
from ostinato.emissions.quantiles import LEVELS
from ostinato.errors import NonFiniteLossError
from ostinato.fits.budget import Budget
from ostinato.fits.progress import TrainingProgress

Array = NDArray[np.float64]

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


def ensemble(
    closed: ClosedForm,
    crossed: dict[str, tuple[Windows, Array]],
    ids: tuple[str, ...],
    config: NetworkConfig,
    seeds: Sequence[int],
    budget: Budget,
    on_progress: Callable[[TrainingProgress], None] | None = None,
    *,
    bf16: bool = False,
    where: list[Decision] | None = None,
) -> tuple[tuple[SegmentNetwork, ...], str]:
    """Train one network for each seed.

    Args:
        closed: The closed form whose quantiles the networks correct.
        crossed: The windows and the cross-fitted forecasts of each series.
        ids: The names of all series, in the order of the embeddings.
        config: How one network is built and trained.
        seeds: The seed of each network.
        budget: The seconds of all networks together, and the steps of each.
        on_progress: Called after every optimiser step, with the share of all networks together.
        bf16: Whether the products of a training on a card are computed in bfloat16.
        where: Takes the device of each network and why.

    Returns:
        The networks, and their optimiser steps in words.
    """
    data = examples(closed, crossed, ids)
    part = Budget(budget.seconds and budget.seconds / len(seeds), budget.steps)
    trained = []
    for number, seed in enumerate(seeds):
        report = _reporter(on_progress, config.backbone, number, len(seeds)) if on_progress else None
        trained.append(train(closed, data, len(ids), config, seed, part, report, bf16=bf16, where=where))
    return tuple(net for net, _ in trained), " + ".join(str(steps) for _, steps in trained) + " steps"


def _reporter(
    on_progress: Callable[[TrainingProgress], None], name: str, number: int, count: int
) -> Callable[[int, float, float, float], None]:
    """Return a function of (step, share, loss, seconds) of one of ``count`` networks that calls on_progress."""

    def report(step: int, share: float, loss: float, seconds: float) -> None:
        speed = step / max(seconds, 1e-9)
        whole = (number + min(share, 1.0)) / count
        on_progress(TrainingProgress(name, step, whole, loss, math.nan, speed, "quantile loss"))

    return report


def train(
    closed: ClosedForm,
    data: Examples,
    count: int,
    config: NetworkConfig,
    seed: int,
    budget: Budget,
    report: Callable[[int, float, float, float], None] | None = None,
    *,
    bf16: bool = False,
    where: list[Decision] | None = None,
) -> tuple[SegmentNetwork, int]:
    """Train one network.

    The learning rate falls by a cosine (Loshchilov and Hutter 2017, eq. 5) to almost 0 at the end of the budget, or
    after EPOCHS passes over the windows, whichever comes first. The training does not stop early by held-out windows: a
    few days of them are so noisy that they would stop it at random. With a budget in steps, or without a budget, the
    same seed gives the same weights.

    Args:
        closed: The closed form whose quantiles the network corrects.
        data: The windows with their cross-fitted forecasts.
        count: The number of series.
        config: How the network is built and trained.
        seed: The seed of the weights, the batches and the dropout.
        budget: The seconds and the steps of this network.
        report: Called after every step with the step, the share of the budget, the loss and the seconds.
        bf16: Whether the products of a training on a card are computed in bfloat16.
        where: Takes the device of the network and why.

    Returns:
        The network, on the CPU, and its optimiser steps.

    Raises:
        ConfigError: The backbone is unknown.
        NonFiniteLossError: The training diverges.
    """
    torch.manual_seed(seed)
    rng, begun = np.random.default_rng(seed), time.monotonic()
    net = _untrained(closed, count, config).train()
    usual = min(max(EPOCHS * len(data.series) // config.batch, FEWEST), MOST)

    def first_step(device: str) -> Callable[[], None]:
        trial, own = copy.deepcopy(net).to(device), np.random.default_rng(seed)
        first = _Batches(closed, data.to(torch.device(device)), config.batch, own, bf16=bf16)
        return lambda: torch.autograd.backward(first.loss(trial))

    # the dropout of a step that is timed must not move the random numbers of the training
    with torch.random.fork_rng([]):
        found = decide(net.place.device, first_step, float(budget.steps or usual))
    if where is not None:
        where.append(found)
    device = torch.device(found.device)
    net = net.to(device)
    optimizer = torch.optim.AdamW(net.parameters(), config.learning_rate, weight_decay=config.weight_decay)
    batches = _Batches(closed, data.to(device), config.batch, rng, bf16=bf16)
    limits, step, spent = Budget(budget.seconds, budget.steps or usual), 0, 0.0
    while spent < 1:
        for group in optimizer.param_groups:
            group["lr"] = config.learning_rate * min(1.0, (step + 1) / 50) * (0.51 + 0.49 * math.cos(math.pi * spent))
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
    return net.cpu().eval(), step


def _untrained(closed: ClosedForm, count: int, config: NetworkConfig) -> SegmentNetwork:
    """Return a network with its first weights."""
    window, H = closed.window, closed.horizon
    # a segment is a season, or the horizon if that is shorter; a window holds at least two segments
    segment = min(window.season if window.season > 1 else H, H, max(window.lookback // 2, 1))
    shape = window.lookback, H, segment, count, len(LEVELS)
    return SegmentNetwork(config.backbone, *shape, config.hidden, config.dropout)


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
