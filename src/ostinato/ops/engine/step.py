"""One step of one live sequence in about a microsecond, by weights that are packed once."""

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
from ostinato.ops.engine.gate import addresses, require_bytes
from ostinato.ops.engine.operator import repeated, shared
from ostinato.ops.weights import Weights

if not ABSENT:
    from ostinato.ops.engine import _engine


Floats: TypeAlias = NDArray[np.float32] | NDArray[np.float64]


class Step:
    """A cell that is run one step at a time, without gradients; only one thread at a time may use it.

    The weights are copied into a packed buffer that the step owns: later changes of the weights have no effect on the
    steps of one row. P is the width of h: H, except for a cell that projects.

    Args:
        cell: The name of the cell in the engine.
        weights: The weights of the cell.

    Attributes:
        inputs: The number of inputs, D.
        hidden: The number of hidden units, H.
        outputs: The width of h, P.
        dtype: The type of the weights, which inputs and states must have.
        states: The number of tensors in the state: 1 (h) or 2 (h and c).

    Raises:
        ConfigError: The weights do not fit the cell or each other, or the engine cannot run.
    """

    def __init__(
        self,
        cell: str,
        weights: Weights,
    ) -> None:
        w_ih, w_hh, w_hr = weights.w_ih, weights.w_hh, weights.w_hr
        reason = refusal({"device": w_ih.device.type, "dtype": w_ih.dtype})
        if reason:
            raise ConfigError(
                f"the step of {cell} needs the engine, which cannot run: {reason}", fix="use unroll of the layer"
            )
        self.inputs, self.outputs, self.dtype = w_ih.shape[1], w_hh.shape[1], w_ih.dtype
        self.hidden = self.outputs if w_hr is None else w_hr.shape[1]
        c0 = w_ih.new_zeros(1, self.hidden) if cell.startswith("lstm") else None
        own: Any = [None if w is None else w.detach().contiguous() for w in weights]
        check(Call(cell, w_ih.new_zeros(1, 1, self.inputs), w_ih.new_zeros(1, self.outputs), c0, *own))
        require_bytes(own)
        self._cell, self._weights = cell, own
        self._run = self._packed(1)
        self.states = 1 if c0 is None else 2

    def _packed(self, rows: int) -> Any:
        """Return the engine's step of some rows, with weights that are packed now."""
        make: Any = _engine.Step32 if self.dtype == torch.float32 else _engine.Step64
        return make(self._cell, self.inputs, self.hidden, self.outputs, addresses(*self._weights), rows)

    def __call__(self, x: Tensor, h: Tensor, c: Tensor | None = None) -> None:
        """Make one step of one row: h and c are replaced in place.

        Args:
            x: The input, (D,), contiguous and of the type of the weights.
            h: The hidden state, (P,), contiguous and of the type of the weights.
            c: The cell state, (H,), contiguous and of the type of the weights; None for a cell of one state.

        Raises:
            ConfigError: A tensor has another size, type or layout.
        """
        self._check(x, h, c)
        x_address, *state = addresses(x, h, c)
        self._run(x_address, *state, *state)

    def bound(self, x: Floats, h: Floats, c: Floats | None = None) -> Callable[[], None]:
        """Return a function that makes one step on these arrays: it reads x again each time, and replaces h and c.

        The arrays belong to the caller, must not move, and are kept alive by the function. A step of B rows costs about
        as little Python as a step of one row.

        Args:
            x: The input, (D,) or (B, D), contiguous and of the type of the weights.
            h: The hidden state, (P,) or (B, P), contiguous and of the type of the weights.
            c: The cell state, (H,) or (B, H), contiguous and of the type of the weights; None for a cell of one state.

        Returns:
            The function.

        Raises:
            ConfigError: An array has another size, type or layout.
        """
        if not all(s is None or s.flags.writeable for s in (h, c)):
            raise ConfigError("the step replaces h and c in place, but one is read-only", fix="give copies of them")
        inputs, hidden, cell = torch.from_numpy(x), torch.from_numpy(h), None if c is None else torch.from_numpy(c)
        if x.ndim == 2:
            call = Call(self._cell, inputs[None], hidden, cell, *self._weights)
            check(call)
            if call.contiguous() is not call:
                raise ConfigError("the rows of an array must lie one after the other", fix="give contiguous arrays")
            if not len(x) or shared(call):
                return repeated(call)
            run = self._packed(len(x))  # one thread need not pack the weights again for each step
        else:
            self._check(inputs, hidden, cell)
            run = self._run
        x_address, *state = addresses(inputs, hidden, cell)

        def step(_kept_alive: object = (inputs, hidden, cell)) -> None:
            run(x_address, *state, *state)

        return step

    def _check(self, x: Tensor, h: Tensor, c: Tensor | None) -> None:
        """Raise ConfigError unless the kernel can read and write at the addresses of these rows.

        Raises:
            ConfigError: A row has another size, type or layout, or a state has a gradient that the step would lose.
            RuntimeError: The values of a row do not lie in its own bytes.
        """
        require_bytes((x, h, c))
        if any(s is not None and s.requires_grad for s in (h, c)):
            raise ConfigError("the step replaces a state in place, without gradients", fix="give h.detach()")
        for name, t, size in (("x", x, self.inputs), ("h", h, self.outputs), ("c", c, self.hidden)):
            if t is not None and (t.numel() != size or t.dtype is not self.dtype or not t.is_contiguous()):
                layout = "contiguous" if t.is_contiguous() else "not contiguous"
                raise ConfigError(
                    f"{name} must be a contiguous row of {size} numbers of {self.dtype}, "
                    f"got {tuple(t.shape)} of {t.dtype}, {layout}",
                    fix="give a row of that size, type and layout",
                )
        if (c is None) != (self.states == 1):
            raise ConfigError(
                f"the cell needs {self.states} state tensors, got {1 if c is None else 2}",
                fix="give h and c" if self.states == 2 else "give h alone",
            )
