"""Probabilities with the same bits on every machine.

The parameters that a model computes are rounded to a grid, which is coarse compared with the rounding of floating point
and fine compared with the precision that a likelihood needs. All that follows is computed in a fixed order by the
engine's portable functions, which are compiled once for every processor, or by single operations, which IEEE 754
defines to the bit.
"""

from __future__ import annotations

import numpy as np

from ostinato.errors import ConfigError
from ostinato.ops.engine import coding
from ostinato.shapes import Array

#: The grid of log probabilities and log scales, 1 / 1024 of a nat.
GRID = 1024.0
#: The least log probability of a symbol before the coder's own floor of 2^-24.
LEAST = -18.0


def check() -> None:
    """Raise ConfigError if the engine's portable functions are not there."""
    if coding.ABSENT:
        raise ConfigError(
            f"compress needs the compiled engine: {coding.ABSENT}",
            fix="install a wheel, or a compiler, and install again",
        )


def exp(x: Array) -> Array:
    """Return the exponential of x with the same bits on every machine."""
    x = np.ascontiguousarray(x, dtype=np.float64)
    out = np.empty_like(x)
    coding.portable_exp(x.size, x.ctypes.data, out.ctypes.data)
    return out


def grid(x: Array, fineness: float = GRID) -> Array:
    """Return x rounded to multiples of 1 / fineness."""
    return np.asarray(np.rint(x * fineness) / fineness)


def of_symbols(log_probabilities: Array) -> Array:
    """Return numbers proportional to probabilities, (n, V), from log probabilities (n, V)."""
    return exp(np.maximum(grid(log_probabilities), LEAST))
