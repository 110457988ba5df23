"""Adaptive memories: recurrences whose state goes on learning while it is scored."""

from __future__ import annotations

from abc import abstractmethod
from typing import Any, ClassVar

import torch
from torch import Tensor

from ostinato.layers.recurrence import Recurrence
from ostinato.shapes import State


class AdaptiveMemory(Recurrence):
    """A recurrence whose state holds what it has learned, and goes on learning.

    Step t first learns x_{t-1}, which is its input, against the prediction that the state holds, and then predicts the
    parameters of P(x_t | x_<t), its output. So x_t is not looked at before it is predicted.

    The first tensor of the state is the rate (B, ...): a row whose first rate is 0 learns nothing. The state is of a
    fixed size, and it may be large. Therefore ``unroll_`` changes a state in place that its caller owns, and only what
    ``unroll`` needs to change is copied. The state that training learned is in buffers and is saved with the model.
    """

    adaptive: ClassVar[bool] = True
    gives_parameters: ClassVar[bool] = True

    @abstractmethod
    def config(self) -> dict[str, Any]:
        """Return the sizes that fix the shapes of the buffers, as JSON."""

    @abstractmethod
    def initial_state(self, batch: int) -> State:
        """Return the state that training learned, at the start of a sequence; it learns nothing.

        All rows share the memory of what was learned until ``owned`` makes copies of it.
        """

    @abstractmethod
    def unroll_(self, x: Tensor, state: State, lengths: Tensor | None = None) -> Tensor:
        """Return the outputs (T, B, P) of all steps, and move the state on in place.

        Args:
            x: The inputs, (T, B, D).
            state: The state, from ``owned``.
            lengths: The number of steps of each row, (B,), int64; None means T for all rows.
        """

    @abstractmethod
    def restarted(self, state: State, rows: Tensor) -> State:
        """Return the state with some rows at the start of a sequence; they keep what they have learned.

        Args:
            state: The state.
            rows: Which rows start anew, (B,), bool.
        """

    @abstractmethod
    def small(self, state: State) -> int:
        """Return how many of the first tensors of a state change in a row that learns nothing."""

    def owned(self, state: State, *, learns: bool | None = None) -> State:
        """Return a copy of a state that ``unroll_`` may change.

        Args:
            state: The state. What does not change is not copied.
            learns: Whether the state learns from here on; None leaves it as it is.
        """
        rate = state[0].clone()
        if learns is not None:
            rate[:, 0] = float(learns)
        count = len(state) if bool(rate[:, 0].any()) else self.small(state)
        return (rate, *(s.clone(memory_format=torch.contiguous_format) for s in state[1:count]), *state[count:])

    def repeated(self, state: State, times: int) -> State:
        """Return every row of a state some times; the copies share what their row has learned, and learn no more."""
        own = self.owned(state, learns=False)
        cut = self.small(own)
        shared = (s.expand(times, *s.shape[1:]) if len(s) == 1 else s.repeat_interleave(times, 0) for s in own[cut:])
        return (*(s.repeat_interleave(times, dim=0) for s in own[:cut]), *shared)

    def unroll(self, x: Tensor, state: State | None = None, lengths: Tensor | None = None) -> tuple[Tensor, State]:
        """Return the outputs of all steps and the last state (see ``Recurrence.unroll``)."""
        own = self.owned(self.initial_state(x.shape[1]) if state is None else state)
        return self.unroll_(x, own, lengths), own
