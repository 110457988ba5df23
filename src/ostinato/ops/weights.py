"""The weights of one cell of a recurrence, which go through every layer of calls as one value."""

from __future__ import annotations

from typing import NamedTuple

from torch import Tensor


class Weights(NamedTuple):
    """The weights of a cell, in the order in which the operators of torch take them one by one.

    P is the width of h: H, except for a cell that projects.

    Attributes:
        w_ih: The input weights, (GH, D).
        w_hh: The recurrent weights, (GH, P).
        b_ih: The bias of the input side, (GH,), or None.
        b_hh: The bias of the recurrent side, (GH,), or None.
        w_hr: The projection, (P, H); None for a cell that does not project.
    """

    w_ih: Tensor
    w_hh: Tensor
    b_ih: Tensor | None = None
    b_hh: Tensor | None = None
    w_hr: Tensor | None = None

    @property
    def biases(self) -> tuple[Tensor, Tensor]:
        """The biases b_ih and b_hh, zeros in place of one that is absent."""
        w, b_ih, b_hh = self.w_hh, self.b_ih, self.b_hh
        return w.new_zeros(len(w)) if b_ih is None else b_ih, w.new_zeros(len(w)) if b_hh is None else b_hh
