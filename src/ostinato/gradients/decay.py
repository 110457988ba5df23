"""The decay of gradients with lag, and the share of them that chunks of a given length leave out."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ostinato.shapes import Array


@dataclass(frozen=True)
class Decay:
    """The norm of the gradient by lag, measured for lags 0..K - 1 and continued by a geometric tail.

    Attributes:
        norms: The mean of ||dL_t/dh_{t-k}|| over steps t, (K,).
        rate: The rate rho of the tail, norms_k = norms_{K-1} rho^(k - K + 1).
    """

    norms: Array
    rate: float

    @classmethod
    def fit(cls, norms: Array) -> Decay:
        """Return the decay with a rate by least squares on the logarithms of the later half of the norms.

        This follows Aicher, Foti and Fox (2019, section 3). The rate is bounded so that the time constant of the tail
        is at most 4 K, because K lags cannot distinguish a slower decay from none.

        Args:
            norms: The norms by lag, (K,).
        """
        # norms that have vanished are left out: they are rounding errors
        lags = np.flatnonzero(norms > 1e-20 * norms.max(initial=0.0))
        lags = lags[len(lags) // 2 :]
        if len(lags) < 2 or lags[-1] < len(norms) // 2:
            # the norms vanish within the measured lags, so there is no tail
            return cls(norms, 0.0)
        slope = np.polynomial.Polynomial.fit(lags, np.log(norms[lags]), 1).convert().coef[-1]
        return cls(norms, float(np.exp(min(slope, -1 / (4 * len(norms))))))

    def lost(self, window: int) -> float:
        """Return the share of the summed norms that chunks of ``window`` steps leave out, between 0 and 1.

        Step j of a chunk keeps its lags below j: (1 / W) sum_{j=1..W} sum_{k>=j} norms_k / sum_{k>=0} norms_k. This
        would be the relative bias of the gradient if the terms of all lags had the same direction.
        """
        total = float(self.norms.sum()) + self._beyond
        if not total:
            return 0.0
        tails = total - self.norms.cumsum()[:window]
        more = max(window - len(self.norms), 0)  # j from K + 1 on
        rest = self._beyond * self.rate * (1 - self.rate**more) / (1 - self.rate)
        return max(0.0, float(tails.sum()) + rest) / (window * total)

    def without_end(self, share: float, window: int, stretch: int) -> float:
        """Return the relative bias in endless sequences, from the bias measured on a stretch.

        A stretch of L steps holds L - k of the terms of lag k, and none from lag L on. The norms give the weight of the
        missing terms in the bias and in the gradient.

        Args:
            share: The relative bias measured on the stretch.
            window: The truncation window in steps.
            stretch: The length of the stretch in steps, L.
        """
        lags = np.arange(min(len(self.norms), stretch))
        held = self.norms[lags] * (1 - lags / stretch)
        missed = float((held * np.minimum(lags / window, 1)).sum())
        return min(1.0, share * self.lost(window) * float(held.sum()) / missed) if missed else share

    @property
    def _beyond(self) -> float:
        """The sum of the norms of the tail, from lag K on."""
        return float(self.norms[-1]) * self.rate / (1 - self.rate)
