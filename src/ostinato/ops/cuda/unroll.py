"""One entry into the kernels for every cell, with the signature of the engine's."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from ostinato.errors import ConfigError
from ostinato.ops.cuda import support
from ostinato.ops.cuda.compiler import UnavailableError
from ostinato.ops.cuda.contract import CELLS, Variant
from ostinato.ops.cuda.node import Plan, Unrolled, run
from ostinato.ops.cuda.rows import Rows
from ostinato.ops.engine.places import Places
from ostinato.ops.weights import Weights
from ostinato.shapes import State

_PADDED = Places()


def unroll(
    cell: str,
    x: Tensor,
    state: State,
    weights: Weights,
    places: Places = _PADDED,
    *,
    resets: Tensor | None = None,
) -> tuple[Tensor, State] | None:
    """Run a cell over all steps of a batch by the kernels.

    Args:
        cell: The name of the cell in the engine.
        x: The inputs, (T, B, D); (places, D) if places.base is given.
        state: The state before the first step: h (B, H), and c (B, H) for a cell of two states.
        weights: The weights of the cell; no kernel projects.
        places: The layout of the steps of each row in x, on the host or on the device.
        resets: The steps at which a row starts anew; see the engine's ``unroll``. Their number decides the sizes, so
            the host waits for them.

    Returns:
        The outputs h, (T, B, H) or (places, H), and the state after the last step of each row. None if the kernels
        cannot take this call: torch traces or transforms it, tensors differ in type or device, or they do not run here.
    """
    if resets is not None:
        steps = len(x if places.base is None else places.base)
        pieces = places.cut(resets, steps, len(state[0]))
        takes, row, last_piece = (t.to(x.device) for t in (pieces.takes, pieces.row, pieces.last))
        starts = tuple(torch.where(takes[:, None], s[row], 0) for s in state)
        found = unroll(cell, x.flatten(0, -2), starts, weights, pieces.places)
        if found is None:
            return None
        h, last = found
        return h.view(*x.shape[:-1], h.shape[-1]), tuple(s[last_piece] for s in last)
    tensors: Any = support.common((x, *state, *weights[:4])) if weights.w_hr is None else None
    if tensors is None:
        return None
    given = tensors if len(state) == 2 else [*tensors[:2], None, *tensors[2:]]
    check(cell, given, places)
    try:
        y, h_n, c_n = _results(cell, given, places)
    except UnavailableError as error:
        support.step_back(error)
        return None
    return y, (h_n,) if c_n is None else (h_n, c_n)


def _results(cell: str, given: Any, places: Places) -> Any:
    """Return y, h_n and c_n, given x, h0, c0, w_ih, w_hh, b_ih and b_hh.

    Raises:
        UnavailableError: The kernels do not run on this machine.
    """
    x, h0, *_ = given
    variant = Variant.of(cell, h0.shape[-1], x.dtype, len(h0))
    support.prepare(variant, x.device.index)
    plan = Plan(variant, Rows.of(places, x, len(h0)), places)
    if torch.is_grad_enabled() and any(t is not None and t.requires_grad for t in given):
        return Unrolled.apply(*given, plan)  # type: ignore[no-untyped-call]
    return run(plan, given)[:3]


def check(cell: str, given: Any, places: Places) -> None:
    """Raise ConfigError if a shape does not fit the others: the kernels would read at wrong addresses."""
    x, h0, c0, w_ih, w_hh, b_ih, b_hh = given
    traits, (B, H), D = CELLS[cell], h0.shape, x.shape[-1]
    GH = traits.gates * H
    if (c0 is not None) != traits.cell_state:
        raise ConfigError(
            f"{cell} has {1 + traits.cell_state} states, got {1 + (c0 is not None)}", fix="give its states"
        )
    for name, t, shape in (
        ("x", x, (len(x), B, D) if places.base is None else (len(x), D)),
        ("c0", c0, (B, H)),
        ("w_ih", w_ih, (GH, D)),
        ("w_hh", w_hh, (GH, H)),
        ("b_ih", b_ih, (GH,)),
        ("b_hh", b_hh, (GH,)),
        ("lengths", places.lengths, (B,)),
        ("column", places.column, (B,)),
    ):
        if t is not None and t.shape != shape:
            raise ConfigError(
                f"{name} must have the shape {shape}, got {tuple(t.shape)}",
                fix="give weights, states and lengths that fit x in width and rows",
            )
