"""The engine as torch operators: two opaque nodes that survive torch.compile, torch.export and functional_call.

``ostinato::recurrence`` unrolls a cell, ``ostinato::recurrence_backward`` gives its gradients; gradients.py joins them.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor

from ostinato.errors import ConfigError
from ostinato.ops.engine.extension import ABSENT

if not ABSENT:
    from ostinato.ops.engine import _engine

#: cell -> gates, states, whether it has w_hr
_SIZES = {} if ABSENT else {name: sizes for name, *sizes in _engine.cells()}


class Call(NamedTuple):
    """What both operators are given first.

    cell                   its name in the engine
    x                      (T, B, D), or (places, D) where base says which step is where
    h0, c0                 (B, P), (B, H); c0 None for a cell of one state; P, the width of h, is H without w_hr
    w_ih, w_hh             (GH, D), (GH, P)
    b_ih, b_hh             (GH), or None
    w_hr                   (P, H) for a cell that projects, else None
    lengths, base, column  see Places
    reverse                see Places
    """

    cell: str
    x: Tensor
    h0: Tensor
    c0: Tensor | None
    w_ih: Tensor
    w_hh: Tensor
    b_ih: Tensor | None
    b_hh: Tensor | None
    w_hr: Tensor | None = None
    lengths: Tensor | None = None
    base: Tensor | None = None
    column: Tensor | None = None
    reverse: bool = False

    def contiguous(self) -> Call:
        """The same, as the kernels read it: no strides, places in int64."""
        if self[9:12] == (None, None, None) and all(t is None or t.is_contiguous() for t in self[1:9]):
            return self
        numbers = [None if t is None else t.contiguous() for t in self[1:9]]
        places = [None if t is None else t.to("cpu", torch.int64).contiguous() for t in self[9:12]]
        return Call._make((self.cell, *numbers, *places, self.reverse))

    @property
    def places(self) -> int:
        """Rows of x."""
        return self.x.shape[:-1].numel()

    @property
    def hidden(self) -> int:
        """H."""
        return (self.h0 if self.c0 is None else self.c0).shape[-1]


Gradients = tuple[Tensor, Tensor, Tensor, Tensor, Tensor, Tensor, Tensor, Tensor]

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
    y, h_n, c_n, saved = results = _results(call, save, pooled)
    run_forward(call, y, h_n, c_n, saved.data_ptr())
    return results


def backward(*args: Any) -> Gradients:
    """A Call, y, saved, the gradients of y, h_n and c_n or None, and whose are asked for: x's, the weights'.

    Returns the gradients of x, h0, c0, w_ih, w_hh, b_ih, b_hh, w_hr; empty for what is absent or not asked for. Where
    nothing was saved, forward is run once more.
    """
    call, (y, saved, *owed, need_x, need_weights) = Call._make(args[:13]).contiguous(), args[13:]
    if not saved.numel():
        *_, saved = forward(*call, True)
    results = _gradients(call, need_x, need_weights, pooled)
    run_backward(call, y, saved.data_ptr(), owed, results)
    return results


def plain(call: Call) -> tuple[Tensor, Tensor, Tensor | None]:
    """y, h_n, c_n (None for a cell of one state) with nothing saved and nobody watching."""
    call = call.contiguous()
    check(call)
    results = outputs(call)
    run_forward(call, *results, 0)
    return results


def run_forward(call: Call, y: Tensor, h_n: Tensor, c_n: Tensor | None, saved: int) -> None:
    """Write y, h_n and c_n; saved is an address, 0 for nowhere. The call is contiguous and checked."""
    run: Any = _engine.forward32 if call.x.dtype is torch.float32 else _engine.forward64
    inputs = _addresses(call.x, call.h0, call.c0)
    try:
        run(call.cell, *_whereabouts(call), torch.get_num_threads(), *inputs, *_addresses(y, h_n, c_n), saved)
    except ValueError as error:
        raise ConfigError(str(error)) from error


def run_backward(
    call: Call, y: Tensor, saved: int, owed: Sequence[Tensor | None], results: Sequence[Tensor | None]
) -> None:
    """Write results, the gradients of x, h0, c0, w_ih, w_hh, b_ih, b_hh, w_hr; None and empty ones are left out."""
    run: Any = _engine.backward32 if call.x.dtype is torch.float32 else _engine.backward64
    dx, dh0, dc0, *dw = _addresses(*results)
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


#: Numbers from which an array is taken from the engine's pool; below, torch's own allocator has them at hand.
_LARGE = 1 << 16


def fresh(like: Tensor) -> Tensor:
    """Memory of the type and shape of ``like``, unwritten."""
    return torch.empty_like(like) if like.numel() < _LARGE else pooled(like, *like.shape)


def pooled(like: Tensor, *shape: int) -> Tensor:
    """Memory of the type of ``like``, unwritten."""
    count = math.prod(shape)
    if count < _LARGE:
        return like.new_empty(shape)
    array = _engine.empty32(count) if like.dtype == torch.float32 else _engine.empty64(count)
    return torch.from_numpy(array).view(shape)


def saved_count(call: Call) -> int:
    """How many numbers forward saves for backward."""
    head, width = _engine.saved_size(call.cell, 8 * call.x.element_size(), int(call.hidden))
    return head + width * (call.places + len(call.h0) + 1)


def outputs(call: Call, empty: Callable[..., Tensor] = pooled) -> tuple[Tensor, Tensor, Tensor | None]:
    """Memory for y, h_n and c_n."""
    x, h0, c0 = call.x, call.h0, call.c0
    y = empty(x, *x.shape[:-1], h0.shape[-1])
    return y, torch.empty_like(h0), None if c0 is None else torch.empty_like(c0)


def _results(
    call: Call, save: bool, empty: Callable[..., Tensor] = torch.Tensor.new_empty
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Memory for what forward returns."""
    y, h_n, c_n = outputs(call, empty)
    saved = empty(call.x, saved_count(call) if save else 0)
    return y, h_n, h_n.new_empty(0) if c_n is None else c_n, saved


