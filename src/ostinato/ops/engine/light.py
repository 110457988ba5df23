"""Texts drawn by recurrent weights of 8 bits, which fit into the cache of a core where those of float32 do not."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ostinato.ops.engine.extension import ABSENT
from ostinato.shapes import Array
from ostinato.threads import engine_limit

if not ABSENT:
    from ostinato.ops.engine import _engine

#: The greatest whole number that a weight is rounded to.
_MOST = 127
#: The gates, the last ones of a cell, that keep the products of the input and of h separate.
_APART = {"gru": 1}


def runs(cell: str) -> bool:
    """Return whether the engine steps a cell by weights of 8 bits."""
    return not ABSENT and hasattr(_engine, "light_lanes") and bool(_engine.light_lanes(cell))


class Rounded:
    """Recurrent weights, (GH, H), each rounded to 8 bits.

    With m the greatest size in a row, the places are m / 127 apart, so that no weight of the row moves by more than
    m / 254.

    Attributes:
        whole: The weights in places, (GH, H), int8.
        scale: The size of a place, (GH,).
        weight: The rounded weights in float32, (GH, H).
    """

    def __init__(self, weight: Tensor) -> None:
        exact = weight.detach().float()
        step = exact.abs().amax(-1, keepdim=True) / _MOST
        step = torch.where(step > 0, step, 1.0)
        places = (exact / step).round_()
        self.whole: NDArray[np.int8] = places.to(torch.int8).numpy()
        self.scale = np.ascontiguousarray(step[:, 0].numpy())
        self.weight = places.mul_(step)

    def panels(self, lanes: int) -> NDArray[np.int8]:
        """Return the weights as the engine reads them, in one piece: (H / V, pairs, G, V, 2), with V lanes."""
        rows, hidden = self.whole.shape
        gates, blocks, pairs = rows // hidden, -(-hidden // lanes), _engine.light_pairs(hidden)
        padded = np.zeros((gates, blocks * lanes, 2 * pairs), dtype=np.int8)
        padded[:, :hidden, :hidden] = self.whole.reshape(gates, hidden, hidden)
        # two neighbours move as one number of 16 bits
        return _aligned(padded.view(np.int16).reshape(gates, blocks, lanes, pairs).transpose(1, 3, 0, 2)).view(np.int8)


@dataclass
class Texts:
    """The state of B texts, which a ``Writer`` moves on.

    Attributes:
        before: The last symbol, (B,).
        place: The place in a character after it, (B,).
        ended: Whether the text has ended, (B,).
        states: h, and c if the cell has one, (B, H).
    """

    before: NDArray[np.int64]
    place: NDArray[np.int64]
    ended: NDArray[np.bool_]
    states: tuple[NDArray[np.float32], ...]


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
    """A network of one layer, laid out once, that draws many symbols of many texts in one call.

    Args:
        cell: The name of the cell in the engine.
        weights: The recurrent weights.
        inputs: The input of each symbol (S, D), w_ih (GH, D), b_ih and b_hh (GH,).
        head: The weights of the logits, (V, H).
        constant: What is added to the logits, (V,).
    """

    def __init__(
        self, cell: str, weights: Rounded, inputs: tuple[Tensor, Tensor, Tensor, Tensor], head: Tensor, constant: Tensor
    ) -> None:
        x, w_ih, b_ih, b_hh = (t.detach().float() for t in inputs)
        lanes, (symbols, hidden) = _engine.light_lanes(cell), head.shape
        together = b_hh.clone()
        together[len(together) - hidden * _APART.get(cell, 0) :] = 0.0
        # the product of each symbol is made once, and a step looks it up
        table = np.ascontiguousarray((x @ w_ih.T + b_ih + together).numpy())
        blocks = -(-symbols // lanes)
        padded = np.zeros((blocks * lanes, hidden), dtype=np.float32)
        padded[:symbols] = head.detach().float().numpy()
        panel = _aligned(padded.reshape(blocks, lanes, hidden).transpose(0, 2, 1))
        self._arrays = [weights.panels(lanes), weights.scale, np.ascontiguousarray(b_hh.numpy()), panel]
        self._arrays += [np.ascontiguousarray(constant.detach().float().numpy()), table]
        self._cell, self._sizes = cell, (hidden, table.shape[1], symbols)
        self._places = [a.ctypes.data for a in self._arrays]

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
        state = [texts.before, texts.place, texts.ended, *texts.states]
        addresses = [a.ctypes.data for a in state] + [0] * (5 - len(state))
        rule: Any = rules.allowed, rules.after, rules.needed
        made = _engine.write(
            self._cell,
            (rows, *self._sizes),
            self._places,
            (rules.temperature, rules.top_p, rules.min_p, rules.top_k),
            (len(rules.needed), *(a.ctypes.data for a in rule)),
            addresses,
            (steps, left, rules.end),
            u.ctypes.data,
            out.ctypes.data,
            engine_limit(),
        )
        return out[:made]


def _aligned(array: NDArray[Any]) -> NDArray[Any]:
    """Return a copy in one piece, from an address that is a multiple of 64, because vectors are read whole."""
    room = np.zeros(array.nbytes + 64, dtype=np.uint8)
    first = -room.ctypes.data % 64
    out = room[first : first + array.nbytes].view(array.dtype).reshape(array.shape)
    out[...] = array
    return out
