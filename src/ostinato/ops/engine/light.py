"""Recurrent weights of 8 bits, which fit into the cache of a core where those of float32 do not."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ostinato.ops.engine.extension import ABSENT

if not ABSENT:
    from ostinato.ops.engine import _engine

#: The greatest whole number that a weight is rounded to.
_MOST = 127


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
        return aligned(padded.view(np.int16).reshape(gates, blocks, lanes, pairs).transpose(1, 3, 0, 2)).view(np.int8)


def aligned(array: NDArray[Any]) -> NDArray[Any]:
    """Return a copy in one piece, from an address that is a multiple of 64, because vectors are read whole."""
    room = np.zeros(array.nbytes + 64, dtype=np.uint8)
    first = -room.ctypes.data % 64
    out = room[first : first + array.nbytes].view(array.dtype).reshape(array.shape)
    out[...] = array
    return out
