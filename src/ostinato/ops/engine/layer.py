"""A layer on plain tensors: one call of the compiled engine, which reads the tensors itself, for all its directions."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor

from ostinato.errors import ConfigError
from ostinato.ops.engine import openmp
from ostinato.ops.engine.buffers import pooled
from ostinato.ops.engine.call import LARGE, Call, check
from ostinato.ops.engine.extension import ABSENT
from ostinato.ops.engine.gate import PLAIN_THREAD, addresses, inference_keys
from ostinato.threads import engine_limit

if not ABSENT:
    from ostinato.ops.engine import _engine

    _engine.use_torch(getattr(Tensor, "__dlpack_c_exchange_api__", None), torch, pooled, LARGE, tuple(PLAIN_THREAD))
    openmp.adopt()
    if keys := inference_keys():
        _engine.read_keys(*keys)

#: The tensors of a layer are x, h0 and c0, which its directions share, and the weights of each direction.
SHARED, WEIGHTS = 3, 5


class LayerForm(NamedTuple):
    """What a layer is besides its tensors.

    Its tensors are x, h0 and c0 and, for each direction, w_ih, w_hh, b_ih, b_hh and w_hr, as in Call. The states of two
    directions are (2, B, P) and (2, B, H); their outputs lie side by side, (T, B, 2 P) or (places, 2 P).

    Attributes:
        cell: The name of the cell in the engine.
        layout: lengths, base and column, as in Call.
        reverse: For each direction, whether it runs from the last step to the first.
    """

    cell: str
    layout: tuple[Tensor | None, Tensor | None, Tensor | None]
    reverse: tuple[bool, ...]

    @classmethod
    def of(cls, call: Call) -> LayerForm:
        """Return the form of a call, a layer of one direction."""
        return cls(call.cell, (call.lengths, call.base, call.column), (call.reverse,))

    def calls(self, tensors: Sequence[Any]) -> list[Call]:
        """Return the call of each direction, given the tensors of the layer."""
        x, h0, c0 = tensors[:SHARED]
        if len(self.reverse) == 1:
            fields: Any = self.cell, *tensors, *self.layout, self.reverse[0]
            return [Call(*fields)]
        calls = []
        for d, reverse in enumerate(self.reverse):
            weights = tensors[SHARED + WEIGHTS * d : SHARED + WEIGHTS * (d + 1)]
            ends = h0[d : d + 1], None if c0 is None else c0[d : d + 1]
            fields = self.cell, x, *ends, *weights, *self.layout, reverse
            calls.append(Call(*fields))
        return calls


def joined(results: Sequence[Sequence[Any]]) -> tuple[Any, ...]:
    """Return y, h_n and c_n of a layer, given those of each direction."""
    if len(results) == 1:
        return tuple(results[0])
    return tuple(
        [
            None if parts[0] is None else torch.cat(parts, 0 if i else -1)
            for i, parts in enumerate(zip(*results, strict=True))
        ]
    )


def run_forward(form: LayerForm, tensors: tuple[Any, ...], save: bool) -> Any:
    """Run a layer whose tensors the gate has let through.

    Args:
        form: The form of the layer.
        tensors: Its tensors.
        save: Whether to keep what backward needs.

    Returns:
        y, h_n, c_n, None for a cell of one state, and the pass, whose backward gives the gradients; None without save.

    Raises:
        ConfigError: The cell is unknown, or a shape, a type, a length or a place does not fit the others.
        RuntimeError: The memory of a tensor has been freed.
    """
    try:
        found = _engine.layer_forward(form, tensors, engine_limit(), save)
        if found is None:
            form = form._replace(layout=_checked(form, tensors))
            found = _engine.layer_forward(form, tensors, engine_limit(), save)
    except ValueError as error:
        _checked(form, tensors)
        raise ConfigError(str(error), fix="give lengths of 0 to T steps, and each step its own row of x") from error
    assert found is not None, "the engine did not take a call that was checked"
    return found


def _checked(form: LayerForm, tensors: tuple[Any, ...]) -> Any:
    """Return the layout as the kernels read it.

    Raises:
        ConfigError: A tensor is not as the kernels need it.
        RuntimeError: The memory of a tensor has been freed.
    """
    calls = form.calls(tensors)
    for call in calls:
        check(call)
        addresses(*call.tensors, *call.layout)
    return calls[0].contiguous().layout
