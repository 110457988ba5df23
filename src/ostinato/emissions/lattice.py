"""Values on a lattice: the multiples of unit from low to high, each standing for the cell of width unit around it.

The first cell reaches down to -inf and the last up to +inf, so the edge cells hold the tails and the probabilities sum
to 1. If unit is 0 the values are continuous, and low and high are not used.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from ostinato.emissions.emission import Support


class LatticePoint(NamedTuple):
    """The position of x on its lattice, as bool tensors of the shape that x and the support broadcast to.

    Attributes:
        lattice: Whether the values lie on a lattice.
        first: Whether x is in the first cell or below.
        last: Whether x is in the last cell or above.
        below: Whether x is below the first cell.
        above: Whether x is above the last cell.
    """

    lattice: Tensor
    first: Tensor
    last: Tensor
    below: Tensor
    above: Tensor


def place(x: Tensor, support: Support) -> LatticePoint:
    """Return the position of x (..., D) on its lattice."""
    lattice, half = support.unit > 0, support.unit / 2
    below = lattice & (x + half < support.low)
    above = lattice & (x - half > support.high)
    return LatticePoint(lattice, lattice & (x - half < support.low), lattice & (x + half > support.high), below, above)


def log_width(y: Tensor) -> Tensor:
    """Return log(1 - exp(-y)) for y > 0, with an absolute error of one rounding."""
    return torch.log(-torch.expm1(-y))


def only_inside(log_prob: Tensor, at: LatticePoint) -> Tensor:
    """Return log_prob with -inf outside the lattice; NaN stays NaN, and the gradient stays finite."""
    return torch.where(at.below | at.above, log_prob - torch.inf, log_prob)


def edged_cdf(cdf: Tensor, at: LatticePoint) -> Tensor:
    """Return the cdf at the upper end of a cell: 1 from the last cell on, 0 below the first; NaN stays NaN."""
    return torch.where(at.last | at.above, cdf * 0 + 1, torch.where(at.below, cdf * 0, cdf))


def nearest(z: Tensor, support: Support) -> Tensor:
    """Return the value of the lattice nearest to z (..., D); z itself if the values are continuous."""
    unit = torch.where(support.unit > 0, support.unit, 1.0)
    return _within(torch.round(z / unit) * unit, z, support)


def quantile(z: Tensor, support: Support) -> Tensor:
    """Return the quantiles on the lattice, (..., D, Q): the least value whose cell ends at or above z (..., D, Q)."""
    support = Support(support.unit.unsqueeze(-1), support.low.unsqueeze(-1), support.high.unsqueeze(-1))
    unit = torch.where(support.unit > 0, support.unit, 1.0)
    return _within(torch.ceil(z / unit - 0.5) * unit, z, support)


def _within(rounded: Tensor, z: Tensor, support: Support) -> Tensor:
    """Return rounded values between low and high on a lattice, and z if the values are continuous."""
    bounded = torch.minimum(torch.maximum(rounded, support.low), support.high)
    return torch.where(support.unit > 0, bounded, z).to(z.dtype)
