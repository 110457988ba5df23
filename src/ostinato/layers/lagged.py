"""The rows of an autoregression: each step with the values before it, in one sequence, none of them missing."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from ostinato.layers.least_squares import Array, triangle

Trend = Literal["n", "c", "ct"]

#: Rows of one block of the factorisation: 51 columns of it are 0.4 MB, which stays in cache.
BLOCK = 1024


@dataclass(frozen=True)
class Lagged:
    """One channel, scaled, and which of its steps can be targets.

    z (N): (values - shift) / scale; date (N): steps from 1; run (N): values seen without a gap up to and with this one.
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
        """Columns before the lags: the constant and the trend."""
        return len(self.trend.strip("n"))

    def blocks(self, mask: NDArray[np.bool_], order: int) -> Iterator[Array]:
        """[1, t, lag 1 .. lag order | y] (rows, base + order + 1) of the steps in mask, in blocks."""
        rows, base = np.flatnonzero(mask & (self.run > order)), self.base
        for start in range(0, len(rows), BLOCK):
            at = rows[start : start + BLOCK]
            block = np.empty((len(at), base + order + 1), order="F")
            whole = at[-1] - at[0] + 1 == len(at)  # nothing left out: a lag is a slice, which is faster
            if base > 0:
                block[:, 0] = 1.0
            if base > 1:
                block[:, 1] = self.date[at] / self.span
            for lag in range(1, order + 1):
                block[:, base + lag - 1] = self.z[at[0] - lag : at[-1] - lag + 1] if whole else self.z[at - lag]
            block[:, -1] = self.z[at]
            yield block

    def triangle(self, mask: NDArray[np.bool_], order: int) -> Array:
        """R of the steps in mask that all orders up to this one have in common."""
        return triangle(self.blocks(mask, order), np.zeros((0, self.base + order + 1)))

    def extended(self, R: Array, mask: NDArray[np.bool_], top: int, order: int) -> Array:
        """The same for a lower order than top, whose R is given: only the rows that it alone can use are added."""
        held = np.delete(R, slice(self.base + order, -1), axis=1)
        return triangle(self.blocks(mask & (self.run <= top), order), held)


def lagged(values: Array, offsets: NDArray[np.int64], trend: Trend) -> Lagged:
    """Values (N,), NaN where missing, cut by offsets (B + 1); at least one is observed."""
    N = len(values)
    starts = np.repeat(offsets[:-1], np.diff(offsets))
    index = np.arange(N)
    date = index - starts + 1
    seen = np.isfinite(values)
    run, observed = date, values
    if not seen.all():
        run = index - np.maximum.accumulate(np.maximum(np.where(seen, -1, index), starts - 1))
        observed = values[seen]
    shift = 0.0 if trend == "n" else float(observed.mean())
    around = observed - shift
    scale = float(np.sqrt(around @ around / len(around)))
    # A constant series may miss its own mean by a rounding: it is made exactly constant.
    constant = scale <= 1e-14 * abs(shift)
    z = np.zeros(N) if constant else (values - shift) / scale
    scale = max(abs(shift), 1.0) if constant else scale
    return Lagged(z, date, run, shift, scale, float(date.max()), trend)
