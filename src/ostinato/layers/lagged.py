"""The rows of an autoregression: each step with its lags, all observed and from the same sequence."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from ostinato.layers.least_squares import triangle
from ostinato.shapes import Array
from ostinato.spread import still

Trend = Literal["n", "c", "ct"]

#: The number of rows in one block of the factorisation: with 51 columns it takes 0.4 MB, which stays in cache.
BLOCK = 1024


@dataclass(frozen=True)
class Lagged:
    """One channel in scaled units, with the lags that each of its steps has.

    Attributes:
        z: The scaled values (values - shift) / scale, (N,).
        date: The number of each step in its sequence, from 1, (N,).
        run: The number of consecutive observed values up to and including each step, (N,).
        shift: The mean of the observed values; 0 without a constant.
        scale: The root mean square of the shifted values; for constant values their size, or 1 for zeros.
        span: The largest date, which scales the trend.
        trend: "n" for neither constant nor trend, "c" for a constant, "ct" for a constant and a linear trend.
    """

    z: Array
    date: NDArray[np.int64]
    run: NDArray[np.int64]
    shift: float
    scale: float
    span: float
    trend: Trend

    @property
    def base(self) -> int:
        """The number of columns before the lags: the constant and the trend."""
        return len(self.trend.strip("n"))

    def complete(self, lags: Sequence[int]) -> NDArray[np.bool_]:
        """Return whether each step and its value at each of the ascending lags are observed in one sequence, (N,)."""
        seen = self.run > 0
        if len(lags) == (lags[-1] if lags else 0):
            return np.asarray(self.run > len(lags))
        whole = seen & (self.date > lags[-1])
        for lag in lags:
            whole[lag:] &= seen[:-lag]
        return np.asarray(whole)

    def blocks(self, mask: NDArray[np.bool_], lags: Sequence[int]) -> Iterator[Array]:
        """Yield blocks of the rows [1, t, x at each lag | y], (rows, base + L + 1), of the complete steps in mask."""
        rows, base = np.flatnonzero(mask & self.complete(lags)), self.base
        for start in range(0, len(rows), BLOCK):
            at = rows[start : start + BLOCK]
            block = np.empty((len(at), base + len(lags) + 1), order="F")
            whole = at[-1] - at[0] + 1 == len(at)  # no step is left out, so a lag is a slice, which is faster
            if base > 0:
                block[:, 0] = 1.0
            if base > 1:
                block[:, 1] = self.date[at] / self.span
            for i, lag in enumerate(lags):
                block[:, base + i] = self.z[at[0] - lag : at[-1] - lag + 1] if whole else self.z[at - lag]
            block[:, -1] = self.z[at]
            yield block

    def triangle(self, mask: NDArray[np.bool_], lags: Sequence[int]) -> Array:
        """Return the triangle R of those steps in mask that are complete with these lags."""
        return triangle(self.blocks(mask, lags), np.zeros((0, self.base + len(lags) + 1)))

    def extended(self, R: Array, mask: NDArray[np.bool_], top: int, order: int) -> Array:
        """Return the triangle of a lower order: the given R of order top, plus the rows that only the lower can use."""
        held = np.delete(R, slice(self.base + order, -1), axis=1)
        return triangle(self.blocks(mask & (self.run <= top), dense(order)), held)


def dense(order: int) -> range:
    """Return the lags 1 .. order."""
    return range(1, order + 1)


def lagged(values: Array, offsets: NDArray[np.int64], trend: Trend) -> Lagged:
    """Return the scaled rows of one channel.

    Args:
        values: The values of all sequences joined, (N,). NaN where a value is missing; at least one is observed.
        offsets: Where the sequences begin and end in values, (B + 1,).
        trend: "n" for neither constant nor trend, "c" for a constant, "ct" for a constant and a linear trend.
    """
    N = len(values)
    starts = np.repeat(offsets[:-1], np.diff(offsets))
    index = np.arange(N)
    date = index - starts + 1
    seen = np.isfinite(values)
    run, observed = date, values
    if not seen.all():
        run = index - np.maximum.accumulate(np.maximum(np.where(seen, -1, index), starts - 1))
        observed = values[seen]
    # squares of values such as 1e-200 are 0, so the values are divided by their size first
    size = float(np.abs(observed).max()) or 1.0
    shift = 0.0 if trend == "n" else size * float((observed / size).mean())
    deviations = (observed - shift) / size
    # a constant series may differ from its own mean by a rounding error, so it is made exactly constant
    constant = trend != "n" and still(observed)
    scale = size if constant else size * float(np.sqrt(deviations @ deviations / len(deviations))) or 1.0
    z = np.zeros(N) if constant else (values - shift) / scale
    return Lagged(z, date, run, shift, scale, float(date.max()), trend)
