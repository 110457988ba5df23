"""The surprisal that held-out data exceed as rarely as a given rate: the threshold of an alarm."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ostinato.arguments import share
from ostinato.errors import DataError
from ostinato.shapes import Array

#: The expected number of held-out values above the threshold from which their own quantile is used.
ENOUGH = 20
#: The least number of held-out values for a tail.
LEAST = 50
#: The resamples of the interval of a threshold.
_RESAMPLES = 100
#: The greatest ratio of two rates, so that the square root of it and its products are numbers.
_LARGEST = 1e300


@dataclass(frozen=True)
class AlarmThreshold:
    """The surprisal above which an alarm is given.

    Attributes:
        nats: The threshold.
        rate: The share of ordinary steps that exceed it.
        low: The lower end of the 90 % interval of the threshold, by resampling.
        high: The upper end.
        values: The number of surprisals that it comes from.
        rule: How it was found, in words.
        weights: Which weights gave the surprisals, and whether they had seen the values, in words; empty if they are
            those of the model and the caller says that they had not.
    """

    nats: float
    rate: float
    low: float
    high: float
    values: int
    rule: str
    weights: str = ""

    def words(self) -> str:
        """Return the threshold, its origin and its uncertainty in words."""
        return (
            f"alarm above {self.nats:.4g} nats (90 % interval {self.low:.4g} to {self.high:.4g}): "
            f"{self.rule} of {self.values:,} held-out values" + (f"; {self.weights}" if self.weights else "")
        )


def alarm_threshold(surprisal: Array, rate: float, *, weights: str = "") -> AlarmThreshold:
    """Return the surprisal that is exceeded at the given rate.

    With at least 20 values expected above it, it is the quantile of the values. Otherwise the values above their 90 %
    quantile (at least 25 of them) are continued by a generalised Pareto distribution, the limit of every such tail
    (Pickands 1975). Its parameters follow from the probability-weighted moments of Hosking and Wallis (1987).

    Args:
        surprisal: The surprisals of steps that no weight was fitted to, in nats, (N,). NaN is left out.
        rate: The share of ordinary steps that may exceed the threshold, such as 1e-4.
        weights: Which weights gave the surprisals, in words.

    Raises:
        ConfigError: The rate is not between 0 and 1.
        DataError: There are fewer than 50 values.
    """
    rate, rng = share("alarm", rate), np.random.default_rng(0)
    x = np.sort(np.asarray(surprisal, dtype=np.float64)[~np.isnan(surprisal)])
    if len(x) < LEAST:
        raise DataError(
            f"{len(x)} held-out values are too few for the threshold of an alarm, expected at least {LEAST}",
            fix="give more data that the model was not fitted to as the reference",
        )
    whole = len(x) * rate >= ENOUGH
    again = np.array([_exceeded(np.sort(rng.choice(x, len(x))), rate) for _ in range(_RESAMPLES)])
    low, high = np.quantile(again, [0.05, 0.95])
    rule = "the quantile" if whole else "a generalised Pareto tail"
    nats = _exceeded(x, rate)
    return AlarmThreshold(nats, rate, float(min(low, nats)), float(max(high, nats)), len(x), rule, weights)


def _exceeded(x: Array, rate: float) -> float:
    """Return the value that sorted values x (N,) exceed at a rate."""
    n = len(x)
    if n * rate >= ENOUGH:
        return float(x[min(n - 1, int(np.ceil((n + 1) * (1 - rate))) - 1)])
    top = min(n // 2, max(25, n // 10))
    start = x[n - top - 1]
    shape, scale = _pareto(x[n - top :] - start)
    ratio = min(top / (n * rate), _LARGEST)
    if ratio <= 1:
        return float(np.quantile(x, 1 - rate))
    return float(start + (scale * np.log(ratio) if abs(shape) < 1e-9 else scale * (ratio**shape - 1) / shape))


def _pareto(excess: Array) -> tuple[float, float]:
    """Return shape and scale of a generalised Pareto distribution of sorted excesses (k,)."""
    k = len(excess)
    mean = float(excess.mean())
    if mean <= 0:
        return 0.0, 0.0
    weighted = float((excess * (1 - (np.arange(1, k + 1) - 0.35) / k)).mean())
    shape = 2 - mean / (mean - 2 * weighted)
    # surprisals of light and heavy tails alike have nearly exponential tails: a shape far from 0 is noise
    shape = float(np.clip(shape * k / (k + 50), -0.5, 0.5))
    return shape, mean * (1 - shape)
