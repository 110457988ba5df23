"""The errors of a closed form on ragged spans are those of each span alone, at about the cost of their steps."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor

import ostinato
from ostinato.data.split import split
from ostinato.layers.ar import AR
from ostinato.layers.filter import AdaptiveFilter
from ostinato.layers.front import Ahead, Front, InnovationFront, SmoothingFront
from ostinato.layers.markov import Markov
from ostinato.layers.smoothing import Smoothing
from ostinato.shapes import State
from ostinato.training.innovations import innovations
from ostinato.training.material import material_of
from ostinato.training.objective import JUDGED


class Counted(Front):
    """A front that counts the padded steps, and those of them without a value, that it is unrolled over."""

    def __init__(self, front: Front) -> None:
        super().__init__()
        self.front, self.most, self.missing = front, 0, 0

    @property
    def closed_form(self) -> AR | AdaptiveFilter | Smoothing | Markov | None:
        return self.front.closed_form

    @property
    def reach(self) -> int:
        return self.front.reach

    def initial_state(self, batch: int) -> State:
        return self.front.initial_state(batch)

    def pending(self, state: State) -> Ahead:
        return self.front.pending(state)

    def unroll(self, x: Tensor, state: State, lengths: Tensor | None = None) -> tuple[Ahead, State]:
        self.most, self.missing = max(self.most, x.shape[0] * x.shape[1]), self.missing + int(x.isnan().sum())
        return self.front.unroll(x, state, lengths)


@pytest.mark.parametrize("front", [InnovationFront(AR(1, 3)), SmoothingFront(Smoothing("", 1, 0))])
def test_ragged_spans_are_unrolled_as_each_alone(front: Front) -> None:
    rng = np.random.default_rng(0)
    longest = 1200 if isinstance(front, SmoothingFront) else 3 * JUDGED
    series = {str(n): rng.standard_normal(n) for n in (*range(20, 60), longest)}
    series["30"][4:7] = np.nan
    data = ostinato.read(series)
    material = material_of(data, split(data, 0.1))
    counted = Counted(front)
    e, support, _ = innovations(counted, material)
    # padding is no missing value, for which an autoregression would predict step by step
    assert counted.missing == 3
    assert counted.most <= max(JUDGED, longest)
    values, offsets, rows = material.joined()
    assert len(support.low) == len(values)
    for i in range(len(rows)):
        x = values[offsets[i] : offsets[i + 1], None]
        (_, loc, scale, *_), _ = front.unroll(x, front.initial_state(1))
        assert loc is not None
        assert scale is not None
        torch.testing.assert_close(e[offsets[i] : offsets[i + 1]], ((x - loc) / scale)[:, 0].detach(), equal_nan=True)
