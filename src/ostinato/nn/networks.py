"""RNN, LSTM and GRU with torch.nn's calls: from its conventions to (T, B, D) or packed (N, D), and back."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, final

import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import PackedSequence

from ostinato.nn.base import RecurrentNetwork
from ostinato.ops.engine.places import Places
from ostinato.ops.engine.unroll import specified, unroll
from ostinato.ops.selection import prefers_native
from ostinato.shapes import State

_PADDED = Places(), Places(reverse=True)
_OPERATORS: dict[str, Any] = {
    "rnn_tanh": torch.rnn_tanh,
    "rnn_relu": torch.rnn_relu,
    "gru": torch.gru,
    "lstm": torch.lstm,
}


def engine_runs(cell: str, x: Tensor) -> bool:
    """Whether ops.selection picks the engine for the cell; where it does not, torch's own operator runs."""
    facts = {"reset_after": False} if cell == "gru_before" else {}
    return prefers_native(cell.split("_", maxsplit=1)[0], device=x.device.type, dtype=x.dtype, **facts)


def _forward(net: RecurrentNetwork, given: Tensor | PackedSequence, hx: State | None) -> tuple[Any, State]:
    """The result in the form of the input, and the last states (layers * directions, B, H)."""
    if isinstance(given, PackedSequence):
        data, sizes, order, back = given
        state = _start(net, data, int(sizes[0]), hx, batched=True)
        if order is not None and hx is not None:
            state = tuple(s.index_select(1, order) for s in state)
        y, last = _run(net, data, state, sizes)
        if back is not None:
            last = tuple(s.index_select(1, back) for s in last)
        return PackedSequence(y, sizes, order, back), last
    if given.dim() not in (2, 3):
        raise ValueError(f"{type(net).__name__}: Expected input to be 2D or 3D, got {given.dim()}D instead")
    batched = given.dim() == 3
    x = given if batched else given[:, None]
    x = x.transpose(0, 1) if batched and net.batch_first else x
    state = _start(net, x, x.shape[1], hx, batched=batched)
    y, last = _run(net, x, state, None)
    y = y.transpose(0, 1) if batched and net.batch_first else y
    return (y, last) if batched else (y[:, 0], tuple(s[:, 0] for s in last))


def _run(net: RecurrentNetwork, x: Tensor, state: State, sizes: Tensor | None) -> tuple[Tensor, State]:
    """All layers and directions: x (T, B, D), or packed (N, D) with its batch sizes."""
    run = unroll if engine_runs(net.mode, x) else specified
    if run is specified and net.mode in _OPERATORS:
        return _torch(net, x, state, sizes)
    cell = "lstm_projected" if net.proj_size else net.mode
    places = _PADDED
    if sizes is not None:
        packed = Places.packed(sizes)
        places = packed, replace(packed, reverse=True)
    ends = []
    for layer in range(net.num_layers):
        halves = []
        for d in range(net.directions):
            i = layer * net.directions + d
            w_ih, w_hh, *others = [getattr(net, name) for name in net.names[i]]
            w_hr = others.pop() if net.proj_size else None
            b_ih, b_hh = others or (None, None)
            h, last = run(cell, x, tuple([s[i] for s in state]), w_ih, w_hh, b_ih, b_hh, places[d], w_hr=w_hr)
            halves.append(h)
            ends.append(last)
        x = halves[0] if net.directions == 1 else torch.cat(halves, -1)
        if net.dropout and net.training and layer + 1 < net.num_layers:
            x = nn.functional.dropout(x, net.dropout, training=True)
    if len(ends) == 1:
        return x, tuple([s.unsqueeze(0) for s in ends[0]])
    return x, tuple(torch.stack(s) for s in zip(*ends, strict=True))


def _torch(net: RecurrentNetwork, x: Tensor, state: State, sizes: Tensor | None) -> tuple[Tensor, State]:
    """Run all layers and directions by torch's own operator."""
    weights = [w for each in net.all_weights for w in each]
    hx: Any = state if net.mode == "lstm" else state[0]
    options = net.bias, net.num_layers, net.dropout, net.training, net.bidirectional
    run = _OPERATORS[net.mode]
    y, *last = run(x, hx, weights, *options, False) if sizes is None else run(x, sizes, hx, weights, *options)
    return y, tuple(last)


