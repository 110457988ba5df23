"""The data of the cells: written into a folder as a user has them, with the values that the forecasts should find."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

NOUNS = ["dog", "cat", "bird", "girl", "boy", "king"]
VERBS = ["sees", "hears", "likes", "follows", "calls", "paints"]
PLACES = ["here", "at home", "in the garden", "all day", "by the river"]


def sales(rng: np.random.Generator) -> pl.DataFrame:
    """Return forty shops with eight years of monthly sales."""
    months = np.arange("2017-01", "2025-01", dtype="datetime64[M]").astype("datetime64[us]")
    t = np.arange(len(months))
    frames = []
    for i in range(40):
        season = 1 + 0.2 * np.sin(2 * np.pi * (t - rng.integers(12)) / 12)
        level = 200 + 30 * i + np.cumsum(rng.normal(rng.normal(0, 1), 4, len(t)))
        y = (level * season * np.exp(rng.normal(0, 0.04, len(t)))).round(1)
        frames.append(pl.DataFrame({"unique_id": f"s{i:02d}", "ds": months, "y": y}))
    return pl.concat(frames)


def load(rng: np.random.Generator) -> pl.DataFrame:
    """Return ten towns with sixty days of hourly demand and temperature."""
    hours = np.arange(24 * 60)
    ds = np.datetime64("2025-01-06T00", "us") + hours * np.timedelta64(1, "h")
    frames = []
    for i in range(10):
        fronts = np.convolve(np.repeat(rng.normal(0, 4, 61), 24), np.ones(24) / 24, "valid")[: len(hours)]
        warmth = 6 + fronts + 4 * np.sin(2 * np.pi * (hours - 9) / 24)
        work = 14 * np.exp(-(((hours % 24) - 13) ** 2) / 40) * np.where(hours // 24 % 7 >= 5, 0.5, 1)
        y = (1 + i / 5) * (40 + work + 1.3 * np.maximum(15 - warmth, 0) + rng.normal(0, 1, len(hours)))
        frames.append(pl.DataFrame({"unique_id": f"t{i}", "ds": ds, "y": y, "temperature": warmth}))
    return pl.concat(frames)


def readings(rng: np.random.Generator, steps: int) -> np.ndarray:
    """Return the readings of a sensor with a daily rhythm of 144 steps."""
    noise = np.zeros(steps)
    for t in range(1, steps):
        noise[t] = 0.8 * noise[t - 1] + 0.15 * rng.standard_normal()
    return 20 + 3 * np.sin(2 * np.pi * np.arange(steps) / 144) + noise


def sentences(count: int, seed: int) -> str:
    """Return a text of short sentences."""
    draw = random.Random(seed)
    return "".join(
        f"the {draw.choice(NOUNS)} {draw.choice(VERBS)} the {draw.choice(NOUNS)} {draw.choice(PLACES)}.\n"
        for _ in range(count)
    )


def last(frame: pl.DataFrame, steps: int) -> pl.DataFrame:
    """Return the last steps of every series."""
    return frame.group_by("unique_id", maintain_order=True).tail(steps)


def write(folder: Path) -> dict[str, Any]:
    """Write the files of every cell, and return the values that were kept back."""
    rng = np.random.default_rng(0)
    shops, towns = sales(rng), load(rng)
    shops.group_by("unique_id", maintain_order=True).head(84).write_csv(folder / "sales.csv")
    one = shops.filter(pl.col("unique_id") == "s07").drop("unique_id")
    one.write_csv(folder / "one.csv")
    towns.group_by("unique_id", maintain_order=True).head(24 * 59).write_csv(folder / "load.csv")
    last(towns, 24).drop("y").write_csv(folder / "tomorrow.csv")
    live = readings(rng, 3000)
    faults = sorted(rng.choice(np.arange(100, 2900), 10, replace=False).tolist())
    live[faults] += 2.5 * rng.choice([-1, 1], 10)
    for name, values in (("sensor", readings(rng, 2500)), ("live", live)):
        pl.DataFrame({"y": values.round(3)}).write_csv(folder / f"{name}.csv")
    (folder / "text.txt").write_text(sentences(3000, 0), encoding="utf-8")
    (folder / "new.txt").write_text(sentences(300, 1), encoding="utf-8")
    return {
        "sales": last(shops, 12)["y"].to_numpy(),
        "load": last(towns, 24)["y"].to_numpy(),
        "one": one["y"].to_numpy()[-36:],
        "faults": faults,
    }
