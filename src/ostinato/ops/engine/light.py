"""One step of a few rows by recurrent weights of 8 bits, which fit into the cache of a core where float32 does not."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ostinato.ops.engine.extension import ABSENT

if not ABSENT:
    from ostinato.ops.engine import _engine

#: The rows up to which a step by 8 bits pays: a step by float32 reads its weights once for all rows.
ROWS = 4
#: The greatest whole number that a weight is rounded to, and the weights in a word of 32 bits.
_MOST, _WORD = 127, 4
#: The gates, the last ones of a cell, that keep the products of the input and of h separate.
_APART = {"gru": 1}


def runs(cell: str) -> bool:
    """Return whether the engine steps a cell by weights of 8 bits."""
    return not ABSENT and hasattr(_engine, "light_lanes") and bool(_engine.light_lanes(cell))


class Rounded:
    """Recurrent weights, (GH, H), each rounded to 8 bits.

    With m the greatest size in a row, the places are m / 127 apart, so that no weight of the row moves by more than
    m / 254. A word of 32 bits holds four neighbours, the first in its lowest byte. Each is read with the bytes below it
    as its fraction, and is rounded so that it is nearest together with this fraction.

    Attributes:
        words: The words, (GH, H / 4) rounded up, int32.
        scale: What a number read from a word is multiplied with, (GH,).
        weight: The rounded weights in float32, (GH, H).
    """

    def __init__(self, weight: Tensor) -> None:
        exact = weight.detach().float().numpy()
        rows, hidden = exact.shape
        step = np.abs(exact).max(-1, keepdims=True) / np.float32(_MOST)
        step[step == 0] = 1.0
        places = np.zeros((_WORD, rows, -(-hidden // _WORD)), dtype=np.float32)  # each of the four in one piece
        low, read = np.zeros(places.shape[1:], dtype=np.uint32), np.empty((rows, places.shape[2], _WORD), np.float32)
        for i in range(_WORD):
            one = exact[:, i::_WORD]
            places[i, :, : one.shape[1]] = one / step
            # 24 bits of a fraction are what float32 holds beside the whole number
            fraction = low.astype(np.float32) * np.float32(256.0**-i)
            whole = np.rint(places[i] - fraction)
            read[..., i] = whole + fraction
            low |= (whole.astype(np.int32) & 255).astype(np.uint32) << np.uint32(8 * i)
        self.words = low.view(np.int32)
        self.scale = step[:, 0] / np.float32(2.0**24)
        self.weight = torch.from_numpy(read.reshape(rows, -1)[:, :hidden] * step)

    def panels(self, lanes: int) -> NDArray[np.int32]:
        """Return the words as the engine reads them: (H / V, H / 4, G, V), with V lanes."""
        gates, hidden = len(self.words) // self.weight.shape[1], self.weight.shape[1]
        blocks = -(-hidden // lanes)
        padded = np.zeros((gates, blocks * lanes, self.words.shape[1]), dtype=np.int32)
        padded[:, :hidden] = self.words.reshape(gates, hidden, -1)
        return padded.reshape(gates, blocks, lanes, -1).transpose(1, 3, 0, 2)


def bound(
    cell: str,
    weights: Rounded,
    inputs: tuple[Tensor, Tensor, Tensor, Tensor],
    symbols: NDArray[np.int64],
    *states: NDArray[np.float32],
) -> Callable[[], None]:
    """Return a function that makes one step of B rows in place; it reads the symbols again each time.

    Args:
        cell: The name of the cell in the engine.
        weights: The recurrent weights.
        inputs: The input of each symbol (S, D), w_ih (GH, D), b_ih and b_hh (GH,).
        symbols: The symbols, (B,), each below S.
        states: h, and c if the cell has one, (B, H).
    """
    x, w_ih, b_ih, b_hh = (t.detach().float() for t in inputs)
    together = b_hh.clone()
    hidden = weights.weight.shape[1]
    together[len(together) - hidden * _APART.get(cell, 0) :] = 0.0
    # the product of each symbol is made once, and a step looks it up
    table = np.ascontiguousarray((x @ w_ih.T + b_ih + together).numpy())
    bias = np.ascontiguousarray(b_hh.numpy())
    laid = weights.panels(_engine.light_lanes(cell))
    room = np.zeros(laid.size + 16, dtype=np.int32)  # vectors are read whole, from addresses of 64 bytes
    first = -room.ctypes.data % 64 // 4
    room[first : first + laid.size] = laid.ravel()
    places = (room.ctypes.data + 4 * first, *(a.ctypes.data for a in (weights.scale, bias, symbols, table, *states)))
    arguments: Any = (cell, len(symbols), len(bias), hidden, (*places, *[0] * (2 - len(states))))
    run = _engine.light

    def step(_kept_alive: object = (room, weights, bias, symbols, table, states)) -> None:
        run(*arguments)

    return step
