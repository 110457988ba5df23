"""The six groups of series (M1 and the tourism competition, by period, with their answers), and made demand."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import polars as pl

from local import made
from ostinato.shapes import Array

SEASON = {"yearly": 1, "quarterly": 4, "monthly": 12}
#: Made series of intermittent demand, which are monthly.
DEMAND = "demand"
NAMES = tuple(f"{name}-{period}" for name in ("M1", "tourism") for period in SEASON)


@dataclass(frozen=True)
class Group:
    """Series of one period.

    Attributes:
        history: The values that a method is fitted to, (T_s,) each.
        after: The values after each history, (S, H).
    """

    name: str
    season: int
    ids: tuple[str, ...]
    history: tuple[Array, ...]
    after: Array

    @property
    def horizon(self) -> int:
        """The number of steps H ahead."""
        return int(self.after.shape[1])

    @property
    def seasons(self) -> tuple[int, ...]:
        """The seasons of a panel of these series."""
        return (self.season,) if self.season > 1 else ()


def load(folder: Path, name: str) -> Group:
    """Return a group by its name, one of NAMES.

    Args:
        folder: The folder with M1.csv.gz and tourism.csv.gz.
        name: The name of the group, one of NAMES or DEMAND.
    """
    if name == DEMAND:
        known, later_ = made.demand()
        return Group(name, 12, tuple(f"made-{s}" for s in range(len(known))), tuple(known), later_)
    file, period = name.split("-")
    frame = pl.read_csv(folder / f"{file}.csv.gz", schema_overrides={"unique_id": pl.String, "y": pl.Float64})
    rows = frame.filter(period=period).group_by("unique_id", "part", maintain_order=True).agg("y")
    parts = {part: rows.filter(part=part) for part in ("train", "test")}
    ids = tuple(parts["train"]["unique_id"])
    history = tuple(np.array(y, dtype=np.float64) for y in parts["train"]["y"])
    later = dict(zip(parts["test"]["unique_id"], parts["test"]["y"], strict=True))
    return Group(name, SEASON[period], ids, history, np.array([later[key] for key in ids], dtype=np.float64))


def earlier(group: Group, windows: int) -> Group:
    """Return a group as it was some windows earlier: what came next is the past of now, and the answers stay unseen.

    A series is left out if its history would be shorter than two seasons and half of a horizon, or than 8 values.

    Args:
        group: The group.
        windows: How many horizons before the end of each history to go back.
    """
    if not windows:
        return group
    steps, least = windows * group.horizon, max(8, 2 * group.season + max(4, 1 + group.horizon // 2))
    kept = [s for s, y in enumerate(group.history) if len(y) - steps >= least]
    past = [group.history[s] for s in kept]
    return replace(
        group,
        ids=tuple(group.ids[s] for s in kept),
        history=tuple(y[:-steps] for y in past),
        after=np.array([y[-steps:][: group.horizon] for y in past]).reshape(-1, group.horizon),
    )
