"""The arguments that both operators of the engine start with, and the check of their shapes and types."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor

from ostinato.choices import unknown
from ostinato.errors import ConfigError
from ostinato.ops.engine.extension import ABSENT
from ostinato.ops.weights import Weights

if not ABSENT:
    from ostinato.ops.engine import _engine


class CellSizes(NamedTuple):
    """The sizes that are fixed by the kind of a cell.

    Attributes:
        gates: The number of gates, G.
        states: The number of tensors in the state: 1 (h) or 2 (h and c).
        projects: Whether the cell takes the projection w_hr.
    """

    gates: int
    states: int
    projects: bool


#: The sizes of every cell of the engine, by name; empty if the engine is not installed.
_CELLS = (
    {} if ABSENT else {name: CellSizes(gates, states, projects) for name, gates, states, projects in _engine.cells()}
)


class Call(NamedTuple):
    """The inputs of one unroll, in the order in which both operators take them.

    P is the width of h: H, except for a cell that projects. The places of the steps are described in Places.

    Attributes:
        cell: The name of the cell in the engine.
        x: The inputs, (T, B, D); (places, D) if base is given.
        h0: The hidden state before the first step, (B, P); or (1, B, P), as torch.nn has it: then h_n is too.
        c0: The cell state before the first step, (B, H) or (1, B, H); None for a cell of one state.
        w_ih: The input weights, (GH, D).
        w_hh: The recurrent weights, (GH, P).
        b_ih: The bias of the input side, (GH,), or None.
        b_hh: The bias of the recurrent side, (GH,), or None.
        w_hr: The projection, (P, H); None for a cell that does not project.
        lengths: The number of steps of each row, (B,), or None if every row has T steps.
        base: The first place of each step, (T,), or None for a padded batch.
        column: The offset of each row, (B,), or None if the offset of row b is b.
        reverse: Whether each row is run from its last step to its first.
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

    @classmethod
    def split(cls, arguments: tuple[Any, ...]) -> tuple[Call, tuple[Any, ...]]:
        """Split the arguments of an operator into its call, which comes first, and the arguments after it.

        Any other tuple with one entry per argument can be split too: the fields of the call are then those entries.
        """
        size = len(cls._fields)
        return cls._make(arguments[:size]), arguments[size:]

    @property
    def tensors(self) -> tuple[Tensor | None, ...]:
        """The tensors that have gradients: x, h0, c0, w_ih, w_hh, b_ih, b_hh and w_hr."""
        return self.x, self.h0, self.c0, self.w_ih, self.w_hh, self.b_ih, self.b_hh, self.w_hr

    @property
    def weights(self) -> Weights:
        """The weights of the cell."""
        return Weights(self.w_ih, self.w_hh, self.b_ih, self.b_hh, self.w_hr)

    @property
    def layout(self) -> tuple[Tensor | None, ...]:
        """The tensors that say where the steps lie: lengths, base and column."""
        return self.lengths, self.base, self.column

    def contiguous(self) -> Call:
        """Return the call as the kernels read it: tensors without strides, and a layout of int64 on the CPU."""
        # unpacked once: every call of the operators comes through here
        cell, *tensors, lengths, base, column, reverse = self
        if lengths is None and base is None and column is None:
            for t in tensors:
                if t is not None and not t.is_contiguous():
                    break
            else:
                return self
        numbers: Any = [None if t is None else t.contiguous() for t in tensors]
        layout = [None if t is None else t.to("cpu", torch.int64).contiguous() for t in (lengths, base, column)]
        fields: Any = cell, *numbers, *layout, reverse
        return Call(*fields)

    @property
    def rows(self) -> int:
        """The number of rows, B."""
        return self.h0.shape[-2]

    @property
    def places(self) -> int:
        """The number of rows of x: one for each step of each sequence, padding included."""
        # numel() and len() would turn the symbols of a tracer into numbers, and so make a graph for each length
        return math.prod(self.x.shape[:-1])

    @property
    def hidden(self) -> int:
        """The number of hidden units, H."""
        return (self.h0 if self.c0 is None else self.c0).shape[-1]


