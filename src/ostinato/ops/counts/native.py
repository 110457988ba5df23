"""Adaptive counts by the compiled engine (csrc/counts.cpp). Same signature and result as the reference."""

from __future__ import annotations

from collections.abc import Mapping
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
    addresses = [(s.data_ptr() if s.numel() else 0, s.stride(0) * s.element_size()) for s in state]
    _engine.counts(
        (B, T, V, state.slots.shape[1]),
        [t.data_ptr() for t in tree],
        addresses,
        0 if lengths is None else lengths.data_ptr(),
        x.data_ptr(),
        0 if network is None else network.data_ptr(),
        0 if out is None else out.data_ptr(),
        0 if nats is None else nats.data_ptr(),
    )
    return out
