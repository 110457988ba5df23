"""The closed form of a fit on made series with one or two lags, and its held-out nats beside those of the truth.

    python benchmarks/sparse_lags.py [file ...]

Each file is fitted too.
"""

from __future__ import annotations

import sys
import time

import numpy as np
from numpy.typing import NDArray

import ostinato

STEPS = 6000
CASES: tuple[dict[int, float], ...] = (
    {7: 0.85},
    {40: 0.85},
    {168: 0.85},
    {300: 0.85},
    {40: 0.5, 168: 0.35},
    {1: 0.5, 300: 0.4},
)


def made(weights: dict[int, float], steps: int, seed: int) -> NDArray[np.float64]:
    """Return an autoregression on these lags with normal noise of variance 1."""
    x = np.random.default_rng(seed).standard_normal(steps + 2000)
    for t in range(max(weights), len(x)):
        x[t] += sum(w * x[t - lag] for lag, w in weights.items())
    return x[2000:]


def truth(x: NDArray[np.float64], weights: dict[int, float], first: int) -> float:
    """Return the log-likelihood in nats a step of the steps from ``first`` on, under the true model."""
    t = np.arange(first, len(x))
    e = x[t] - sum(w * x[t - lag] for lag, w in weights.items())
    return float(-0.5 * np.log(2 * np.pi) - 0.5 * (e**2).mean())


def main() -> None:
    """Print the table."""
    for weights in CASES:
        x = made(weights, STEPS, 1)
        begun = time.process_time()
        found = ostinato.fit(x, model="ar", support="real")
        best = truth(x, weights, round(0.9 * STEPS))
        print(
            f"lags {weights}: {found.kept.detail}, held out {found.kept.held_out:.4f}, truth {best:.4f}, "
            f"{time.process_time() - begun:.1f} processor seconds"
        )
    for file in sys.argv[1:]:
        begun = time.process_time()
        found = ostinato.fit(file, model="ar")
        spent = time.process_time() - begun
        print(f"{file}: {found.kept.detail}, held out {found.kept.held_out:.4f}, {spent:.1f} processor seconds")


if __name__ == "__main__":
    main()
