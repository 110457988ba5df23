"""Series whose values show too little for any method, such as a single value: rules give their forecasts instead."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from ostinato.local.panel import Ahead, Panel, steps_ahead
from ostinato.shapes import Array


class Special(NamedTuple):
    """The E special series of a panel that a rule is for.

    Attributes:
        panel: The panel.
        rows: Their places in the panel, (E,).
        value: Their last values, (E, 1), which are the point forecasts.
        steps: The steps from their last values to those ahead, (E, H).
    """

    panel: Panel
    rows: NDArray[np.int64]
    value: Array
    steps: NDArray[np.int64]


class Quantiles(Protocol):
    """Gives the quantiles (E, H, Q) of special series, given the increasing probabilities (Q,)."""

    def __call__(self, series: Special, probabilities: Array, *, logs: bool) -> Array:
        """Return the quantiles; logs says whether values are logarithms."""


class Rule(NamedTuple):
    """What is said of one kind of special series.

    Attributes:
        which: Returns which series of a panel are of this kind, (S,).
        quantiles: Gives their quantiles.
    """

    which: Callable[[Panel], NDArray[np.bool_]]
    quantiles: Quantiles


def with_special(
    made: Ahead, panel: Panel, gaps: NDArray[np.int64], probabilities: Array, rules: Sequence[Rule], *, logs: bool
) -> Ahead:
    """Return forecasts (S, H) in which special series have the intervals of their rules.

    Their point forecast is their last value, whatever rounding a method made of it.

    Args:
        made: The forecasts of a method.
        panel: The series.
        gaps: The number of missing steps between the end of each series and the first step ahead, (S,).
        probabilities: The increasing probabilities of the quantiles, (Q,).
        rules: The rules.
        logs: Whether values are logarithms.
    """
    for rule in rules:
        rows = np.flatnonzero(rule.which(panel))
        if not len(rows):
            continue
        value = np.array([panel.values[s][-1] for s in rows])[:, None]
        steps = steps_ahead(gaps[rows], made.point.shape[1])
        said = rule.quantiles(Special(panel, rows, value, steps), probabilities, logs=logs)
        made = made.with_rows(rows, value, said)
    return made
