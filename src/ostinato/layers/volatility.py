"""Volatility: the variance of the next innovation, given the size of the innovations before it."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.special import gammaln
from torch import Tensor, nn

from ostinato.ops.selection import pick
from ostinato.shapes import Array

#: Innovations beyond this many standard deviations count as this many, so that one crash does not set the variance of
#: all later days.
FARTHEST = 10.0


class Volatility(nn.Module):
    """GARCH(1,1) in units of the everyday variance: v_{t+1} = 1 - a - b + a e_t^2 + b v_t, v_1 = 1 (Bollerslev 1986).

    e_t is the innovation over its everyday standard deviation; a missing innovation counts as e^2 = 1. a + b < 1, so
    that v returns to 1.

    Args:
        channels: The number of channels, D.

    Attributes:
        shock: A buffer, a of each channel, (D,); 0 if the variance is constant.
        decay: A buffer, b of each channel, (D,); 0 if the variance is constant.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.shock: Tensor
        self.decay: Tensor
        self.register_buffer("shock", torch.zeros(channels))
        self.register_buffer("decay", torch.zeros(channels))

    @classmethod
    def of(cls, pairs: list[tuple[float, float]]) -> Volatility:
        """Return the model with a and b of each channel."""
        out = cls(len(pairs))
        out.shock.copy_(torch.tensor([a for a, _ in pairs]))
        out.decay.copy_(torch.tensor([b for _, b in pairs]))
        return out

    def unroll(self, e: Tensor, v: Tensor) -> Tensor:
        """Return the variances v of all steps and of the step after them, (T + 1, B, D).

        Args:
            e: The innovations over their everyday standard deviations, (T, B, D). NaN where an innovation is missing.
            v: The variances of the first step, (B, D).
        """
        squared = torch.where(e.isnan(), torch.ones_like(e), e.clamp(-FARTHEST, FARTHEST).square())
        run = pick("linear", None, device=e.device.type, dtype=e.dtype)
        path, _ = run(1 - self.shock - self.decay + self.shock * squared, (v.contiguous(),), self.decay)
        return torch.cat([v[None], path])


def _student(x: Array, df: float) -> Array:
    """Return the log density of Student's t distribution, (N,)."""
    constant = gammaln((df + 1) / 2) - gammaln(df / 2) - 0.5 * np.log(df * np.pi)
    return np.asarray(constant - 0.5 * (df + 1) * np.log1p(x**2 / df))


def fit_volatility(e: Array, offsets: NDArray[np.int64]) -> tuple[float, float] | None:
    """Return a and b of one channel by maximum likelihood under a Student's t distribution with a free scale.

    Args:
        e: The innovations of all sequences joined, (N,), over their everyday standard deviation. NaN if missing.
        offsets: Where the sequences begin and end in e, (B + 1,).

    Returns:
        a and b; None if fewer than 100 innovations are observed, or if a constant variance has the lower BIC.
    """
    seen = np.isfinite(e)
    if seen.sum() < 100:
        return None
    # here, because they take most of a second to import, and only prices need them
    from scipy.optimize import minimize
    from scipy.signal import lfilter

    beyond = np.where(seen, np.clip(e, -FARTHEST, FARTHEST) ** 2, 1.0) - 1
    since = np.arange(len(e)) - np.repeat(offsets[:-1], np.diff(offsets))
    first = np.repeat(offsets[:-1], np.diff(offsets))

    def loss(x: Array, changing: bool = True) -> float:
        """Return the nats of all innovations under log scale, raw degrees of freedom and the logits of a and b."""
        scale, df = np.exp(x[0]), 2.05 + np.exp(x[1])
        deviation = scale * np.ones(1)
        if changing:
            a, b = _shares(x[2:])
            # one filter runs over all sequences joined; what it carries over from earlier sequences decays at a known
            # rate and is subtracted
            whole = lfilter([0.0, a], [1.0, -b], beyond)
            deviation = scale * np.sqrt(np.maximum(1 + whole - b**since * whole[first], 1e-6))[seen]
        return -float((_student(e[seen] / deviation, df) - np.log(deviation)).sum())

    start = np.array([-0.2, 1.5])
    still = minimize(loss, start, args=(False,), method="Nelder-Mead")
    moving = minimize(loss, [*still.x, 3.5, -2.7], method="Nelder-Mead", options={"maxiter": 1000, "fatol": 1e-3})
    return _shares(moving.x[2:]) if still.fun - moving.fun > np.log(seen.sum()) else None


def _shares(x: Array) -> tuple[float, float]:
    """Return a and b, both above 0 and with a sum below 1, from any two numbers (2,)."""
    total, part = 1 / (1 + np.exp(-x))
    return float(total * part), float(total * (1 - part))
