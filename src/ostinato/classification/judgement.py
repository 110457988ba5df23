"""How good probabilities of classes are: accuracy, log loss and calibration, each with its uncertainty."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from itertools import pairwise
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtri

from ostinato.look import Shown
from ostinato.numbers import counted
from ostinato.renamed import DEPRECATED, warn_of_attribute
from ostinato.shapes import Array

#: The resamples of the sequences, and the level of all intervals.
_RESAMPLES, LEVEL = 1000, 0.95
#: The bins of the calibration hold equally many sequences.
_BINS: Final = 10
#: The version in which the confidence of a bin got its name.
_SINCE: Final = "0.1"
DEPRECATED[f"{__name__}.Bin.asserted"] = _SINCE


class Estimate(NamedTuple):
    """A number with the interval that holds it at the level of 95 %.

    Attributes:
        value: The estimate.
        low: The lower end.
        high: The upper end.
    """

    value: float
    low: float
    high: float

    def __str__(self) -> str:
        return f"{self.value:.4f} ({self.low:.4f} to {self.high:.4f})"


@dataclass(frozen=True)
class Bin:
    """Sequences with similar probabilities of the class that was named.

    Attributes:
        count: The number of sequences.
        confidence: The mean probability of the class that was named.
        correct: The share that was named rightly.
        error: The standard error of this share if the probabilities were right.
    """

    count: int
    confidence: float
    correct: float
    error: float

    @property
    def asserted(self) -> float:
        """The earlier name of ``confidence``."""
        warn_of_attribute("Bin", "asserted", "confidence", since=_SINCE)
        return self.confidence


@dataclass(frozen=True, repr=False)
class Judgement(Shown):
    """The quality of probabilities of classes on sequences whose class is known.

    Attributes:
        count: The number of sequences.
        accuracy: The share whose likeliest class is the true one, with Wilson's interval (1927).
        log_loss: The mean of -log P(true class) in nats, with a bootstrap interval.
        calibration: The expected calibration error (Naeini et al. 2015), with a bootstrap interval: the mean distance
            of the predicted probability from the share that was right, over bins of equally many sequences.
        by_chance: The calibration error that exact probabilities have on as many sequences.
        bins: The bins of the calibration.
    """

    count: int
    accuracy: Estimate
    log_loss: Estimate
    calibration: Estimate
    by_chance: float
    bins: tuple[Bin, ...]

    def words(self) -> list[str]:
        """Return the quality, one figure a line, with intervals of 95 %."""
        return [
            f"accuracy {self.accuracy} on {counted(self.count, 'sequence')}",
            f"log loss {self.log_loss} nats",
            f"calibration error {self.calibration}; perfect probabilities would have {self.by_chance:.4f} by chance",
        ]

    def look(self) -> tuple[list[str], None]:
        """Return the quality, one figure a line."""
        return self.words(), None

    def to_json(self) -> dict[str, Any]:
        """Return the judgement as JSON. Bins also have their confidence under its earlier name, "asserted"."""
        bins = [{**asdict(one), "asserted": one.confidence} for one in self.bins]
        return {**asdict(self), "bins": bins}


def judge(log_prob: Array, labels: NDArray[np.int64], seed: int = 0) -> Judgement:
    """Return how good probabilities of classes are.

    Args:
        log_prob: log P(class | sequence), (B, K).
        labels: The number of the true class of each sequence, (B,); -1 for a class that has no model, which has
            probability 0 and is named wrongly.
        seed: The seed of the bootstrap.
    """
    rng = np.random.default_rng(seed)
    count = len(labels)
    named, top = log_prob.argmax(1), np.exp(log_prob.max(1))
    right = (named == labels).astype(np.float64)
    nats = np.where(labels >= 0, -log_prob[np.arange(count), np.maximum(labels, 0)], np.inf)
    draws = rng.integers(0, count, (_RESAMPLES, count))
    errors = np.array([_calibration(top[d], right[d]) for d in draws])
    chance = [_calibration(top, (rng.random(count) < top).astype(np.float64)) for _ in range(200)]
    return Judgement(
        count,
        wilson(int(right.sum()), count),
        _interval(float(nats.mean()), nats[draws].mean(1)),
        _interval(_calibration(top, right), errors),
        float(np.mean(chance)),
        _bins(top, right),
    )


def wilson(successes: int, count: int) -> Estimate:
    """Return a share with Wilson's score interval (1927)."""
    z, share = float(ndtri(0.5 + LEVEL / 2)), successes / count
    middle = (share + z * z / (2 * count)) / (1 + z * z / count)
    half = z * math.sqrt(share * (1 - share) / count + z * z / (4 * count * count)) / (1 + z * z / count)
    return Estimate(share, max(0.0, middle - half), min(1.0, middle + half))


def _interval(value: float, drawn: Array) -> Estimate:
    low, high = np.quantile(drawn, [0.5 - LEVEL / 2, 0.5 + LEVEL / 2], method="nearest")
    return Estimate(value, float(low), float(high))


def _edges(count: int) -> list[tuple[int, int]]:
    cuts = np.linspace(0, count, min(_BINS, count) + 1).astype(int).tolist()
    return list(pairwise(cuts))


def _calibration(top: Array, right: Array) -> float:
    order = np.argsort(top, kind="stable")
    gaps = [abs(float((top[order[a:z]] - right[order[a:z]]).sum())) for a, z in _edges(len(top))]
    return sum(gaps) / len(top)


def _bins(top: Array, right: Array) -> tuple[Bin, ...]:
    order, out = np.argsort(top, kind="stable"), []
    for a, z in _edges(len(top)):
        p, share = top[order[a:z]], float(right[order[a:z]].mean())
        out.append(Bin(z - a, float(p.mean()), share, float(np.sqrt((p * (1 - p)).sum()) / (z - a))))
    return tuple(out)
