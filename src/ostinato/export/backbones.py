"""One step of every recurrence in a graph. Each function returns the next states and the output (B, H)."""

from __future__ import annotations

from collections.abc import Callable
from functools import singledispatch
from typing import TypeAlias

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ostinato.export.graph import Wire, concat
from ostinato.layers.cell import Cell
from ostinato.layers.conv import CausalConv
from ostinato.layers.linear import LinearRNN
from ostinato.layers.recurrence import Recurrence
from ostinato.layers.stack import Stack

#: The next states and the output.
Step: TypeAlias = tuple[list[Wire], Wire]
#: A function of the states, the input's share of the gates, and the recurrent weights and biases.
CellStep: TypeAlias = Callable[[list[Wire], Wire, NDArray[np.float32], NDArray[np.float32]], Step]


def array(t: Tensor) -> NDArray[np.float32]:
    """Return the values of a tensor in float32."""
    return np.ascontiguousarray(t.detach().float().numpy())


@singledispatch
def step(layer: Recurrence, state: list[Wire], x: Wire) -> Step:
    """Return the next state and the output (B, H) of one step, as ``Recurrence.step`` does.

    Args:
        layer: The recurrence.
        state: The state before the step, (B, ...) each.
        x: The input, (B, D).

    Raises:
        NotImplementedError: The backbone has no graph.
    """
    raise NotImplementedError(f"the graph of {type(layer).__name__} is not written")


@step.register
def _(layer: Cell, state: list[Wire], x: Wire) -> Step:
    w_hh, b_hh = array(layer.weight_hh_l0), array(layer.bias_hh_l0)
    fed = x @ array(layer.weight_ih_l0).T + array(layer.bias_ih_l0)
    return _CELLS[layer.engine](state, fed, w_hh, b_hh)


def _rnn(nonlinearity: str) -> CellStep:
    def run(state: list[Wire], fed: Wire, w: NDArray[np.float32], b: NDArray[np.float32]) -> Step:
        total = fed + (state[0] @ w.T + b)
        h = total if nonlinearity == "identity" else total.graph.op(nonlinearity, total)
        return [h], h

    return run


def _gru(state: list[Wire], fed: Wire, w: NDArray[np.float32], b: NDArray[np.float32]) -> Step:
    (h,), H = state, w.shape[1]
    back = h @ w.T + b
    gates = (fed.slice(0, 2 * H) + back.slice(0, 2 * H)).sigmoid()
    r, z = gates.slice(0, H), gates.slice(H, 2 * H)
    n = (fed.slice(2 * H, 3 * H) + r * back.slice(2 * H, 3 * H)).tanh()
    h = (1.0 - z) * n + z * h
    return [h], h


def _gru_before(state: list[Wire], fed: Wire, w: NDArray[np.float32], b: NDArray[np.float32]) -> Step:
    (h,), H = state, w.shape[1]
    gates = (fed.slice(0, 2 * H) + (h @ w[: 2 * H].T + b[: 2 * H])).sigmoid()
    r, z = gates.slice(0, H), gates.slice(H, 2 * H)
    n = (fed.slice(2 * H, 3 * H) + ((r * h) @ w[2 * H :].T + b[2 * H :])).tanh()
    h = (1.0 - z) * n + z * h
    return [h], h


def _lstm(state: list[Wire], fed: Wire, w: NDArray[np.float32], b: NDArray[np.float32]) -> Step:
    (h, c), H = state, w.shape[1]
    total = fed + (h @ w.T + b)
    i, f, o = (total.slice(k * H, (k + 1) * H).sigmoid() for k in (0, 1, 3))
    c = f * c + i * total.slice(2 * H, 3 * H).tanh()
    h = o * c.tanh()
    return [h, c], h


#: The step of each cell by its name in the engine.
_CELLS: dict[str, CellStep] = {
    "rnn_tanh": _rnn("Tanh"),
    "rnn_relu": _rnn("Relu"),
    "rnn_identity": _rnn("identity"),
    "gru": _gru,
    "gru_before": _gru_before,
    "lstm": _lstm,
}


@step.register
def _(layer: LinearRNN, state: list[Wire], x: Wire) -> Step:
    (s,), H = state, layer.output_size
    with torch.no_grad():
        decay = torch.exp(layer.nu)
        a = torch.polar(torch.exp(-decay), torch.exp(layer.theta))
        gamma = torch.sqrt(-torch.expm1(-2 * decay))
        w_in = layer.weight_in * torch.cat([gamma, gamma])[:, None]
    real, imaginary, u = s.slice(0, H), s.slice(H, 2 * H), x @ array(w_in).T
    across, along = array(a.imag), array(a.real)
    s = concat([real * along - imaginary * across, real * across + imaginary * along]) + u
    out = s @ array(layer.weight_out.weight).T + array(layer.weight_out.bias)
    return [s], out.slice(0, H) * out.slice(H, 2 * H).sigmoid() + x @ array(layer.weight_skip.weight).T


@step.register
def _(layer: CausalConv, state: list[Wire], x: Wire) -> Step:
    w, taps = array(layer.weight), layer.weight.shape[2]  # (2H, D, kernel)
    path = concat([state[0], x.expand(1)], 1) if layer.reach else x.expand(1)  # (B, R + 1, D)
    read = path.take([k * layer.dilation for k in range(taps)], 1).reshape(0, taps * layer.input_size)
    y = read @ np.ascontiguousarray(w.transpose(2, 1, 0)).reshape(taps * layer.input_size, -1) + array(layer.bias)
    H = layer.output_size
    mixed = y.slice(0, H).tanh() * y.slice(H, 2 * H).sigmoid()
    h = mixed @ array(layer.mix.weight).T + array(layer.mix.bias)
    return [path.slice(1, layer.reach + 1, 1) if layer.reach else state[0]], h


@step.register
def _(layer: Stack, state: list[Wire], x: Wire) -> Step:
    out: list[Wire] = []
    for one, size in zip(layer.each(), layer.sizes, strict=True):
        after, h = step(one, state[:size], x)
        x = x + h if layer.residual and one.input_size == one.output_size and one is not layer.layers[0] else h
        state, out = state[size:], out + after
    return out, x
