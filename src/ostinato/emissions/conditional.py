"""P(x_t | x_<t) itself: an emission, its parameters, and the autoregression's prediction that it stands on."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from ostinato.emissions.emission import Emission, Support


@dataclass(frozen=True)
class Conditional:
    """The distribution of x (..., D), in model space.

    params (..., D, P); for an emission on the real line also loc and scale (..., D): the emission is asserted of the
    standardised innovation e = (x - loc) / scale. Counts have loc added to params[..., 0]; symbols have neither.
    """

    emission: Emission
    params: Tensor
    loc: Tensor | None = None
    scale: Tensor | None = None

    def log_prob(self, x: Tensor, support: Support) -> Tensor:
        """Nats (..., D) of x (..., D) in model space."""
        if self.loc is None or self.scale is None:
            return self.emission.log_prob(self.params, x, support)
        loc, scale = self.loc, self.scale
        nats = self.emission.log_prob(self.params, (x - loc) / scale, _moved(support, loc, scale))
        return torch.where(support.unit > 0, nats, nats - scale.log())

    def sample(
        self, support: Support, generator: torch.Generator, temperature: float = 1.0, top_p: float = 1.0
    ) -> Tensor:
        """x (..., D)."""
        inner = support if self.loc is None else _line(self.params)
        return self._back(self.emission.sample(self.params, inner, generator, temperature, top_p), support)

    def quantile(self, q: Tensor, support: Support) -> Tensor:
        """q (Q,) -> (..., D, Q)."""
        inner = support if self.loc is None else _line(self.params)
        return self._back(self.emission.quantile(self.params, q, inner), support, trailing=True)

    def cdf(self, x: Tensor, support: Support) -> Tensor:
        """P(X <= x) (..., D) of x (..., D) in model space."""
        if self.loc is None or self.scale is None:
            return self.emission.cdf(self.params, x, support)
        moved = _moved(support, self.loc, self.scale)
        return self.emission.cdf(self.params, (x - self.loc) / self.scale, moved)

    def mean(self, support: Support) -> Tensor:
        """(..., D); within the support's edges."""
        if self.loc is None or self.scale is None:
            return self.emission.mean(self.params, support)
        return self.loc + self.scale * self.emission.mean(self.params, _moved(support, self.loc, self.scale))

    def _back(self, e: Tensor, support: Support, *, trailing: bool = False) -> Tensor:
        """Innovations to values; on a lattice to the nearest point, which is what its cells' probabilities say."""
        if self.loc is None or self.scale is None:
            return e
        loc, scale, unit, low, high = self.loc, self.scale, support.unit, support.low, support.high
        if trailing:
            loc, scale, unit, low, high = (t.unsqueeze(-1) for t in (loc, scale, unit, low, high))
        x = loc + scale * e
        cell = torch.where(unit > 0, unit, torch.ones_like(unit))
        return torch.where(unit > 0, (x / cell).round() * cell, x).clamp(low, high)


def _moved(support: Support, loc: Tensor, scale: Tensor) -> Support:
    """Where the standardised innovation of a value on the support can lie."""
    return Support(support.unit / scale, (support.low - loc) / scale, (support.high - loc) / scale)


def _line(like: Tensor) -> Support:
    return Support.real(like.dtype)
