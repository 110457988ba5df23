"""What both of the engine's operators are given, and whether it can be."""

from __future__ import annotations

from typing import NamedTuple

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
