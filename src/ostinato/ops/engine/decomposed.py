"""The cells of the engine in operators of torch, for calls that no kernel can see into: by their references."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor

from ostinato.ops.engine.call import Call
from ostinato.ops.engine.places import Places
from ostinato.ops.gru import reference as gru_reference
from ostinato.ops.lstm import reference as lstm_reference
from ostinato.ops.rnn import reference as rnn_reference

#: The reference of each cell of the engine, and the options that the reference takes in addition to the weights.
REFERENCES: dict[str, tuple[Callable[..., Any], dict[str, Any]]] = {
    **{f"rnn_{f}": (rnn_reference.unroll, {"nonlinearity": f}) for f in rnn_reference.NONLINEARITIES},
    "gru": (gru_reference.unroll, {}),
    "gru_before": (gru_reference.unroll, {"reset_after": False}),
    "lstm": (lstm_reference.unroll, {}),
    "lstm_projected": (lstm_reference.unroll, {}),
}


def by_reference(call: Call) -> tuple[Tensor, ...]:
    """Return the results of a call by the reference: y, h_n, and c_n for a cell of two states."""
    reference, options = REFERENCES[call.cell]
    if call.h0.dim() == 3:
        y, *ends = by_reference(call._replace(h0=call.h0[0], c0=None if call.c0 is None else call.c0[0]))
        return y, *[s[None] for s in ends]
    state = (call.h0,) if call.c0 is None else (call.h0, call.c0)

    def unroll(x: Tensor, lengths: Tensor | None) -> tuple[Tensor, tuple[Tensor, ...]]:
        h, last = reference(x, state, call.weights, lengths, **options)
        return h, last

    if call.base is None and call.column is None and (call.lengths is None or not call.reverse):
        h, last = unroll(call.x.flip(0) if call.reverse else call.x, call.lengths)
        if call.lengths is not None:
            t = torch.arange(len(h), device=call.lengths.device)[:, None]
            h = torch.where((t < call.lengths).to(h.device)[..., None], h, 0)
        return h.flip(0) if call.reverse else h, *last
    steps = len(call.x if call.base is None else call.base)
    index, exists = Places(call.lengths, call.base, call.column, call.reverse).index(steps, len(call.h0))
    flat = call.x.reshape(-1, call.x.shape[-1])
    h, last = unroll(flat[index], exists.sum(0))
    t, b = exists.nonzero(as_tuple=True)
    y = flat.new_zeros(len(flat), call.h0.shape[1]).index_put((index[t, b],), h[t, b])
    return y.reshape(*call.x.shape[:-1], y.shape[-1]), *last


def in_float32(function: Callable[..., Any]) -> Callable[..., Any]:
    """Return a function of tensors that runs in float32 under autocast, as the operators of the engine do."""

    def run(*tensors: Tensor | None) -> Any:
        if not torch.is_autocast_enabled("cpu"):
            return function(*tensors)
        wide = [t.float() if t is not None and t.dtype in _NARROW else t for t in tensors]
        with torch.autocast("cpu", enabled=False):
            return function(*wide)

    return run


_NARROW = (torch.float16, torch.bfloat16)


def gradients_of(
    function: Callable[..., Sequence[Tensor]],
    inputs: Sequence[Tensor | None],
    output_gradients: Sequence[Tensor | None],
    needed: Sequence[bool],
) -> list[Tensor | None]:
    """Return the gradients of a function in operators of torch, themselves differentiable to any order.

    Args:
        function: The function of all inputs; it returns one tensor for each output gradient.
        inputs: The inputs, None for those that the call does not have.
        output_gradients: The gradients of the results, None for zero. They may be batched or have tangents.
        needed: For each input whether its gradient is needed.

    Returns:
        The gradient of each input, or None if it is not needed.
    """
    wanted = [i for i, (t, need) in enumerate(zip(inputs, needed, strict=True)) if t is not None and need]

    def of_wanted(*given: Tensor) -> tuple[Tensor, ...]:
        every = list(inputs)
        for i, t in zip(wanted, given, strict=True):
            every[i] = t
        return tuple(function(*every)[: len(output_gradients)])

    found = _pulled_back if torch._C._are_functorch_transforms_active() else _differentiated
    gradients = iter(found(of_wanted, [t for i in wanted if (t := inputs[i]) is not None], output_gradients))
    return [next(gradients) if i in wanted else None for i in range(len(inputs))]


def gradients_of_gradients(
    function: Callable[..., Sequence[Tensor]],
    inputs: Sequence[Tensor | None],
    output_gradients: Sequence[Tensor | None],
    moved: Sequence[Tensor | None],
    needed: Sequence[bool],
) -> list[Tensor | None]:
    """Return the gradients of ``gradients_of``.

    Args:
        function: The function, as in ``gradients_of``.
        inputs: The inputs, as in ``gradients_of``.
        output_gradients: The gradients of the results, as in ``gradients_of``.
        moved: The gradients of the gradient of each input, None for zero.
        needed: For each input and then for each output gradient, whether its gradient is needed.

    Returns:
        The gradient of each input and then of each output gradient, or None if it is not needed.
    """
    count = len(inputs)
    kept = [t is not None and m is not None for t, m in zip(inputs, moved, strict=True)]

    def first(*given: Tensor | None) -> list[Tensor]:
        found = gradients_of(function, given[:count], given[count:], kept)
        return [g for g in found if g is not None]

    directions = [m for m, keep in zip(moved, kept, strict=True) if keep]
    return gradients_of(first, (*inputs, *output_gradients), directions, needed)


def _pulled_back(
    function: Callable[..., tuple[Tensor, ...]], inputs: list[Tensor], output_gradients: Sequence[Tensor | None]
) -> Sequence[Tensor]:
    """Return the gradients inside of a transform of torch.func, where no tensor may be made a leaf."""
    results, pull, *_ = torch.func.vjp(function, *inputs)
    given = zip(results, output_gradients, strict=True)
    pulled: Sequence[Tensor] = pull(tuple(torch.zeros_like(r) if d is None else d for r, d in given))
    return pulled


def _differentiated(
    function: Callable[..., tuple[Tensor, ...]], inputs: list[Tensor], output_gradients: Sequence[Tensor | None]
) -> Sequence[Tensor]:
    """Return the gradients by autograd; they keep their graph if the caller has gradients enabled."""
    keep = torch.is_grad_enabled()
    with torch.enable_grad():
        # views, so that an input that depends on another one counts on its own, and tangents are kept
        views = [t.view_as(t) for t in inputs]
        leaves = [t if t.requires_grad else t.requires_grad_() for t in views]
        results = function(*leaves)
        pairs = [(r, d) for r, d in zip(results, output_gradients, strict=True) if d is not None and r.requires_grad]
        if not pairs:
            return [torch.zeros_like(t) for t in inputs]
        return torch.autograd.grad(
            [r for r, _ in pairs],
            leaves,
            [d for _, d in pairs],
            create_graph=keep,
            allow_unused=True,
            materialize_grads=True,
        )
