"""The closed form of a fit on made series with one or two lags, and its held-out nats compared with those of the truth.

    python benchmarks/sparse_lags.py [file ...]

Each file is fitted too.
"""

from __future__ import annotations

import sys
import time

import numpy as np
from numpy.typing import NDArray

import ostinato
from ostinato.record import Rung

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


def closed_form(data: str | NDArray[np.float64], support: str | None = None) -> tuple[str, float]:
    """Return the closed form that a fit keeps, and its held-out nats a step."""
    rung = ostinato.fit(data, model="ar", support=support).kept
    assert isinstance(rung, Rung)
    return rung.detail, rung.held_out


def main() -> None:
    """Print the table."""
    for weights in CASES:
        x = made(weights, STEPS, 1)
        begun = time.process_time()
        name, held_out = closed_form(x, support="real")
        best = truth(x, weights, round(0.9 * STEPS))
        spent = time.process_time() - begun
        print(f"lags {weights}: {name}, held out {held_out:.4f}, truth {best:.4f}, {spent:.1f} processor seconds")
    for file in sys.argv[1:]:
        begun = time.process_time()
        name, held_out = closed_form(file)
        print(f"{file}: {name}, held out {held_out:.4f}, {time.process_time() - begun:.1f} processor seconds")


if __name__ == "__main__":
    main()
