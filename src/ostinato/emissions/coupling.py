"""Coupling: how the channels of one step move together, by the chain rule over channels."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from ostinato.emissions.constraints import FARTHEST

#: Of a channel's variance: what is added to it in the least squares, so that channels that are one and the same count.
RIDGE = 1e-6
#: Innovations beyond this many standard deviations count as this many in the least squares: one revaluation of a pegged
#: currency would be all that its row says.
OUTLYING = 10.0


class Coupling(nn.Module):
    """u = (I - L) e, L strictly lower triangular: what each innovation has beyond those of the channels before it.

    The modified Cholesky decomposition of Pourahmadi (1999): L's rows are regressions, free of any constraint, and
    I - L has determinant 1, so the density of u is that of e. An e that is missing counts as 0, its mean.

    weight  (D (D - 1) / 2): the entries of L below its diagonal, row by row
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.channels = channels
        self.weight = nn.Parameter(torch.zeros(channels * (channels - 1) // 2))

    def matrix(self) -> Tensor:
        """L (D, D)."""
        out = self.weight.new_zeros(self.channels, self.channels)
        out[*torch.tril_indices(self.channels, self.channels, -1)] = self.weight
        return out

    def earlier(self, e: Tensor) -> Tensor:
        """L e (..., D) of standardised innovations e (..., D): what the channels before each one say of it."""
        return e.clamp(-FARTHEST, FARTHEST) @ self.matrix().t()

    def together(self, u: Tensor) -> Tensor:
        """U (..., D) -> e = (I - L)^-1 u."""
        upper = torch.eye(self.channels, dtype=u.dtype, device=u.device) - self.matrix().t()
        rows = u.reshape(-1, self.channels)
        e: Tensor = torch.linalg.solve_triangular(upper, rows, upper=True, left=False, unitriangular=True)
        return e.reshape(u.shape)

    @torch.no_grad()
    def fit(self, e: Tensor) -> Tensor:
        """L by least squares of e (N, D), NaN where missing -> u (N, D), NaN where e is.

        It is where training starts. A row of L is 0 where it does not earn its coefficients by BIC.
        """
        seen, x = ~e.isnan(), e.double().clamp(-OUTLYING, OUTLYING).nan_to_num(0.0)
        gram, rows = x.t() @ x, []
        for d in range(1, self.channels):
            n, gone = int(seen[:, d].sum()), x[~seen[:, d], :d]
            total, shared = float(gram[d, d]), gram[:d, d]
            row = torch.zeros_like(shared)
            if n > d and total > 0:
                own = gram[:d, :d] - gone.t() @ gone + RIDGE * n * torch.eye(d, dtype=x.dtype)
                found = torch.linalg.solve(own, shared)
                left = max(total - float(found @ shared), RIDGE * total)
                if n * math.log(total / left * (n - d) / n) > d * math.log(n):
                    row = found
            rows.append(row)
        self.weight.copy_(torch.cat(rows))
        return e - self.earlier(e.nan_to_num(0.0))
