"""What older inputs bring a model: its held-out score with the past cut at every lag."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ostinato.diagnosis.result import WORTH
from ostinato.diagnosis.stretches import Source, draw, log_probs

#: Sequences that are unrolled side by side.
ROWS = 64


@dataclass(frozen=True)
class Ablation:
    """score: nats a step with the whole past; lost, errors (C,): what cutting it at each lag costs, in the mean."""

    score: float
    lost: NDArray[np.float64]
    errors: NDArray[np.float64]
    steps: int

    def reach(self, cuts: list[int]) -> int:
        """The lag beyond which no cut costs WORTH; a cost must be certain, for the last of many is looked for."""
        costly = np.flatnonzero(self.lost > np.maximum(WORTH, 3 * self.errors))
        return cuts[min(int(costly[-1]) + 1, len(cuts) - 1)] if len(costly) else 0


def geometric(farthest: int, ratio: float = 2 ** (1 / 3)) -> list[int]:
    """0, 1, 2, ... and then each about ``ratio`` times the one before, up to farthest."""
    cuts = [0]
    while cuts[-1] < farthest:
        cuts.append(min(max(cuts[-1] + 1, round(cuts[-1] * ratio)), farthest))
    return cuts


def horizon(source: Source, cuts: list[int], count: int, rng: np.random.Generator) -> Ablation:
    """Unroll ``count`` stretches of held-out steps twice: with their whole past, and from an initial state.

    The j-th step after such a start is one whose past was cut at j. So every lag is seen at once, each on as many steps
    as every other, and each cost is a difference on the same step. What was cut at j in cuts[i] .. cuts[i + 1] counts
    for cuts[i]; a step whose whole past is no longer than j has lost nothing.
    """
    spans, far = source.spans("held-out"), cuts[-1]
    starts = draw(spans, count, rng, before=far)
    edges, total, weights, number = np.array([*cuts, far + 1]), 0.0, 0.0, 0
    sums, counts = np.zeros((len(starts), len(cuts))), np.zeros((len(starts), len(cuts)))
    for group in range(0, len(starts), ROWS):
        some = starts[group : group + ROWS]
        asked = [(*spans[i], s) for i, s in some]
        warm = [max(0, s - far) for *_, s in asked]
        stops = [min(s + far + 1, stop) for _, _, stop, s in asked]
        whole = log_probs(source.model, source.rows([(a[0], w, z) for a, w, z in zip(asked, warm, stops, strict=True)]))
        short = log_probs(source.model, source.rows([(a[0], a[3], z) for a, z in zip(asked, stops, strict=True)]))
        for r, ((_, first, _, s), w, z) in enumerate(zip(asked, warm, stops, strict=True)):
            j = np.arange(max(first - s, 0), z - s)
            full = whole[s - w + j, r].numpy()
            lost, there = full - short[j, r].numpy(), ~np.isnan(full)
            # in a short sequence a late step is drawn more often than an early one
            weight = 1 / np.minimum(s + j[there], far + 1)
            total, weights = total + float(weight @ full[there]), weights + float(weight.sum())
            number += int(there.sum())
            place = np.searchsorted(edges, j[there], side="right") - 1
            sums[group + r] = np.bincount(place, weights=lost[there], minlength=len(cuts))
            counts[group + r] = np.bincount(place, minlength=len(cuts))
    n = np.maximum(counts.sum(axis=0), 1)
    mean = sums.sum(axis=0) / n
    # steps of one stretch are not independent: the error is that of a ratio of sums over stretches
    errors = np.sqrt(((sums - mean * counts) ** 2).sum(axis=0)) / n
    share = np.array([_longer(spans, lag) for lag in cuts]) / max(_longer(spans, -1), 1)
    return Ablation(total / weights if weights else 0.0, mean * share, errors * share, number)


def _longer(spans: list[tuple[int, int, int]], lag: int) -> int:
    """How many steps have more than ``lag`` steps before them."""
    return sum(max(0, stop - max(first, lag + 1)) for _, first, stop in spans)
