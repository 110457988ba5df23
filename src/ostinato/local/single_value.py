"""The intervals of a series with a single value, which does not show how values vary.

If other series of the panel vary, the value is a random walk with their typical step. This is the median, over the
series, of the root mean square change as a share of the mean size (for logarithms, of the change itself). Its own step
may be another, so the distribution is Student's t with the degrees of freedom that a deviation has before any error is
seen.

Without such series only the size of the value is known. Two normal values with mean 0 have a ratio with the Cauchy
distribution, whatever their deviation, so the next value is the first plus its size times a Cauchy variable. Whatever
the mean and the deviation of two independent normal values, 95 % intervals of this form hold at least 94.9 %, and 80 %
intervals 78 %; they hold least at a mean of 0. Intervals from one observation go back to Abbott and Rosenblatt (1963).
Nothing is known of a zero; its size counts as 1, and among other series its step is theirs.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import stdtrit

from ostinato.local.panel import Panel
from ostinato.local.special import Special
from ostinato.local.student import student
from ostinato.shapes import Array
from ostinato.spread import changing


def have_single_value(panel: Panel) -> NDArray[np.bool_]:
    """Return which series of a panel have one value, (S,)."""
    return np.array([len(y) == 1 for y in panel.values], dtype=bool)


@dataclass(frozen=True)
class Steps:
    """The typical step of the series of a panel that vary.

    Attributes:
        share: The median, over these series, of the root mean square step as a share of the mean size of the series.
        size: The median of the root mean square step itself, in the units of the data.
    """

    share: float
    size: float

    def of(self, value: Array, *, logs: bool) -> Array:
        """Return the step at some values, in their shape: a share of each, or ``size`` for 0 and for logarithms."""
        return np.where((value == 0) | logs, self.size, self.share * np.abs(value))


def steps_of_others(panel: Panel, *, changes: bool = False) -> Steps | None:
    """Return the typical step of the series of a panel that vary, or None without any.

    Args:
        panel: The series.
        changes: Whether the steps at which a value stays as it was count as none. Else they count as 0.
    """
    shares, sizes = [], []
    for y in panel.values:
        if len(y) > 1 and (often := changing(y)) > 0:
            seen = y[np.isfinite(y)]
            size = float(np.abs(seen).max())
            step = float(np.sqrt(np.mean((np.diff(seen) / size) ** 2) / (often if changes else 1.0)))
            shares.append(step / float(np.mean(np.abs(seen) / size)))
            sizes.append(size * step)
    return Steps(_middle(shares), _middle(sizes)) if shares else None


def _middle(sizes: list[float]) -> float:
    """Return the median of sizes above 0; the middle two of an even number are averaged as factors, as units differ."""
    return float(np.exp(np.median(np.log(sizes))))


def quantiles_of_single_value(series: Special, probabilities: Array, *, logs: bool) -> Array:
    """Return the quantiles (E, H, Q) that this file describes, for series of one value (see ``special``)."""
    panel, single, value, steps = series
    size = np.ones_like(value) if logs else np.where(value == 0, 1.0, np.abs(value))
    others = steps_of_others(panel)
    if others is None:
        away = np.asarray(stdtrit(1.0, probabilities), dtype=np.float64)
        # a price lies as far below or above, as a factor
        away = np.sign(away) * np.log1p(np.abs(away)) if logs else away
        return np.broadcast_to((value + size * away)[:, None, :], (*steps.shape, len(probabilities)))
    deviation = others.of(value, logs=logs) * np.sqrt(steps)
    return student(np.broadcast_to(value, steps.shape), deviation, np.zeros(len(single)), probabilities).quantiles
