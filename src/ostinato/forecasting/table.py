"""A forecast and its table, with the column names that Nixtla uses, for every model."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from ostinato.data.ahead import times_ahead
from ostinato.data.ids import id_column
from ostinato.data.sequences import SequenceSet
from ostinato.data.time_form import TimeForm
from ostinato.emissions.quantiles import containing
from ostinato.look import Shown
from ostinato.numbers import counted, plain
from ostinato.shapes import Array

if TYPE_CHECKING:
    from matplotlib.figure import Figure


@dataclass(frozen=True, repr=False, eq=False)
class Forecast(Shown):
    """A forecast of the steps that follow each sequence.

    Attributes:
        history: The data that were forecast from.
        frame: The table, with the columns unique_id, ds, (channel,) ostinato, ostinato-lo-95 ... ostinato-hi-95.
            The column ostinato is the mean. For prices it is the median, since a price whose log return has a
            Student's t has no mean. For a direct model it is the median. It lies inside every interval: an interval
            that would not contain the mean of a skewed distribution is widened up to it.
        horizon: The number of steps forecast for each channel of each sequence.
        level: The coverage of the intervals, in percent.
        paths: The sample paths of each sequence, (S, T, D), in the units of the data; a direct model draws none.
        quantiles: The quantiles of a direct model at emissions.quantiles.LEVELS, (B * D, T, Q).
        notes: What the user should know about the forecast, in words.
        fitted: What a method without a model file fitted to each channel of each sequence, in words, (B * D).
    """

    history: SequenceSet
    frame: pl.DataFrame
    horizon: int
    level: tuple[float, ...]
    paths: tuple[Array, ...] = ()
    quantiles: Array | None = None
    notes: tuple[str, ...] = ()
    fitted: tuple[str, ...] = ()

    def course(self, b: int, d: int) -> pl.DataFrame:
        """Return the rows of channel d of sequence b.

        Args:
            b: The number of the sequence.
            d: The number of the channel.

        Returns:
            The rows of ``frame`` of this channel, one for each of the H steps.
        """
        return self.frame.slice((b * len(self.history.channels) + d) * self.horizon, self.horizon)

    def look(self) -> tuple[list[str], pl.DataFrame]:
        """Return the size of the forecast and its notes, and its table."""
        count = len(self.history) * len(self.history.channels)
        levels = ", ".join(map(plain, self.level))
        what = f"{counted(self.horizon, 'step')} ahead of {count:,} series, intervals of {levels} %"
        return [what, *(f"note: {note}" for note in self.notes)], self.frame

    def plot(self) -> Figure:
        """Return the picture of the first series, at most six, as a figure of matplotlib.

        Raises:
            ConfigError: matplotlib is not installed.
        """
        from ostinato.forecasting.picture import figure

        return figure(self)


def ends(name: str, level: Sequence[float]) -> dict[str, float]:
    """Return the columns of the intervals of a model and the probability of each, named and ordered as in Nixtla."""
    low = {f"{name}-lo-{plain(one)}": 0.5 - one / 200 for one in sorted(level, reverse=True)}
    return {**low, **{f"{name}-hi-{plain(one)}": 0.5 + one / 200 for one in sorted(level)}}


def some_of(names: list[str]) -> str:
    """Return the first three names, for a note."""
    return ", ".join(names[:3]) + (" ..." if len(names) > 3 else "")


def note_on_upper_bounds(names: list[str]) -> list[str]:
    """Return a note on the series whose forecasts are cut off at 1 or at 100; no note if there are none."""
    if not names:
        return []
    return [
        f"{len(names):,} series reached 100, or 1, more than once and never exceeded it. They are taken for "
        f"percentages or shares, and their forecasts are cut off there: {some_of(names)}"
    ]


def ends_apart(data: SequenceSet) -> list[str]:
    """Return a note on the series that end before others do, so that their forecasts begin earlier."""
    if data.times is None or len(data) < 2 or not (data.lengths > 0).all():
        return []
    last = data.times[data.offsets[1:] - 1]
    early = [str(data.ids[b]) for b in np.flatnonzero(last < last.max()).tolist()]
    if not early:
        return []
    words = (
        "series ends before the others, and its forecast begins"
        if len(early) == 1
        else ("series end before the others, and their forecasts begin")
    )
    return [f"{len(early):,} of {len(data):,} {words} where the data end: {some_of(early)}"]


def table(
    data: SequenceSet,
    horizon: int,
    level: Sequence[float],
    point: Callable[[int, int], Array],
    quantiles: Callable[[int, int, Array], Array],
) -> pl.DataFrame:
    """Return the table of a forecast: one row for each step of each channel of each sequence.

    Args:
        data: The sequences that were forecast from.
        horizon: The number T of steps forecast.
        level: The coverage of the intervals, in percent.
        point: Returns the point forecasts (T,) of sequence b and channel d.
        quantiles: Returns the quantiles (P, T) of sequence b and channel d at probabilities p (P,).
    """
    B, D = len(data), len(data.channels)
    if not B:
        return pl.DataFrame()
    intervals = ends("ostinato", level)
    p = np.array(list(intervals.values()))
    points = [point(b, d) for b in range(B) for d in range(D)]
    sides = [containing(points[b * D + d], quantiles(b, d, p).T, p) for b in range(B) for d in range(D)]
    times = np.concatenate([np.tile(times_ahead(data, b, horizon), D) for b in range(B)])
    columns: dict[str, Any] = {"unique_id": id_column(data.ids, D * horizon, data.meta), "ds": ds_column(data, times)}
    if D > 1:
        columns["channel"] = np.tile(np.repeat(np.array(data.channels, dtype=object), horizon), B).tolist()
    columns["ostinato"] = np.concatenate(points)
    columns.update(zip(intervals, np.concatenate(sides).T, strict=True))
    return pl.DataFrame(columns)


def ds_column(data: SequenceSet, times: NDArray[Any]) -> pl.Series:
    """Return times (N,) of the data as a column ds in the form that the times came in."""
    return (data.time_form or TimeForm()).column(times)