def _gradients(
    call: Call, need_x: bool, need_weights: bool, empty: Callable[..., Tensor] = torch.Tensor.new_empty
) -> Gradients:
    """Memory for what backward returns."""

    def like(t: Tensor | None, needed: bool = True) -> Tensor:
        return call.x.new_empty(0) if t is None or not needed else empty(t, *t.shape)

    w_ih, w_hh, b_ih, b_hh, w_hr = (like(t, need_weights) for t in call[4:9])
    return like(call.x, need_x), like(call.h0), like(call.c0), w_ih, w_hh, b_ih, b_hh, w_hr


def check(call: Call) -> None:
    """Raises ConfigError unless the kernels may be let loose on these addresses."""
    if call.cell not in _SIZES:
        raise ConfigError(f"the engine has no cell called {call.cell!r}", fix=f"one of {', '.join(_SIZES)}")
    G, states, projects = _SIZES[call.cell]
    _, x, h0, c0, w_ih, w_hh, b_ih, b_hh, w_hr, lengths, base, column, _ = call
    if (c0 is None) != (states == 1):
        raise ConfigError(f"{call.cell} has {states} states", fix="give h0, and c0 to a cell of two")
    if (w_hr is not None) != projects:
        raise ConfigError(
            f"{call.cell} {'needs' if projects else 'has no'} w_hr", fix="give it to lstm_projected alone"
        )
    (B, P), D, H = h0.shape, x.shape[-1], call.hidden
    expected = (
        ("x", x, (len(x), B, D) if base is None else (len(x), D)),
        ("h0", h0, (B, P)),
        ("c0", c0, (B, H)),
        ("w_ih", w_ih, (G * H, D)),
        ("w_hh", w_hh, (G * H, P)),
        ("b_ih", b_ih, (G * H,)),
        ("b_hh", b_hh, (G * H,)),
        ("w_hr", w_hr, (P, H)),
    )
    for name, t, shape in expected:
        if t is not None and (t.shape != shape or t.dtype != x.dtype):
            given = f"{tuple(t.shape)} of {t.dtype}"
            raise ConfigError(f"{name} has the shape {given}", fix=f"it should be {shape} of {x.dtype}")
    for name, t in (("lengths", lengths), ("column", column)):
        if t is not None and t.shape != (B,):
            raise ConfigError(f"{name} has the shape {tuple(t.shape)}", fix=f"it should be {(B,)}")


def _fake_forward(*args: Any) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    return _results(Call._make(args[:-1]), args[-1])


def _fake_backward(*args: Any) -> Gradients:
    return _gradients(Call._make(args[:13]), *args[-2:])


for _name, _compute, _fake in (
    ("recurrence", forward, _fake_forward),
    ("recurrence_backward", backward, _fake_backward),
):
    LIBRARY.impl(_name, _compute, "CPU")
    torch.library.register_fake(f"ostinato::{_name}", _fake, lib=LIBRARY)
    # recurrences lose too much in 16 bits: under autocast they run in float32, as torch's own do not
    torch.library.register_autocast(f"ostinato::{_name}", "cpu", torch.float32, lib=LIBRARY)
