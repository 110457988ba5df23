"""Direct multi-horizon least squares for a panel: all H steps ahead from the last K values.

targets (n, H) = [inputs, 1] (n, K + 1) W (K + 1, H) + errors. With G = A'A and C = A'B of A = [inputs, 1], B = targets:

  pooled   W   = (G + penalty n I)^-1 C, with the sums over all series; the intercept is drawn to 0 by ``kept`` alone
  own      W_b = W + (G_b + strength I)^-1 (C_b - G_b W), which minimises |B_b - A_b W_b|^2 + strength |W_b - W|^2.
           This is a normal prior around the pooled weights (Lindley and Smith 1972); a series without windows keeps W.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.linalg import cho_factor, cho_solve

from ostinato.shapes import Array

#: The most windows of one series that count in the pooled sums, so that a long series does not outweigh the others.
VOTES = 400

#: The least number of stretches of time that say how much of an intercept is chance.
_STRETCHES = 3


@dataclass(frozen=True)
class Moments:
    """The sums of squares and products over n windows.

    Attributes:
        G: The sum of inputs times inputs, with the intercept, (K + 1, K + 1).
        C: The sum of inputs times targets, (K + 1, H).
        n: The number of windows.
    """

    G: Array
    C: Array
    n: float

    def __add__(self, other: Moments) -> Moments:
        return Moments(self.G + other.G, self.C + other.C, self.n + other.n)

    def __sub__(self, other: Moments) -> Moments:
        return Moments(self.G - other.G, self.C - other.C, self.n - other.n)

    def capped(self, vote: float = 1.0) -> Moments:
        """Return the sums scaled down to VOTES windows, if there are more, and then by the vote of the series."""
        w = vote * min(1.0, VOTES / self.n) if self.n else 0.0
        return Moments(self.G * w, self.C * w, self.n * w)


def design(inputs: Array) -> Array:
    """Return the inputs (n, K) with a column of ones, (n, K + 1)."""
    return np.concatenate([inputs, np.ones((len(inputs), 1))], axis=1)


def moments(inputs: Array, targets: Array) -> Moments:
    """Return the sums over windows with inputs (n, K) and targets (n, H)."""
    A = design(inputs)
    return Moments(A.T @ A, A.T @ targets, len(A))


def pooled(total: Moments, penalty: float, kept: float = 1.0) -> Array:
    """Return the pooled weights W (K + 1, H).

    Args:
        total: The sums over all series.
        penalty: The penalty of the weights, for each window.
        kept: The share of the intercept that is kept, 0 to 1; see ``drift_kept``.
    """
    ridge = np.full(len(total.G), max(penalty, 1e-10) * max(total.n, 1.0))
    ridge[-1] = _drawing(total.n, kept)
    return np.asarray(cho_solve(cho_factor(total.G + np.diag(ridge)), total.C))


def own(series: Moments, W: Array, strength: float, kept: float = 1.0) -> Array:
    """Return the own weights W_b (K + 1, H) of a series; an infinite strength returns W.

    Args:
        series: The sums of the series.
        W: The weights that the own ones are drawn to.
        strength: How strongly they are drawn.
        kept: The share of the series' own difference from the intercept of W that is kept at least.
    """
    if not np.isfinite(strength) or not series.n:
        return W
    ridge = np.full(len(W), strength)
    ridge[-1] = max(strength, _drawing(series.n, kept))
    factor = cho_factor(series.G + np.diag(ridge))
    return np.asarray(W + cho_solve(factor, series.C - series.G @ W))


def drift_kept(rest: Array) -> float:
    """Return the share of an intercept that its spread between stretches of time supports, 0 to 1.

    The intercept is a drift that all windows share. Windows overlap, and series move together, so thousands of windows
    can come from a few stretches of time, and the drift of these stretches need not go on. The drift is shrunk by two
    of its standard errors, from its spread between the stretches (positive part, as of James and Stein 1961).

    Args:
        rest: The mean of what is left of the targets without an intercept, in each of F stretches of time, (F, H).
    """
    if len(rest) < _STRETCHES:
        return 1.0
    size = float((rest.mean(axis=0) ** 2).mean())
    error = float(rest.var(axis=0, ddof=1).mean()) / len(rest)
    return 1 - 4 * error / size if size > 4 * error else 0.0


def _drawing(n: float, kept: float) -> float:
    """Return the ridge of an intercept of n windows that keeps this share of it."""
    return max(n, 1.0) * max(1e-9, (1 - kept) / max(kept, 1e-9))


def seasonal_naive(lookback: int, horizon: int, season: int) -> Array:
    """Return the weights W (K + 1, H) that repeat the last season; a season of 1 repeats the last value."""
    W = np.zeros((lookback + 1, horizon))
    W[lookback - season + np.arange(horizon) % season, np.arange(horizon)] = 1.0
    return W
