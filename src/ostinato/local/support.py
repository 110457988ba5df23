"""The values that a series can take, as its past decides, and forecasts that stay inside them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ostinato.shapes import Array

#: The share or the percentage that is everything, by which a series may be bounded above.
_WHOLE = (1.0, 100.0)
#: The ratio of likelihoods from which zeros and ones are no counts: then a 2 has a chance of less than 1/40, unless
#: nearly all values are 1.
_LIKELIER = 5.0


@dataclass(frozen=True)
class Support:
    """The least and the greatest value of each series.

    The least one is 0 if the series never was below 0. The greatest one is 100, or 1, if the series is from 0 to there,
    reached it more than once, and is not made of two whole numbers: such a series is a percentage or a share. It is 1
    too if the series is made of 0 and 1, and these are five times as likely if they say no or yes as if they count
    events, of which two may come in a step (see ``_says_yes``). Otherwise there is none.

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
        ends = [(float(np.nanmin(y)), float(np.nanmax(y))) for y in values]
        low = np.array([0.0 if least >= 0 else -np.inf for least, _ in ends])
        high = [
            most if least >= 0 and most in _WHOLE and _is_share(y, most) else np.inf
            for y, (least, most) in zip(values, ends, strict=True)
        ]
        return Support(low, np.array(high))

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


def _is_share(y: Array, most: float) -> bool:
    """Return whether a series (T,) with values from 0 to ``most`` is a share of it."""
    seen = y[np.isfinite(y)]
    different = np.unique(seen)
    if (seen == most).sum() <= 1 or len(different) < 2:
        return False
    return bool(len(different) > 2 or (seen % 1 > 0).any() or (most == 1 and _says_yes(seen)))


def _says_yes(y: Array) -> bool:
    """Return whether zeros and ones (n,) are ``_LIKELIER`` as likely under Bernoulli's distribution as under Poisson's.

    With the share p of ones, the likeliest parameter of both, the ratio of the likelihoods is
    exp(n ((1 - p) log(1 - p) + p)). So 11 values of which half are 1 are enough, or 5 of which four are.
    """
    p = float(y.mean())
    return bool(len(y) * ((1 - p) * np.log1p(-p) + p) >= np.log(_LIKELIER))
