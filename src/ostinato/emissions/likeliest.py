"""The likeliest value of a lattice: what temperature 0 draws of sound and of other values with a spacing.

The components of a family rise up to their location and fall after it. So the probability of a cell is greatest between
the extreme locations, or at an edge of the lattice, whose cells hold the tails. These cells are enumerated.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Final, NamedTuple

import torch
from torch import Tensor

from ostinato.emissions.emission import Emission, Support

#: The most cells between the locations that are all looked at. Of more, every n-th is, and then those around the best.
MOST: Final = 1 << 16


def likeliest(
    emission: Emission,
    params: Tensor,
    ends: tuple[Tensor, Tensor],
    support: Support,
    loc: Tensor | None = None,
    scale: Tensor | None = None,
) -> Tensor:
    """Return the likeliest value of every channel, (..., D).

    Args:
        emission: The family of u = (x - loc) / scale.
        params: The parameters, (..., D, P).
        ends: The least and the greatest location of the components, in units of u, (..., D) each.
        support: The lattice of the values x, with a unit above 0.
        loc: The values x at which u is 0, (..., D); None for 0.
        scale: The scales, (..., D); None for 1.
    """
    shape = params.shape[:-1]
    zero = params.new_zeros(shape)
    parts = (*ends, zero if loc is None else loc, zero + 1 if scale is None else scale)
    limits = (support.unit, support.low, support.high)
    rows = torch.stack([p.expand(shape).double() for p in (*parts, *limits)], -1).reshape(-1, 7).tolist()
    flat = params.detach().double().reshape(-1, params.shape[-1])
    found = [_of_one(emission, own[None], _Channel(*row)) for own, row in zip(flat, rows, strict=True)]
    return torch.tensor(found, dtype=params.dtype, device=params.device).reshape(shape)


class _Channel(NamedTuple):
    """The numbers of one channel: its least and greatest location in units of u, and those of ``likeliest``."""

    least: float
    most: float
    loc: float
    scale: float
    unit: float
    low: float
    high: float


def _of_one(emission: Emission, params: Tensor, channel: _Channel) -> float:
    """Return the likeliest value of one channel with the parameters (1, P)."""
    least, most, loc, scale, unit, low, high = channel
    ends = (unit / scale, (low - loc) / scale, (high - loc) / scale)
    inner = Support(*(torch.tensor([end], dtype=params.dtype, device=params.device) for end in ends))

    def nats(cells: Tensor) -> Tensor:
        u = (cells.to(params) * unit - loc) / scale
        return emission.log_prob(params, u[:, None], inner)[:, 0]

    def within(cell: float) -> int:
        return int(min(max(cell, low / unit), high / unit))

    first, last = within(math.floor((loc + scale * least) / unit)), within(math.ceil((loc + scale * most) / unit))
    edges = [round(end / unit) for end in (low, high) if math.isfinite(end)]
    return unit * _best(nats, first, last, edges)


def _best(nats: Callable[[Tensor], Tensor], first: int, last: int, more: list[int]) -> int:
    """Return the likeliest of the cells first .. last and of some more."""
    stride = 1 + (last - first) // MOST
    cells = torch.cat([torch.arange(first, last + 1, stride), torch.tensor([last, *more])])
    best = int(cells[nats(cells).argmax()])
    if stride == 1:
        return best
    return _best(nats, max(first, best - stride), min(last, best + stride), [best])
