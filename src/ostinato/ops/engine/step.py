"""A live sequence's next state in about a microsecond: one row, one step, by weights that are packed once."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeAlias

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ostinato.errors import ConfigError
from ostinato.ops.engine.extension import ABSENT, refusal
from ostinato.ops.engine.operator import Call, check

if not ABSENT:
    from ostinato.ops.engine import _engine


Array: TypeAlias = NDArray[np.float32] | NDArray[np.float64]


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
        self._check(x, h, c)
        at = h.data_ptr()
        last = 0 if c is None else c.data_ptr()
        self._run(x.data_ptr(), at, last, at, last)

    def bound(self, x: Array, h: Array, c: Array | None = None) -> Callable[[], None]:
        """The step on NumPy arrays that stay where they are: each call takes in what x holds by then.

        Raises ConfigError for arrays of another size, type or layout.
        """
        tensors = torch.from_numpy(x), torch.from_numpy(h), None if c is None else torch.from_numpy(c)
        self._check(*tensors)
        at, state, cell = (0 if t is None else t.data_ptr() for t in tensors)
        run = self._run

        def step(_held: object = tensors) -> None:
            run(at, state, cell, state, cell)

        return step

    def _check(self, x: Tensor, h: Tensor, c: Tensor | None) -> None:
        for t, size in ((x, self.inputs), (h, self.hidden), (h if c is None else c, self.hidden)):
            if t.numel() != size or t.dtype is not self.dtype or not t.is_contiguous():
                raise ConfigError(f"{tuple(t.shape)} of {t.dtype}", fix=f"a contiguous row of {size}, {self.dtype}")
        if (c is None) != (self.states == 1):
            raise ConfigError(f"the cell has {self.states} states", fix="give h, and c to a cell of two")
