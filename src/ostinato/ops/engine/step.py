"""A live sequence's next state in about a microsecond: one row, one step, by weights that are packed once."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeAlias

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ostinato.errors import ConfigError
from ostinato.ops.engine.call import Call, check
from ostinato.ops.engine.extension import ABSENT, refusal
from ostinato.ops.engine.operator import repeated

if not ABSENT:
    from ostinato.ops.engine import _engine


Array: TypeAlias = NDArray[np.float32] | NDArray[np.float64]


class Step:
    """state -> state after x, without gradients.

    For one row the weights are copied when it is made: later changes of theirs have no effect. One thread at a time may
    use it.
    """

    def __init__(
        self,
        cell: str,
        w_ih: Tensor,
        w_hh: Tensor,
        b_ih: Tensor | None = None,
        b_hh: Tensor | None = None,
        w_hr: Tensor | None = None,
    ) -> None:
        """Cell as the engine calls it; for the weights see Call.

        Raises ConfigError for weights that cannot be, and where the engine cannot run.
        """
        why = refusal({"device": w_ih.device.type, "dtype": w_ih.dtype})
        if why:
            raise ConfigError(f"{cell} cannot be stepped: {why}")
        self.inputs, self.outputs, self.dtype = w_ih.shape[1], w_hh.shape[1], w_ih.dtype
        self.hidden = self.outputs if w_hr is None else w_hr.shape[1]
        c0 = w_ih.new_zeros(1, self.hidden) if cell.startswith("lstm") else None
        weights = [None if w is None else w.detach().contiguous() for w in (w_ih, w_hh, b_ih, b_hh, w_hr)]
        state = w_ih.new_zeros(1, self.outputs), c0
        check(Call._make((cell, w_ih.new_zeros(1, 1, self.inputs), *state, *weights, None, None, None, False)))
        make: Any = _engine.Step32 if self.dtype == torch.float32 else _engine.Step64
        addresses = tuple(0 if w is None else w.data_ptr() for w in weights)
        self._run = make(cell, self.inputs, self.hidden, self.outputs, addresses)
        self._cell, self._weights = cell, weights
        self.states = 1 if c0 is None else 2

    def __call__(self, x: Tensor, h: Tensor, c: Tensor | None = None) -> None:
        """X (D,), h (P,) and c (H,), contiguous, of the weights' type -> h and c are replaced in place.

        Raises ConfigError for tensors of another size, type or layout.
        """
        self._check(x, h, c)
        at = h.data_ptr()
        last = 0 if c is None else c.data_ptr()
        self._run(x.data_ptr(), at, last, at, last)

    def bound(self, x: Array, h: Array, c: Array | None = None) -> Callable[[], None]:
        """The step on NumPy arrays that stay where they are: each call takes in what x holds by then.

        x (D,), h (P,) and c (H,), or B rows of each, which need about as little of Python as one row does.

        Raises ConfigError for arrays of another size, type or layout.
        """
        tensors = torch.from_numpy(x), torch.from_numpy(h), None if c is None else torch.from_numpy(c)
        if x.ndim == 2:
            call = Call._make((self._cell, tensors[0][None], *tensors[1:], *self._weights, None, None, None, False))
            check(call)
            if call.contiguous() is not call:
                raise ConfigError("the rows do not lie one after the other", fix="give contiguous arrays")
            return repeated(call)
        self._check(*tensors)
        at, state, cell = (0 if t is None else t.data_ptr() for t in tensors)
        run = self._run

        def step(_held: object = tensors) -> None:
            run(at, state, cell, state, cell)

        return step

    def _check(self, x: Tensor, h: Tensor, c: Tensor | None) -> None:
        for t, size in ((x, self.inputs), (h, self.outputs), (c, self.hidden)):
            if t is not None and (t.numel() != size or t.dtype is not self.dtype or not t.is_contiguous()):
                raise ConfigError(f"{tuple(t.shape)} of {t.dtype}", fix=f"a contiguous row of {size}, {self.dtype}")
        if (c is None) != (self.states == 1):
            raise ConfigError(f"the cell has {self.states} states", fix="give h, and c to a cell of two")
