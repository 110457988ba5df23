"""The panels and their windows; cutoffs are counted from the end of each series."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import polars as pl

from ostinato.shapes import Array


@dataclass(frozen=True)
class Case:
    """A panel and its windows.

    Attributes:
        season: The season of the scores and of the naive methods.
        seasons: The seasons of the models, shortest first.
        backs: The steps from the cutoff of a window to the end of its series, oldest window first. Models are fitted
            once, to the data before the first cutoff.
        freq: The frequency of the data, as pandas writes it.
        start: The time of the first step, real or made up.
        known: The future covariates by name, each (T,) like the single series.
    """

    name: str
    horizon: int
    season: int
    seasons: tuple[int, ...]
    series: dict[str, Array]
    backs: tuple[int, ...]
    freq: str
    start: str = "2000-01-01"
    known: dict[str, Array] = field(default_factory=dict)

    def before(self, back: int) -> dict[str, Array]:
        """Return the history of each series up to the cutoff, by unique_id."""
        return {key: y[: len(y) - back] for key, y in self.series.items()}

    def after(self, back: int) -> Array:
        """Return the observed values of the window, (B, H)."""
        return np.stack([y[len(y) - back :][: self.horizon] for y in self.series.values()])


def m4(folder: Path, name: str, older: bool) -> Case:
    """Return the last three horizons of M4's training files, or the three before them, on which no choice was made."""
    file, horizon, season, seasons, freq = {
        "hourly": ("M4-Hourly-train.csv.gz", 48, 24, (24, 168), "h"),
        "weekly": ("M4-Weekly-train.csv.gz", 13, 1, (52,), "W"),
    }[name]
    rows = pl.read_csv(folder / file, infer_schema_length=None).rows()
    series = {row[0]: np.array([v for v in row[1:] if v is not None], dtype=np.float64) for row in rows}
    ahead = (6, 5, 4) if older else (3, 2, 1)
    least = (ahead[0] + 2) * horizon
    series = {key: y for key, y in series.items() if len(y) >= least}
    case = Case(name, horizon, season, seasons, series, tuple(k * horizon for k in ahead), freq)
    return replace(case, name=f"{name}-older") if older else case


def electricity(folder: Path, horizon: int, covariates: bool) -> Case:
    """Return vic_elec, demand every half hour: 12 windows over the last year, 31 days apart."""
    frame = pl.read_csv(folder / "vic_elec.csv.gz")
    backs = tuple(31 * 48 * k for k in range(12, 0, -1))
    known = {
        "temperature": frame["Temperature"].to_numpy().astype(np.float64),
        "holiday": frame["Holiday"].cast(pl.String).str.to_uppercase().eq("TRUE").to_numpy().astype(np.float64),
    }
    return Case(
        f"electricity-{horizon}{'-covariates' if covariates else ''}",
        horizon,
        48,
        (48, 336),
        {"demand": frame["Demand"].to_numpy().astype(np.float64)},
        backs,
        "30min",
        frame["Time"][0].replace("T", " ").rstrip("Z"),
        known if covariates else {},
    )


def exchange(folder: Path) -> Case:
    """Return exchange_rate: 20 windows of 30 days, one after the other."""
    values = pl.read_csv(folder / "exchange_rate.txt.gz", has_header=False).to_numpy().astype(np.float64)
    series = {f"rate-{d}": values[:, d] for d in range(values.shape[1])}
    return Case("exchange", 30, 1, (1,), series, tuple(30 * k for k in range(20, 0, -1)), "D", "1990-01-01")


def load(folder: Path, name: str) -> Case:
    """Return the case called ``name``, one of NAMES."""
    first, *rest = name.split("-")
    match first:
        case "hourly" | "weekly":
            return m4(folder, first, older="older" in rest)
        case "electricity":
            return electricity(folder, int(rest[0]), covariates="covariates" in rest)
        case _:
            return exchange(folder)


#: The panels in the order of the tables; the older windows of M4 run only on request.
NAMES = (
    "hourly",
    "weekly",
    "exchange",
    "electricity-48",
    "electricity-336",
    "electricity-48-covariates",
    "electricity-336-covariates",
)
OLDER = ("hourly-older", "weekly-older")
