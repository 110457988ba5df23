"""The state of a training that is passed to a progress bar."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class TrainingProgress:
    """The state of a training after an optimiser step.

    Attributes:
        name: The backbone in training.
        step: The number of optimiser steps so far.
        share: The share of the budget that is used up, from 0 to 1.
        loss: The training loss: nats a step for a model of the ladder, the quantile loss for a direct one.
        validation: The log-likelihood of the validation part at the last evaluation, in nats a step. NaN before the
            first evaluation, and for a direct model, which has none.
        steps_per_second: The mean speed so far.
        measure: What the loss is.
    """

    name: str
    step: int
    share: float
    loss: float
    validation: float
    steps_per_second: float
    measure: Literal["nats", "quantile loss"] = "nats"

    @property
    def nats(self) -> float:
        """The training loss under its earlier name."""
        return self.loss
