"""The live step of continuous values, with exponential smoothing as the closed form."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, final

import numpy as np
import torch
from numpy.typing import NDArray

from ostinato.inference.live.robust import Robust
from ostinato.inference.live.values import LiveValues
from ostinato.layers.smoothing import Smoothing
from ostinato.model import SequenceModel
from ostinato.shapes import State


@final
class LiveSmoothing(LiveValues):
    """The step of a model whose closed form is exponential smoothing. Its state is a ring while it is held here."""

    def __init__(
        self,
        model: SequenceModel,
        smoothing: Smoothing,
        location: Any,
        scale: Any,
        robust: Robust | None = None,
    ) -> None:
        """Build the step, without a state until ``hold`` is called.

        Args:
            model: A model of continuous values with a normal or Student's t emission, without a backbone.
            smoothing: The recurrence of the front.
            location: The location of the series, (D,).
            scale: The scale of the series, (D,).
            robust: Which values the state does not believe; None if it believes every value.
        """
        super().__init__(model, [], location, scale, robust)
        self._smoothing, self._single = smoothing, len(scale) == 1
        self._sigma = smoothing.log_sigma.double().exp().numpy()
        self._parameters: list[list[float]] = self._constant.tolist()

    def hold(self, state: State, last: NDArray[Any] | None = None) -> None:
        """Continue from a copy of this state, and from the last prices (1, D)."""
        self.last = last
        self._ring = self._smoothing.ring(state)

    def refill(self, state: Sequence[NDArray[Any]]) -> None:
        """Continue from a copy of another state, (1, ...) each."""
        mean, covariance = state
        self._ring.refill(mean[0], covariance[0])

    def after(self) -> State:
        """Return the state after the last step, (1, ...) each."""
        return tuple(torch.from_numpy(part[None]) for part in self._ring.state)

    def _take(self, front: list[Any]) -> None:
        """Do nothing: a model of exponential smoothing has no backbone, and ``hold`` takes the state of its front."""

    def _update(self, y: list[float]) -> tuple[float, list[float]]:
        """Return the surprisal of values y, or log returns, and the expected values; the state moves on."""
        ring = self._ring
        sd = (self._sigma * np.sqrt(ring.v)).tolist()
        loc = [float(ring.mu)] if self._single else ring.mu.tolist()
        nats, expected, believed = self._judged(y, loc, sd, self._parameters)
        # the models read their values in single precision, and the state is theirs to the last bit
        values = np.array(believed, dtype=np.float32)
        ring.step(values.item() if self._single else values.astype(np.float64))
        return nats, expected
