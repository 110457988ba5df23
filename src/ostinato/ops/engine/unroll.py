"""One entry into the engine for every cell, with the signature that the references have."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.compiler import is_compiling

from ostinato.errors import ConfigError
from ostinato.ops.engine.call import Call
from ostinato.ops.engine.decomposed import by_reference
from ostinato.ops.engine.extension import ABSENT
from ostinato.ops.engine.gate import Way, way
from ostinato.ops.engine.gradients import apply_eager, decomposed
from ostinato.ops.engine.layer import LayerForm, joined, run_forward
from ostinato.ops.engine.places import Places
from ostinato.ops.weights import Weights
from ostinato.shapes import State

if not ABSENT:
    from ostinato.ops.engine import _engine

_PADDED = Places()


def unroll(
    cell: str,
    x: Tensor,
    state: State,
    weights: Weights,
    places: Places = _PADDED,
    *,
    resets: Tensor | None = None,
) -> tuple[Tensor, State]:
    """Run a cell over all steps of a batch by the engine.

    Args:
        cell: The name of the cell in the engine.
        x: The inputs, (T, B, D); (places, D) if places.base is given.
        state: The state before the first step: h (B, P), and c (B, H) for a cell of two states. They may have an axis
            of 1 in front; the last states have it too then.
        weights: The weights of the cell.
        places: The layout of the steps of each row in x.
        resets: The steps at which a row starts anew, (T, B) or (places,), bool. From a marked step on, the row is
            another sequence, whose state starts from zero; a row whose first step is marked ignores the state that is
            given. With places.reverse each of these sequences runs from its own end, and the last one of a row takes
            the state. The number of sequences depends on the data, so torch.compile cannot trace resets.

    Returns:
        The outputs h, (T, B, P) or (places, P), and the state after the last step of each row.

    Raises:
        ConfigError: The cell is unknown, or a shape, a type, a length or a place does not fit the others.
    """
    if resets is not None:
        if resets.shape != x.shape[:-1]:
            raise ConfigError(
                f"resets must have the shape {tuple(x.shape[:-1])}, got {tuple(resets.shape)}",
                fix="give one value for each step of x",
            )
        pieces = places.cut(resets, len(x if places.base is None else places.base), len(state[0]))
        starts = tuple(pieces.initial(s) for s in state)
        h, last = unroll(cell, x.flatten(0, -2), starts, weights, pieces.places)
        return h.view(*x.shape[:-1], h.shape[-1]), tuple(s[pieces.last] for s in last)
    h0, c0 = state if len(state) == 2 else (state[0], None)
    layout = places.lengths, places.base, places.column
    y, h_n, c_n = run_layer((x, h0, c0, *weights), LayerForm(cell, layout, (places.reverse,)))
    return y, (h_n,) if c0 is None else (h_n, c_n)


def unroll_both(
    cell: str, x: Tensor, state: State, weights: tuple[Weights, Weights], places: Places = _PADDED
) -> tuple[Tensor, State]:
    """Run a layer of two directions, which read the same inputs, over all steps of a batch by the engine.

    Args:
        cell: The name of the cell in the engine.
        x: The inputs, (T, B, D); (places, D) if places.base is given.
        state: The states of both directions: h (2, B, P), and c (2, B, H) for a cell of two states.
        weights: The weights of the first and of the second direction.
        places: The layout of the steps of each row in x. The second direction runs from the last step to the first.

    Returns:
        The outputs of both directions side by side, (T, B, 2 P) or (places, 2 P), and the states after the last step.

    Raises:
        ConfigError: As ``unroll``.
    """
    h0, c0 = state if len(state) == 2 else (state[0], None)
    layout = places.lengths, places.base, places.column
    y, h_n, c_n = run_layer((x, h0, c0, *weights[0], *weights[1]), LayerForm(cell, layout, (False, True)))
    return y, (h_n,) if c0 is None else (h_n, c_n)


def run_plain(tensors: tuple[Any, ...], form: LayerForm) -> Any:
    """Return y, h_n and c_n of a layer by its kernel; None unless the engine finds all plain (csrc/tensors.h)."""
    passes = 0 if ABSENT else _engine.gate(tensors, form[1])
    if passes == 2:
        return apply_eager(*tensors, form)
    return run_forward(form, tensors, False) if passes else None


def run_layer(tensors: tuple[Any, ...], form: LayerForm) -> tuple[Tensor, Tensor, Any]:
    """Return y, h_n and c_n of a layer in the way that the gate finds; c_n counts for a cell of two states alone."""
    results = None if is_compiling() else run_plain(tensors, form)
    if results is not None:
        return results[0], results[1], results[2]
    save = torch.is_grad_enabled() and any(t is not None and t.requires_grad for t in tensors)
    how = way((*tensors, *form.layout), saves=save)
    if how is Way.KERNEL:
        results = apply_eager(*tensors, form) if save else run_forward(form, tensors, False)
    elif how is Way.OPERATOR:
        results = joined([torch.ops.ostinato.recurrence(*call, save)[:3] for call in form.calls(tensors)])
    else:
        results = joined([decomposed(call) for call in form.calls(tensors)])
    return results[0], results[1], results[2]


def specified(
    cell: str,
    x: Tensor,
    state: State,
    weights: Weights,
    places: Places = _PADDED,
) -> tuple[Tensor, State]:
    """Run a cell over all steps of a batch by its reference, for cells without an operator in torch.

    Args:
        cell: The name of the cell in the engine.
        x: The inputs, (T, B, D); (places, D) if places.base is given.
        state: The state before the first step: h (B, P), and c (B, H) for a cell of two states.
        weights: The weights of the cell.
        places: The layout of the steps of each row in x.

    Returns:
        The outputs h, (T, B, P) or (places, P), and the state after the last step of each row.
    """
    h0, c0 = state if len(state) == 2 else (state[0], None)
    h, *last = by_reference(Call(cell, x, h0, c0, *weights, places.lengths, places.base, places.column, places.reverse))
    return h, tuple(last)
