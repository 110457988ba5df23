"""Direct multi-horizon least squares: all H steps ahead from the last K, for a panel, each series drawn to the others.

targets (n, H) = [inputs, 1] (n, K + 1) W (K + 1, H) + errors. With G = A'A and C = A'B of A = [inputs, 1], B = targets:

  pooled   W   = (G + penalty n I)^-1 C, the sums over all series; the intercept is not penalised
  own      W_b = W + (G_b + strength I)^-1 (C_b - G_b W), which minimises |B_b - A_b W_b|^2 + strength |W_b - W|^2:
           a normal prior around the pooled weights (Lindley and Smith 1972), so that a series without windows keeps W
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import cho_factor, cho_solve

Array = NDArray[np.float64]

#: Of the windows of one series, so many count in the pooled sums; a longer series does not outvote the others.
VOTES = 400


@dataclass(frozen=True)
class Moments:
    """Sums over n windows: G (K + 1, K + 1), C (K + 1, H)."""

    G: Array
    C: Array
    n: float

    def __add__(self, other: Moments) -> Moments:
        return Moments(self.G + other.G, self.C + other.C, self.n + other.n)

    def __sub__(self, other: Moments) -> Moments:
        return Moments(self.G - other.G, self.C - other.C, self.n - other.n)

    def capped(self) -> Moments:
        """Weighed down to VOTES windows, where there are more."""
        w = min(1.0, VOTES / self.n) if self.n else 0.0
        return Moments(self.G * w, self.C * w, self.n * w)


def design(inputs: Array) -> Array:
    """[inputs, 1]: (n, K) -> (n, K + 1)."""
    return np.concatenate([inputs, np.ones((len(inputs), 1))], axis=1)


def moments(inputs: Array, targets: Array) -> Moments:
    """The sums of windows, inputs (n, K) and targets (n, H)."""
    A = design(inputs)
    return Moments(A.T @ A, A.T @ targets, len(A))


def pooled(total: Moments, penalty: float) -> Array:
    """W (K + 1, H)."""
    ridge = np.full(len(total.G), max(penalty, 1e-10) * max(total.n, 1.0))
    ridge[-1] = 1e-9 * max(total.n, 1.0)
    return np.asarray(cho_solve(cho_factor(total.G + np.diag(ridge)), total.C))


def own(series: Moments, W: Array, strength: float) -> Array:
    """W_b (K + 1, H); with a strength of infinity, W."""
    if not np.isfinite(strength) or not series.n:
        return W
    factor = cho_factor(series.G + strength * np.eye(len(W)))
    return np.asarray(W + cho_solve(factor, series.C - series.G @ W))


def seasonal_naive(lookback: int, horizon: int, season: int) -> Array:
    """The W that repeats the last season; with a season of 1, the last value."""
    W = np.zeros((lookback + 1, horizon))
    W[lookback - season + np.arange(horizon) % season, np.arange(horizon)] = 1.0
    return W
