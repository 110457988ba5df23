"""Rolling windows: histories up to a cutoff, and what came after it, one window after the other."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ostinato.data.sequences import SequenceSet
from ostinato.errors import ConfigError, DataError

#: A history shorter than this says nothing of how a series moves.
LEAST = 3


@dataclass(frozen=True)
class BacktestWindow:
    """The series that are long enough for this window, up to their cutoffs, and the horizon that follows.

    history  the steps up to the cutoff
    whole    the same with the horizon's steps at the end
    """

    history: SequenceSet
    whole: SequenceSet
    horizon: int

    def later(self) -> NDArray[np.float64]:
        """(B', D, H): the values that came."""
        return np.stack([x[-self.horizon :].T.astype(np.float64) for x in self.whole])


@dataclass(frozen=True)
class BacktestPlan:
    """Where the windows lie. Each series has its own, counted from its own end, as in Nixtla's libraries.

    The first cutoff of a series leaves ``horizon + (count - 1) * step`` steps after it, and each next one is ``step``
    later.
    """

    horizon: int
    count: int
    step: int

    def __post_init__(self) -> None:
        for name, value in (("a horizon", self.horizon), ("a step", self.step)):
            if value < 1:
                raise ConfigError(f"{name} of {value} steps cannot be", fix="use 1 or more")
        if self.count < 1:
            raise ConfigError(f"{self.count} windows cannot be", fix="use 1 or more")

    def _stops(self, data: SequenceSet, number: int) -> NDArray[np.int64]:
        """(B): where the history of window ``number`` (from 0) ends; too short a series has a stop under LEAST."""
        return data.lengths - self.horizon - (self.count - 1 - number) * self.step

    def fits(self, data: SequenceSet, number: int) -> NDArray[np.bool_]:
        """(B): the series with a history of LEAST steps in window ``number``, and each channel observed in it."""
        enough = [
            stop >= LEAST and bool((~np.isnan(x[:stop].astype(np.float64))).any(axis=0).all())
            for x, stop in zip(data, self._stops(data, number).tolist(), strict=True)
        ]
        return np.array(enough, dtype=bool)

    def before(self, data: SequenceSet) -> SequenceSet:
        """Everything up to the first cutoffs: what may be fitted. Too short a series gives nothing.

        Raises DataError where no series is long enough for the first window.
        """
        rows = np.flatnonzero(self.fits(data, 0))
        if not len(rows):
            need, longest = self.horizon + (self.count - 1) * self.step + LEAST, int(data.lengths.max(initial=0))
            raise DataError(
                f"no series is long enough for these windows: they need {need} steps, and the longest has {longest}",
                where=data.meta.get("source"),
                fix="use a shorter horizon, fewer windows or a smaller step",
            )
        return _upto(data, rows, self._stops(data, 0))

    def windows(self, data: SequenceSet) -> Iterator[BacktestWindow]:
        """The windows, oldest first; only one of them is in memory."""
        for number in range(self.count):
            rows, stops = np.flatnonzero(self.fits(data, number)), self._stops(data, number)
            if len(rows):
                yield BacktestWindow(_upto(data, rows, stops), _upto(data, rows, stops + self.horizon), self.horizon)


def _upto(data: SequenceSet, rows: NDArray[np.int64], stops: NDArray[np.int64]) -> SequenceSet:
    return data.take(rows).cut(np.zeros_like(rows), stops[rows])
