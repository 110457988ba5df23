"""The values that a series can take, as its past decides, and forecasts that stay inside them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ostinato.local.panel import Array


@dataclass(frozen=True)
class Support:
    """The least value of each series: 0 if it never was below 0, and none otherwise.

    Attributes:
        low: The least values, (S,); minus infinity without one.
    """

    low: Array

    @staticmethod
    def of(values: Sequence[Array]) -> Support:
        """Return the support of series.

        Args:
            values: The values of each series, (T_s,) each. NaN where a value is missing.
        """
        return Support(np.array([0.0 if np.nanmin(y) >= 0 else -np.inf for y in values]))

    @staticmethod
    def real(series: int) -> Support:
        """Return the support of series without a least value."""
        return Support(np.full(series, -np.inf))

    def cuts(self, forecast: Array) -> NDArray[np.bool_]:
        """Return whether a forecast (S, ...) of each series leaves the support, (S,)."""
        return np.asarray((forecast.reshape(len(forecast), -1) < self.low[:, None]).any(axis=1))

    def inside(self, forecast: Array) -> Array:
        """Return a forecast (S, ...) with what is outside of the support moved to its end."""
        return np.maximum(forecast, self.low.reshape(-1, *[1] * (forecast.ndim - 1)))
