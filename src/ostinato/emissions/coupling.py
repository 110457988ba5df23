"""Coupling: the dependence between the channels of one step, by the chain rule over channels."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import final

import torch
from torch import Tensor, nn

from ostinato.emissions.constraints import FARTHEST

#: The ridge of the least squares, as a share of the variance, so that identical channels can be solved.
RIDGE = 1e-6
#: Innovations beyond this many standard deviations count as this many in the least squares, so that one outlier,
#: for example the revaluation of a pegged currency, does not determine a row.
OUTLYING = 10.0


class Coupling(nn.Module):
    """The map u = (I - L) e, L strictly lower triangular, from coupled innovations e to independent ones u.

    This is the modified Cholesky decomposition of Pourahmadi (1999). The rows of L are regressions of each channel on
    the channels before it, without any constraint. I - L has determinant 1, so the density of u is that of e. A missing
    e counts as 0, its mean.

    Args:
        channels: The number of channels, D.

    Attributes:
        weight: The entries of L below its diagonal, row by row, (D (D - 1) / 2,).
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.channels = channels
        self.weight = nn.Parameter(torch.zeros(channels * (channels - 1) // 2))

    def each(self, change: Callable[[Tensor], Tensor]) -> Coupling:
        """Return the coupling itself, which is that of every step (see ``Conditional.each``)."""
        return self

    def matrix(self) -> Tensor:
        """Return L, (D, D)."""
        out = self.weight.new_zeros(self.channels, self.channels)
        out[*torch.tril_indices(self.channels, self.channels, -1)] = self.weight
        return out

    def earlier(self, e: Tensor) -> Tensor:
        """Return L e, (..., D), the part of standardised innovations e (..., D) that earlier channels explain."""
        return e.clamp(-FARTHEST, FARTHEST) @ self.matrix().t().to(e.dtype)

    def together(self, u: Tensor) -> Tensor:
        """Return the coupled innovations e = (I - L)^-1 u, (..., D), of independent innovations u (..., D)."""
        upper = torch.eye(self.channels, dtype=u.dtype, device=u.device) - self.matrix().t().to(u.dtype)
        rows = u.reshape(-1, self.channels)
        e: Tensor = torch.linalg.solve_triangular(upper, rows, upper=True, left=False, unitriangular=True)
        return e.reshape(u.shape)

    @torch.no_grad()
    def fit(self, e: Tensor) -> Tensor:
        """Set L by least squares, as the start of training. A row of L is 0 unless its coefficients lower the BIC.

        Args:
            e: The standardised innovations, (N, D). NaN where a value is missing.

        Returns:
            The independent innovations u, (N, D). NaN where e is NaN.
        """
        seen, x = ~e.isnan(), e.double().clamp(-OUTLYING, OUTLYING).nan_to_num(0.0)
        gram, rows = x.t() @ x, []
        for d in range(1, self.channels):
            n, unused = int(seen[:, d].sum()), x[~seen[:, d], :d]
            total, shared = float(gram[d, d]), gram[:d, d]
            row = torch.zeros_like(shared)
            if n > d and total > 0:
                own = gram[:d, :d] - unused.t() @ unused + RIDGE * n * torch.eye(d, dtype=x.dtype)
                solution = torch.linalg.solve(own, shared)
                left = max(total - float(solution @ shared), RIDGE * total)
                if n * math.log(total / left * (n - d) / n) > d * math.log(n):
                    row = solution
            rows.append(row)
        self.weight.copy_(torch.cat(rows))
        return e - self.earlier(e.nan_to_num(0.0))


@final
class StepCoupling:
    """A coupling whose coefficients differ from step to step, as those of an adaptive filter do.

    Args:
        rows: L of every step, (..., D, D), of which the part below the diagonal is used.
    """

    def __init__(self, rows: Tensor) -> None:
        self._rows = rows.tril(-1)

    def matrix(self) -> Tensor:
        """Return L, (..., D, D)."""
        return self._rows

    def each(self, change: Callable[[Tensor], Tensor]) -> StepCoupling:
        """Return the coupling of the steps that are left after a change of their axes (see ``Conditional.each``)."""
        return StepCoupling(change(self._rows))

    def earlier(self, e: Tensor) -> Tensor:
        """Return L e, (..., D), the part of standardised innovations e (..., D) that earlier channels explain."""
        return (self._rows.to(e.dtype) * e.clamp(-FARTHEST, FARTHEST).unsqueeze(-2)).sum(-1)

    def together(self, u: Tensor) -> Tensor:
        """Return the coupled innovations e = (I - L)^-1 u, (..., D), of independent innovations u (..., D)."""
        e = u[..., :1]
        for d in range(1, u.shape[-1]):
            explained = (self._rows[..., d, :d].to(u.dtype) * e.clamp(-FARTHEST, FARTHEST)).sum(-1, keepdim=True)
            e = torch.cat([e, u[..., d : d + 1] + explained], -1)
        return e
