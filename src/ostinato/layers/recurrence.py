"""The contract of every recurrence: the state is an argument and a result, and is never kept on ``self``."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import ClassVar

import torch
from torch import Tensor, nn

from ostinato.shapes import State


class Recurrence(nn.Module, ABC):
    """A layer that carries a state through a sequence.

    Three laws are tested for every recurrence and every implementation. Any chunking of a sequence gives the result of
    one pass. A batch gives the result of a loop over its rows. A row of length 0 leaves its state unchanged.

    Attributes:
        input_size: The width of an input step, D.
        output_size: The width of an output step, H.
        adaptive: Whether the state goes on learning (``layers.adaptive``).
        gives_parameters: Whether the output is the parameters of the emission, so that no head follows.
    """

    adaptive: ClassVar[bool] = False
    gives_parameters: ClassVar[bool] = False
    input_size: int
    output_size: int

    @abstractmethod
    def initial_state(self, batch: int) -> State:
        """Return the state before the first step: tensors (B, ...) of the dtype and device of the parameters."""

    def restarted(self, state: State, rows: Tensor) -> State:
        """Return the state with some rows at the start of a sequence.

        Args:
            state: The state, (B, ...) each.
            rows: Which rows start anew, (B,), bool.
        """
        return chosen(rows, self.initial_state(len(rows)), state)

    def repeated(self, state: State, times: int) -> State:
        """Return every row of a state some times, the copies of a row next to each other: (B * times, ...) each.

        Args:
            state: The state of the B rows.
            times: The number of copies of each row.
        """
        return tuple(s.repeat_interleave(times, dim=0) for s in state)

    def start_for_symbols(self) -> None:
        """Set the weights to the start that suits text, where it differs from that for numbers. By default nothing."""

    def step(self, state: State, x: Tensor) -> tuple[State, Tensor]:
        """Return the next state and the output of one step; by default by ``unroll``.

        Args:
            state: The state before the step.
            x: The input, (B, D).

        Returns:
            The next state and the output, (B, H).
        """
        h, state = self.unroll(x[None], state)
        return state, h[0]

    @abstractmethod
    def unroll(self, x: Tensor, state: State | None = None, lengths: Tensor | None = None) -> tuple[Tensor, State]:
        """Return the outputs of all steps and the last state.

        Args:
            x: The inputs, (T, B, D).
            state: The state before the first step; None is ``initial_state``.
            lengths: The number of steps of each row, (B,), int64; None means T for all rows.

        Returns:
            The outputs (T, B, H), and the state of each row after its own last step. Outputs beyond the length of a row
            are finite and otherwise unspecified.
        """


def chosen(rows: Tensor, new: State, old: State) -> State:
    """Return a state whose rows are those of another one in some places.

    Args:
        rows: Which rows are new, (B,), bool.
        new: The state of these rows, (B, ...) each.
        old: The state of the others, (B, ...) each.
    """
    pairs = zip(new, old, strict=True)
    return tuple(torch.where(rows.view(-1, *[1] * (s.dim() - 1)), i, s) for i, s in pairs)
