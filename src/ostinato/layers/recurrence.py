"""The contract of every memory: state goes in and comes out, and never hides on ``self``."""

from __future__ import annotations

from abc import ABC, abstractmethod

from torch import Tensor, nn

from ostinato.shapes import State


class Recurrence(nn.Module, ABC):
    """What is remembered of x_<t, and how it is carried one step on.

    Laws, tested over every recurrence and implementation: any chunking of a sequence gives what one pass gives; a batch
    gives what a loop over its rows gives; a row of length 0 leaves its state as it was.
    """

    #: D, the width of an input step, and H, the width of an output step.
    input_size: int
    output_size: int

    @abstractmethod
    def initial_state(self, batch: int) -> State:
        """The state before the first step; tensors (B, ...) of the parameters' dtype and device."""

    @abstractmethod
    def step(self, state: State, x: Tensor) -> tuple[State, Tensor]:
        """One step: x (B, D) -> the next state and h (B, H)."""

    @abstractmethod
    def unroll(self, x: Tensor, state: State | None = None, lengths: Tensor | None = None) -> tuple[Tensor, State]:
        """All steps: x (T, B, D) -> h (T, B, H) and the last state.

        state defaults to ``initial_state``. With lengths (B,) int64, row b is lengths[b] steps long: its last state is
        the one after its own last step, and what h holds beyond it is unspecified (finite).
        """