def _start(net: RecurrentNetwork, x: Tensor, rows: int, hx: State | None, *, batched: bool) -> State:
    """The states to start from, (layers * directions, B, H) each: zeros, or what was given, checked."""
    if x.shape[-1] != net.input_size:
        raise RuntimeError(f"input.size(-1) must be equal to input_size. Expected {net.input_size}, got {x.shape[-1]}")
    count, H = net.num_layers * net.directions, net.hidden_size
    names = ("hidden[0]", "hidden[1]") if net.mode == "lstm" else ("hidden",)
    shapes = ((count, rows, net.proj_size or H), (count, rows, H))[: len(names)]
    if hx is None:
        return tuple([x.new_zeros(shape) for shape in shapes])
    axes = 3 if batched else 2
    for name, s in zip(names, hx, strict=True):
        if s.dim() != axes:
            form = "batched 3-D" if batched else "unbatched 2-D"
            raise RuntimeError(f"For {form} input, {name} should also be {axes}-D but got {s.dim()}-D tensor")
    state = hx if batched else tuple(s[:, None] for s in hx)
    for name, shape, s in zip(names, shapes, state, strict=True):
        if s.shape != shape:
            raise RuntimeError(f"Expected {name} size {shape}, got {list(s.shape)}")
    return state


@final
class RNN(RecurrentNetwork):
    """torch.nn.RNN by the engine."""

    gates = 1

    def __init__(  # noqa: PLR0917 - the positional signature of torch.nn
        self,
        input_size: int,
        hidden_size: int,
        num_layers: int = 1,
        nonlinearity: str = "tanh",
        bias: bool = True,
        batch_first: bool = False,
        dropout: float = 0.0,
        bidirectional: bool = False,
        device: Any = None,
        dtype: Any = None,
    ) -> None:
        if nonlinearity not in ("tanh", "relu"):
            raise ValueError(f"Unknown nonlinearity '{nonlinearity}'. Select from 'tanh' or 'relu'.")
        self.mode, self.nonlinearity = f"rnn_{nonlinearity}", nonlinearity
        super().__init__(
            input_size, hidden_size, num_layers, bias, batch_first, dropout, bidirectional, 0, device, dtype
        )

    def forward(self, input: Any, hx: Tensor | None = None) -> Any:  # noqa: A002
        """See torch.nn.RNN."""
        y, (h,) = _forward(self, input, None if hx is None else (hx,))
        return y, h


@final
class GRU(RecurrentNetwork):
    """torch.nn.GRU by the engine.

    reset_after is ours: False is the GRU as published (Cho et al. 2014), with the reset before the product,
    n = tanh(W_in x + b_in + W_hn (r h) + b_hn). torch has none: where the engine cannot run, the reference does.
    """

    mode, gates = "gru", 3

    def __init__(  # noqa: PLR0917 - the positional signature of torch.nn
        self,
        input_size: int,
        hidden_size: int,
        num_layers: int = 1,
        bias: bool = True,
        batch_first: bool = False,
        dropout: float = 0.0,
        bidirectional: bool = False,
        device: Any = None,
        dtype: Any = None,
        *,
        reset_after: bool = True,
    ) -> None:
        self.mode = "gru" if reset_after else "gru_before"
        super().__init__(
            input_size, hidden_size, num_layers, bias, batch_first, dropout, bidirectional, 0, device, dtype
        )

    def forward(self, input: Any, hx: Tensor | None = None) -> Any:  # noqa: A002
        """See torch.nn.GRU."""
        y, (h,) = _forward(self, input, None if hx is None else (hx,))
        return y, h


@final
class LSTM(RecurrentNetwork):
    """torch.nn.LSTM by the engine."""

    mode, gates = "lstm", 4

    def forward(self, input: Any, hx: tuple[Tensor, Tensor] | None = None) -> Any:  # noqa: A002
        """See torch.nn.LSTM."""
        return _forward(self, input, hx)
