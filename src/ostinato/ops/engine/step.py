"""A live sequence's next state in about a microsecond: one row, one step, by weights that are packed once."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from ostinato.errors import ConfigError
from ostinato.ops.engine.extension import ABSENT, refusal
from ostinato.ops.engine.operator import Call, check

if not ABSENT:
    from ostinato.ops.engine import _engine


class Step:
    """state -> state after x, without gradients; B = 1.

    The weights are copied when it is made: later changes of theirs have no effect. One thread at a time may use it.
    """

    def __init__(
        self, cell: str, w_ih: Tensor, w_hh: Tensor, b_ih: Tensor | None = None, b_hh: Tensor | None = None
    ) -> None:
        """cell as the engine calls it, w_ih (GH, D), w_hh (GH, H), b_ih and b_hh (GH).

        Raises ConfigError for weights that cannot be, and where the engine cannot run.
        """
        why = refusal({"device": w_ih.device.type, "dtype": w_ih.dtype})
        if why:
            raise ConfigError(f"{cell} cannot be stepped: {why}")
        self.inputs, self.hidden, self.dtype = w_ih.shape[1], w_hh.shape[1], w_ih.dtype
        zeros = w_ih.new_zeros(1, self.hidden)
        c0 = zeros if cell == "lstm" else None
        weights = [None if w is None else w.detach().contiguous() for w in (w_ih, w_hh, b_ih, b_hh)]
        check(Call._make((cell, w_ih.new_zeros(1, 1, self.inputs), zeros, c0, *weights, None, None, None, False)))
        make: Any = _engine.Step32 if self.dtype == torch.float32 else _engine.Step64
        self._run = make(cell, self.inputs, self.hidden, tuple(0 if w is None else w.data_ptr() for w in weights))
        self.states = 1 if c0 is None else 2

    def __call__(self, x: Tensor, h: Tensor, c: Tensor | None = None) -> None:
        """x (D,), h and c (H,), contiguous, of the weights' type -> h and c are replaced in place.

        Raises ConfigError for tensors of another size, type or layout.
        """
        for t, size in ((x, self.inputs), (h, self.hidden), (h if c is None else c, self.hidden)):
            if t.numel() != size or t.dtype is not self.dtype or not t.is_contiguous():
                raise ConfigError(f"{tuple(t.shape)} of {t.dtype}", fix=f"a contiguous row of {size}, {self.dtype}")
        if (c is None) != (self.states == 1):
            raise ConfigError(f"the cell has {self.states} states", fix="give h, and c to a cell of two")
        at = h.data_ptr()
        last = 0 if c is None else c.data_ptr()
        self._run(x.data_ptr(), at, last, at, last)
