"""The held-out losses of a forecaster, and how certain its gain over another one is."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ostinato.direct_fit.panel import Panel
from ostinato.numbers import counted
from ostinato.shapes import Array

#: The share by which the loss must be below that of the simpler forecaster; smaller differences are of no use.
MARGIN = 0.02
#: The greatest loss of a window in seasonal errors, so that no series decides for the others.
GREATEST = 20.0
#: A loss below this share of a seasonal error is rounding, so no forecaster is better than such a one.
EXACT = 1e-9
#: The deviation of the relative difference (a - b) / (a + b) of two forecasters from one stretch to the next before
#: any is seen, and the number of stretches that this counts as. Least squares and seasonal naive forecasts of short
#: series have about this deviation.
USUAL, BEFORE = 0.2, 4.0


@dataclass(frozen=True)
class Gain:
    """By how much the loss of a forecaster is under that of another.

    Attributes:
        share: The gain as a share of the other's loss; negative if it is a loss.
        error: The standard error of the share.
    """

    share: float
    error: float

    @property
    def certain(self) -> bool:
        """Whether the gain is more than MARGIN and more than one standard error (Breiman et al. 1984, section 3.4)."""
        return self.share > max(MARGIN, self.error)

    def words(self) -> str:
        """Return the gain in words, such as ``9% lower (standard error 4%)``."""
        return f"{abs(self.share):.0%} {'lower' if self.share >= 0 else 'higher'} (standard error {self.error:.0%})"


def separate(windows: int, panel: Panel) -> int:
    """Return how many of the held-out windows of a series fit next to each other without overlap."""
    span = (windows - 1) * panel.stride + panel.horizon
    return min(span // panel.horizon, windows)


@dataclass(frozen=True)
class Losses:
    """The held-out losses of a forecaster.

    Attributes:
        stretches: The mean loss of each stretch of as many steps as the horizon, by series, in seasonal errors.
            Windows overlap, so that only such stretches are separate evidence.
        votes: The weight of each series.
        windows: The number of windows.
    """

    stretches: dict[str, Array]
    votes: dict[str, float]
    windows: int

    @classmethod
    def of(cls, losses: dict[str, Array], panel: Panel) -> Losses:
        """Return the losses of the windows of each series with a vote, (n,), as those of stretches."""
        votes, cut = panel.votes(losses), {}
        losses = {key: each for key, each in losses.items() if votes[key] > 0}
        for key, each in losses.items():
            cut[key] = np.array([part.mean() for part in np.array_split(each, separate(len(each), panel))])
        return cls(cut, {key: votes[key] for key in cut}, sum(map(len, losses.values())))

    @property
    def mean(self) -> float:
        """The mean loss of the series by their votes, in seasonal errors."""
        return float(np.average([x.mean() for x in self.stretches.values()], weights=list(self.votes.values())))

    def gain_over(self, other: Losses) -> Gain:
        """Return the gain over another forecaster.

        The gain is 1 - B / A of the mean losses B and A of both over the series, by their votes. It is computed from
        d = (A - B) / (A + B), whose standard error is that of a ratio (Cochran 1977, eq. 6.13), from the stretches of
        all series and from what is usual before any is seen.
        """
        sums, differences, weights = [], [], []
        for key in (k for k in self.stretches if k in other.stretches):  # in order: a set's differs between processes
            b, a = (np.maximum(x.stretches[key], EXACT) for x in (self, other))
            if len(a) != len(b):
                a, b = a.mean(keepdims=True), b.mean(keepdims=True)
            sums.append(a + b)
            differences.append(a - b)
            weights.append(np.full(len(a), self.votes[key] / len(a)))
        total, x, w = (np.concatenate(each) for each in (sums, differences, weights))
        w = w / w.sum() if w.sum() else np.full(len(w), 1 / len(w))
        mean, count = float(w @ total), float(1 / (w @ w))
        d = float(w @ x) / mean
        variance = (count * float(w @ (x - d * total) ** 2) / mean**2 + BEFORE * USUAL**2) / (count + BEFORE)
        # 1 - B / A = 2 d / (1 + d), whose derivative is 2 / (1 + d)^2
        return Gain(2 * d / (1 + d), 2 / (1 + d) ** 2 * (variance / count) ** 0.5)

    def words(self) -> str:
        """Return on how many windows the losses stand, in words."""
        series, stretches = len(self.stretches), sum(map(len, self.stretches.values()))
        apart = f", {stretches:,} of them without overlap" if stretches < self.windows else ""
        return f"{counted(self.windows, 'held-out window')} of {series:,} series{apart}"
