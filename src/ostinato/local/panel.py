"""The series that local methods are fitted to, and the interface of such a method."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from ostinato.shapes import Array


@dataclass(frozen=True)
class Panel:
    """S univariate series, each of which is forecast from its own past.

    Attributes:
        values: The values of each series, (T_s,) each. NaN where a value is missing; the first and the last value of a
            series are observed.
        seasons: The lengths of the seasons in steps, the shortest first; empty without a season. Each is at least 2.
    """

    values: tuple[Array, ...]
    seasons: tuple[int, ...] = ()

    def __len__(self) -> int:
        return len(self.values)


def stacked(series: Sequence[Array]) -> Array:
    """Return series as the rows of one array, (S, T). NaN after the end of a series."""
    if not len(series):
        return np.full((0, 0), np.nan)
    lengths = np.fromiter(map(len, series), dtype=np.int64, count=len(series))
    out = np.full((len(series), int(lengths.max())), np.nan)
    out[np.arange(out.shape[1]) < lengths[:, None]] = np.concatenate(series)
    return out


@dataclass(frozen=True)
class Ahead:
    """The forecast of the steps after the end of each series.

    Attributes:
        point: The point forecast, (S, H).
        quantiles: The quantiles, (S, H, Q), increasing over Q.
    """

    point: Array
    quantiles: Array

    def with_rows(self, rows: NDArray[np.int64], point: Array, quantiles: Array) -> Ahead:
        """Return these forecasts with those of other series in their places.

        Args:
            rows: The indices of the E series.
            point: Their point forecasts, (E, H) or (E, 1).
            quantiles: Their quantiles, (E, H, Q).
        """
        points, all_quantiles = self.point.copy(), self.quantiles.copy()
        points[rows], all_quantiles[rows] = point, quantiles
        return Ahead(points, all_quantiles)


def steps_ahead(gaps: NDArray[np.int64], horizon: int) -> NDArray[np.int64]:
    """Return the steps from the last values of series to those of a horizon, (S, H).

    Args:
        gaps: The number of missing steps between the end of each series and the first step ahead, (S,).
        horizon: The number of steps ahead, H.
    """
    return gaps[:, None] + np.arange(1, horizon + 1)


class Fitted(Protocol):
    """A local method that was fitted to a panel."""

    def ahead(self, horizon: int, probabilities: Array) -> Ahead:
        """Forecast from the end of every series.

        Args:
            horizon: The number of steps H to forecast.
            probabilities: The increasing probabilities of the quantiles, (Q,).
        """
        ...

    def description(self, s: int) -> str:
        """Return what was fitted to series ``s``, in a few words, such as ``ETS(A,Ad,M)``."""
        ...


#: A local method: a function from a panel to its fit. It takes every panel, also series of one value.
Fit = Callable[[Panel], Fitted]
