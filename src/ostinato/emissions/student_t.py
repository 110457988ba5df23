"""Student's t distribution: a location, a scale, and degrees of freedom that set the weight of the tails."""

from __future__ import annotations

import math
from typing import Any, ClassVar, final

import numpy as np
import torch
from scipy import special
from torch import Tensor
from torch.nn import functional as F

from ostinato.emissions import draws, live
from ostinato.emissions.bounded import LEAST, Located, PlainTail
from ostinato.emissions.constraints import (
    LEAST_DF,
    inverse_softplus,
    moments,
    quantiles,
    raw_scale,
    residual,
    sampling_options,
    scale_of,
)
from ostinato.emissions.draws import Source
from ostinato.emissions.emission import PlainDensity, PlainDraws, Support
from ostinato.errors import ConfigError

#: The step of the difference in the degrees of freedom, as a share of them.
_STEP = 1e-4


@final
class StudentT(Located):
    """Student's t distribution of continuous values.

    The parameters are the location, the raw scale, with scale = softplus(raw) + 1e-4, and the raw degrees of freedom,
    with df = softplus(raw) + 2.05. log_prob, sample, quantile, cdf and mean raise
    ConfigError for values on a lattice.
    """

    name: ClassVar[str] = "student_t"
    parameters = 3

    @property
    def plain_density(self) -> PlainDensity:
        """The log density of one value in plain Python."""
        return live.student_t

    @property
    def plain_draws(self) -> PlainDraws:
        """Draws in NumPy."""
        return live.draw_student_t

    @property
    def plain_tail(self) -> PlainTail:
        """The tail above a bound in plain Python."""
        return live.tail_student_t

    def log_above(self, params: Tensor, a: Tensor) -> Tensor:
        """Return log P(X > a), (..., D)."""
        loc, scale, df = _parts(params)
        below: Tensor = _LogCdf.apply(df, -residual(a, loc) / scale)  # type: ignore[no-untyped-call]
        return below

    def exceeded(self, params: Tensor, s: Tensor) -> Tensor:
        """Return the values that are exceeded with the probabilities s, (..., D, Q)."""
        loc, scale, df = _parts(params.detach())
        standard = special.stdtrit(df.double().unsqueeze(-1).cpu().numpy(), s.double().cpu().numpy())
        return loc.unsqueeze(-1) - scale.unsqueeze(-1) * torch.as_tensor(standard).to(params)

    def excess(self, params: Tensor, a: Tensor) -> Tensor:
        """Return E max(X - a, 0), (..., D)."""
        loc, scale, df = _parts(params.detach())
        m = ((a - loc) / scale).double()
        tail = torch.as_tensor(special.stdtr(df.double().cpu().numpy(), (-m).cpu().numpy())).to(m)
        return (scale * (_log_density(df.double(), m).exp() * (df + m.square()) / (df - 1) - m * tail)).to(params.dtype)

    def log_prob(self, params: Tensor, x: Tensor, support: Support) -> Tensor:
        """Return the nats of x, (..., D)."""
        loc, scale, df = _constrained(params, support)
        m = residual(x, loc) / scale
        return _log_density(df, m) - scale.log()

    def sample(
        self, params: Tensor, support: Support, generator: Source, temperature: float = 1.0, top_p: float = 1.0
    ) -> Tensor:
        """Return one draw per channel, (..., D); the temperature multiplies the scale."""
        temperature, _ = sampling_options(temperature, top_p, symbols=False)
        loc, scale, df = _constrained(params.detach(), support)
        return loc + temperature * scale * draws.student_t(df, generator).to(loc.dtype)

    def quantile(self, params: Tensor, q: Tensor, support: Support) -> Tensor:
        """Return the quantiles, (..., D, Q)."""
        loc, scale, df = _constrained(params.detach(), support)
        standard = special.stdtrit(df.double().unsqueeze(-1).cpu().numpy(), q.double().cpu().numpy())
        return loc.unsqueeze(-1) + scale.unsqueeze(-1) * torch.as_tensor(standard).to(params)

    def cdf(self, params: Tensor, x: Tensor, support: Support) -> Tensor:
        """Return the probabilities P(X <= x), (..., D)."""
        loc, scale, df = _constrained(params.detach(), support)
        m = (residual(x, loc) / scale).double()
        return torch.as_tensor(special.stdtr(df.double().cpu().numpy(), m.cpu().numpy())).to(params)

    def mean(self, params: Tensor, support: Support) -> Tensor:
        """Return the means, (..., D)."""
        return _constrained(params, support)[0]

    def initial(self, x: Tensor, support: Support) -> Tensor:
        """Return the median, a scale from the median absolute deviation, and 5 degrees of freedom, (D, 3)."""
        half = torch.tensor([0.5], dtype=x.dtype, device=x.device)
        median = quantiles(x, half)[:, 0]
        # the third quartile of t(5) is 0.7267; if most values are identical, the variance 5/3 of t(5) is used instead
        robust = quantiles((x - median).abs(), half)[:, 0] / 0.7267
        scale = torch.where(robust > 1e-3, robust, (moments(x)[1] * 0.6**0.5).clamp(min=1e-3))
        df = torch.full_like(median, 5.0 - LEAST_DF)
        return torch.stack([median, raw_scale(scale), inverse_softplus(df)], -1)


