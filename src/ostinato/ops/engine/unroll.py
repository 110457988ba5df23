"""One way into the engine for every cell, with the signature that the references have."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from ostinato.errors import ConfigError
from ostinato.ops.engine.call import Call
from ostinato.ops.engine.gradients import Eager, by_reference
from ostinato.ops.engine.operator import plain
from ostinato.ops.engine.places import Places
from ostinato.shapes import State

_PADDED = Places()


def unroll(
    cell: str,
    x: Tensor,
    state: State,
    w_ih: Tensor,
    w_hh: Tensor,
    b_ih: Tensor | None,
    b_hh: Tensor | None,
    places: Places = _PADDED,
    w_hr: Tensor | None = None,
    resets: Tensor | None = None,
) -> tuple[Tensor, State]:
    """X (T, B, D), or (places, D) with places.base -> h of every step, (T, B, P) or (places, P), and the last state.

    cell is the engine's name for it; state (h (B, P),) or (h, c); for the weights see Call. Raises ConfigError for what
    cannot be.

    resets (T, B) or (places,) bool: from a step so marked on, a row is another sequence, whose state starts from zero;
    a row whose first step is marked has no use for the state it is given. With places.reverse each of these sequences
    is run from its own end, and the row's last takes the state. How many there are is in the data, so torch.compile
    cannot take them into a graph.
    """
    if resets is not None:
        if resets.shape != x.shape[:-1]:
            raise ConfigError(f"resets has the shape {tuple(resets.shape)}", fix=f"it should be {tuple(x.shape[:-1])}")
        pieces = places.cut(resets, len(x if places.base is None else places.base), len(state[0]))
        starts = tuple(pieces.initial(s) for s in state)
        h, last = unroll(cell, x.flatten(0, -2), starts, w_ih, w_hh, b_ih, b_hh, pieces.places, w_hr)
        return h.view(*x.shape[:-1], h.shape[-1]), tuple(s[pieces.last] for s in last)
    h0, c0 = state if len(state) == 2 else (state[0], None)
    tensors = x, h0, c0, w_ih, w_hh, b_ih, b_hh, w_hr
    call = Call(cell, *tensors, places.lengths, places.base, places.column, places.reverse)
    save = torch.is_grad_enabled() and any(t is not None and t.requires_grad for t in tensors)
    results: Any
    if not unwatched(tensors):
        results = torch.ops.ostinato.recurrence(*call, save)
    elif save:
        results = Eager.apply(*tensors, call)  # type: ignore[no-untyped-call]
    else:
        results = plain(call)
    return results[0], (results[1],) if c0 is None else (results[1], results[2])


def specified(
    cell: str,
    x: Tensor,
    state: State,
    w_ih: Tensor,
    w_hh: Tensor,
    b_ih: Tensor | None,
    b_hh: Tensor | None,
    places: Places = _PADDED,
    w_hr: Tensor | None = None,
) -> tuple[Tensor, State]:
    """The same by the specification: for cells that torch has no operator for, where the engine cannot run."""
    h0, c0 = state if len(state) == 2 else (state[0], None)
    tensors = x, h0, c0, w_ih, w_hh, b_ih, b_hh, w_hr
    h, *last = by_reference(Call(cell, *tensors, places.lengths, places.base, places.column, places.reverse))
    return h, tuple(last)


#: What is left as it is: by tensors of other classes and under these modes the operators must be seen.
_PLAIN = {Tensor, torch.nn.Parameter, type(None)}


def unwatched(tensors: tuple[Tensor | None, ...]) -> bool:
    """Whether nobody watches the operators (a compiler, a transform, a mode, autocast): then they may be left out."""
    return not (
        torch.compiler.is_compiling()
        or torch.is_autocast_enabled("cpu")
        or torch._C._len_torch_dispatch_stack()
        or torch._C._are_functorch_transforms_active()
        or not _PLAIN.issuperset(map(type, tensors))
    )
