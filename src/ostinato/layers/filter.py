"""The adaptive filter as a recurrence: a memory that goes on learning while it is scored, with nothing trained."""

from __future__ import annotations

from typing import ClassVar, final

import numpy as np
import torch
from torch import Tensor

from ostinato.layers.recurrence import Recurrence
from ostinato.ops.filter.form import FilterForm
from ostinato.ops.filter.reference import fresh
from ostinato.ops.selection import pick
from ostinato.shapes import State


@final
class AdaptiveFilter(Recurrence):
    """Filters that learn from every value after they have predicted it; see ``ops.filter.reference``.

    The output h of a step is what the filters predict of the NEXT step, flat (..., D W). Each channel has the location
    and scale of its innovation, and the logits, means and log scales of M logistics of the standardised innovation. The
    coefficients of the innovations of the channels before it follow.

    The state is (rate, memory): rate (B, 1), 1 to learn and 0 to remember the values alone; memory (B, D, N), float64,
    which starts at ``start``. It has a fixed size.

    Args:
        form: The sizes and rates of the filters.

    Attributes:
        start: The memory before the first step of a sequence, a buffer (D, N).
    """

    adaptive: ClassVar[bool] = True

    def __init__(self, form: FilterForm) -> None:
        super().__init__()
        self.form = form
        self.input_size, self.output_size = form.channels, form.channels * form.width_out
        self.start: Tensor
        self.register_buffer("start", torch.from_numpy(fresh(form)))

    def describe(self) -> str:
        """Return what the closed form is, in words."""
        lengths = ", ".join(map(str, (*self.form.orders, *self.form.taps)))
        return f"adaptive filters of the lengths {lengths}, which go on learning"

    def initial_state(self, batch: int) -> State:
        """Return the rate (B, 1), which is 1, and the memory (B, D, N) before the first step."""
        return torch.ones(batch, 1), self.start.double().expand(batch, -1, -1)

    def pending(self, state: State) -> Tensor:
        """Return what is predicted of the next step, (B, D W)."""
        return self.path(self.start.new_zeros(0, len(state[0]), self.form.channels), state)[0][0]

    def unroll(self, x: Tensor, state: State | None = None, lengths: Tensor | None = None) -> tuple[Tensor, State]:
        """Return what is predicted after each step, (T, B, D W), and the last state (see ``Recurrence.unroll``)."""
        path, state = self.path(x, self.initial_state(x.shape[1]) if state is None else state, lengths)
        return path[1:], state

    def path(self, x: Tensor, state: State, lengths: Tensor | None = None) -> tuple[Tensor, State]:
        """Return what is predicted before each step and after the last, (T + 1, B, D W) float64, and the last state."""
        rate, memory = state
        moved = np.array(memory.detach().numpy(), dtype=np.float64, order="C")
        taken = None if lengths is None else lengths.numpy()
        values = x.detach().double().numpy()
        h = pick("filter")(self.form, values, moved, rate.detach().float().numpy()[:, 0], taken)
        return torch.from_numpy(h).flatten(2), (rate, torch.from_numpy(moved))
