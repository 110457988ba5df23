"""Points that fill a cube evenly: the sequence of Halton (1960), without scrambling.

``scipy.stats.qmc`` has it too, and takes half a second to import, which a forecast in one second cannot spare.
"""

from __future__ import annotations

import numpy as np

from ostinato.shapes import Array


def halton(count: int, dimensions: int) -> Array:
    """Return the points 1 .. count of the sequence, (count, dimensions).

    The coordinates of point i are the digits of i in the first primes as bases, mirrored at the decimal point.

    Args:
        count: The number of points.
        dimensions: The number of coordinates, 1 or more.
    """
    out = np.zeros((count, dimensions))
    for d, base in enumerate(_primes(dimensions)):
        rest, size = np.arange(1, count + 1), 1.0
        while rest.any():
            size /= base
            rest, digit = np.divmod(rest, base)
            out[:, d] += digit * size
    return out


def _primes(count: int) -> list[int]:
    """Return the first primes."""
    out: list[int] = []
    number = 2
    while len(out) < count:
        if all(number % prime for prime in out):
            out.append(number)
        number += 1
    return out
