"""The normal distribution, or its cells on a lattice."""

from __future__ import annotations

import math
from typing import ClassVar, final

import numpy as np
import torch
from torch import Tensor

from ostinato.emissions import draws, lattice, live
from ostinato.emissions.bounded import Located, PlainTail
from ostinato.emissions.constraints import moments, raw_scale, residual, sampling_options, scale_of
from ostinato.emissions.draws import Source
from ostinato.emissions.emission import PlainDensity, PlainDraws, Support
from ostinato.emissions.likeliest import likeliest

_HALF_LOG_TWO_PI = 0.5 * math.log(2 * math.pi)
_NODES, _WEIGHTS = np.polynomial.legendre.leggauss(8)


@final
class Normal(Located):
    """The normal distribution, continuous or on a lattice.

    The parameters are the location and the raw scale, with scale = softplus(raw) + 1e-4.
    """

    name: ClassVar[str] = "normal"
    parameters = 2

    @property
    def plain_density(self) -> PlainDensity:
        """The log density of one continuous value in plain Python."""
        return live.normal

    @property
    def plain_draws(self) -> PlainDraws:
        """Draws of continuous values in NumPy."""
        return live.draw_normal

    @property
    def plain_tail(self) -> PlainTail:
        """The tail above a bound in plain Python."""
        return live.tail_normal

    def log_above(self, params: Tensor, a: Tensor) -> Tensor:
        """Return log P(X > a), (..., D)."""
        return _log_ndtr(-residual(a, params[..., 0]) / scale_of(params[..., 1]))

    def exceeded(self, params: Tensor, s: Tensor) -> Tensor:
        """Return the values that are exceeded with the probabilities s, (..., D, Q)."""
        values: Tensor = params[..., :1] - scale_of(params[..., 1:]) * torch.special.ndtri(s)
        return values

    def excess(self, params: Tensor, a: Tensor) -> Tensor:
        """Return E max(X - a, 0), (..., D)."""
        return _overshoot(a - params[..., 0], scale_of(params[..., 1]))

    def log_prob(self, params: Tensor, x: Tensor, support: Support) -> Tensor:
        """Return the nats of x, (..., D): on a lattice those of the cell around x, and -inf outside the lattice."""
        scale = scale_of(params[..., 1])
        m = residual(x, params[..., 0]) / scale
        density = -0.5 * m.square() - _HALF_LOG_TWO_PI - scale.log()
        if not bool((support.unit > 0).any()):
            return density
        at = lattice.place(x, support)
        unit = torch.where(at.lattice, support.unit, 1.0)
        h = unit / (2 * scale)
        cell = _log_cell(m.abs(), h, unit.log() - math.log(2) - scale.log())
        cell = torch.where(at.first, _log_ndtr(m + h), cell)
        cell = torch.where(at.last, _log_ndtr(h - m), cell)
        cell = torch.where(at.first & at.last, m * 0, cell)
        return torch.where(at.lattice, lattice.only_inside(cell, at), density)

    def sample(
        self, params: Tensor, support: Support, generator: Source, temperature: float = 1.0, top_p: float = 1.0
    ) -> Tensor:
        """Return one draw per channel, (..., D); the temperature multiplies the scale.

        With 0 it is the location, which has the greatest density; on a lattice, the likeliest value.
        """
        temperature, _ = sampling_options(temperature, top_p, symbols=False)
        if temperature == 0.0 and bool((support.unit > 0).all()):
            return likeliest(self, params, self.ends(params), support)
        loc, scale = params[..., 0].detach(), scale_of(params[..., 1].detach())
        noise = draws.normal(loc, generator)
        return lattice.nearest(loc + temperature * scale * noise, support)

    def quantile(self, params: Tensor, q: Tensor, support: Support) -> Tensor:
        """Return the quantiles, (..., D, Q)."""
        standard = torch.special.ndtri(q.to(params.dtype))
        return lattice.quantile(params[..., :1] + scale_of(params[..., 1:]) * standard, support)

    def cdf(self, params: Tensor, x: Tensor, support: Support) -> Tensor:
        """Return the probabilities P(X <= x), (..., D)."""
        upper = residual(x, params[..., 0]) + support.unit / 2
        return lattice.edged_cdf(torch.special.ndtr(upper / scale_of(params[..., 1])), lattice.place(x, support))

    def mean(self, params: Tensor, support: Support) -> Tensor:
        """Return the means, (..., D), with the edges of a lattice but without its rounding, at most unit / 2."""
        loc, scale = params[..., 0], scale_of(params[..., 1])
        clipped = loc + _overshoot(loc - support.low, scale) - _overshoot(support.high - loc, scale)
        return torch.where(support.unit > 0, clipped, loc)

    def initial(self, x: Tensor, support: Support) -> Tensor:
        """Return the mean and standard deviation of x, (D, 2)."""
        mean, deviation = moments(x)
        least = (0.3 * support.unit.max()).clamp(min=1e-3)
        return torch.stack([mean, raw_scale(torch.maximum(deviation, least))], -1)


def _log_cell(t: Tensor, h: Tensor, log_h: Tensor) -> Tensor:
    """Return the log of the normal mass within h of t >= 0, in units of the scale.

    Narrow cells are integrated by Gauss-Legendre quadrature of phi(t + s) / phi(t), which has no cancellation; wide
    ones are log Phi(b) + log(1 - Phi(a) / Phi(b)) in the lower tail.
    """
    narrow = h * (1 + t) < 1
    step = torch.where(narrow, h, 0.0).unsqueeze(-1) * torch.as_tensor(_NODES, dtype=t.dtype, device=t.device)
    ratio = torch.exp(-torch.where(narrow, t, 0.0).unsqueeze(-1) * step - 0.5 * step.square())
    weights = torch.as_tensor(_WEIGHTS, dtype=t.dtype, device=t.device)
    quadrature = (ratio * weights).sum(-1).log() + log_h - 0.5 * t.square() - _HALF_LOG_TWO_PI
    # each branch gets harmless values for elements of the other branch, because an infinite gradient would become
    # 0 * inf = NaN
    h = torch.where(narrow, 1.0, h)
    far = t > 50
    near = torch.where(far, 0.0, t)
    by_cdf = _log_ndtr(h - near) - _log_ndtr(-h - near)
    # in the far tail log Phi(-x) = -x^2 / 2 - log x + const: the squares cancel on paper, since float32 loses them
    by_tail = 2 * t * h + torch.log((t + h) / (t - h).clamp(min=1))
    gap = torch.where(far, by_tail, by_cdf)
    wide: Tensor = _log_ndtr(h - t) + lattice.log_width(gap)
    return torch.where(narrow, quadrature, wide)


def _log_ndtr(z: Tensor) -> Tensor:
    """Return log Phi(z); below -50 by its asymptotic series, since torch's gradient becomes infinite there."""
    far = z < -50
    low = torch.where(far, z, -50.0)
    r = low.reciprocal().square()
    tail = -0.5 * low.square() - torch.log(-low) - _HALF_LOG_TWO_PI + torch.log1p(r * (3 * r - 1))
    return torch.where(far, tail, torch.special.log_ndtr(torch.where(far, 0.0, z)))


def _overshoot(distance: Tensor, scale: Tensor) -> Tensor:
    """Return the mean excess of a centred normal over a distance: scale (phi(d) - d Phi(-d)), d = distance / scale."""
    d = (distance / scale).clamp(max=40)
    excess: Tensor = scale * (torch.exp(-0.5 * d.square() - _HALF_LOG_TWO_PI) - d * torch.special.ndtr(-d))
    return excess
