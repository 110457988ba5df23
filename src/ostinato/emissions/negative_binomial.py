"""The negative binomial distribution of counts: a Poisson distribution whose rate varies."""

from __future__ import annotations

import math
from typing import ClassVar, NamedTuple, final

import numpy as np
import torch
from scipy import special
from torch import Tensor
from torch.nn import functional as F

from ostinato.emissions import draws
from ostinato.emissions.constraints import FARTHEST, inverse_softplus, moments, raw_scale, sampling_options, scale_of
from ostinato.emissions.draws import Source
from ostinato.emissions.emission import Emission, Support
from ostinato.errors import ConfigError

#: The sharpness of the softplus that keeps means positive: it leaves a prediction above 1 almost unchanged.
BETA = 5.0


class _Law(NamedTuple):
    """The distribution in counts and float64: size n = 1 / alpha, log mean, and the logit of 1 - p, log(alpha mean)."""

    size: Tensor
    log_mean: Tensor
    logit: Tensor


@final
class NegativeBinomial(Emission):
    """The negative binomial distribution of counts c = x / unit with mean mu and variance mu + alpha mu^2.

    The parameters are the location, with mean = softplus(location, beta=5), and the raw dispersion, with
    alpha = softplus(raw) + 1e-4. At alpha = 1e-4 it is nearly a Poisson distribution.
    """

    name: ClassVar[str] = "negative_binomial"
    needs_counts: ClassVar[bool] = True
    parameters = 2

    def log_prob(self, params: Tensor, x: Tensor, support: Support) -> Tensor:
        """Return the nats of x, (..., D); -inf below 0.

        Raises:
            ConfigError: The values are not counts.
        """
        n, _, logit = _law(params, support)
        counts = torch.round(x.double() / support.unit.double())
        c = counts.clamp(0, 1e15)
        # in float64, because lgamma near n = 1e4 is 8e4, and float32 would keep two decimals of it
        huge = c > 1e10
        near = torch.where(huge, 1.0, c)
        by_gamma = torch.lgamma(near + n) - torch.lgamma(near + 1)
        # Gamma(c + n) / Gamma(c + 1) = (c + n / 2)^(n - 1) (1 + O(n^3 / c^2)): Tricomi and Erdelyi 1951
        choose = torch.where(huge, (n - 1) * torch.log(c + n / 2), by_gamma) - torch.lgamma(n)
        value = choose + n * F.logsigmoid(-logit) + c * F.logsigmoid(logit)
        return torch.where(counts < 0, value - torch.inf, value).to(params.dtype)

    def sample(
        self, params: Tensor, support: Support, generator: Source, temperature: float = 1.0, top_p: float = 1.0
    ) -> Tensor:
        """Return one draw per channel, (..., D); the temperature multiplies the distance to the mean; 0 is the mode."""
        temperature, _ = sampling_options(temperature, top_p, symbols=False)
        n, log_mean, logit = _law(params.detach(), support)
        if temperature == 0.0:
            return (_mode(n, log_mean) * support.unit.double()).to(params.dtype)
        rate = draws.gamma(n, generator) * logit.exp()
        # the Poisson sampler counts in int64; at rates this high its noise is below a millionth of the rate
        counts = torch.where(rate > 1e12, rate.round(), draws.poisson(rate.clamp(max=1e12), generator))
        if temperature != 1.0:
            mean = log_mean.exp()
            counts = torch.round(mean + temperature * (counts - mean)).clamp(min=0)
        return (counts * support.unit.double()).to(params.dtype)

    def quantile(self, params: Tensor, q: Tensor, support: Support) -> Tensor:
        """Return the quantiles, (..., D, Q)."""
        from scipy import stats  # here, because it takes half a second to import

        n, _, logit = (part.unsqueeze(-1).cpu().numpy() for part in _law(params.detach(), support))
        counts = torch.as_tensor(stats.nbinom.ppf(q.double().cpu().numpy(), n, special.expit(-logit)))
        return (counts.to(params.device) * support.unit.double().unsqueeze(-1)).to(params.dtype)

    def cdf(self, params: Tensor, x: Tensor, support: Support) -> Tensor:
        """Return the probabilities P(X <= x), (..., D)."""
        n, _, logit = (part.cpu().numpy() for part in _law(params.detach(), support))
        counts = torch.round(x.double() / support.unit.double()).cpu().numpy()
        # P(X <= k) is the regularised incomplete beta function I_p(n, k + 1)
        below = special.betainc(n, np.maximum(counts, 0) + 1, special.expit(-logit))
        return torch.as_tensor(np.where(counts < 0, 0.0, below)).to(params)

    def mean(self, params: Tensor, support: Support) -> Tensor:
        """Return the means, (..., D)."""
        return F.softplus(params[..., 0], beta=BETA)

    def initial(self, x: Tensor, support: Support) -> Tensor:
        """Return the mean, and the alpha that explains the variance beyond that of a Poisson distribution, (D, 2)."""
        mean, deviation = moments(x)
        mean = mean.clamp(min=1e-3)
        alpha = (deviation.square() - support.unit.mean() * mean) / mean.square()
        return torch.stack([inverse_softplus(mean, BETA), raw_scale(alpha.clamp(0.01, 100.0))], -1)


def _mode(n: Tensor, log_mean: Tensor) -> Tensor:
    """Return the likeliest count: the floor of (n - 1) / n times the mean if n > 1, and otherwise 0."""
    # a mode that is a whole number has two likeliest counts; the greater one must not depend on rounding
    return torch.floor((1 - 1 / n).clamp(min=0) * log_mean.exp() * (1 + 1e-12))


def _law(params: Tensor, support: Support) -> _Law:
    """Return the distribution in counts; raise ConfigError if the values are not counts."""
    if not bool((support.unit > 0).all()) or bool((support.low != 0).any() | (support.high < torch.inf).any()):
        raise ConfigError(
            "emission negative_binomial needs counts 0, 1, 2, ..., and these values are not counts",
            fix="use emission student_t or normal",
        )
    raw = BETA * params[..., 0].double().clamp(-FARTHEST, FARTHEST)
    alpha = scale_of(params[..., 1].double())
    # far below 0 log softplus(raw) = raw; softplus would underflow there, and the gradient would vanish
    log_mean = torch.where(raw < -30, raw, F.softplus(raw.clamp(min=-30)).log())
    log_mean = log_mean - math.log(BETA) - support.unit.double().log()
    size = alpha.reciprocal().expand_as(log_mean)
    return _Law(size, log_mean, log_mean - size.log())
