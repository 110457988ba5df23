"""P(x_t | x_<t) itself: an emission, its parameters, and the autoregression's prediction that it stands on."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from ostinato.emissions.coupling import Coupling
from ostinato.emissions.emission import Emission, Support


@dataclass(frozen=True)
class Conditional:
    """The distribution of x (..., D), in model space.

    params (..., D, P); for an emission on the real line also loc and scale (..., D): the emission is asserted of the
    standardised innovation e = (x - loc) / scale. Counts have loc added to params[..., 0]; symbols have neither.

    With a coupling it is asserted of u = (I - L) e, so a channel is asserted given the channels before it at the same
    step, and one of those that is missing (NaN) counts as its prediction loc.
    """

    emission: Emission
    params: Tensor
    loc: Tensor | None = None
    scale: Tensor | None = None
    coupling: Coupling | None = None

    def log_prob(self, x: Tensor, support: Support) -> Tensor:
        """Nats (..., D) of x (..., D) in model space; over the observed channels they sum to those of the step.

        Where x is missing (NaN) they are those of 0, or of the prediction: finite, and to be left out.
        """
        if self.loc is None or self.scale is None:
            return self.emission.log_prob(self.params, x.nan_to_num(0.0), support)
        loc, scale = self.loc, self.scale
        nats = self.emission.log_prob(self.params, self._own(x, loc, scale), _moved(support, loc, scale))
        return torch.where(support.unit > 0, nats, nats - scale.log())

    def sample(
        self, support: Support, generator: torch.Generator, temperature: float = 1.0, top_p: float = 1.0
    ) -> Tensor:
        """X (..., D)."""
        inner = support if self.loc is None else _line(self.params)
        u = self.emission.sample(self.params, inner, generator, temperature, top_p)
        return self._back(self._together(u), support)

    def quantile(self, q: Tensor, support: Support, x: Tensor | None = None) -> Tensor:
        """Q (Q,) -> (..., D, Q): of each channel given those before it in x (..., D), or at their means.

        With a coupling a channel's quantile given the past alone has no closed form: it takes draws.
        """
        inner = support if self.loc is None else _line(self.params)
        out = self.emission.quantile(self.params, q, inner)
        if self.coupling is not None and self.loc is not None and self.scale is not None:
            u = self.emission.mean(self.params, inner)
            e = self._together(u) if x is None else _standardised(x, self.loc, self.scale)
            out = out + self.coupling.earlier(e).unsqueeze(-1)
        return self._back(out, support, trailing=True)

    def cdf(self, x: Tensor, support: Support) -> Tensor:
        """P(X <= x) (..., D) of x (..., D) in model space, of each channel given those before it in x.

        So these are independent and uniform where x is drawn from the model (Rosenblatt 1952), whatever couples it.
        """
        if self.loc is None or self.scale is None:
            return self.emission.cdf(self.params, x.nan_to_num(0.0), support)
        moved = _moved(support, self.loc, self.scale)
        return self.emission.cdf(self.params, self._own(x, self.loc, self.scale), moved)

    def mean(self, support: Support) -> Tensor:
        """(..., D), given the past alone; within the support's edges."""
        if self.loc is None or self.scale is None:
            return self.emission.mean(self.params, support)
        u = self.emission.mean(self.params, _moved(support, self.loc, self.scale))
        return self.loc + self.scale * self._together(u)

    def _own(self, x: Tensor, loc: Tensor, scale: Tensor) -> Tensor:
        """What the emission is asserted of: u, or without a coupling e."""
        if self.coupling is None:
            return (x.nan_to_num(0.0) - loc) / scale
        e = _standardised(x, loc, scale)
        return e - self.coupling.earlier(e)

    def _together(self, u: Tensor) -> Tensor:
        return u if self.coupling is None else self.coupling.together(u)

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


def _standardised(x: Tensor, loc: Tensor, scale: Tensor) -> Tensor:
    """E of x, 0 where it is missing."""
    e = (x.nan_to_num(0.0) - loc) / scale
    return torch.where(x.isnan(), torch.zeros_like(e), e)


def _moved(support: Support, loc: Tensor, scale: Tensor) -> Support:
    """Where the standardised innovation of a value on the support can lie."""
    return Support(support.unit / scale, (support.low - loc) / scale, (support.high - loc) / scale)


def _line(like: Tensor) -> Support:
    return Support.real(like.dtype)
