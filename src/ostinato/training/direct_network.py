"""Networks that move the quantiles of the closed form, trained by the quantile loss on its cross-fitted forecasts.

Cross-fitted: what stands in the network's input is a forecast by weights that were fitted without that window, as it
will be in use; on forecasts of its own sample the network would learn to trust them too much.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ostinato.data.windows import Windows, bounded
from ostinato.direct import Direct
from ostinato.emissions.quantiles import LEVELS
from ostinato.errors import NonFiniteLossError
from ostinato.layers.segments import Segments

Array = NDArray[np.float64]

#: Values of windows and targets that are held at most; of more, every second or third window is taken.
HELD = 100_000_000
#: Of the rows of a batch, those whose series is not told, so that a series that is new has a forecast too.
UNKNOWN = 0.1


@dataclass(frozen=True)
class Network:
    """How a network is made and trained. hidden in units, batch in windows."""

    memory: str = "gru"
    hidden: int = 96
    dropout: float = 0.1
    steps: int = 2000
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


def examples(direct: Direct, crossed: dict[str, tuple[Windows, Array]], ids: tuple[str, ...]) -> Examples:
    """The windows of the panel with their cross-fitted forecasts."""
    number = {key: i + 1 for i, key in enumerate(ids)}
    size = sum(len(base) for _, base in crossed.values()) * (direct.window.memory + 2 * direct.horizon)
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


def train(
    direct: Direct,
    data: Examples,
    count: int,
    config: Network,
    seed: int,
    on_step: Callable[[int, float], None] | None = None,
) -> Segments:
    """One network. The same seed gives the same weights.

    Raises ConfigError for a memory that is not there, NonFiniteLossError where training diverges.
    """
    torch.manual_seed(seed)
    rng = np.random.default_rng(seed)
    window = direct.window
    # a season a step, or less where no more is to be forecast; a window holds two segments at least
    segment = min(window.season if window.season > 1 else direct.horizon, direct.horizon, max(window.memory // 2, 1))
    shape = window.memory, direct.horizon, segment, count, len(LEVELS)
    net = Segments(config.memory, *shape, config.hidden, config.dropout).train()
    optimizer = torch.optim.AdamW(net.parameters(), config.learning_rate, weight_decay=config.weight_decay)
    levels = torch.from_numpy(LEVELS.astype(np.float32))
    start = torch.from_numpy(direct.shape.astype(np.float32))
    # over its own spread every window weighs the same; half of the weight goes by how much a window moves for its size
    weight = 0.5 + 0.5 * data.scale / data.scale.mean() if window.log and window.own else torch.ones_like(data.scale)
    for step in range(config.steps):
        rows = torch.from_numpy(rng.integers(0, len(data.series), config.batch))
        told = torch.from_numpy(rng.random(config.batch) >= UNKNOWN)
        moves = net(data.inputs[rows], data.base[rows], data.scale[rows], data.series[rows] * told)
        q = data.base[rows][..., None] + data.deviation[rows][..., None] * (start + moves)
        error = data.targets[rows][..., None] - q
        loss = (torch.maximum(levels * error, (levels - 1) * error).mean((1, 2)) * weight[rows]).mean()
        value = float(loss.detach())
        if not math.isfinite(value):
            raise NonFiniteLossError(
                f"the loss of step {step + 1} is {value}", where=f"network of seed {seed}", fix="lower learning_rate"
            )
        optimizer.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        torch.nn.utils.clip_grad_norm_(net.parameters(), config.clip)
        for group in optimizer.param_groups:
            cosine = 0.02 + 0.98 * 0.5 * (1 + math.cos(math.pi * step / config.steps))
            group["lr"] = config.learning_rate * min(cosine, (step + 1) / 50)
        optimizer.step()
        if on_step:
            on_step(step + 1, value)
    return net.eval()
