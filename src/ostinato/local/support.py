"""The values that a series can take, as its past decides, and forecasts that stay inside them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ostinato.data.upper_bound import upper_bound
from ostinato.shapes import Array


@dataclass(frozen=True)
class Support:
    """The least and the greatest value of each series.

    The least one is 0 if the series never was below 0. The greatest one is that of ``upper_bound``: 1 or 100 if the
    series is a share, and otherwise there is none.

    Attributes:
        low: The least values, (S,); minus infinity without one.
        high: The greatest values, (S,); infinity without one.
    """

    low: Array
    high: Array

    @staticmethod
    def of(values: Sequence[Array]) -> Support:
        """Return the support of series.

        Args:
            values: The values of each series, (T_s,) each. NaN where a value is missing.
        """
        low = [0.0 if np.nanmin(y) >= 0 else -np.inf for y in values]
        return Support(np.array(low), np.array([upper_bound(y) for y in values]))

    @staticmethod
    def real(series: int) -> Support:
        """Return the support of series without bounds."""
        return Support(np.full(series, -np.inf), np.full(series, np.inf))

    def below(self, forecast: Array) -> NDArray[np.bool_]:
        """Return whether a forecast (S, ...) of each series is below its support, (S,)."""
        return np.asarray((forecast.reshape(len(forecast), -1) < self.low[:, None]).any(axis=1))

    def above(self, forecast: Array) -> NDArray[np.bool_]:
        """Return whether a forecast (S, ...) of each series is above its support, (S,)."""
        return np.asarray((forecast.reshape(len(forecast), -1) > self.high[:, None]).any(axis=1))

    def inside(self, forecast: Array) -> Array:
        """Return a forecast (S, ...) with what is outside of the support moved to its end."""
        low, high = (end.reshape(-1, *[1] * (forecast.ndim - 1)) for end in (self.low, self.high))
        return np.clip(forecast, low, high)
