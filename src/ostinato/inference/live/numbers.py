"""The live step of continuous values, with an autoregression as the closed form."""

from __future__ import annotations

import math
from bisect import bisect_right
from typing import Any, final

import numpy as np

from ostinato.inference.live.layers import LiveLayer, array_of
from ostinato.inference.live.robust import Robust
from ostinato.inference.live.step import places
from ostinato.inference.live.values import LiveValues
from ostinato.layers.ar import AR
from ostinato.layers.volatility import FARTHEST
from ostinato.model import SequenceModel


@final
class LiveNumbers(LiveValues):
    """The step of a model whose closed form is an autoregression."""

    def __init__(
        self,
        model: SequenceModel,
        steps: list[LiveLayer],
        ar: AR,
        location: Any,
        scale: Any,
        robust: Robust | None = None,
    ) -> None:
        """Build the step, without a state until ``hold`` is called.

        Args:
            model: A model of continuous values with a normal or Student's t emission.
            steps: The layers of the backbone, the lowest first.
            ar: The autoregression of the front.
            location: The location of the series, (D,).
            scale: The scale of the series, (D,).
            robust: Which values the state does not believe; None if it believes every value.
        """
        super().__init__(model, steps, location, scale, robust)
        self._lags = ar.lags
        self._weight = np.ascontiguousarray(array_of(ar.weight).transpose(1, 0, 2))  # (L + 1, D, L)
        self._bias, self._slope = array_of(ar.bias).T.tolist(), array_of(ar.slope).T.tolist()
        self._sigma = np.exp(array_of(ar.log_sigma).T).tolist()
        self._at = places(ar)
        v, zeros = ar.volatility, [0.0] * ar.output_size
        self._shock: list[float] = zeros if v is None else v.shock.tolist()
        self._decay: list[float] = zeros if v is None else v.decay.tolist()

    def _take(self, front: list[Any]) -> None:
        self._input, self._loc, self._sd, self._values, self._seen = front
        self._newest = self._values.T  # (D, K), newest first
        self._refilled()

    def _refilled(self) -> None:
        self._used = bisect_right(self._lags, int(self._seen))

    def _update(self, y: list[float]) -> tuple[float, list[float]]:
        """Return the surprisal of values y, or log returns, and the expected values; the state moves on."""
        loc, sd, params = self._loc.tolist(), self._sd.tolist(), self._params().tolist()
        everyday = self._sigma[self._used]
        nats, expected, believed = self._judged(y, loc, sd, params)
        innovation, v = [0.0] * len(y), [1.0] * len(y)
        for d in range(len(y)):
            e, a, b = (believed[d] - loc[d]) / everyday[d], self._shock[d], self._decay[d]
            innovation[d] = math.asinh(e)
            if a:
                v[d] = 1 - a - b + a * min(abs(e), FARTHEST) ** 2 + b * (sd[d] / everyday[d]) ** 2
        self._observe(believed, innovation, v)
        return nats, expected

    def _observe(self, z: list[float], innovation: list[float], v: list[float]) -> None:
        """Move the state of the front on by one step.

        Args:
            z: The values in model space, (D,).
            innovation: The innovations over their everyday scale after asinh, (D,).
            v: The variance of the next step over the everyday variance, (D,).
        """
        D, values = len(z), self._values
        if len(values):
            values[1:] = values[:-1]
            values[0] = z
        seen = float(self._seen) + 1
        self._seen[...] = seen
        row = self._used = bisect_right(self._lags, seen)
        ahead = np.vecdot(self._weight[row], self._newest[:, self._at]).tolist()
        bias, slope = self._bias[row], self._slope[row]
        loc = [ahead[d] + bias[d] + slope[d] * (seen + 1) for d in range(D)]
        self._loc[:], self._sd[:] = loc, [s * math.sqrt(w) for s, w in zip(self._sigma[row], v, strict=True)]
        self._input[:] = [*z, *[1.0] * D, *loc, *innovation]
