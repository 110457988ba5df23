"""Probabilities with the same bits on every machine.

The parameters that a model computes are rounded to a grid, which is coarse beside the rounding of floating point and
fine beside what a likelihood notices. All that follows is computed in a fixed order by the engine's portable functions,
which are compiled once for every processor, or by single operations, which IEEE 754 defines to the bit.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ostinato.errors import ConfigError
from ostinato.ops.engine import extension
from ostinato.ops.engine.extension import ABSENT
from ostinato.shapes import Array

if not ABSENT:
    from ostinato.ops.engine import _engine

#: The grid of log probabilities and log scales, 1 / 1024 of a nat.
GRID = 1024.0
#: The grid of locations, as a share of a cell of the lattice.
FINE = 64.0
#: The least log probability of a symbol before the coder's own floor of 2^-24.
LEAST = -18.0


def check() -> None:
    """Raise ConfigError if the engine's portable functions are not there."""
    if ABSENT or not hasattr(_engine, "portable_mixture"):
        why = extension.refusal({}) or "the compiled engine is older than the package"
        raise ConfigError(
            f"compress needs the compiled engine: {why}", fix="install a wheel, or a compiler, and install again"
        )


def exp(x: Array) -> Array:
    """Return the exponential of x with the same bits on every machine."""
    x = np.ascontiguousarray(x, dtype=np.float64)
    out = np.empty_like(x)
    _engine.portable_exp(x.size, x.ctypes.data, out.ctypes.data)
    return out


def grid(x: Array, fineness: float = GRID) -> Array:
    """Return x rounded to multiples of 1 / fineness."""
    return np.asarray(np.rint(x * fineness) / fineness)


def of_symbols(log_probabilities: Array) -> Array:
    """Return numbers proportional to probabilities, (n, V), from log probabilities (n, V)."""
    return exp(np.maximum(grid(log_probabilities), LEAST))


class Mixture:
    """Mixtures of logistics on lattices, one for each of n rows.

    Args:
        log_weights: The log weights, (n, M).
        means: The means in cells, (n, M): the cell k reaches from k - 1/2 to k + 1/2.
        log_scales: The logarithms of the scales in cells, (n, M).
        bits: The bits of a lattice, whose cells are 0 .. 2^bits - 1; the first and the last hold the tails.
    """

    #: The bits that are coded at a time.
    TAKEN = 6

    def __init__(self, log_weights: Array, means: Array, log_scales: Array, bits: int) -> None:
        self._weights = exp(np.maximum(grid(log_weights, 256.0), -40.0))
        total = self._weights[:, :1].copy()
        for k in range(1, self._weights.shape[1]):  # in a fixed order
            total += self._weights[:, k : k + 1]
        self._weights /= total
        self._means = grid(means, FINE)
        self._scales = exp(np.clip(grid(log_scales, 256.0), -5.0, 30.0))
        self.bits, self.cells = bits, 1 << bits

    def split(self, low: NDArray[np.int64], bits: int) -> Array:
        """Return numbers proportional to the probabilities of the parts of some cells, (n, 2^TAKEN or fewer).

        Args:
            low: The first of the cells of each row, (n,).
            bits: The bits of their number.
        """
        parts = min(self.TAKEN, bits)
        width = 1 << (bits - parts)
        edges = (low[:, None] + width * np.arange((1 << parts) + 1)) - 0.5
        below = self._cumulative(np.asarray(edges, dtype=np.float64))
        below[edges < 0] = 0.0
        below[edges > self.cells - 1] = 1.0
        p = np.maximum(below[:, 1:] - below[:, :-1], 0.0)
        whole = below[:, -1:] - below[:, :1]
        # far in a tail nothing is left of the difference: every part is then as likely as the others
        return np.where(whole > 1e-13, p / np.where(whole > 1e-13, whole, 1.0) + 1e-8, 1.0)

    def _cumulative(self, edges: Array) -> Array:
        n, M = self._weights.shape
        out, edges = np.empty(edges.shape), np.ascontiguousarray(edges)
        # the names keep the copies alive while the kernel runs
        weights, means, scales = (np.ascontiguousarray(a) for a in (self._weights, self._means, self._scales))
        given = weights.ctypes.data, means.ctypes.data, scales.ctypes.data, edges.ctypes.data, out.ctypes.data
        _engine.portable_mixture(n, M, edges.shape[1], *given)
        return out
