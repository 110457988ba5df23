"""The kernels as torch operators, for torch.compile: opaque nodes with the shapes of their results and a derivative.

Eager calls go through the shorter node of ``node.py``. Gradients of second order are not defined here: torch.compile
does not take them.
"""

from __future__ import annotations

import os
from typing import Any, NamedTuple

import torch
from torch import Tensor

from ostinato.ops.cuda import node, recurrence, support
from ostinato.ops.cuda.compiler import UnavailableError
from ostinato.ops.cuda.contract import FORMS, Variant
from ostinato.ops.cuda.rows import Rows
from ostinato.ops.cuda.unroll import check
from ostinato.ops.engine.places import Places
from ostinato.ops.variables import IMPLEMENTATION
from ostinato.shapes import State


class Given(NamedTuple):
    """The arguments of a call, in the order of the operator's schema.

    Attributes:
        cell: The name of the cell in the engine.
        x: The inputs, (T, B, D) or (places, D).
        h0: The hidden state before the first step, (B, H).
        c0: The cell state before the first step, (B, H); None for a cell of one state.
        w_ih: The input weights, (GH, D).
        w_hh: The recurrent weights, (GH, H).
        b_ih: The bias of the input side, (GH,), or None.
        b_hh: The bias of the recurrent side, (GH,), or None.
        lengths: The number of steps of each row, (B,), or None; see Places, as for the next three.
        base: The first place of each step, or None.
        column: The offset of each row, or None.
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
    lengths: Tensor | None
    base: Tensor | None
    column: Tensor | None
    reverse: bool

    @property
    def tensors(self) -> tuple[Tensor | None, ...]:
        """The tensors that have a gradient."""
        return self[1:8]

    def plan(self) -> node.Plan:
        """Return how the call is run."""
        places = Places(self.lengths, self.base, self.column, self.reverse)
        rows, hidden = self.h0.shape
        variant = Variant.of(self.cell, hidden, self.x.dtype, rows)
        return node.Plan(variant, Rows.of(places, self.x, rows), places)


_GIVEN = (
    "str cell, Tensor x, Tensor h0, Tensor? c0, Tensor w_ih, Tensor w_hh, Tensor? b_ih, Tensor? b_hh, "
    "Tensor? lengths, Tensor? base, Tensor? column, bool reverse"
)
_COUNT = len(Given._fields)
LIBRARY: Any = torch.library.Library("ostinato", "FRAGMENT")  # type: ignore[no-untyped-call]
LIBRARY.define(f"recurrence_on_card({_GIVEN}) -> (Tensor, Tensor, Tensor, Tensor, Tensor, Tensor, Tensor, Tensor)")
LIBRARY.define(
    f"recurrence_on_card_backward({_GIVEN}, Tensor kept, Tensor h_before, Tensor c_before, Tensor m, Tensor c_last, "
    "Tensor? dy, Tensor? dh_n, Tensor? dc_n) -> (Tensor, Tensor, Tensor, Tensor, Tensor, Tensor, Tensor)"
)


def forward(*args: Any) -> tuple[Tensor, ...]:
    """Run ``ostinato::recurrence_on_card``: y, h_n, c_n, and the five tensors of ``recurrence.Saved``."""
    given = Given._make(args)
    check(given.cell, given.tensors, Places(given.lengths, given.base, given.column, given.reverse))
    y, h_n, c_n, saved = node.run(given.plan(), *given.tensors, save=True)  # type: ignore[arg-type]
    # the results of an operator must not share memory
    return y, h_n, *(h_n.new_empty(0) if t is None or not t.numel() else t for t in (c_n, *saved))


def backward(*args: Any) -> tuple[Tensor, ...]:
    """Run ``ostinato::recurrence_on_card_backward``: the gradients of the tensors, empty for one that is not given."""
    given, saved, ends = Given._make(args[:_COUNT]), recurrence.Saved(*args[_COUNT : _COUNT + 5]), args[_COUNT + 5 :]
    needed = [t is not None for t in given.tensors]
    found = list(node.gradients(given.plan(), given.tensors, saved, ends, needed))
    if found[5] is not None and found[5] is found[6]:
        found[6] = found[5].clone()
    pairs = zip(found, given.tensors, strict=True)
    return tuple(given.x.new_empty(0) if t is None or d is None else d for d, t in pairs)


def _fake_forward(*args: Any) -> tuple[Tensor, ...]:
    """The results of forward by shape and type alone."""
    given = Given._make(args)
    form, (rows, H), x = FORMS[given.cell], given.h0.shape, given.x
    places = x.shape[0] * x.shape[1] if x.dim() == 3 else x.shape[0]
    wide = torch.float32
    return (
        x.new_empty(*x.shape[:-1], H),
        x.new_empty(rows, H),
        x.new_empty(0) if given.c0 is None else x.new_empty(rows, H),
        x.new_empty(places, form.kept * H),
        x.new_empty(places, H),
        x.new_empty((places, H) if form.cell_state else 0, dtype=wide if form.cell_state else x.dtype),
        x.new_empty((places, H) if form.late else 0),
        x.new_empty((rows, H) if form.cell_state else 0, dtype=wide if form.cell_state else x.dtype),
    )


def _fake_backward(*args: Any) -> tuple[Tensor, ...]:
    """The gradients by shape and type alone."""
    given = Given._make(args[:_COUNT])
    return tuple(given.x.new_empty(0) if t is None else torch.empty_like(t).contiguous() for t in given.tensors)


def _set_up(ctx: Any, inputs: tuple[Any, ...], output: tuple[Tensor, ...]) -> None:
    given = Given._make(inputs)
    ctx.cell, ctx.reverse = given.cell, given.reverse
    ctx.save_for_backward(*given.tensors, given.lengths, given.base, given.column, *output[3:])
    ctx.set_materialize_grads(False)


def _derivative(ctx: Any, *ends: Tensor | None) -> tuple[Any, ...]:
    kept = ctx.saved_tensors
    tensors, layout, saved = kept[:7], kept[7:10], kept[10:]
    dy, dh_n, dc_n = ends[:3]
    run = torch.ops.ostinato.recurrence_on_card_backward
    found = run(ctx.cell, *tensors, *layout, ctx.reverse, *saved, dy, dh_n, None if tensors[2] is None else dc_n)
    gradients = [d if t is not None and need else None
                 for d, t, need in zip(found, tensors, ctx.needs_input_grad[1:8], strict=True)]  # fmt: skip
    return None, *gradients, None, None, None, None


for _name, _compute, _fake in (
    ("recurrence_on_card", forward, _fake_forward),
    ("recurrence_on_card_backward", backward, _fake_backward),
):
    LIBRARY.impl(_name, _compute, "CUDA")
    torch.library.register_fake(f"ostinato::{_name}", _fake, lib=LIBRARY)
torch.library.register_autograd("ostinato::recurrence_on_card", _derivative, setup_context=_set_up, lib=LIBRARY)


def compiled(cell: str, hidden: int, dtype: torch.dtype) -> bool:
    """Return whether the kernels of a cell run on torch's current card, after they were compiled and loaded.

    The tracer of torch takes the answer for a constant (``nn.compiling``).

    Args:
        cell: The name of the cell in the engine.
        hidden: The number of hidden units.
        dtype: The type in which the call is computed.
    """
    name, _, option = cell.partition("_")
    facts = {"device": "cuda", "dtype": dtype, "hidden": hidden, "nonlinearity": option if name == "rnn" else "tanh"}
    if os.environ.get(IMPLEMENTATION) not in {None, "", "cuda"} or support.refusal(facts, traced=True) is not None:
        return False
    try:
        for rows in (1, 1 << 20):  # the variants for few rows and for many
            support.prepare(Variant.of(cell, hidden, dtype, rows), torch.cuda.current_device())
    except UnavailableError as error:
        support.step_back(error)
        return False
    return True


def traced(
    cell: str,
    x: Tensor,
    state: State,
    w_ih: Tensor,
    w_hh: Tensor,
    b_ih: Tensor | None,
    b_hh: Tensor | None,
    places: Places,
) -> tuple[Tensor, State]:
    """Return the outputs and the last state by the operator, in the type of autocast; arguments as in ``unroll``."""
    dtype = support.effective(x.dtype)
    h0, c0 = state[0], state[1] if len(state) > 1 else None
    tensors = [None if t is None else t.to(dtype) for t in (x, h0, c0, w_ih, w_hh, b_ih, b_hh)]
    layout = places.lengths, places.base, places.column
    y, h_n, c_n, *_ = torch.ops.ostinato.recurrence_on_card(cell, *tensors, *layout, places.reverse)
    return y, (h_n,) if c0 is None else (h_n, c_n)
