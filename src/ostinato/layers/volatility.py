"""Volatility: how large the next innovation may be, given how large those before it were."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from scipy import signal, stats
from scipy.optimize import minimize
from torch import Tensor, nn

from ostinato.ops.selection import pick

Array = NDArray[np.float64]

#: Innovations beyond this many standard deviations count as this many: one crash says no more of the days after it.
FARTHEST = 10.0


class Volatility(nn.Module):
    """GARCH(1,1) in units of the everyday variance: v_{t+1} = 1 - a - b + a e_t^2 + b v_t, v_1 = 1 (Bollerslev 1986).

    e_t is the innovation over its everyday standard deviation; one that is missing counts as an everyday one, e^2 = 1.
    a + b < 1, so that v comes back to 1.

    shock, decay  (D), buffers: a and b of each channel; both 0 where the variance does not change
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.shock: Tensor
        self.decay: Tensor
        self.register_buffer("shock", torch.zeros(channels))
        self.register_buffer("decay", torch.zeros(channels))

    @classmethod
    def of(cls, pairs: list[tuple[float, float]]) -> Volatility:
        """(a, b) of each channel."""
        out = cls(len(pairs))
        out.shock.copy_(torch.tensor([a for a, _ in pairs]))
        out.decay.copy_(torch.tensor([b for _, b in pairs]))
        return out

    def unroll(self, e: Tensor, v: Tensor) -> Tensor:
        """E (T, B, D), NaN where missing, and v (B, D) of the first step -> v (T + 1, B, D), with that of the next."""
        squared = torch.where(e.isnan(), torch.ones_like(e), e.clamp(-FARTHEST, FARTHEST).square())
        run = pick("linear", None, device=e.device.type, dtype=e.dtype)
        path, _ = run(1 - self.shock - self.decay + self.shock * squared, (v.contiguous(),), self.decay)
        return torch.cat([v[None], path])


def fit_volatility(e: Array, offsets: NDArray[np.int64]) -> tuple[float, float] | None:
    """A and b of innovations (N,), sequence after sequence, by the likelihood of a Student's t of any scale.

    None where they do not earn their two parameters by BIC.
    """
    seen = np.isfinite(e)
    if seen.sum() < 100:
        return None
    beyond = np.where(seen, np.clip(e, -FARTHEST, FARTHEST) ** 2, 1.0) - 1
    since = np.arange(len(e)) - np.repeat(offsets[:-1], np.diff(offsets))
    first = np.repeat(offsets[:-1], np.diff(offsets))

    def loss(x: Array, changing: bool = True) -> float:
        scale, df = np.exp(x[0]), 2.05 + np.exp(x[1])
        deviation = scale * np.ones(1)
        if changing:
            a, b = _shares(x[2:])
            # over all sequences as one; what each has from those before it decays, and is taken off
            whole = signal.lfilter([0.0, a], [1.0, -b], beyond)
            deviation = scale * np.sqrt(np.maximum(1 + whole - b**since * whole[first], 1e-6))[seen]
        return -float((stats.t.logpdf(e[seen] / deviation, df) - np.log(deviation)).sum())

    start = np.array([-0.2, 1.5])
    still = minimize(loss, start, args=(False,), method="Nelder-Mead")
    moving = minimize(loss, [*still.x, 3.5, -2.7], method="Nelder-Mead", options={"maxiter": 1000, "fatol": 1e-3})
    return _shares(moving.x[2:]) if still.fun - moving.fun > np.log(seen.sum()) else None


def _shares(x: Array) -> tuple[float, float]:
    """Any two numbers -> a and b, above 0, their sum under 1."""
    total, part = 1 / (1 + np.exp(-x))
    return float(total * part), float(total * (1 - part))