def check(call: Call) -> None:  # noqa: PLR0914 - one name for each field
    """Check that the kernels can read and write at the addresses of the tensors of a call.

    Raises:
        ConfigError: The cell is unknown, a tensor is missing or not expected, or has another shape or type.
    """
    cell, x, h0, c0, w_ih, w_hh, b_ih, b_hh, w_hr, lengths, base, column, _reverse = call
    sizes = _CELLS.get(cell)
    if sizes is None:
        raise unknown("cell of the engine", cell, _CELLS)
    if (c0 is None) != (sizes.states == 1):
        raise ConfigError(
            f"{cell} needs {sizes.states} state tensors, got {1 if c0 is None else 2}",
            fix="give h0 and c0" if sizes.states == 2 else "give h0 alone",
        )
    if (w_hr is not None) != sizes.projects:
        raise ConfigError(
            f"{cell} {'needs the projection w_hr' if sizes.projects else 'takes no projection w_hr'}",
            fix="give w_hr to lstm_projected, and to no other cell",
        )
    *one, B, P = h0.shape
    D, H = x.shape[-1], call.hidden
    GH = sizes.gates * H
    dtype = x.dtype
    if dtype not in (torch.float32, torch.float64):
        raise ConfigError(
            f"the kernels compute in float32 and float64, got {dtype}", fix="convert the tensors with .float()"
        )
    for name, t, shape in (
        ("x", x, (len(x), B, D) if base is None else (len(x), D)),
        ("h0", h0, (*[1] * (len(one) > 0), B, P)),
        ("c0", c0, (*one, B, H)),
        ("w_ih", w_ih, (GH, D)),
        ("w_hh", w_hh, (GH, P)),
        ("b_ih", b_ih, (GH,)),
        ("b_hh", b_hh, (GH,)),
        ("w_hr", w_hr, (P, H)),
    ):
        if t is not None and (t.shape != shape or t.dtype != dtype):
            raise ConfigError(
                f"{name} must have the shape {shape} and the type {dtype}, got {tuple(t.shape)} and {t.dtype}",
                fix="give weights and states that fit x in width, rows and type",
            )
    for name, t in (("lengths", lengths), ("column", column)):
        if t is not None and t.shape != (B,):
            raise ConfigError(f"{name} must have the shape {(B,)}, got {tuple(t.shape)}", fix="give one number a row")
    if base is not None and base.dim() != 1:
        raise ConfigError(f"base must have one axis, got the shape {tuple(base.shape)}", fix="give one number a step")


def check_backward(call: Call, y: Tensor, saved: Tensor, count: int, gradients: Sequence[Tensor | None]) -> None:
    """Check that the backward kernel can read what forward returned for a call, and the gradients of its results.

    Args:
        call: The call.
        y: The outputs.
        saved: What forward saved.
        count: How many numbers it saves for such a call.
        gradients: The gradients of y, h_n and c_n, or None for zero.

    Raises:
        ConfigError: A tensor has another shape or type.
    """
    h0, c0 = call.h0, call.c0
    outputs = (*call.x.shape[:-1], h0.shape[-1])
    dy, dh_n, dc_n = gradients
    for name, t, shape in (
        ("y", y, outputs),
        ("saved", saved, (count,)),
        ("dy", dy, outputs),
        ("dh_n", dh_n, h0.shape),
        ("dc_n", dc_n, (0,) if c0 is None else c0.shape),
    ):
        if t is not None and (t.shape != shape or t.dtype != call.x.dtype):
            raise ConfigError(
                f"{name} must have the shape {tuple(shape)} and the type {call.x.dtype}, "
                f"got {tuple(t.shape)} and {t.dtype}",
                fix="give what ostinato::recurrence returned for this call, and gradients of those shapes and types",
            )


class Sizes(NamedTuple):
    """What the shapes and types of a call decide; it is found once for all calls that have the same.

    Attributes:
        description: The sizes as the extension takes them: B, T, places, D, H, P and reverse.
        bits: The size of a number in bits, 32 or 64.
    """

    description: tuple[int, int, int, int, int, int, bool]
    bits: int


#: The count of numbers from which a buffer comes from the pool; for smaller ones the allocator of torch is as fast.
LARGE = 1 << 16

#: The sizes of calls by what they depend on. Nothing in it depends on values, devices or addresses.
_KNOWN: dict[tuple[Any, ...], Sizes] = {}
#: How many sizes are kept at most: each length of a batch has its own.
_MOST = 1024


def sizes_of(call: Call) -> Sizes:  # noqa: PLR0914 - one name for each field
    """Return the sizes of a call, and check at the first call of these shapes and types that the kernels can read them.

    Raises:
        ConfigError: As ``check``.
    """
    cell, x, h0, c0, w_ih, w_hh, b_ih, b_hh, w_hr, lengths, base, column, reverse = call
    # written out: every call of the operators comes through here, and a loop takes twice as long
    key = (
        cell,
        reverse,
        x.dtype,
        x.shape,
        h0.dtype,
        h0.shape,
        None if c0 is None else (c0.dtype, c0.shape),
        w_ih.dtype,
        w_ih.shape,
        w_hh.dtype,
        w_hh.shape,
        None if b_ih is None else (b_ih.dtype, b_ih.shape),
        None if b_hh is None else (b_hh.dtype, b_hh.shape),
        None if w_hr is None else (w_hr.dtype, w_hr.shape),
        None if lengths is None else lengths.shape,
        None if base is None else base.shape,
        None if column is None else column.shape,
    )
    known = _KNOWN.get(key)
    if known is not None:
        return known
    check(call)
    (B, P), T, bits = h0.shape[-2:], len(x if base is None else base), 8 * x.element_size()
    description = B, T, call.places, x.shape[-1], call.hidden, P, reverse
    sizes = Sizes(description, bits)
    if len(_KNOWN) >= _MOST:
        _KNOWN.clear()
    _KNOWN[key] = sizes
    return sizes
