"""Continuous values that are never below a bound: every family of the real line, cut off at the bound and made whole.

With S(a) = P(X > a), the density of x >= a is p(x) / S(a), so that it integrates to one; below a it is 0. Draws,
quantiles, probabilities and means are those of this distribution.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Sequence
from typing import TypeAlias

import torch
from torch import Tensor

from ostinato.emissions import draws
from ostinato.emissions.draws import Source
from ostinato.emissions.emission import Emission, Support

#: A function of the parameters (P,) and a bound that returns log S(a) and the mean excess E max(X - a, 0).
PlainTail: TypeAlias = Callable[[Sequence[float], float], tuple[float, float]]
#: The least S(a) that is told from 0.
LEAST = 1e-300


class Located(Emission):
    """A family of distributions of the real line, which can be cut off at a bound."""

    @property
    def plain_tail(self) -> PlainTail | None:
        """The tail above a bound in plain Python, without torch; None if the family has none."""
        return None

    @abstractmethod
    def log_above(self, params: Tensor, a: Tensor) -> Tensor:
        """Return log P(X > a) of continuous X, (..., D), of params (..., D, P) and a (..., D)."""

    @abstractmethod
    def exceeded(self, params: Tensor, s: Tensor) -> Tensor:
        """Return the values that are exceeded with the probabilities s (..., D, Q), (..., D, Q)."""

    @abstractmethod
    def excess(self, params: Tensor, a: Tensor) -> Tensor:
        """Return E max(X - a, 0) of continuous X, (..., D), of params (..., D, P) and a (..., D)."""

    def ends(self, params: Tensor) -> tuple[Tensor, Tensor]:
        """Return the least and the greatest location of the components, (..., D) each: of one, the location."""
        loc = params[..., 0].detach()
        return loc, loc


def is_bounded(support: Support) -> bool:
    """Return whether some values are continuous and have a lower bound."""
    return bool(((support.unit == 0) & (support.low > -torch.inf)).any())


def log_above(emission: Emission, params: Tensor, low: Tensor) -> Tensor:
    """Return log P(X > low), (..., D), by which the density is divided; 0 where there is no bound."""
    assert isinstance(emission, Located)
    bound = low > -torch.inf
    found = emission.log_above(params.double(), torch.where(bound, low, 0.0).double())
    return torch.where(bound, found.to(params.dtype), 0.0)


def above(emission: Emission, params: Tensor, a: Tensor, low: Tensor) -> Tensor:
    """Return P(X > a | X >= low), (..., D)."""
    kept = log_above(emission, params, torch.maximum(a, low)) - log_above(emission, params, low)
    return kept.exp().clamp(max=1.0)


def quantile(emission: Emission, params: Tensor, p: Tensor, low: Tensor) -> Tensor:
    """Return the quantiles given X >= low, (..., D, Q), at the levels p (Q,)."""
    assert isinstance(emission, Located)
    share = log_above(emission, params.double(), low.double()).exp().clamp(min=LEAST).unsqueeze(-1)
    found = emission.exceeded(params.double(), (1 - p.double()) * share).to(params.dtype)
    return torch.maximum(found, low.unsqueeze(-1))


def mean(emission: Emission, params: Tensor, low: Tensor) -> Tensor:
    """Return the means given X >= low, (..., D)."""
    assert isinstance(emission, Located)
    bound, wide = low > -torch.inf, params.double()
    a = torch.where(bound, low, 0.0).double()
    found = a + emission.excess(wide, a) / emission.log_above(wide, a).exp().clamp(min=LEAST)
    return torch.where(bound, found.to(params.dtype), emission.mean(params, Support.real(params.dtype, params.device)))


def drawn_again(
    emission: Emission, params: Tensor, u: Tensor, low: Tensor, generator: Source, temperature: float = 1.0
) -> Tensor:
    """Return draws given X >= low, (..., D): those of u below low are drawn again, by the inverse of the cdf.

    Args:
        emission: The family.
        params: The parameters, (..., D, P).
        u: Draws of X, (..., D), with its scale multiplied by the temperature.
        low: The bounds, (..., D), or -inf.
        generator: The source of randomness.
        temperature: The temperature.
    """
    out = u < low
    if not bool(out.any()):
        return u
    assert isinstance(emission, Located)
    low, u = low.expand(out.shape), u.clone()
    if temperature == 0.0:
        return torch.maximum(u, low)
    few, least = params.expand(*out.shape, params.shape[-1])[out].double(), low[out].double()
    # X times the temperature about its mean is above low if X is above the bound a
    centre = emission.mean(few, Support.real(few.dtype, few.device))
    a = centre + (least - centre) / temperature
    share = 1 - draws.uniform_where(out, generator, torch.float64)
    s = share * emission.log_above(few, a).exp().clamp(min=LEAST)
    # a single channel is an axis of its own for the parameters of a family
    found = emission.exceeded(few, s.unsqueeze(-1)).squeeze(-1)
    u[out] = torch.maximum(centre + temperature * (found - centre), least).to(u.dtype)
    return u
