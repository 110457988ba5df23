"""The distribution P(x_t | x_<t): an emission, its parameters, and the prediction that it is centred on."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from ostinato.emissions.coupling import Coupling
from ostinato.emissions.emission import Emission, Support


@dataclass(frozen=True)
class Conditional:
    """The distribution of x (..., D), in model space.

    With loc and scale the emission describes the standardised innovation e = (x - loc) / scale. With a coupling it
    describes u = (I - L) e, so each channel is conditional on the channels before it at the same step; a missing
    channel (NaN) counts as its prediction loc.

    Attributes:
        emission: The family of distributions.
        params: The parameters of the emission, (..., D, P).
        loc: The predictions that the innovations are measured from, (..., D); None if the emission describes x itself.
        scale: The scales of the innovations, (..., D); None if the emission describes x itself.
        coupling: The dependence between the channels of one step, or None.
    """

    emission: Emission
    params: Tensor
    loc: Tensor | None = None
    scale: Tensor | None = None
    coupling: Coupling | None = None

    def log_prob(self, x: Tensor, support: Support) -> Tensor:
        """Return the nats of x; those of the observed channels sum to the nats of the step.

        Args:
            x: The values in model space, (..., D). NaN where a value is missing.
            support: The set in which the values lie.

        Returns:
            Nats, (..., D). They are finite for a missing value, where the caller leaves them out.
        """
        if self.loc is None or self.scale is None:
            return self.emission.log_prob(self.params, x.nan_to_num(0.0), support)
        loc, scale = self.loc, self.scale
        nats = self.emission.log_prob(self.params, self._innovations(x, loc, scale), _standard(support, loc, scale))
        return torch.where(support.unit > 0, nats, nats - scale.log())

    def sample(
        self, support: Support, generator: torch.Generator, temperature: float = 1.0, top_p: float = 1.0
    ) -> Tensor:
        """Return one draw per channel, (..., D), in model space (see ``Emission.sample``)."""
        inner = support if self.loc is None else Support.real(self.params.dtype)
        u = self.emission.sample(self.params, inner, generator, temperature, top_p)
        return self._values(self._coupled(u), support)

    def quantile(self, q: Tensor, support: Support, x: Tensor | None = None) -> Tensor:
        """Return the quantiles of each channel, conditional on the channels before it.

        With a coupling the quantile of a channel given the past alone has no closed form: estimate it from draws.

        Args:
            q: The levels, (Q,), between 0 and 1.
            support: The set in which the values lie.
            x: The values of the step, (..., D), that later channels are conditional on; None takes their means.

        Returns:
            Values in model space, (..., D, Q).
        """
        inner = support if self.loc is None else Support.real(self.params.dtype)
        out = self.emission.quantile(self.params, q, inner)
        if self.coupling is not None and self.loc is not None and self.scale is not None:
            u = self.emission.mean(self.params, inner)
            e = self._coupled(u) if x is None else _standardised(x, self.loc, self.scale)
            out = out + self.coupling.earlier(e).unsqueeze(-1)
        return self._values(out, support, trailing=True)

    def cdf(self, x: Tensor, support: Support) -> Tensor:
        """Return P(X <= x), (..., D), of x (..., D) in model space, each channel given the channels before it in x.

        For continuous x drawn from the model they are independent and uniform, with any coupling (Rosenblatt 1952).
        """
        if self.loc is None or self.scale is None:
            return self.emission.cdf(self.params, x.nan_to_num(0.0), support)
        inner = _standard(support, self.loc, self.scale)
        return self.emission.cdf(self.params, self._innovations(x, self.loc, self.scale), inner)

    def mean(self, support: Support) -> Tensor:
        """Return the means given the past alone, (..., D), within the edges of the support."""
        if self.loc is None or self.scale is None:
            return self.emission.mean(self.params, support)
        u = self.emission.mean(self.params, _standard(support, self.loc, self.scale))
        return self.loc + self.scale * self._coupled(u)

    def _innovations(self, x: Tensor, loc: Tensor, scale: Tensor) -> Tensor:
        """Return the innovations that the emission describes: u, or e without a coupling."""
        if self.coupling is None:
            return (x.nan_to_num(0.0) - loc) / scale
        e = _standardised(x, loc, scale)
        return e - self.coupling.earlier(e)

    def _coupled(self, u: Tensor) -> Tensor:
        """Return the coupled innovations e of the independent innovations u."""
        return u if self.coupling is None else self.coupling.together(u)

    def _values(self, e: Tensor, support: Support, *, trailing: bool = False) -> Tensor:
        """Return the values of innovations; on a lattice the nearest point, as its cells have the probabilities."""
        if self.loc is None or self.scale is None:
            return e
        loc, scale, unit, low, high = self.loc, self.scale, support.unit, support.low, support.high
        if trailing:
            loc, scale, unit, low, high = (t.unsqueeze(-1) for t in (loc, scale, unit, low, high))
        x = loc + scale * e
        cell = torch.where(unit > 0, unit, torch.ones_like(unit))
        return torch.where(unit > 0, (x / cell).round() * cell, x).clamp(low, high)


def _standardised(x: Tensor, loc: Tensor, scale: Tensor) -> Tensor:
    """Return the standardised innovations of x, 0 where x is missing."""
    e = (x.nan_to_num(0.0) - loc) / scale
    return torch.where(x.isnan(), torch.zeros_like(e), e)


def _standard(support: Support, loc: Tensor, scale: Tensor) -> Support:
    """Return the support of the standardised innovations."""
    return Support(support.unit / scale, (support.low - loc) / scale, (support.high - loc) / scale)
