"""Student's t distribution: a location, a scale, and tails that the data choose."""

from __future__ import annotations

import math
from typing import ClassVar, Literal, final

import torch
from scipy import special
from torch import Tensor
from torch.nn import functional as F

from ostinato.emissions.constraints import (
    check_sampling,
    inverse_softplus,
    moments,
    quantiles,
    raw_scale,
    residual,
    scale_of,
)
from ostinato.emissions.emission import Emission, Support
from ostinato.errors import ConfigError

#: Least degrees of freedom: above 2 the variance exists.
LEAST_DF = 2.05


@final
class StudentT(Emission):
    """params: location, raw scale (softplus + 1e-4), raw df (softplus + 2.05). Continuous values only."""

    name: ClassVar[str] = "student_t"
    support: ClassVar[Literal["real", "counts", "symbols"]] = "real"
    parameters = 3

    def log_prob(self, params: Tensor, x: Tensor, support: Support) -> Tensor:
        """See Emission. ConfigError on a lattice."""
        loc, scale, df = _constrained(params, support)
        m = residual(x, loc) / scale
        kernel = -0.5 * (df + 1) * torch.log1p(m.square() / df)
        return _log_gamma_ratio(df / 2) - 0.5 * torch.log(df * math.pi) - scale.log() + kernel

    def sample(
        self, params: Tensor, support: Support, generator: torch.Generator, temperature: float = 1.0, top_p: float = 1.0
    ) -> Tensor:
        """See Emission. temperature multiplies the scale. ConfigError on a lattice, or where top_p < 1."""
        check_sampling(temperature, top_p, symbols=False)
        loc, scale, df = _constrained(params.detach(), support)
        noise = torch.randn(loc.shape, generator=generator, dtype=torch.float64, device=loc.device)
        half_chi2 = torch._standard_gamma(df.double() / 2, generator=generator)
        return loc + temperature * scale * (noise * torch.sqrt(df.double() / 2 / half_chi2)).to(loc.dtype)

    def quantile(self, params: Tensor, q: Tensor, support: Support) -> Tensor:
        """See Emission. ConfigError on a lattice."""
        loc, scale, df = _constrained(params.detach(), support)
        standard = special.stdtrit(df.double().unsqueeze(-1).cpu().numpy(), q.double().cpu().numpy())
        return loc.unsqueeze(-1) + scale.unsqueeze(-1) * torch.as_tensor(standard).to(params)

    def cdf(self, params: Tensor, x: Tensor, support: Support) -> Tensor:
        """See Emission. ConfigError on a lattice."""
        loc, scale, df = _constrained(params.detach(), support)
        m = (residual(x, loc) / scale).double()
        return torch.as_tensor(special.stdtr(df.double().cpu().numpy(), m.cpu().numpy())).to(params)

    def mean(self, params: Tensor, support: Support) -> Tensor:
        """See Emission."""
        return _constrained(params, support)[0]

    def initial(self, x: Tensor, support: Support) -> Tensor:
        """See Emission. Median, scale from the median absolute deviation, 5 degrees of freedom."""
        half = torch.tensor([0.5], dtype=x.dtype, device=x.device)
        median = quantiles(x, half)[:, 0]
        # the third quartile of t(5) is 0.7267; where most values are one and the same, its variance 5/3 serves instead
        robust = quantiles((x - median).abs(), half)[:, 0] / 0.7267
        scale = torch.where(robust > 1e-3, robust, (moments(x)[1] * 0.6**0.5).clamp(min=1e-3))
        df = torch.full_like(median, 5.0 - LEAST_DF)
        return torch.stack([median, raw_scale(scale), inverse_softplus(df)], -1)


def _constrained(params: Tensor, support: Support) -> tuple[Tensor, Tensor, Tensor]:
    if bool((support.unit > 0).any()):
        raise ConfigError(
            "student_t is a density, and these values lie on a lattice",
            fix="emission normal or logistic_mixture, or negative_binomial for counts",
        )
    return params[..., 0], scale_of(params[..., 1]), F.softplus(params[..., 2]) + LEAST_DF


def _log_gamma_ratio(a: Tensor) -> Tensor:
    """Log Gamma(a + 1/2) - log Gamma(a), by its asymptotic series for large a, where the difference would cancel."""
    large = a > 30
    small = torch.where(large, 1.0, a)
    r = a.reciprocal()
    series = 0.5 * a.log() + r * (-1 / 8 + r.square() * (1 / 192 - r.square() / 640))
    return torch.where(large, series, torch.lgamma(small + 0.5) - torch.lgamma(small))
