"""RNN, LSTM and GRU with the interface of torch.nn: they convert its inputs to (T, B, D) or packed (N, D), and back."""

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
    """Return whether the engine runs a cell; if not, torch's own operator or the reference runs.

    Args:
        cell: The name of the cell in the engine.
        x: The input, whose device and type decide.
    """
    facts = {"reset_after": False} if cell == "gru_before" else {}
    return prefers_native(cell.split("_", maxsplit=1)[0], device=x.device.type, dtype=x.dtype, **facts)


def _forward(net: RecurrentNetwork, sequence: Tensor | PackedSequence, hx: State | None) -> tuple[Any, State]:
    """Run a network on an input in one of the forms of torch.nn.

    Args:
        net: The network.
        sequence: The input: (T, B, D), (B, T, D) if batch_first, (T, D), or a PackedSequence.
        hx: The initial states, each (layers * directions, B, H), or without B for an input without B; None for zero.

    Returns:
        The outputs in the form of the input, and the last states in the form of hx.
    """
    if isinstance(sequence, PackedSequence):
        data, sizes, order, back = sequence
        state = _start(net, data, int(sizes[0]), hx, batched=True)
        if order is not None and hx is not None:
            state = tuple(s.index_select(1, order) for s in state)
        y, last = _run(net, data, state, sizes)
        if back is not None:
            last = tuple(s.index_select(1, back) for s in last)
        return PackedSequence(y, sizes, order, back), last
    if sequence.dim() not in (2, 3):
        raise ValueError(f"{type(net).__name__}: Expected input to be 2D or 3D, got {sequence.dim()}D instead")
    batched = sequence.dim() == 3
    x = sequence if batched else sequence[:, None]
    x = x.transpose(0, 1) if batched and net.batch_first else x
    state = _start(net, x, x.shape[1], hx, batched=batched)
    y, last = _run(net, x, state, None)
    y = y.transpose(0, 1) if batched and net.batch_first else y
    return (y, last) if batched else (y[:, 0], tuple(s[:, 0] for s in last))


def _run(net: RecurrentNetwork, x: Tensor, state: State, sizes: Tensor | None) -> tuple[Tensor, State]:
    """Run all layers and directions.

    Args:
        net: The network.
        x: The inputs, (T, B, D), or packed, (N, D).
        state: The initial states, each (layers * directions, B, H).
        sizes: The number of rows that have step t, (T,), if the inputs are packed; else None.

    Returns:
        The outputs of the last layer, with the axes of x, and the last states, each (layers * directions, B, H).
    """
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
    """Return the initial states, each (layers * directions, B, H): zeros if hx is None, otherwise hx after checks.

    Args:
        net: The network.
        x: The inputs, (T, B, D) or packed, (N, D).
        rows: The number of rows, B.
        hx: The states that the caller gave, without the axis B if the input has none; or None.
        batched: Whether the input has the axis B.

    Raises:
        RuntimeError: The input or a state has the wrong number of axes or the wrong size.
    """
    if x.shape[-1] != net.input_size:
        raise RuntimeError(
            f"input.size(-1) must be equal to input_size. Expected {net.input_size}, got {x.shape[-1]}: "
            "give an input whose last axis has that size"
        )
    count, H = net.num_layers * net.directions, net.hidden_size
    names = ("hidden[0]", "hidden[1]") if net.mode == "lstm" else ("hidden",)
    shapes = ((count, rows, net.proj_size or H), (count, rows, H))[: len(names)]
    if hx is None:
        return tuple([x.new_zeros(shape) for shape in shapes])
    axes = 3 if batched else 2
    for name, s in zip(names, hx, strict=True):
        if s.dim() != axes:
            form = "batched 3-D" if batched else "unbatched 2-D"
            raise RuntimeError(
                f"For {form} input, {name} should also be {axes}-D but got {s.dim()}-D tensor: "
                f"give states with {axes} axes"
            )
    state = hx if batched else tuple(s[:, None] for s in hx)
    for name, shape, s in zip(names, shapes, state, strict=True):
        if s.shape != shape:
            raise RuntimeError(f"Expected {name} size {shape}, got {list(s.shape)}: give a state of the expected size")
    return state


