"""The next step of a few live sequences, one after the other in plain numbers.

A batch in torch costs two milliseconds before its first row, and a step in plain numbers tens of microseconds. So a
batch pays from some tens of sequences on, and a server under a light load has fewer than that in its hands.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import final

import numpy as np
import torch

from ostinato.inference.live.build import live
from ostinato.inference.live.values import LiveValues
from ostinato.model import SequenceModel
from ostinato.shapes import Array, State

#: The most sequences whose steps are made one after the other.
FEW = 56


@final
class Few:
    """One step of each of a few sequences of values. It holds no state: states go in and come out, (B, ...) each.

    Args:
        step: The step of the model in plain numbers.
    """

    def __init__(self, step: LiveValues) -> None:
        self._step = step

    @staticmethod
    def of(model: SequenceModel) -> Few | None:
        """Return the steps of a model; None if it has no such form."""
        if model.description.traits.log_returns:
            return None  # a return needs the price before, which is not part of the state
        found = live(model, "")
        if not isinstance(found, LiveValues):
            return None
        found.hold(model.initial_state(1))
        return Few(found)

    def __call__(self, ids: Sequence[str], values: Array, state: State) -> tuple[Array, Array, State] | None:
        """Take in the next step of B sequences.

        Args:
            ids: The ids of the sequences, which decide their locations and scales.
            values: The raw values, (B, D).
            state: The states before the step, (B, ...) each; they stay as they are.

        Returns:
            The surprisals in nats (B,), the expected values (B, D) and the states after the step; None if a value is
            missing, because plain numbers have no form for that.
        """
        if not np.isfinite(values).all():
            return None
        after = [s.numpy().copy() for s in state]
        nats, expected, step = np.empty(len(ids)), np.empty(values.shape), self._step
        for b, (key, row) in enumerate(zip(ids, values.tolist(), strict=True)):
            step.become(key, [part[b : b + 1] for part in after])
            told = step.take([row])
            if told is None:
                return None
            nats[b], expected[b] = told
            for part, one in zip(after, step.after(), strict=True):
                part[b] = one[0].numpy()
        return nats, expected, tuple(torch.from_numpy(part) for part in after)
