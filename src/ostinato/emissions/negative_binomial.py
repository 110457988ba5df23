"""The negative binomial distribution of counts: a Poisson whose rate varies."""

from __future__ import annotations

import math
from typing import ClassVar, Literal, NamedTuple, final

import torch
from scipy import special, stats
from torch import Tensor
from torch.nn import functional as F

from ostinato.emissions.constraints import FARTHEST, check_sampling, inverse_softplus, moments, raw_scale, scale_of
from ostinato.emissions.emission import Emission, Support
from ostinato.errors import ConfigError

#: Sharpness of the softplus that keeps means positive: an autoregression's prediction above 1 passes almost unchanged.
BETA = 5.0


class _Law(NamedTuple):
    """In counts and float64: size n = 1 / alpha, log of the mean, and the logit of 1 - p, log(alpha mean)."""

    size: Tensor
    log_mean: Tensor
    logit: Tensor


@final
class NegativeBinomial(Emission):
    """params: location (mean = softplus(location, beta=5)), raw dispersion (alpha = softplus + 1e-4).

    Of counts c = x / unit with mean mu: variance mu + alpha mu^2; at alpha = 1e-4 a Poisson for most purposes.
    """

    name: ClassVar[str] = "negative_binomial"
    support: ClassVar[Literal["real", "counts", "symbols"]] = "counts"
    parameters = 2

    def log_prob(self, params: Tensor, x: Tensor, support: Support) -> Tensor:
        """See Emission. ConfigError where values are continuous; -inf below 0."""
        n, _, logit = _law(params, support)
        counts = torch.round(x.double() / support.unit.double())
        c = counts.clamp(0, 1e15)
        # float64: lgamma near n = 1e4 is 8e4, of which float32 keeps two decimals
        huge = c > 1e10
        near = torch.where(huge, 1.0, c)
        by_gamma = torch.lgamma(near + n) - torch.lgamma(near + 1)
        # Gamma(c + n) / Gamma(c + 1) = (c + n / 2)^(n - 1) (1 + O(n^3 / c^2)): Tricomi and Erdelyi 1951
        choose = torch.where(huge, (n - 1) * torch.log(c + n / 2), by_gamma) - torch.lgamma(n)
        value = choose + n * F.logsigmoid(-logit) + c * F.logsigmoid(logit)
        return torch.where(counts < 0, value - torch.inf, value).to(params.dtype)

    def sample(
        self, params: Tensor, support: Support, generator: torch.Generator, temperature: float = 1.0, top_p: float = 1.0
    ) -> Tensor:
        """See Emission. temperature multiplies the distance to the mean. ConfigError where top_p < 1."""
        check_sampling(temperature, top_p, symbols=False)
        n, log_mean, logit = _law(params.detach(), support)
        rate = torch._standard_gamma(n, generator=generator) * logit.exp()
        # the Poisson sampler counts in int64; up there its noise is below a millionth of the rate
        counts = torch.where(rate > 1e12, rate.round(), torch.poisson(rate.clamp(max=1e12), generator=generator))
        if temperature != 1.0:
            mean = log_mean.exp()
            counts = torch.round(mean + temperature * (counts - mean)).clamp(min=0)
        return (counts * support.unit.double()).to(params.dtype)

    def quantile(self, params: Tensor, q: Tensor, support: Support) -> Tensor:
        """See Emission."""
        n, _, logit = (part.unsqueeze(-1).cpu().numpy() for part in _law(params.detach(), support))
        counts = torch.as_tensor(stats.nbinom.ppf(q.double().cpu().numpy(), n, special.expit(-logit)))
        return (counts.to(params.device) * support.unit.double().unsqueeze(-1)).to(params.dtype)

    def cdf(self, params: Tensor, x: Tensor, support: Support) -> Tensor:
        """See Emission."""
        n, _, logit = (part.cpu().numpy() for part in _law(params.detach(), support))
        counts = torch.round(x.double() / support.unit.double()).cpu().numpy()
        return torch.as_tensor(stats.nbinom.cdf(counts, n, special.expit(-logit))).to(params)

    def mean(self, params: Tensor, support: Support) -> Tensor:
        """See Emission."""
        return F.softplus(params[..., 0], beta=BETA)

    def initial(self, x: Tensor, support: Support) -> Tensor:
        """See Emission. Mean, and the alpha that explains the variance the mean does not."""
        mean, spread = moments(x)
        mean = mean.clamp(min=1e-3)
        alpha = (spread.square() - support.unit.mean() * mean) / mean.square()
        return torch.stack([inverse_softplus(mean, BETA), raw_scale(alpha.clamp(0.01, 100.0))], -1)


def _law(params: Tensor, support: Support) -> _Law:
    if not bool((support.unit > 0).all()) or bool((support.low != 0).any() | (support.high < torch.inf).any()):
        raise ConfigError(
            "negative_binomial is for counts 0, 1, 2, ..., and these values are not",
            fix="emission student_t or normal",
        )
    raw = BETA * params[..., 0].double().clamp(-FARTHEST, FARTHEST)
    alpha = scale_of(params[..., 1].double())
    # log softplus(raw) = raw far below 0, where softplus would underflow and take the gradient with it
    log_mean = torch.where(raw < -30, raw, F.softplus(raw.clamp(min=-30)).log())
    log_mean = log_mean - math.log(BETA) - support.unit.double().log()
    size = alpha.reciprocal().expand_as(log_mean)
    return _Law(size, log_mean, log_mean - size.log())
