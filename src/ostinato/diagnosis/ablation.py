"""The ablation of the past: the held-out likelihood of a model with its past cut at every lag."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ostinato.diagnosis.result import WORTH
from ostinato.diagnosis.stretches import Source, draw, log_probs
from ostinato.shapes import Array, Span

#: The number of sequences that are unrolled together.
ROWS = 64


@dataclass(frozen=True)
class Ablation:
    """What cutting the past costs a model.

    Attributes:
        score: The mean log-likelihood with the whole past, in nats a step.
        lost: The mean cost of a cut at each lag in nats a step, (C,).
        errors: The standard errors of ``lost``, (C,).
        steps: The number of steps that were scored.
    """

    score: float
    lost: Array
    errors: Array
    steps: int

    def reach(self, cuts: list[int]) -> int:
        """Return the lag beyond which no cut costs more than WORTH.

        A cost counts if it is above three standard errors, because the largest of many lags is taken.

        Args:
            cuts: The lags of ``lost``, ascending.
        """
        costly = np.flatnonzero(self.lost > np.maximum(WORTH, 3 * self.errors))
        return cuts[min(int(costly[-1]) + 1, len(cuts) - 1)] if len(costly) else 0


class _Stretch(NamedTuple):
    """A held-out stretch, scored with its past and without it.

    Attributes:
        lags: How far back the past of each step was cut, (n,).
        weights: The weight of each step in the mean, (n,).
        full: The log-likelihood of each step with its whole past, (n,).
        lost: What the cut cost each step, (n,).
    """

    lags: NDArray[np.int64]
    weights: Array
    full: Array
    lost: Array


def geometric(farthest: int, ratio: float = 2 ** (1 / 3)) -> list[int]:
    """Return lags from 0 up to ``farthest``: first 0, 1, 2, ..., then each about ``ratio`` times the one before.

    Args:
        farthest: The last lag, in steps.
        ratio: The ratio of neighbouring lags.
    """
    cuts = [0]
    while cuts[-1] < farthest:
        cuts.append(min(max(cuts[-1] + 1, round(cuts[-1] * ratio)), farthest))
    return cuts


def ablate(source: Source, cuts: list[int], count: int, rng: np.random.Generator) -> Ablation:
    """Score stretches of held-out steps twice: with their whole past, and from an initial state.

    The past of the j-th step after such a start is cut at j. So every lag is measured at once, each on as many steps as
    every other, and each cost is a difference on the same step. A step whose past is cut at j, cuts[i] <= j <
    cuts[i + 1], counts for cuts[i]. A step whose whole past is no longer than j has lost nothing. Of a short series the
    same stretch is drawn many times, and scored once.

    Args:
        source: The model and its data.
        cuts: The lags at which the past is cut, ascending from 0.
        count: The number of stretches.
        rng: The random generator that draws the stretches.
    """
    spans, far = source.spans("held-out"), cuts[-1]
    times = Counter(draw(spans, count, rng, before=far))
    starts, drawn = list(times), np.array(list(times.values()), dtype=np.float64)
    edges, total, weights, steps = np.array([*cuts, far + 1]), 0.0, 0.0, 0
    sums, counts = np.zeros((len(starts), len(cuts))), np.zeros((len(starts), len(cuts)))
    for i, stretch in enumerate(_stretches(source, spans, starts, far)):
        total += drawn[i] * float(stretch.weights @ stretch.full)
        weights += drawn[i] * float(stretch.weights.sum())
        steps += times[starts[i]] * len(stretch.lags)
        place = np.searchsorted(edges, stretch.lags, side="right") - 1
        sums[i] = np.bincount(place, weights=stretch.lost, minlength=len(cuts))
        counts[i] = np.bincount(place, minlength=len(cuts))
    n = np.maximum(drawn @ counts, 1)
    mean = drawn @ sums / n
    # the steps of one stretch are not independent: the error is that of a ratio of sums over stretches
    errors = np.sqrt(drawn @ (sums - mean * counts) ** 2) / n
    share = np.array([_longer(spans, lag) for lag in cuts]) / max(_longer(spans, -1), 1)
    return Ablation(total / weights if weights else 0.0, mean * share, errors * share, steps)


def _stretches(source: Source, spans: list[Span], starts: list[tuple[int, int]], far: int) -> Iterator[_Stretch]:
    """Yield each stretch, scored in groups of ROWS; ``far`` bounds its past and its length."""
    for group in range(0, len(starts), ROWS):
        chosen = [(*spans[i], start) for i, start in starts[group : group + ROWS]]
        warm = [max(0, start - far) for *_, start in chosen]
        stops = [min(start + far + 1, stop) for _, _, stop, start in chosen]
        whole = [(row, first, stop) for (row, *_), first, stop in zip(chosen, warm, stops, strict=True)]
        short = [(row, start, stop) for (row, _, _, start), stop in zip(chosen, stops, strict=True)]
        with_past = log_probs(source.model, source.rows(whole)).cpu()
        without = log_probs(source.model, source.rows(short)).cpu()
        for r, ((_, first, _, start), begin, stop) in enumerate(zip(chosen, warm, stops, strict=True)):
            lags = np.arange(max(first - start, 0), stop - start)
            full = with_past[start - begin + lags, r].numpy()
            lost, seen = full - without[lags, r].numpy(), ~np.isnan(full)
            # in a short sequence a late step is drawn more often than an early one
            weight = 1 / np.minimum(start + lags[seen], far + 1)
            yield _Stretch(lags[seen], weight, full[seen], lost[seen])


def _longer(spans: list[Span], lag: int) -> int:
    """Return how many steps have more than ``lag`` steps before them."""
    return sum(max(0, stop - max(first, lag + 1)) for _, first, stop in spans)