def _constrained(params: Tensor, support: Support) -> tuple[Tensor, Tensor, Tensor]:
    """Return location, scale and degrees of freedom; raise ConfigError for values on a lattice."""
    if bool((support.unit > 0).any()):
        raise ConfigError(
            "emission student_t needs continuous values, and these values lie on a lattice",
            fix="use emission normal or logistic_mixture, or negative_binomial for counts",
        )
    return _parts(params)


def _parts(params: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Return location, scale and degrees of freedom, (..., D) each."""
    return params[..., 0], scale_of(params[..., 1]), F.softplus(params[..., 2]) + LEAST_DF


def _log_density(df: Tensor, m: Tensor) -> Tensor:
    """Return the log density of the standard distribution at m."""
    kernel = -0.5 * (df + 1) * torch.log1p(m.square() / df)
    return _log_gamma_ratio(df / 2) - 0.5 * torch.log(df * math.pi) + kernel


class _LogCdf(torch.autograd.Function):
    """log F(m) of the standard distribution by scipy, with its gradient; that in df is a central difference."""

    @staticmethod
    def forward(ctx: Any, df: Tensor, m: Tensor) -> Tensor:
        """Return log F(m) of degrees of freedom and values that broadcast."""
        df, m = df + torch.zeros_like(m), m + torch.zeros_like(df)
        found = _log_cdf(df, m)
        ctx.save_for_backward(df, m, found)
        return found

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor, Tensor]:
        """Return the gradients with respect to df and m."""
        df, m, found = ctx.saved_tensors
        step = _STEP * df
        slope = (_log_cdf(df + step, m) - _log_cdf(df - step, m)) / (2 * step)
        return grads[0] * slope, grads[0] * (_log_density(df, m) - found).exp()


def _log_cdf(df: Tensor, m: Tensor) -> Tensor:
    """Return log F(m); at least that of the least number that is told from 0."""
    cdf = special.stdtr(df.detach().double().cpu().numpy(), m.detach().double().cpu().numpy())
    return torch.as_tensor(np.log(np.maximum(cdf, LEAST))).to(m)


def _log_gamma_ratio(a: Tensor) -> Tensor:
    """Return log Gamma(a + 1/2) - log Gamma(a); for large a by its asymptotic series, since the difference cancels."""
    large = a > 30
    small = torch.where(large, 1.0, a)
    r = a.reciprocal()
    series = 0.5 * a.log() + r * (-1 / 8 + r.square() * (1 / 192 - r.square() / 640))
    return torch.where(large, series, torch.lgamma(small + 0.5) - torch.lgamma(small))
