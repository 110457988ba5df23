"""Rolling windows: the histories up to a cutoff and the values after it, one window after the other."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ostinato.arguments import whole
from ostinato.data.sequences import SequenceSet
from ostinato.errors import DataError
from ostinato.numbers import counted
from ostinato.shapes import Array

#: The least number of steps of a history; a shorter one does not show how a series moves.
LEAST = 3


@dataclass(frozen=True)
class BacktestWindow:
    """One window of a backtest: the series that are long enough for it, cut at their cutoffs.

    Attributes:
        history: The steps up to the cutoff.
        whole: The steps up to the end of the horizon.
        horizon: The number of steps after the cutoff.
    """

    history: SequenceSet
    whole: SequenceSet
    horizon: int

    def later(self) -> Array:
        """Return the values after the cutoffs, (B, D, H)."""
        return np.stack([x[-self.horizon :].T.astype(np.float64) for x in self.whole])


@dataclass(frozen=True)
class BacktestPlan:
    """The positions of the windows, counted from the end of each series, as in the libraries of Nixtla.

    The first cutoff of a series has ``horizon + (count - 1) * step`` steps after it. Each cutoff is ``step`` steps
    later than the one before.

    Attributes:
        horizon: The number of steps to forecast.
        count: The number of windows.
        step: The number of steps from a cutoff to the next.
    """

    horizon: int
    count: int
    step: int

    def __post_init__(self) -> None:
        for name, value in (("horizon", self.horizon), ("step_size", self.step), ("n_windows", self.count)):
            object.__setattr__(self, {"step_size": "step", "n_windows": "count"}.get(name, name), whole(name, value))

    def _stops(self, data: SequenceSet, number: int) -> NDArray[np.int64]:
        """Return where the history of a window ends, (B,). The stop is below LEAST if the series is too short."""
        return data.lengths - self.horizon - (self.count - 1 - number) * self.step

    def fits(self, data: SequenceSet, number: int) -> NDArray[np.bool_]:
        """Return which series have a history of LEAST steps with a value in every channel, (B,).

        Args:
            data: The series.
            number: The number of the window, from 0.
        """
        enough = [
            stop >= LEAST and bool((~np.isnan(x[:stop].astype(np.float64))).any(axis=0).all())
            for x, stop in zip(data, self._stops(data, number).tolist(), strict=True)
        ]
        return np.array(enough, dtype=bool)

    def after(self, data: SequenceSet, number: int, first: NDArray[np.int64]) -> bool:
        """Return whether a window forecasts no step before a first one of each series.

        Args:
            data: The series.
            number: The number of the window, from 0.
            first: The first step of each series that may be forecast, (B,).
        """
        return bool((self._stops(data, number) >= first)[self.fits(data, number)].all())

    def before(self, data: SequenceSet) -> SequenceSet:
        """Return the steps up to the first cutoff of each series, which a model may be fitted to.

        Series that are too short for the first window are left out.

        Args:
            data: The series.

        Raises:
            DataError: No series is long enough for the first window.
        """
        rows = np.flatnonzero(self.fits(data, 0))
        if not len(rows):
            need, longest = self.horizon + (self.count - 1) * self.step + LEAST, int(data.lengths.max(initial=0))
            raise DataError(
                f"no series is long enough for these windows: they need {counted(need, 'step')}, and the "
                f"longest has {longest}",
                where=data.meta.get("source"),
                fix="use a shorter horizon, fewer windows or a smaller step",
            )
        return _upto(data, rows, self._stops(data, 0))

    def windows(self, data: SequenceSet) -> Iterator[BacktestWindow]:
        """Yield the windows, the oldest first; only one of them is in RAM at a time.

        Args:
            data: The series.
        """
        for number in range(self.count):
            rows, stops = np.flatnonzero(self.fits(data, number)), self._stops(data, number)
            if len(rows):
                yield BacktestWindow(_upto(data, rows, stops), _upto(data, rows, stops + self.horizon), self.horizon)


def _upto(data: SequenceSet, rows: NDArray[np.int64], stops: NDArray[np.int64]) -> SequenceSet:
    """Return the sequences ``rows``, each cut at its stop; stops has an entry for every sequence of data, (B,)."""
    return data.take(rows).cut(np.zeros_like(rows), stops[rows])
