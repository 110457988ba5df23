"""Made series of intermittent demand, of four kinds by how often a demand comes and how much its size varies.

The peers read them in their own environment, so this file does not import ostinato.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

#: The mean steps between demands, and the dispersion of their sizes (Syntetos, Boylan and Croston 2005).
KINDS = {"smooth": (1.15, 0.1), "erratic": (1.15, 1.0), "intermittent": (3.0, 0.1), "lumpy": (4.0, 1.0)}
HORIZON = 12


def demand(count: int = 400, length: int = 96, seed: int = 0) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return monthly demand, a quarter of each kind: what is known, (S, T), and what comes after, (S, H).

    A demand comes with a probability whose logit is a slow random walk; its size is 1 plus a negative binomial count,
    whose mean follows another. So levels move, as in the series that the methods were made for.

    Args:
        count: The number of series S.
        length: The number of known steps T.
        seed: The seed of the random numbers.
    """
    rng = np.random.default_rng(seed)
    out = np.empty((count, length + HORIZON))
    kinds = list(KINDS.values())
    for s in range(count):
        interval, dispersion = kinds[s % len(kinds)]
        steps = length + HORIZON
        logit = np.log(1 / interval / (1 - 1 / interval)) + 0.05 * rng.standard_normal(steps).cumsum()
        mean = np.exp(rng.uniform(0, 4) + 0.03 * rng.standard_normal(steps).cumsum())
        rate = rng.gamma(1 / dispersion, mean * dispersion)
        out[s] = (rng.random(steps) < 1 / (1 + np.exp(-logit))) * (1 + rng.poisson(rate))
    return out[:, :length], out[:, length:]