@final
class RNN(RecurrentNetwork):
    """The plain recurrent network, computed by the engine; otherwise the same as torch.nn.RNN.

    Args:
        input_size: The number of inputs of a step, D.
        hidden_size: The number of hidden units, H.
        num_layers: The number of layers.
        nonlinearity: The nonlinearity of the cell: "tanh" or "relu".
        bias: Whether the layers have biases.
        batch_first: Whether inputs and outputs are (B, T, D) instead of (T, B, D).
        dropout: The probability that an output of a layer, except the last layer, is zeroed in training.
        bidirectional: Whether each layer also runs from the last step to the first.
        device: The device of the parameters; None for torch's default.
        dtype: The type of the parameters; None for torch's default.

    Raises:
        TypeError: hidden_size is not an integer.
        ValueError: The nonlinearity is unknown, a size is too small, or dropout lies outside of [0, 1].
    """

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

    def forward(self, input: Any, hx: Tensor | None = None) -> Any:  # noqa: A002 - the name in torch.nn
        """Return the outputs of all steps and the last hidden states.

        Args:
            input: The inputs, (T, B, D), (B, T, D) if batch_first, (T, D), or a PackedSequence.
            hx: The initial hidden states, (layers * directions, B, H), or (layers * directions, H) for an input
                without B; None for zero.

        Returns:
            The outputs of the last layer, (T, B, directions * H), in the form of the input; and the last hidden
            states, in the form of hx.

        Raises:
            ValueError: The input has the wrong number of axes.
            RuntimeError: The input or the states have the wrong size.
        """
        y, (h,) = _forward(self, input, None if hx is None else (hx,))
        return y, h


@final
class GRU(RecurrentNetwork):
    """The gated recurrent network, computed by the engine; the same as torch.nn.GRU, and reset_after in addition.

    With reset_after=False the network is the GRU as published (Cho et al. 2014), with the reset before the product:
    n = tanh(W_in x + b_in + W_hn (r h) + b_hn). torch has no operator for it, so the reference runs if the engine
    cannot run.

    Args:
        input_size: The number of inputs of a step, D.
        hidden_size: The number of hidden units, H.
        num_layers: The number of layers.
        bias: Whether the layers have biases.
        batch_first: Whether inputs and outputs are (B, T, D) instead of (T, B, D).
        dropout: The probability that an output of a layer, except the last layer, is zeroed in training.
        bidirectional: Whether each layer also runs from the last step to the first.
        device: The device of the parameters; None for torch's default.
        dtype: The type of the parameters; None for torch's default.
        reset_after: Whether the reset gate acts after the product, as in torch.

    Raises:
        TypeError: hidden_size is not an integer.
        ValueError: A size is too small, or dropout lies outside of [0, 1].
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

    def forward(self, input: Any, hx: Tensor | None = None) -> Any:  # noqa: A002 - the name in torch.nn
        """Return the outputs of all steps and the last hidden states.

        Args:
            input: The inputs, (T, B, D), (B, T, D) if batch_first, (T, D), or a PackedSequence.
            hx: The initial hidden states, (layers * directions, B, H), or (layers * directions, H) for an input
                without B; None for zero.

        Returns:
            The outputs of the last layer, (T, B, directions * H), in the form of the input; and the last hidden
            states, in the form of hx.

        Raises:
            ValueError: The input has the wrong number of axes.
            RuntimeError: The input or the states have the wrong size.
        """
        y, (h,) = _forward(self, input, None if hx is None else (hx,))
        return y, h


@final
class LSTM(RecurrentNetwork):
    """The long short-term memory network, computed by the engine; otherwise the same as torch.nn.LSTM.

    The arguments and the exceptions are those of RecurrentNetwork. With proj_size the cell projects h
    (Sak et al. 2014).
    """

    mode, gates = "lstm", 4

    def forward(self, input: Any, hx: tuple[Tensor, Tensor] | None = None) -> Any:  # noqa: A002 - the name in torch.nn
        """Return the outputs of all steps, and the last hidden states and cell states.

        P is the width of h: proj_size, or H if there is no projection.

        Args:
            input: The inputs, (T, B, D), (B, T, D) if batch_first, (T, D), or a PackedSequence.
            hx: The initial hidden states, (layers * directions, B, P), and cell states, (layers * directions, B, H),
                without B for an input without B; None for zero.

        Returns:
            The outputs of the last layer, (T, B, directions * P), in the form of the input; and the last hidden states
            and cell states, in the form of hx.

        Raises:
            ValueError: The input has the wrong number of axes.
            RuntimeError: The input or the states have the wrong size.
        """
        return _forward(self, input, hx)
