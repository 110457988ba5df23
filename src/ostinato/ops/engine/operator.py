"""The engine as torch operators: two opaque nodes that survive torch.compile, torch.export and functional_call.

``ostinato::recurrence`` unrolls a cell, ``ostinato::recurrence_backward`` gives its gradients; gradients.py joins them.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor

from ostinato.errors import ConfigError
from ostinato.ops.engine.buffers import Gradients, gradients, outputs, pooled, results
from ostinato.ops.engine.call import Call, check
from ostinato.ops.engine.extension import ABSENT

if not ABSENT:
    from ostinato.ops.engine import _engine

_CALL = (
    "str cell, Tensor x, Tensor h0, Tensor? c0, Tensor w_ih, Tensor w_hh, Tensor? b_ih, Tensor? b_hh, "
    "Tensor? w_hr, Tensor? lengths, Tensor? base, Tensor? column, bool reverse"
)
LIBRARY: Any = torch.library.Library("ostinato", "DEF")  # type: ignore[no-untyped-call]
LIBRARY.define(f"recurrence({_CALL}, bool save) -> (Tensor, Tensor, Tensor, Tensor)")
LIBRARY.define(
    f"recurrence_backward({_CALL}, Tensor y, Tensor saved, Tensor? dy, Tensor? dh_n, Tensor? dc_n, "
    "bool need_x, bool need_weights) -> (Tensor, Tensor, Tensor, Tensor, Tensor, Tensor, Tensor, Tensor)"
)


def forward(*args: Any) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """A Call, and whether to save what backward needs -> y, h_n, c_n, saved.

    y (T, B, P) or (places, P) is zero where no row has a step; h_n (B, P) and c_n (B, H) are the state after each row's
    own last step, c_n empty for a cell of one state; saved is for ``backward`` alone. Raises ConfigError for shapes,
    types and places that cannot be.
    """
    call, save = Call._make(args[:-1]).contiguous(), args[-1]
    check(call)
    y, h_n, c_n, saved = found = results(call, save, pooled)
    run_forward(call, y, h_n, c_n, saved.data_ptr())
    return found


def backward(*args: Any) -> Gradients:
    """A Call, y, saved, the gradients of y, h_n and c_n or None, and whose are asked for: x's, the weights'.

    Returns the gradients of x, h0, c0, w_ih, w_hh, b_ih, b_hh, w_hr; empty for what is absent or not asked for. Where
    nothing was saved, forward is run once more.
    """
    call, (y, saved, *owed, need_x, need_weights) = Call._make(args[:13]).contiguous(), args[13:]
    if not saved.numel():
        *_, saved = forward(*call, True)
    found = gradients(call, need_x, need_weights, pooled)
    run_backward(call, y, saved.data_ptr(), owed, found)
    return found


def plain(call: Call) -> tuple[Tensor, Tensor, Tensor | None]:
    """y, h_n, c_n (None for a cell of one state) with nothing saved and nobody watching."""
    call = call.contiguous()
    check(call)
    found = outputs(call)
    run_forward(call, *found, 0)
    return found


def run_forward(call: Call, y: Tensor, h_n: Tensor, c_n: Tensor | None, saved: int) -> None:
    """Write y, h_n and c_n; saved is an address, 0 for nowhere. The call is contiguous and checked."""
    run: Any = _engine.forward32 if call.x.dtype is torch.float32 else _engine.forward64
    inputs = _addresses(call.x, call.h0, call.c0)
    try:
        run(call.cell, *_whereabouts(call), torch.get_num_threads(), *inputs, *_addresses(y, h_n, c_n), saved)
    except ValueError as error:
        raise ConfigError(str(error)) from error


def repeated(call: Call) -> Callable[[], None]:
    """A call of one step to be made over and over: each time x is read anew, and h0 and c0 are replaced in place.

    The call is contiguous and checked, and its tensors stay where they are.
    """
    run: Any = _engine.forward32 if call.x.dtype is torch.float32 else _engine.forward64
    y = torch.empty_like(call.h0)
    inputs, outputs = _addresses(call.x, call.h0, call.c0), _addresses(y, call.h0, call.c0)
    given = (call.cell, *_whereabouts(call), torch.get_num_threads(), *inputs, *outputs, 0)

    def step(_held: object = (call, y)) -> None:
        run(*given)

    return step


def run_backward(
    call: Call, y: Tensor, saved: int, owed: Sequence[Tensor | None], found: Sequence[Tensor | None]
) -> None:
    """Write found, the gradients of x, h0, c0, w_ih, w_hh, b_ih, b_hh, w_hr; None and empty ones are left out."""
    run: Any = _engine.backward32 if call.x.dtype is torch.float32 else _engine.backward64
    dx, dh0, dc0, *dw = _addresses(*found)
    owed = [None if t is None else t.contiguous() for t in owed]
    inputs = _addresses(call.x, call.h0, call.c0, y)
    run(call.cell, *_whereabouts(call), *inputs, saved, *_addresses(*owed), dx, dh0, dc0, tuple(dw))


def _whereabouts(call: Call) -> Any:
    """Sizes, places and weights, as the extension takes them."""
    (B, P), T = call.h0.shape, len(call.x if call.base is None else call.base)
    sizes = B, T, call.places, call.x.shape[-1], call.hidden, P, call.reverse
    places = _addresses(call.lengths, call.base, call.column)
    return sizes, places, _addresses(*call[4:9])


def _addresses(*tensors: Tensor | None) -> Any:
    return tuple([0 if t is None else t.data_ptr() for t in tensors])


def _fake_forward(*args: Any) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    return results(Call._make(args[:-1]), args[-1])


def _fake_backward(*args: Any) -> Gradients:
    return gradients(Call._make(args[:13]), *args[-2:])


for _name, _compute, _fake in (
    ("recurrence", forward, _fake_forward),
    ("recurrence_backward", backward, _fake_backward),
):
    LIBRARY.impl(_name, _compute, "CPU")
    torch.library.register_fake(f"ostinato::{_name}", _fake, lib=LIBRARY)
    # recurrences lose too much in 16 bits: under autocast they run in float32, as torch's own do not
    torch.library.register_autocast(f"ostinato::{_name}", "cpu", torch.float32, lib=LIBRARY)
