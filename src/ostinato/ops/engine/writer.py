"""Texts that the engine draws: many symbols of many texts in one call, by layers one above the other."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from ostinato.ops.engine.extension import ABSENT
from ostinato.ops.engine.light import Rounded
from ostinato.ops.weights import Weights
from ostinato.shapes import Array
from ostinato.threads import engine_limit

if not ABSENT:
    from ostinato.ops.engine import _engine

Floats = NDArray[np.float32]

#: The gates, the last ones of a cell, that keep the products of the input and of h separate.
_APART = {"gru": 1}


def runs(cell: str) -> bool:
    """Return whether the engine draws texts by a cell."""
    return not ABSENT and hasattr(_engine, "light_pack") and bool(_engine.light_lanes(cell))


@dataclass(frozen=True)
class Layer:
    """One layer of G gates and H units.

    Attributes:
        cell: The name of the cell in the engine.
        weights: The weights of the cell, with both biases.
        rounded: The recurrent weights in 8 bits, which take the place of those of float32; None if there are none.
    """

    cell: str
    weights: Weights
    rounded: Rounded | None = None


@dataclass
class Texts:
    """The state of B texts, which a ``Writer`` moves on.

    Attributes:
        before: The last symbol, (B,).
        place: The place in a character after it, (B,).
        ended: Whether the text has ended, (B,).
        states: h, and c if the cell has one, of each layer, (B, H).
    """

    before: NDArray[np.int64]
    place: NDArray[np.int64]
    ended: NDArray[np.bool_]
    states: tuple[tuple[Floats, ...], ...]


@dataclass(frozen=True)
class Rules:
    """Which of V symbols may follow at each of S places in a character, and how one is chosen.

    Attributes:
        temperature: As in ``Choice``.
        top_p: As in ``Choice``.
        min_p: As in ``Choice``.
        top_k: As in ``Choice``; 0 for all.
        allowed: Whether a symbol may follow, (S, V).
        after: The place after it, (S, V).
        needed: The number of symbols that complete the character, at least, (S,).
        end: The symbol that ends a text, or -1.
    """

    temperature: float
    top_p: float
    min_p: float
    top_k: int
    allowed: NDArray[np.bool_]
    after: NDArray[np.int64]
    needed: NDArray[np.int64]
    end: int


class Writer:
    """A network that draws many symbols of many texts in one call, with weights that are packed once.

    A row has the same bits alone and among others, and on any number of threads. Later changes of the weights have no
    effect.

    Args:
        layers: The layers, the lowest first. With ``residual`` the input of a layer is added to its output if their
            widths match, except for the lowest.
        residual: See ``layers``.
        embedding: The input of each symbol and of the start, (V + 1, D).
        head: The weights of the logits, (V, H).
        constant: What is added to the logits, (V,).
        draws: About how many symbols will be drawn. The products of all inputs are made beforehand if these are fewer.
    """

    def __init__(
        self, layers: Sequence[Layer], embedding: Tensor, head: Tensor, constant: Tensor, *, residual: bool, draws: int
    ) -> None:
        table = _array(embedding)
        self._arrays: list[Any] = []
        self._layers: list[Any] = []
        for i, layer in enumerate(layers):
            w_ih, w_hh, (b_ih, b_hh) = layer.weights.w_ih, layer.weights.w_hh, layer.weights.biases
            units, width = w_hh.shape[1], w_ih.shape[1]
            gates = len(w_hh) // units
            apart = units * _APART.get(layer.cell, 0)
            first, second = _array(b_ih), _array(b_hh)
            bias = first.copy()
            bias[: len(bias) - apart] += second[: len(bias) - apart]
            inputs = _panel(gates, w_ih)
            if looked_up := i == 0 and len(table) <= draws:
                table = _inputs(gates, inputs, bias, table)
            if layer.rounded is None:
                recurrent: list[Any] = [None, None, _panel(gates, w_hh), second]
            else:
                lanes = _engine.light_lanes(layer.cell)
                recurrent = [layer.rounded.panels(lanes), layer.rounded.scale, None, second]
            below = 0 if looked_up else width
            own = self._addresses(*recurrent), *self._addresses(*([None, None] if looked_up else [inputs, bias]))
            self._layers.append((layer.cell, units, below, residual and i > 0 and width == units, *own))
        assert all(above[2] == below[1] for below, above in pairwise(self._layers))
        self._head: Any = len(head), *self._addresses(_panel(1, head), _array(constant))
        self._table: Any = table.shape[1], *self._addresses(table)

    def _addresses(self, *arrays: Any) -> tuple[int, ...]:
        """Return the addresses of arrays, which stay where they are as long as the writer lives; 0 for None."""
        self._arrays += arrays
        return tuple(0 if a is None else a.ctypes.data for a in arrays)

    def write(self, texts: Texts, rules: Rules, u: Array, left: int) -> NDArray[np.int64]:
        """Draw the next symbols of texts; fewer than T once all have ended.

        Args:
            texts: The texts, which are moved on.
            rules: How a symbol is drawn.
            u: Numbers uniform on [0, 1), (T, B).
            left: The number of symbols that a text may still have.

        Returns:
            The symbols, (T, B) or fewer; -1 in a text that has ended before.
        """
        steps, rows = u.shape
        u, out = np.ascontiguousarray(u), np.empty((steps, rows), dtype=np.int64)
        state = [texts.before, texts.place, texts.ended]
        addresses = [a.ctypes.data for a in state]
        for held in texts.states:
            addresses += [held[0].ctypes.data, held[1].ctypes.data if len(held) > 1 else 0]
        rule: Any = rules.allowed, rules.after, rules.needed
        made = _engine.write(
            self._layers,
            self._head,
            self._table,
            (rules.temperature, rules.top_p, rules.min_p, rules.top_k),
            (len(rules.needed), *(a.ctypes.data for a in rule)),
            rows,
            addresses,
            (steps, left, rules.end),
            u.ctypes.data,
            out.ctypes.data,
            engine_limit(),
        )
        return out[:made]


def _array(t: Tensor) -> Floats:
    """Return the values of a tensor in one piece."""
    return np.ascontiguousarray(t.detach().float().numpy())


def _panel(gates: int, weights: Tensor) -> Floats:
    """Return weights (GH, D) as the engine reads them: (H / V, D, G, V), with V lanes."""
    rows, depth = weights.shape
    hidden, lanes, own = rows // gates, _engine.light_lanes("lstm"), _array(weights)
    panel: Floats = _engine.empty32(-(-hidden // lanes) * lanes * gates * depth)
    _engine.light_pack(gates, hidden, depth, own.ctypes.data, panel.ctypes.data)
    return panel


def _inputs(gates: int, panel: Floats, bias: Floats, x: Floats) -> Floats:
    """Return W x + bias (S, GH) of inputs x (S, D), by the panel of W."""
    rows, depth = x.shape
    out = np.empty((rows, len(bias)), dtype=np.float32)
    sizes = rows, depth, gates, len(bias) // gates
    _engine.light_inputs(*sizes, panel.ctypes.data, bias.ctypes.data, x.ctypes.data, out.ctypes.data)
    return out
