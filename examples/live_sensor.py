"""Watch a live sensor, with gaps and a fault, by the surprisal of every reading, in constant memory.

Run: python examples/live_sensor.py
"""

from __future__ import annotations

import math

import numpy as np

import ostinato


def readings(steps: int, seed: int) -> np.ndarray:
    """Return a daily rhythm of 48 steps with autocorrelated noise; one reading in fifty is missing."""
    rng = np.random.default_rng(seed)
    noise = np.zeros(steps)
    for t in range(1, steps):
        noise[t] = 0.8 * noise[t - 1] + 0.2 * rng.standard_normal()
    values = 20 + 3 * np.sin(2 * np.pi * np.arange(steps) / 48) + noise
    values[rng.random(steps) < 0.02] = np.nan
    return values


def main() -> None:
    """Fit an autoregression to old readings, then print every surprising reading of a live stream."""
    model = ostinato.fit(readings(5000, seed=0), model="ar").model
    stream = ostinato.Stream(model)
    live = readings(1000, seed=1)
    live[700:705] += 4  # the fault
    for t, value in enumerate(live):
        seen = stream.update([value])
        nats = float(seen.surprisal[0])
        # a correct model reaches 10 nats (-log P) in about one reading of twenty thousand
        if not math.isnan(nats) and nats > 10:
            print(f"step {t}: {value:.2f} where {seen.prediction[0, 0]:.2f} was expected, {nats:.1f} nats")


if __name__ == "__main__":
    main()
