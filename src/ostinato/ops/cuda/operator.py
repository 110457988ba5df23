"""The kernels as torch operators, for torch.compile: opaque nodes with the shapes of their results and a derivative.

Eager calls go through the shorter node of ``node.py``. Gradients of second order are not defined here: torch.compile
does not take them.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from ostinato.ops.cuda import node, recurrence, support
from ostinato.ops.cuda.compiler import UnavailableError
from ostinato.ops.cuda.contract import CELLS, Variant
from ostinato.ops.cuda.rows import Rows
from ostinato.ops.cuda.unroll import check
from ostinato.ops.engine.call import Call
from ostinato.ops.engine.places import Places
from ostinato.ops.variables import IMPLEMENTATION
from ostinato.ops.weights import Weights
from ostinato.shapes import State

# the fields of Call, in their order, without the projection, which no kernel computes
_GIVEN = (
    "str cell, Tensor x, Tensor h0, Tensor? c0, Tensor w_ih, Tensor w_hh, Tensor? b_ih, Tensor? b_hh, "
    "Tensor? lengths, Tensor? base, Tensor? column, bool reverse"
)
_TENSORS, _COUNT = 7, 12
LIBRARY: Any = torch.library.Library("ostinato", "FRAGMENT")  # type: ignore[no-untyped-call]
LIBRARY.define(f"recurrence_on_card({_GIVEN}) -> (Tensor, Tensor, Tensor, Tensor, Tensor, Tensor, Tensor, Tensor)")
LIBRARY.define(
    f"recurrence_on_card_backward({_GIVEN}, Tensor kept, Tensor h_before, Tensor c_before, Tensor m, Tensor c_last, "
    "Tensor? dy, Tensor? dh_n, Tensor? dc_n) -> (Tensor, Tensor, Tensor, Tensor, Tensor, Tensor, Tensor)"
)


def call_of(arguments: Sequence[Any]) -> Call:
    """Return the call that the first arguments of an operator are."""
    cell, *tensors = arguments[: 1 + _TENSORS]
    return Call._make((cell, *tensors, None, *arguments[1 + _TENSORS : _COUNT]))


def _places(call: Call) -> Places:
    return Places(call.lengths, call.base, call.column, call.reverse)


def _plan(call: Call) -> node.Plan:
    """Return how a call is run."""
    places, rows = _places(call), call.rows
    return node.Plan(Variant.of(call.cell, call.hidden, call.x.dtype, rows), Rows.of(places, call.x, rows), places)


def forward(*args: Any) -> tuple[Tensor, ...]:
    """Run ``ostinato::recurrence_on_card``: y, h_n, c_n, and the five tensors of ``recurrence.Saved``."""
    call = call_of(args)
    tensors = call.tensors[:_TENSORS]
    check(call.cell, tensors, _places(call))
    y, h_n, c_n, saved = node.run(_plan(call), tensors, save=True)
    # the results of an operator must not share memory
    return y, h_n, *(h_n.new_empty(0) if t is None or not t.numel() else t for t in (c_n, *saved))


def backward(*args: Any) -> tuple[Tensor, ...]:
    """Run ``ostinato::recurrence_on_card_backward``: the gradients of the tensors, empty for one that is not given."""
    call, saved, ends = call_of(args), recurrence.Saved(*args[_COUNT : _COUNT + 5]), args[_COUNT + 5 :]
    tensors = call.tensors[:_TENSORS]
    found = list(node.gradients(_plan(call), tensors, saved, ends, [t is not None for t in tensors]))
    if found[5] is not None and found[5] is found[6]:
        found[6] = found[5].clone()
    return tuple(call.x.new_empty(0) if t is None or d is None else d for d, t in zip(found, tensors, strict=True))


def _fake_forward(*args: Any) -> tuple[Tensor, ...]:
    """The results of forward by shape and type alone."""
    call = call_of(args)
    traits, (rows, H), x, places = CELLS[call.cell], call.h0.shape, call.x, call.places
    wide = torch.float32
    return (
        x.new_empty(*x.shape[:-1], H),
        x.new_empty(rows, H),
        x.new_empty(0) if call.c0 is None else x.new_empty(rows, H),
        x.new_empty(places, traits.kept * H),
        x.new_empty(places, H),
        x.new_empty((places, H) if traits.cell_state else 0, dtype=wide if traits.cell_state else x.dtype),
        x.new_empty((places, H) if traits.late else 0),
        x.new_empty((rows, H) if traits.cell_state else 0, dtype=wide if traits.cell_state else x.dtype),
    )


def _fake_backward(*args: Any) -> tuple[Tensor, ...]:
    """The gradients by shape and type alone."""
    x, *_ = tensors = call_of(args).tensors[:_TENSORS]
    assert x is not None
    return tuple(
        x.new_empty(0) if t is None else torch.empty_like(t, memory_format=torch.contiguous_format) for t in tensors
    )


def _set_up(ctx: Any, inputs: tuple[Any, ...], output: tuple[Tensor, ...]) -> None:
    call = call_of(inputs)
    ctx.cell, ctx.reverse = call.cell, call.reverse
    ctx.save_for_backward(*call.tensors[:_TENSORS], *call.layout, *output[3:])
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
    """Compile and load the kernels of a cell, and return whether they run on torch's current GPU.

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
    weights: Weights,
    places: Places,
) -> tuple[Tensor, State]:
    """Return the outputs and the last state by the operator, in the type of autocast; arguments as in ``unroll``."""
    dtype = support.effective(x.dtype)
    h0, c0 = state[0], state[1] if len(state) > 1 else None
    tensors = [None if t is None else t.to(dtype) for t in (x, h0, c0, *weights[:4])]
    layout = places.lengths, places.base, places.column
    y, h_n, c_n, *_ = torch.ops.ostinato.recurrence_on_card(cell, *tensors, *layout, places.reverse)
    return y, (h_n,) if c0 is None else (h_n, c_n)
