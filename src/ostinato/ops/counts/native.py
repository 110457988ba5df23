"""Adaptive counts by the compiled engine (csrc/counts.cpp). Same signature and result as the reference."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor

from ostinato.ops.counts.form import CountsState
from ostinato.ops.engine import extension
from ostinato.ops.engine.extension import ABSENT

if not ABSENT:
    from ostinato.ops.engine import _engine


def refusal(facts: Mapping[str, Any]) -> str | None:
    """Return the reason why the engine cannot run, or None if it can; see ``extension.refusal``."""
    if not ABSENT and not hasattr(_engine, "counts"):
        return "the compiled engine is older than the package: install the package again"
    return extension.refusal(facts)


def unroll_(
    tree: tuple[Tensor, ...],
    x: Tensor,
    network: Tensor | None,
    state: CountsState,
    lengths: Tensor | None = None,
    *,
    quiet: bool = False,
    nats: Tensor | None = None,
) -> Tensor | None:
    """Unroll adaptive counts in place by the engine; arguments are those of the reference."""
    T, B = x.shape
    V = len(tree[-1])
    out = None if quiet else torch.zeros(T, B, V)
    # the names keep the copies alive while the kernel runs
    x = x.contiguous()
    network = None if network is None else network.float().contiguous()
    lengths = None if lengths is None else lengths.contiguous()
    _engine.counts(
        (B, T, V, state.slots.shape[1]),
        [t.data_ptr() for t in tree],
        _rows(state),
        0 if lengths is None else lengths.data_ptr(),
        x.data_ptr(),
        0 if network is None else network.data_ptr(),
        0 if out is None else out.data_ptr(),
        0 if nats is None else nats.data_ptr(),
    )
    return out


def bound(
    tree: tuple[Tensor, ...], x: Tensor, network: Tensor | None, state: CountsState, out: Tensor | None
) -> Callable[[], None]:
    """Return a function that makes one step of B rows on these tensors, which must not move and which it keeps alive.

    Args:
        tree: The arrays of ``form.Tree``, and the letter of each symbol, (V,).
        x: The symbol before the step, which is read again each time; V at a start, (B,), int64 and contiguous.
        network: The log probabilities of a network for the symbol of the step, (B, V), float32 and contiguous, or None.
        state: The state, which moves on in place.
        out: Where the log probabilities of the next symbols go, (B, V), float32 and contiguous; None to leave them out.
    """
    sizes = (len(x), 1, len(tree[-1]), state.slots.shape[1])
    trees, rows, run = [t.data_ptr() for t in tree], _rows(state), _engine.counts
    places = x.data_ptr(), 0 if network is None else network.data_ptr(), 0 if out is None else out.data_ptr()

    def step(_kept_alive: object = (tree, x, network, state, out)) -> None:
        run(sizes, trees, rows, 0, *places, 0)

    return step


def _rows(state: CountsState) -> list[tuple[int, int]]:
    """Return the address of each tensor of a state, 0 for an empty one, and the bytes from row to row."""
    return [(s.data_ptr() if s.numel() else 0, s.stride(0) * s.element_size()) for s in state]
