"""What every live step of continuous values does, whatever closed form predicts them."""

from __future__ import annotations

import math
from abc import abstractmethod
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ostinato.emissions.live import earlier
from ostinato.inference.live.layers import LiveLayer
from ostinato.inference.live.robust import Robust
from ostinato.inference.live.step import LiveCells, one_step
from ostinato.model import SequenceModel


class LiveValues(LiveCells):
    """The step of a model of z = (y - location) / scale, where y is the value, or for prices the log return."""

    def __init__(
        self,
        model: SequenceModel,
        steps: list[LiveLayer],
        location: Any,
        scale: Any,
        robust: Robust | None = None,
    ) -> None:
        """Build the step, without a state until ``hold`` is called.

        Args:
            model: A model of continuous values with a normal or Student's t emission.
            steps: The layers of the backbone, the lowest first.
            location: The location of the series, (D,).
            scale: The scale of the series, (D,).
            robust: Which values the state does not believe; None if it believes every value.
        """
        super().__init__(model, steps)
        self._encoding, self._most = model.encoding, model.encoding.most
        self._robust = robust
        self._least: list[float] = np.broadcast_to(model.encoding.least(), scale.shape).tolist()
        self._greatest: list[float] = np.broadcast_to(model.encoding.greatest(), scale.shape).tolist()
        self._rescale(location, scale)
        tail = getattr(model.emission, "plain_tail", None)
        self._tail = tail if any(map(math.isfinite, self._least)) else None
        density = model.emission.plain_density
        assert density is not None
        self._density = density
        coupling = model.coupling
        self._coupling: list[list[float]] = (
            [[]] * len(scale) if coupling is None else [r[:d] for d, r in enumerate(coupling.matrix().tolist())]
        )
        self._returns = model.description.traits.log_returns

    def _rescale(self, location: Any, scale: Any) -> None:
        """Go on with the location and the scale of a series, (D,) each."""
        self._location: list[float] = location.tolist()
        self._scale: list[float] = scale.tolist()
        self._measure = -float(np.log(scale).sum())

    def become(self, unique_id: str, state: Sequence[NDArray[Any]]) -> None:
        """Continue from a copy of the state of another series, (1, ...) each, with its location and scale."""
        affine = self._encoding.affine(unique_id)
        assert affine is not None
        self._rescale(*affine)
        self.refill(state)

    def take(self, values: Any) -> tuple[float, list[float]] | None:
        """Return the surprisal and the expected value of each channel, if values are one observed step."""
        y = self._row(values)
        if y is None:
            return None
        if not self._returns:
            return self._update(y)
        if self.last is None or min(y) <= 0:
            return None
        before = self.last[0].tolist()
        if not all(map(math.isfinite, before)):
            return None
        nats, expected = self._update([math.log(v) - math.log(w) for v, w in zip(y, before, strict=True)])
        self.last = np.array([y])
        return nats, [w * math.exp(r) for w, r in zip(before, expected, strict=True)]

    def _row(self, values: Any) -> list[float] | None:
        """Return the D finite numbers of the one step in values; None if values are anything else."""
        y = one_step(values)
        if y is None:
            return None
        possible = len(y) == len(self._scale) and all(abs(v) <= self._most for v in y)
        return y if possible and all(v >= a for v, a in zip(y, self._least, strict=True)) else None

    @abstractmethod
    def _update(self, y: list[float]) -> tuple[float, list[float]]:
        """Return the surprisal of values y, or log returns, and the expected values; the state moves on."""

    def _judged(
        self, y: list[float], loc: list[float], sd: list[float], params: list[list[float]]
    ) -> tuple[float, list[float], list[float]]:
        """Return the surprisal of values y (D,), their expected values, and the values that the state takes.

        Args:
            y: The values, or log returns.
            loc: The predictions in model space, (D,).
            sd: Their standard deviations, (D,).
            params: The parameters of the emission of each channel, (D, P).
        """
        nats, expected, z = self._measure, [0.0] * len(y), [0.0] * len(y)
        standard: list[float] = []
        means: list[float] = []
        for d, value in enumerate(y):
            z[d] = (value - self._location[d]) / self._scale[d]
            low = ((self._least[d] - self._location[d]) / self._scale[d] - loc[d]) / sd[d]
            standard.append((z[d] - loc[d]) / sd[d])
            nats += self._told(d, low, params[d], standard, means) - math.log(sd[d])
            expected[d] = min((loc[d] + sd[d] * means[d]) * self._scale[d] + self._location[d], self._greatest[d])
        believed = z if self._robust is None else self._believed(z, loc, standard, self._robust)
        return -nats, expected, believed

    @staticmethod
    def _believed(z: list[float], loc: list[float], standard: list[float], robust: Robust) -> list[float]:
        """Return the values that the state takes, (D,): in the place of an outlier, its prediction."""
        far = [abs(s) > robust.limit for s in standard]
        return z if robust.believes(any(far)) else [m if f else x for x, m, f in zip(z, loc, far, strict=True)]

    def _told(self, d: int, low: float, params: list[float], standard: list[float], means: list[float]) -> float:
        """Return the nats of the standardised innovation of a channel, given those before it; its mean is appended.

        Args:
            d: The channel.
            low: Its least innovation, or -inf.
            params: The parameters of its emission, (P,).
            standard: The innovations of the channels up to it, (d + 1,).
            means: The means of the innovations of the channels before it, (d,).
        """
        row = self._coupling[d]
        explained, foreseen = (earlier(row, standard), earlier(row, means)) if row else (0.0, 0.0)
        nats, mean = self._density(params, standard[d] - explained), params[0]
        if self._tail is not None and low > -math.inf:
            kept, excess = self._tail(params, low - foreseen)
            nats -= kept if explained == foreseen else self._tail(params, low - explained)[0]
            # far below the bound the excess is 0, and exp(-kept) is too large for a float
            mean = low - foreseen + (excess * math.exp(-kept) if excess else 0.0)
        means.append(mean + foreseen)
        return nats
