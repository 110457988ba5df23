"""Networks that move the quantiles of the closed form, trained by the quantile loss on its cross-fitted forecasts.

Cross-fitted: what stands in the network's input is a forecast by weights that were fitted without that window, as it
will be in use; on forecasts of its own sample the network would learn to trust them too much.
"""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ostinato.direct.closed_form import ClosedForm
from ostinato.direct.network import SegmentNetwork
from ostinato.direct.windows import Windows, bounded
from ostinato.emissions.quantiles import LEVELS
from ostinato.errors import NonFiniteLossError
from ostinato.fits.budget import Budget

Array = NDArray[np.float64]

#: Values of windows and targets that are held at most; of more, every second or third window is taken.
HELD = 100_000_000
#: Of the rows of a batch, those whose series is not told, so that a series that is new has a forecast too.
UNKNOWN = 0.1


#: A network is shown every window so many times, in steps within these bounds.
EPOCHS, FEWEST, MOST = 4, 200, 2400


@dataclass(frozen=True)
class NetworkConfig:
    """How a network is made and trained. hidden in units, batch in windows."""

    backbone: str = "gru"
    hidden: int = 96
    dropout: float = 0.1
    batch: int = 256
    learning_rate: float = 2e-3
    weight_decay: float = 1e-3
    clip: float = 1.0


@dataclass(frozen=True)
class Examples:
    """inputs (N, K), base and targets (N, H), scale (N), deviation (N, H), series (N) from 1; float32."""

    inputs: Tensor
    base: Tensor
    targets: Tensor
    scale: Tensor
    deviation: Tensor
    series: Tensor


def examples(direct: ClosedForm, crossed: dict[str, tuple[Windows, Array]], ids: tuple[str, ...]) -> Examples:
    """The windows of the panel with their cross-fitted forecasts."""
    number = {key: i + 1 for i, key in enumerate(ids)}
    size = sum(len(base) for _, base in crossed.values()) * (direct.window.lookback + 2 * direct.horizon)
    every = -(-size // HELD)
    parts = [
        (
            w.inputs[::every],
            base[::every],
            bounded(w.targets[::every]),
            w.scale[::every, 0],
            np.broadcast_to(direct.deviation[key], base[::every].shape),
            np.full(len(base[::every]), number[key]),
        )
        for key, (w, base) in crossed.items()
    ]
    joined = [torch.from_numpy(np.concatenate(columns)) for columns in zip(*parts, strict=True)]
    inputs, base, targets, scale, deviation = (x.float() for x in joined[:5])
    return Examples(inputs, base, targets, scale, deviation, joined[5])


def ensemble(
    direct: ClosedForm,
    crossed: dict[str, tuple[Windows, Array]],
    ids: tuple[str, ...],
    config: NetworkConfig,
    seeds: Sequence[int],
    budget: Budget,
) -> tuple[tuple[SegmentNetwork, ...], str]:
    """A network a seed, each with its part of a budget in seconds, and in words the steps they took. See ``train``."""
    data, part = examples(direct, crossed, ids), Budget(budget.seconds and budget.seconds / len(seeds), budget.steps)
    trained = [train(direct, data, len(ids), config, seed, part) for seed in seeds]
    return tuple(net for net, _ in trained), " + ".join(str(steps) for _, steps in trained) + " steps"


def train(
    direct: ClosedForm, data: Examples, count: int, config: NetworkConfig, seed: int, budget: Budget
) -> tuple[SegmentNetwork, int]:
    """One network, and the steps it took.

    The learning rate falls by a cosine (Loshchilov and Hutter 2017, eq. 5) to next to nothing at the end of the budget,
    or of EPOCHS over the windows, whatever comes first. No held-out window is looked at on the way: of a few days they
    say so little that they would end it at random. With a budget in steps, or none, the same seed gives the same
    weights.

    Raises ConfigError for a memory that is not there, NonFiniteLossError where training diverges.
    """
    torch.manual_seed(seed)
    rng, begun = np.random.default_rng(seed), time.monotonic()
    net = _untrained(direct, count, config).train()
    optimizer = torch.optim.AdamW(net.parameters(), config.learning_rate, weight_decay=config.weight_decay)
    batch = _Batches(direct, data, config.batch, rng)
    usual = min(max(EPOCHS * len(data.series) // config.batch, FEWEST), MOST)
    limits, step, spent = Budget(budget.seconds, budget.steps or usual), 0, 0.0
    while spent < 1:
        for group in optimizer.param_groups:
            group["lr"] = config.learning_rate * min(1.0, (step + 1) / 50) * (0.51 + 0.49 * math.cos(math.pi * spent))
        loss = batch.loss(net)
        value = float(loss.detach())
        if not math.isfinite(value):
            raise NonFiniteLossError(
                f"the loss of step {step + 1} is {value}", where=f"network of seed {seed}", fix="lower learning_rate"
            )
        optimizer.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        torch.nn.utils.clip_grad_norm_(net.parameters(), config.clip)
        optimizer.step()
        step += 1
        spent = limits.spent(time.monotonic() - begun, step)
    return net.eval(), step


def _untrained(direct: ClosedForm, count: int, config: NetworkConfig) -> SegmentNetwork:
    window, H = direct.window, direct.horizon
    # a season a step, or less where no more is to be forecast; a window holds two segments at least
    segment = min(window.season if window.season > 1 else H, H, max(window.lookback // 2, 1))
    shape = window.lookback, H, segment, count, len(LEVELS)
    return SegmentNetwork(config.backbone, *shape, config.hidden, config.dropout)


class _Batches:
    """The quantile loss of random windows."""

    def __init__(self, direct: ClosedForm, data: Examples, rows: int, rng: np.random.Generator) -> None:
        self._data, self._rows, self._rng = data, rows, rng
        self._levels = torch.from_numpy(LEVELS.astype(np.float32))
        self._start = torch.from_numpy(direct.shape.astype(np.float32))
        # over its own spread every window weighs the same; half of the weight goes by how much a window moves for its
        # size
        scale = data.scale
        self._weight = 0.5 + 0.5 * scale / scale.mean() if direct.window.log and direct.window.own else scale**0

    def loss(self, net: SegmentNetwork) -> Tensor:
        """Of the next batch."""
        d, levels = self._data, self._levels
        rows = torch.from_numpy(self._rng.integers(0, len(d.series), self._rows))
        told = torch.from_numpy(self._rng.random(self._rows) >= UNKNOWN)
        moves = net(d.inputs[rows], d.base[rows], d.scale[rows], d.series[rows] * told)
        q = d.base[rows][..., None] + d.deviation[rows][..., None] * self._start + moves
        error = d.targets[rows][..., None] - q
        return (torch.maximum(levels * error, (levels - 1) * error).mean((1, 2)) * self._weight[rows]).mean()
