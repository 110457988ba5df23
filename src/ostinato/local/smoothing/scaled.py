"""A panel as one array, each series in units of its own size."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from ostinato.local.panel import Panel
from ostinato.local.smoothing.start import decomposed
from ostinato.shapes import Array

Indices = NDArray[np.int64]

#: The share of the mean step of a series below which an error counts as rounding.
_RIPPLE = 1e-6


@dataclass(frozen=True)
class Scaled:
    """Series in units of their own size, so that neither sums of squares nor products leave the range of numbers.

    Attributes:
        y: The values divided by the scale, (S, T), NaN where missing and after the end of a series.
        lengths: The number of steps, (S,).
        observed: The number of observed values, (S,).
        scale: The size of a series, (S,): a power of two, so that dividing by it rounds nothing.
        floor: The mean square of what counts as rounding, in squared scales, (S,).
    """

    y: Array
    lengths: Indices
    observed: Indices
    scale: Array
    floor: Array
    _first_states: dict[tuple[int, bool], tuple[Array, Array, Array, Array]] = field(default_factory=dict, repr=False)

    @property
    def positive(self) -> NDArray[np.bool_]:
        """Whether all observed values of a series are positive, (S,)."""
        return np.asarray((self.y > 0).sum(1) == self.observed)

    def first_states(self, m: int, relative: bool) -> tuple[Array, Array, Array, Array]:
        """Return what searches of every trend start from; see ``start.decomposed``."""
        if (m, relative) not in self._first_states:
            self._first_states[m, relative] = decomposed(self.y, m, relative)
        return self._first_states[m, relative]

    @staticmethod
    def of(panel: Panel) -> Scaled:
        """Return the series of a panel as one array."""
        lengths = np.array([len(v) for v in panel.values], dtype=np.int64)
        y = np.full((len(panel), int(lengths.max(initial=1))), np.nan)
        for s, v in enumerate(panel.values):
            y[s, : len(v)] = v
        observed = (~np.isnan(y)).sum(1)
        size = np.abs(np.where(np.isnan(y), 0, y)).max(1)
        scale = np.exp2(np.floor(np.log2(np.where(size > 0, size, 1))))
        y /= scale[:, None]
        moves = np.diff(y, axis=1)
        moves[np.isnan(moves)] = 0
        ripple = _RIPPLE * np.sqrt((moves**2).sum(1) / np.maximum(observed - 1, 1))
        return Scaled(y, lengths, observed, scale, np.maximum(ripple, 4 * np.finfo(float).eps) ** 2)
