"""Adaptive counts by the compiled engine (csrc/counts.cpp). Same signature and result as the reference."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ostinato.errors import ConfigError
from ostinato.numbers import counted
from ostinato.ops.counts.form import CountsState, form_of, shapes_of, vocabulary_of
from ostinato.ops.engine import extension
from ostinato.ops.engine.extension import ABSENT

if not ABSENT:
    from ostinato.ops.engine import _engine

_FIX = "give a state that initial_state made, on the processor, as owned returns it"
#: The types of the parts of a state: the engine reads them at their addresses.
_TYPES = (
    torch.float32,
    torch.int64,
    torch.float32,
    torch.int32,
    *[torch.float32] * 4,
    torch.int32,
    torch.int32,
    torch.float32,
)
#: The parts of a state that change in a row that does not learn.
_SMALL = 3


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
    """Unroll adaptive counts in place by the engine; arguments are those of the reference.

    Raises:
        ConfigError: The engine cannot take a tensor as it lies in memory.
    """
    T, B = x.shape
    V = vocabulary_of(tree)
    # the names keep the copies alive while the kernel runs
    x = _whole("the symbols", x.contiguous(), torch.int64, (T, B))
    if network is not None:
        network = _whole("the log probabilities of the network", network.float().contiguous(), torch.float32, (T, B, V))
    if lengths is not None:
        lengths = _whole("the lengths", lengths.contiguous(), torch.int64, (B,))
        if B and not 0 <= int(lengths.min()) <= int(lengths.max()) <= T:
            raise ConfigError(
                f"a length is not from 0 to the {counted(T, 'step')} of the symbols", fix="give such lengths"
            )
    if nats is not None:
        _whole("the nats", nats, torch.float64, (T, B))
    check_state(state, B, V, form_of(tree))
    out = None if quiet else torch.zeros(T, B, V)
    _engine.counts(
        (B, T, V, state.slots.shape[1]),
        [t.data_ptr() for t in tree],
        _addresses(state),
        0 if lengths is None else lengths.data_ptr(),
        x.data_ptr(),
        0 if network is None else network.data_ptr(),
        0 if out is None else out.data_ptr(),
        0 if nats is None else nats.data_ptr(),
    )
    return out


@final
class Row:
    """One row of counts that moves on in place, with NumPy arrays alone in the loop.

    Args:
        tree: The tree of the counts.
        state: The state of one row, from ``owned``.
    """

    def __init__(self, tree: tuple[Tensor, ...], state: CountsState) -> None:
        self._kept, self._vocabulary = (tree, state), vocabulary_of(tree)
        check_state(state, 1, self._vocabulary, form_of(tree))
        self._slots = state.slots.shape[1]
        self._tree, self._state = [t.data_ptr() for t in tree], _addresses(state)
        # one step at a time has memory of its own, because an address takes NumPy longer than a copy
        self._symbol, self._ahead = np.zeros(1, dtype=np.int64), np.zeros((1, self._vocabulary), dtype=np.float32)
        self._places = self._symbol.ctypes.data, self._ahead.ctypes.data

    def after(self, symbols: NDArray[np.int64], network: NDArray[np.float32] | None = None) -> NDArray[np.float32]:
        """Learn symbols and return the log probabilities of what follows each of them, (n, V).

        Args:
            symbols: The symbols, (n,); V at the start of a sequence.
            network: The log probabilities of the network for what follows each, (n, V).
        """
        n, V = len(symbols), self._vocabulary
        if n == 1 and network is None:
            self._symbol[0] = symbols[0]
            x_at, out_at = self._places
            _engine.counts((1, 1, V, self._slots), self._tree, self._state, 0, x_at, 0, out_at, 0)
            return self._ahead.copy()
        x = np.ascontiguousarray(symbols, dtype=np.int64)
        given = None if network is None else np.ascontiguousarray(network, dtype=np.float32).reshape(n, V)
        out = np.empty((n, V), dtype=np.float32)
        where = 0 if given is None else given.ctypes.data
        sizes = (1, n, V, self._slots)
        _engine.counts(sizes, self._tree, self._state, 0, x.ctypes.data, where, out.ctypes.data, 0)
        return out


def bound(
    tree: tuple[Tensor, ...], x: Tensor, network: Tensor | None, state: CountsState, out: Tensor | None
) -> Callable[[], None]:
    """Return a function that makes one step of B rows on these tensors, which must not move and which it keeps alive.

    Args:
        tree: The arrays of the counts (see ``reference.unroll_``).
        x: The symbol before the step, which is read again each time; V at a start, (B,), int64 and contiguous.
        network: The log probabilities of a network for the symbol of the step, (B, V), float32 and contiguous, or None.
        state: The state, which moves on in place.
        out: Where the log probabilities of the next symbols go, (B, V), float32 and contiguous; None to leave them out.

    Raises:
        ConfigError: The engine cannot take a tensor as it lies in memory.
    """
    V = vocabulary_of(tree)
    check_state(state, len(x), V, form_of(tree))
    _whole("the symbols", x, torch.int64, (len(x),))
    for name, t in (("network", network), ("next symbols", out)):
        if t is not None:
            _whole(f"the log probabilities of the {name}", t, torch.float32, (len(x), V))
    sizes = (len(x), 1, V, state.slots.shape[1])
    trees, rows, run = [t.data_ptr() for t in tree], _addresses(state), _engine.counts
    places = x.data_ptr(), 0 if network is None else network.data_ptr(), 0 if out is None else out.data_ptr()

    def step(_kept_alive: object = (tree, x, network, state, out)) -> None:
        run(sizes, trees, rows, 0, *places, 0)

    return step


def check_state(state: CountsState, rows: int, vocabulary: int, form: int) -> None:
    """Check that the engine may read and write a state at its addresses.

    Raises:
        ConfigError: A part has another type, shape, device or layout, or rows that learn share memory.
    """
    shapes, learns = shapes_of(state, vocabulary, form), None
    parts = zip(state._fields, state, _TYPES, shapes, strict=False)  # earlier forms have fewer
    for i, (name, part, dtype, shape) in enumerate(parts):
        _typed(f"the {name} of the state", part, dtype, (rows, *shape))
        if not part.is_contiguous():
            if not all(row.is_contiguous() for row in part[:1]):
                raise ConfigError(f"a row of the {name} of the state does not lie in one piece", fix=_FIX)
            if rows > 1 and part.numel() and part.stride(0) < part[0].numel():
                learns = bool(state.rate[:, 0].any()) if learns is None else learns
                if learns or i < _SMALL:
                    raise ConfigError(f"rows that change share the {name} of the state", fix=_FIX)


def _addresses(state: CountsState) -> list[tuple[int, int]]:
    """Return the address of each part, and the bytes from one row to the next; 0 for an empty part."""
    return [(s.data_ptr() if s.numel() else 0, s.stride(0) * s.element_size()) for s in state]


def _typed(name: str, tensor: Tensor, dtype: torch.dtype, shape: tuple[int, ...]) -> None:
    if tensor.dtype != dtype or tensor.shape != shape or not tensor.is_cpu or tensor.layout != torch.strided:
        kind = f"{tensor.dtype} {tuple(tensor.shape)} on {tensor.device}".replace("torch.", "")
        wanted = f"{dtype} {shape} on cpu".replace("torch.", "")
        raise ConfigError(f"{name}: got {kind}, expected {wanted}", fix=_FIX)


def _whole(name: str, tensor: Tensor, dtype: torch.dtype, shape: tuple[int, ...]) -> Tensor:
    _typed(name, tensor, dtype, shape)
    if not tensor.is_contiguous():
        raise ConfigError(f"{name} do not lie in one piece", fix="give a contiguous tensor")
    return tensor
