"""The live step of adaptive filters that stand alone: one call of the engine, which scores, learns and predicts."""

from __future__ import annotations

from typing import Any, final

import numpy as np

from ostinato.data.amplitude import Amplitude
from ostinato.inference.live.step import LiveCells, one_step
from ostinato.layers.filter import AdaptiveFilter
from ostinato.model import SequenceModel
from ostinato.ops.filter import native


@final
class LiveFilters(LiveCells):
    """The step of adaptive filters on one value, without a network.

    Args:
        model: A model of adaptive filters alone, whose constants are 0.
        filters: Its filters.
        location: The location of the series, (D,).
        scale: The scale of the series, (D,).
        step: The spacing of the values in their own units; 0 for continuous values.
    """

    def __init__(self, model: SequenceModel, filters: AdaptiveFilter, location: Any, scale: Any, step: float) -> None:
        super().__init__(model, [])
        self._filters, D = filters, filters.form.channels
        self._location, self._scale = np.broadcast_to(location, D).tolist(), np.broadcast_to(scale, D).tolist()
        self._spacing, self._sizes = step, (D, *filters.form.counts, filters.form.lattice)
        self._measure = 0.0 if step else float(np.log(self._scale).sum())
        self._kept = native.arrays_of(filters.form)
        self._x, self._means = np.zeros(D), np.zeros(D)
        full = 2.0 ** (model.encoding.bits - 1) if isinstance(model.encoding, Amplitude) else 0.0
        s = self._scale[0]
        self._ends = step / s, -full / s, (full - step) / s
        self._full = full

    def _take(self, front: list[Any]) -> None:
        before, rate, memory = front
        self._input, self._before = before, before
        self._rate, self._memory = np.ascontiguousarray(rate, dtype=np.float32), memory
        predicted = self._filters.pending((self.state[1], self.state[2]))
        self._predicted = np.array(predicted.numpy()[0], dtype=np.float64)
        held = (*self._kept, self._x, self._rate, memory, self._predicted)
        counts, rates, x, learns, kept, ahead = (int(a.ctypes.data) for a in held)
        self._addresses = counts, rates, x, learns, kept, ahead
        self._means_at = self._means.ctypes.data

    def take(self, values: Any) -> tuple[float, list[float]] | None:
        """Return the surprisal and the expected value of each channel, if values are one observed step."""
        y = self._row(values)
        if y is None:
            return None
        D = len(y)
        for d in range(D):
            z = (y[d] - self._location[d]) / self._scale[d]
            self._x[d] = np.float32(z)
        a = self._predicted
        W = len(a) // D
        error = [float(np.arcsinh((self._x[d] - a[d * W]) / a[d * W + 1])) for d in range(D)]
        counts, rates, x, rate, memory, predicted = self._addresses
        unit, low, high = self._ends
        nats = native.step(self._sizes, counts, rates, x, rate, memory, predicted, unit, low, high, self._means_at)
        self._before[:] = [*self._x.tolist(), *[1.0] * D, *error]
        expected = [m * s + b for m, s, b in zip(self._means.tolist(), self._scale, self._location, strict=True)]
        if self._spacing:  # an expected sample is one of the lattice
            expected = [round(v / self._spacing) * self._spacing for v in expected]
        return nats + self._measure, expected

    def _row(self, values: Any) -> list[float] | None:
        """Return the D possible numbers of the one step in values; None if values are anything else."""
        y = one_step(values)
        if y is None or len(y) != len(self._scale) or not all(abs(v) <= 1e30 for v in y):
            return None
        if self._spacing and not all(v % self._spacing == 0 and -self._full <= v < self._full for v in y):
            return None
        return y
