"""One step of each layer of a backbone on NumPy arrays that keep their place, for one sequence or for many.

The engine steps the cells. The linear recurrence and the convolution are a dozen calls of NumPy, because a product of a
matrix and a row is nearly all that they compute. Through torch the same step takes forty times as long.
"""

from __future__ import annotations

import os
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ostinato.layers.cell import Cell
from ostinato.layers.conv import CausalConv
from ostinato.layers.linear import LinearRNN
from ostinato.layers.recurrence import Recurrence
from ostinato.layers.stack import Stack
from ostinato.ops.engine.step import Step
from ostinato.ops.variables import IMPLEMENTATION

Floats = NDArray[np.float32]
Run = Callable[[], None]


@dataclass
class Bound:
    """The calls of a stack of layers.

    Attributes:
        runs: The calls that make one step, in turn.
        settles: The calls after which the state lies as ``initial_state`` says; until then a layer may keep it in
            another order.
        h: The array that holds the input of the head after a step, (H,) or (B, H).
    """

    runs: list[Run]
    settles: list[Run]
    h: Floats


class LiveLayer(ABC):
    """A layer that makes one step at a time. Later changes of its weights may not reach it.

    Attributes:
        states: The number of tensors in its state.
    """

    states: int = 1

    @abstractmethod
    def bind(self, x: Floats, held: Sequence[Floats]) -> Bound:
        """Return the calls of the layer.

        Args:
            x: The input, (D,) or (B, D), which each call reads again.
            held: The state, (...) or (B, ...) each, which each call replaces in place.
        """


def layers_of(backbone: Recurrence) -> list[LiveLayer] | None:
    """Return the steps of a stack of layers, the lowest first; None unless every layer has one."""
    found = [_of(layer) for layer in backbone.layers] if isinstance(backbone, Stack) else []
    whole = [layer for layer in found if layer is not None]
    return whole if whole and len(whole) == len(found) else None


def bind(layers: Sequence[LiveLayer], held: Sequence[Floats], below: Floats) -> Bound:
    """Return the calls of a stack of layers.

    Args:
        layers: The layers, the lowest first.
        held: The states of the layers, which the calls replace in place.
        below: The input of the lowest layer.
    """
    runs: list[Run] = []
    settles: list[Run] = []
    for i, layer in enumerate(layers):
        states, held = held[: layer.states], held[layer.states :]
        bound = layer.bind(below, states)
        runs, settles, h = [*runs, *bound.runs], [*settles, *bound.settles], bound.h
        if i and below.shape == h.shape:
            # with a residual connection the layer above reads the sum
            total = np.zeros_like(h)
            runs.append(_sum(below, h, total))
            h = total
        below = h
    return Bound(runs, settles, below)


def array_of(t: Tensor) -> Floats:
    """Return the values of a tensor, without a copy if they are contiguous."""
    return np.ascontiguousarray(t.detach().numpy())


def _of(layer: object) -> LiveLayer | None:
    """Return the step of a layer; None if it has none, or if another way to compute the layer was asked for."""
    match layer:
        case Cell():
            step = layer.live()
            return None if step is None else _Cell(step)
        case LinearRNN(implementation=None) if IMPLEMENTATION not in os.environ:
            return _Linear(layer)
        case CausalConv(implementation=None) if IMPLEMENTATION not in os.environ:
            return _Conv(layer)
        case _:
            return None


@final
class _Cell(LiveLayer):
    """A cell that the engine steps: its output is the first tensor of its state."""

    def __init__(self, step: Step) -> None:
        self._step, self.states = step, step.states

    def bind(self, x: Floats, held: Sequence[Floats]) -> Bound:
        """Bind the step (see ``LiveLayer.bind``)."""
        return Bound([self._step.bound(x, *held)], [], held[0])


