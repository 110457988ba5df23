"""A live stream in constant memory: a sensor with gaps and a fault, watched by the surprisal of every reading.

Run: python examples/live_sensor.py
"""

from __future__ import annotations

import math

import numpy as np

import ostinato


def readings(steps: int, seed: int) -> np.ndarray:
    """A daily rhythm of 48 steps and noise that remembers; one reading in fifty is missing."""
    rng = np.random.default_rng(seed)
    noise = np.zeros(steps)
    for t in range(1, steps):
        noise[t] = 0.8 * noise[t - 1] + 0.2 * rng.standard_normal()
    values = 20 + 3 * np.sin(2 * np.pi * np.arange(steps) / 48) + noise
    values[rng.random(steps) < 0.02] = np.nan
    return values


def main() -> None:
    model = ostinato.fit(readings(5000, seed=0), model="ar").model
    stream = ostinato.Stream(model)
    live = readings(1000, seed=1)
    live[700:705] += 4  # the fault
    for t, value in enumerate(live):
        seen = stream.update([value])
        nats = float(seen.surprisal[0])
        # -log P = 10 nats: about one reading in twenty thousand, if the model is right
        if not math.isnan(nats) and nats > 10:
            print(f"step {t}: {value:.2f} where {seen.prediction[0, 0]:.2f} was expected, {nats:.1f} nats")


if __name__ == "__main__":
    main()
