"""The forms of exponential smoothing, a batch of models of one form, and what an unroll returns."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ostinato.errors import ConfigError
from ostinato.shapes import Array

Indices = NDArray[np.int64]

#: The parameters of smoothing before the initial states in a row of ``theta``.
SMOOTHING = ("alpha", "beta", "gamma", "phi")
#: The least and the greatest of them in a fit, and the bounds of phi, as in the R package forecast.
LEAST, GREATEST, PHI = 1e-4, 0.9999, (0.8, 0.98)


class Form(NamedTuple):
    """A form of exponential smoothing, ETS(error, trend, season).

    Attributes:
        error: "A" (additive) or "M" (multiplicative, relative to the mean).
        trend: "N" (none), "A" (additive) or "Ad" (additive and damped).
        season: "N" (none), "A" (additive) or "M" (multiplicative).
    """

    error: str
    trend: str
    season: str

    def __str__(self) -> str:
        return f"ETS({self.error},{self.trend},{self.season})"

    @property
    def seasonal(self) -> bool:
        """Whether the state has seasons."""
        return self.season != "N"

    @property
    def positive(self) -> bool:
        """Whether the form is for positive values only."""
        return "M" in (self.error, self.season)

    @property
    def stable(self) -> bool:
        """Whether no update divides by a state that can pass zero: a multiplicative season needs that error."""
        return (self.error, self.season) != ("A", "M")

    def count(self, period: int) -> int:
        """Return the number of free parameters: smoothing, initial states and the variance.

        Args:
            period: The length m of the season in steps.
        """
        return 3 + {"N": 0, "A": 2, "Ad": 3}[self.trend] + self.seasonal * period


#: Every form, the one with the fewest parameters first.
FORMS = tuple(Form(error, trend, season) for season in "NAM" for trend in ("N", "A", "Ad") for error in "AM")


@dataclass(frozen=True)
class Batch:
    """The rows of one unroll: each is a model of a series, and several rows can be models of the same series.

    Attributes:
        y: The values, (S, T), NaN where missing.
        series: The series of each row, (B,).
        lengths: The number of steps of each row, (B,), 0 to T.
        floor: What is added to the mean of the squared errors of each row, (B,): a perfect fit then has a likelihood.
    """

    y: Array
    series: Indices
    lengths: Indices
    floor: Array

    def __post_init__(self) -> None:
        B = len(self.series)
        if self.y.ndim != 2 or any(a.shape != (B,) for a in (self.series, self.lengths, self.floor)):
            raise ConfigError("the arrays of a batch do not fit each other", fix="give y of (S, T), the others of (B,)")
        # a number below 0 is a large one without its sign, so that one maximum says both; this runs in every unroll
        if B and _largest(self.series) >= len(self.y):
            raise ConfigError("a row names a series that y does not have", fix=f"use 0 to {len(self.y) - 1}")
        if B and _largest(self.lengths) > self.y.shape[1]:
            raise ConfigError("a row has more steps than y", fix=f"give lengths of 0 to {self.y.shape[1]}")


def _largest(a: Indices) -> int:
    """Return the largest of some whole numbers (B,) without their signs, in which -1 is the largest of all."""
    return int(np.maximum.reduce(np.asarray(a, dtype=np.int64).view(np.uint64)))


class Unrolled(NamedTuple):
    """What an unroll returns; None where it was not wanted.

    Attributes:
        log_likelihood: The log-likelihood of the observed values of each row given its initial states, at the variance
            that maximises it, in nats, (B,). Minus infinity where the form gives a value no probability.
        gradient: The gradient of the log-likelihood with respect to ``theta``, (B, 6 + m).
        mean: The one-step predictions, (B, T). They go on to the length of the longest row only.
        last: Level, trend and seasons after the last step of each row, the season of the next step first, (B, 2 + m).
    """

    log_likelihood: Array
    gradient: Array | None
    mean: Array | None
    last: Array | None