@final
class _Linear(LiveLayer):
    """The diagonal linear RNN (see ``LinearRNN``). Its gate is a tanh of half the size, which cannot overflow."""

    def __init__(self, layer: LinearRNN) -> None:
        self._size = layer.output_size
        with torch.no_grad():
            decay = torch.exp(layer.nu)
            a = torch.polar(torch.exp(-decay), torch.exp(layer.theta))
            gamma = torch.sqrt(-torch.expm1(-2 * decay))
            taken = torch.cat([layer.weight_in * torch.cat([gamma, gamma])[:, None], layer.weight_skip.weight])
            # (re + i im) (a + i b) in parts: (re, im) a + (im, re) (-b, b)
            self._along, self._across = array_of(a.real), array_of(torch.stack([-a.imag, a.imag]))
            self._in = array_of(taken).T
            self._out, self._bias = array_of(layer.weight_out.weight / 2).T, array_of(layer.weight_out.bias / 2)

    def bind(self, x: Floats, held: Sequence[Floats]) -> Bound:
        """Bind the step (see ``LiveLayer.bind``)."""
        (s,), H, rows = held, self._size, x.shape[:-1]
        along, across, w_in, w_out, bias = self._along, self._across, self._in, self._out, self._bias
        taken, out, h = (np.zeros((*rows, k * H), dtype=s.dtype) for k in (3, 2, 1))
        pair, crossed = s.reshape(*rows, 2, H), np.zeros((*rows, 2, H), dtype=s.dtype)
        assert np.shares_memory(pair, s)
        turned, u = pair[..., ::-1, :], taken[..., : 2 * H].reshape(pair.shape)
        value, gate, skip = out[..., :H], out[..., H:], taken[..., 2 * H :]

        def run() -> None:
            np.matmul(x, w_in, out=taken)
            np.multiply(turned, across, out=crossed)
            np.multiply(pair, along, out=pair)
            np.add(pair, crossed, out=pair)
            np.add(pair, u, out=pair)
            np.matmul(s, w_out, out=out)
            np.add(out, bias, out=out)
            np.tanh(gate, out=gate)
            np.add(gate, 1, out=gate)
            np.multiply(value, gate, out=h)
            np.add(h, skip, out=h)

        return Bound([run], [], h)


@final
class _Conv(LiveLayer):
    """The gated causal convolution (see ``CausalConv``), also with tanh gates: it mixes tanh(value) (1 + gate) / 2."""

    def __init__(self, layer: CausalConv) -> None:
        self._dilation, self._reach = layer.dilation, layer.reach
        G, D, K = layer.weight.shape
        half = torch.ones(G, 1, dtype=layer.weight.dtype)
        half[G // 2 :] = 0.5
        with torch.no_grad():
            # the taps lie one after the other, the oldest first, each with its D inputs
            self._weight = array_of(half * layer.weight.permute(0, 2, 1).reshape(G, K * D)).T
            self._bias = array_of(half[:, 0] * layer.bias)
            self._mix, self._mix_bias = array_of(layer.mix.weight / 2).T, array_of(layer.mix.bias)

    def bind(self, x: Floats, held: Sequence[Floats]) -> Bound:
        """Bind the step (see ``LiveLayer.bind``)."""
        (past,), D, rows = held, x.shape[-1], x.shape[:-1]
        weight, bias, mix, mix_bias = self._weight, self._bias, self._mix, self._mix_bias
        taps, y = (np.zeros((*rows, n), dtype=past.dtype) for n in weight.shape)
        value, gate = y[..., : len(mix)], y[..., len(mix) :]
        h = np.zeros((*rows, mix.shape[1]), dtype=past.dtype)
        now, before = taps[..., len(weight) - D :], taps[..., : len(weight) - D].reshape(*rows, -1, D)
        assert np.shares_memory(before, taps) or not self._reach
        ring = _Ring(past, self._dilation)

        def run() -> None:
            ring.take(x, before)
            now[...] = x
            np.matmul(taps, weight, out=y)
            np.add(y, bias, out=y)
            np.tanh(y, out=y)
            np.add(gate, 1, out=gate)
            np.multiply(value, gate, out=value)
            np.matmul(value, mix, out=h)
            np.add(h, mix_bias, out=h)

        return Bound([run], [ring.settle], h)


@final
class _Ring:
    """The last R inputs, of which a step replaces the oldest: nothing moves, however far a kernel reaches.

    Args:
        past: The inputs, (..., R, D), oldest first; they begin elsewhere after a step, until ``settle``.
        dilation: The distance between those that a step reads.
    """

    def __init__(self, past: Floats, dilation: int) -> None:
        self._past, self._dilation, self._reach, self._oldest = past, dilation, past.shape[-2], 0

    def take(self, x: Floats, before: Floats) -> None:
        """Write the inputs that a step reads into before (..., R / dilation, D), and put x (..., D) behind the last."""
        if not self._reach:
            return
        turn, first = divmod(self._oldest, self._dilation)
        reads = self._past[..., first :: self._dilation, :]
        if turn:
            count = reads.shape[-2] - turn
            before[..., :count, :], before[..., count:, :] = reads[..., turn:, :], reads[..., :turn, :]
        else:
            before[...] = reads
        self._past[..., self._oldest, :] = x
        self._oldest = (self._oldest + 1) % self._reach

    def settle(self) -> None:
        """Put the oldest input first again."""
        if self._oldest:
            newest = self._past[..., : self._oldest, :].copy()
            self._past[..., : self._reach - self._oldest, :] = self._past[..., self._oldest :, :]
            self._past[..., self._reach - self._oldest :, :] = newest
            self._oldest = 0


def _sum(a: Floats, b: Floats, total: Floats) -> Run:
    """Return the call that writes a + b into total."""

    def add() -> None:
        np.add(a, b, out=total)

    return add
