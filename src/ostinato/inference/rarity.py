"""How rare a value of a statistic is, from held-out data, also beyond the greatest of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.special import ndtri

from ostinato.shapes import Array

#: The least chance that a value repeats the one before it, which no held-out data can show to be less.
REPEATED = 0.02
_KNOTS = 256


@dataclass(frozen=True)
class Rarity:
    """How rare a statistic is, -log10 P(X >= x), on held-out data; beyond them its tail falls exponentially.

    Attributes:
        at: Values of the statistic, ascending, (K,).
        tens: Their rarity in powers of ten, (K,).
        slope: The powers of ten that one more unit beyond the last value is worth.
    """

    at: Array
    tens: Array
    slope: float

    @staticmethod
    def of(x: Array, *, apart: int, whole_numbers: bool = False, steepest: float = np.inf) -> Rarity:
        """Return the rarity of a statistic from its values (N,) on held-out data.

        Args:
            x: The values in the order of time.
            apart: Great values that are so many steps apart or fewer belong to one event.
            whole_numbers: Whether they are the lengths of runs.
            steepest: The most powers of ten that one more unit beyond the values may be worth.
        """
        order = np.argsort(x, kind="stable")
        x, n = x[order], len(x)
        if whole_numbers:
            at = np.arange(int(x[-1]) + 1.0)
            above = n - np.searchsorted(x, at)
            # the chance that a run goes on; a live sensor may be rounded where the held-out data are not
            on = max((above[1:].sum() + 1) / (above.sum() + 2), REPEATED)
            return Rarity(at, -np.log10(np.maximum(above / n, REPEATED**at)), float(-np.log10(on)))
        levels = np.unique(np.concatenate([np.linspace(0, 0.9, 32), 1 - np.logspace(-1, np.log10(5 / n), _KNOTS)]))
        at = np.quantile(x, levels)
        keep = np.concatenate([at[1:] > at[:-1], [True]])
        at, tens = at[keep], -np.log10(1 - levels[keep] + 0.5 / n)
        most = max(20, n // 100)
        top = x[-most:]
        excess = float((top - top[0]).mean()) or float(np.abs(x).mean()) or 1.0
        # great values come in groups; k of them give the inverse of a mean that is k / (k - 1) times too great
        groups = max(1 + int(np.count_nonzero(np.diff(np.sort(order[-most:])) > apart)), 2)
        return Rarity(at, tens, min((1 - 1 / groups) / (excess * np.log(10)), steepest))

    def __call__(self, x: Array) -> Array:
        """Return the rarity of x in powers of ten."""
        beyond = np.maximum(x - self.at[-1], 0.0)
        return np.asarray(np.interp(x, self.at, self.tens) + self.slope * beyond)

    def inverse(self, tens: float) -> float:
        """Return the value that is as rare as this."""
        if tens > self.tens[-1]:
            return float(self.at[-1] + (tens - self.tens[-1]) / self.slope)
        return float(np.interp(tens, self.tens, self.at))


def sum_slope(scores: Sequence[Array], slack: float) -> float:
    """Return the powers of ten of rarity that a unit of a cumulative sum of scores is worth, far out.

    A sum of steps with the mean -slack and the long-run variance v exceeds x with a chance that falls as
    exp(-2 slack x / v) (Siegmund 1985, for normal steps). A few hundred events have only a few great sums, whose
    largest values belong together and look as if the tail ended there; the variance comes from all events (Bartlett
    weights).

    Args:
        scores: The scores of the events of each sequence, (T,) each.
        slack: What is taken from each score before the sum.
    """
    count = sum(map(len, scores))
    return 2 * slack / (max(_long_run(scores, int(np.cbrt(count))) / count, 0.1) * float(np.log(10)))


def rate_interval(surprisals: Sequence[Array], rate: float, least: float) -> tuple[float, float]:
    """Return the 90 % interval of the share of alarms that a threshold from held-out data gives on others like them.

    A threshold at which k held-out events were alarms leaves the logarithm of their share a variance of 1 / k. Where
    it is continued to a rate that is e^x times less, the slope of the tail, from those k, leaves x^2 / k more. Great
    values that come together say less: both are times the dispersion of the events that are rarer than 1 in 5, which
    is 1 if they are independent.

    Args:
        surprisals: The surprisals of each held-out sequence, without missing ones, (T,) each.
        rate: The rate that was asked for.
        least: The number k of held-out alarms that the threshold comes from, or is continued from.
    """
    count = sum(map(len, surprisals))
    great = np.quantile(np.concatenate(surprisals), 0.8)
    above = [np.asarray(x > great, dtype=np.float64) for x in surprisals]
    mean = sum(map(np.sum, above)) / count
    centred = [x - mean for x in above]
    alone = sum(float(x @ x) for x in centred)
    dispersion = max(_long_run(centred, int(np.sqrt(count))) / alone, 1.0) if alone else 1.0
    further = max(float(np.log(least / (rate * count))), 0.0)
    with np.errstate(over="ignore"):  # it may be any rate at all
        factor = float(np.exp(ndtri(0.95) * np.sqrt(dispersion * (1 + further**2) / least)))
    return rate / factor, min(rate * factor, 1.0)


def _long_run(parts: Sequence[Array], lags: int) -> float:
    """Return the squares of centred sequences (T,) and their products up to a lag, summed with Bartlett's weights."""
    total = sum(float(x @ x) for x in parts)
    for j in range(1, lags + 1):
        total += 2 * (1 - j / (lags + 1)) * sum(float(x[j:] @ x[:-j]) for x in parts)
    return total
