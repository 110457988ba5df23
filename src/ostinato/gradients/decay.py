"""How gradients fade with lag, and what share of them chunks of a length leave out."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Decay:
    """The gradient's norm by lag: measured for lags 0..K - 1, a geometric tail from there on.

    norms  (K,): the mean of ||dL_t/dh_{t-k}|| over steps t
    rate   rho of the tail, norms_k = norms_{K-1} rho^(k - K + 1)
    """

    norms: NDArray[np.float64]
    rate: float

    @classmethod
    def fit(cls, norms: NDArray[np.float64]) -> Decay:
        """The rate by least squares on the logarithms of the later half (Aicher, Foti and Fox 2019, section 3).

        It is kept so far under 1 that the tail's time constant is at most 4 K: with a slower one, the K lags that were
        measured cannot tell a decay from none.
        """
        # what has vanished is no part of the line: its digits are those of the smallest numbers there are
        lags = np.flatnonzero(norms > 1e-20 * norms.max(initial=0.0))
        lags = lags[len(lags) // 2 :]
        if len(lags) < 2 or lags[-1] < len(norms) // 2:
            # it ends before the lags do: nothing is beyond them
            return cls(norms, 0.0)
        slope = np.polynomial.Polynomial.fit(lags, np.log(norms[lags]), 1).convert().coef[-1]
        return cls(norms, float(np.exp(min(slope, -1 / (4 * len(norms))))))

    def lost(self, window: int) -> float:
        """The share of the summed norms that chunks of ``window`` steps leave out, 0 to 1.

        The j-th step of a chunk keeps its lags below j: (1 / W) sum_{j=1..W} sum_{k>=j} norms_k / sum_{k>=0} norms_k.
        It would be the gradient's relative bias if the terms of all lags pointed one way.
        """
        total = float(self.norms.sum()) + self._beyond
        if not total:
            return 0.0
        tails = total - self.norms.cumsum()[:window]
        more = max(window - len(self.norms), 0)  # j from K + 1 on
        rest = self._beyond * self.rate * (1 - self.rate**more) / (1 - self.rate)
        return max(0.0, float(tails.sum()) + rest) / (window * total)

    def without_end(self, share: float, window: int, stretch: int) -> float:
        """The relative bias of ``window`` in sequences without end, from the ``share`` that it is on a stretch.

        A stretch of L steps holds L - k of the terms of lag k, and none from L on. How much those weigh in the bias and
        in the gradient is taken from the norms.
        """
        lags = np.arange(min(len(self.norms), stretch))
        held = self.norms[lags] * (1 - lags / stretch)
        missed = float((held * np.minimum(lags / window, 1)).sum())
        return min(1.0, share * self.lost(window) * float(held.sum()) / missed) if missed else share

    @property
    def _beyond(self) -> float:
        """The sum of the tail, lags K and on."""
        return float(self.norms[-1]) * self.rate / (1 - self.rate)
