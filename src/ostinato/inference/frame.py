"""A forecast and its table, in Nixtla's columns, whatever model made it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from ostinato.data.calendar import future_times
from ostinato.data.sequences import SequenceSet
from ostinato.errors import ConfigError

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Forecast:
    """What is said of the steps ahead.

    frame      unique_id, ds, (channel,) ostinato, ostinato-lo-95 ... ostinato-hi-95. The column ostinato is the mean;
               of prices it is the median, since with a Student's t for its log return a price has no mean. Of a direct
               model it is the median where it has networks, and the least-squares forecast where it has none
    horizon    steps ahead of every channel of every sequence
    paths      one array (S, T, D) of sample paths a sequence, in the data's units; a direct model draws none
    quantiles  (B * D, T, Q) at emissions.quantiles.LEVELS, of a direct model
    """

    history: SequenceSet
    frame: pl.DataFrame
    horizon: int
    level: tuple[float, ...]
    paths: tuple[Array, ...] = ()
    quantiles: Array | None = None
    notes: tuple[str, ...] = ()

    def course(self, b: int, d: int) -> pl.DataFrame:
        """The rows of channel d of sequence b."""
        return self.frame.slice((b * len(self.history.channels) + d) * self.horizon, self.horizon)


def check_levels(level: Sequence[float]) -> None:
    """Raises ConfigError for a level, in percent, outside (0, 100)."""
    for one in level:
        if not 0 < one < 100:
            raise ConfigError(f"a level of {one:g} % cannot be", fix="use a number between 0 and 100, such as 95")


def ends(name: str, level: Sequence[float]) -> dict[str, float]:
    """The columns of a model's intervals and the probability of each, in Nixtla's names and order."""
    low = {f"{name}-lo-{one:g}": 0.5 - one / 200 for one in sorted(level, reverse=True)}
    return {**low, **{f"{name}-hi-{one:g}": 0.5 + one / 200 for one in sorted(level)}}


def some_of(names: list[str]) -> str:
    """The first three, for a note."""
    return ", ".join(names[:3]) + (" ..." if len(names) > 3 else "")


def table(
    data: SequenceSet,
    horizon: int,
    level: Sequence[float],
    point: Callable[[int, int], Array],
    quantiles: Callable[[int, int, Array], Array],
) -> pl.DataFrame:
    """A row a step of a channel of a sequence; point(b, d) is (T,), and quantiles(b, d, p) of p (P,) are (P, T)."""
    frames, asked = [], ends("ostinato", level)
    p = np.array(list(asked.values()))
    for b, key in enumerate(data.ids):
        ds = times_after(data, b, horizon)
        for d, channel in enumerate(data.channels):
            columns: dict[str, Any] = {"unique_id": [key] * horizon, "ds": ds}
            if len(data.channels) > 1:
                columns["channel"] = [channel] * horizon
            columns["ostinato"] = point(b, d)
            columns.update(zip(asked, quantiles(b, d, p), strict=True))
            frames.append(pl.DataFrame(columns))
    return pl.concat(frames) if frames else pl.DataFrame()


def times_after(data: SequenceSet, b: int, horizon: int) -> NDArray[Any]:
    """(T,): the ds of the steps that follow sequence b; without times, steps are counted from 1."""
    times = data.times_of(b)
    if times is None or not len(times):
        return np.arange(horizon) + int(data.lengths[b]) + (1 if times is None else 0)
    return future_times(times[-1], data.frequency, horizon, times)
