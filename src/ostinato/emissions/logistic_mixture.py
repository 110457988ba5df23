"""A mixture of logistic distributions, discretised where values lie on a lattice (Salimans et al. 2017, eq. 1-2)."""

from __future__ import annotations

from typing import ClassVar, Literal, NamedTuple, final

import torch
from torch import Tensor
from torch.nn import functional as F

from ostinato.emissions import lattice
from ostinato.emissions.constraints import check_sampling, moments, quantiles, residual
from ostinato.emissions.emission import Emission, Support
from ostinato.errors import ConfigError

#: Least scale, in model space units: a third of the spacing of full-range 16-bit sound.
LEAST_SCALE = 1e-5
_BISECTIONS = 60


class _Mixture(NamedTuple):
    """Each (..., D, M)."""

    logits: Tensor
    means: Tensor
    scales: Tensor


@final
class LogisticMixture(Emission):
    """params, P = 1 + 3 M: a location added to every mean, M logits, M means, M raw scales (exp(raw) + 1e-5)."""

    name: ClassVar[str] = "logistic_mixture"
    support: ClassVar[Literal["real", "counts", "symbols"]] = "real"

    def __init__(self, components: int = 10) -> None:
        if components < 1:
            raise ConfigError(f"a mixture of {components} components cannot be used", fix="at least 1 component")
        self.components = components
        self.parameters = 1 + 3 * components

    def log_prob(self, params: Tensor, x: Tensor, support: Support) -> Tensor:
        """See Emission. With a = (x - mean) / scale and h = unit / (2 scale), a cell has the mass

        sigmoid(a + h) - sigmoid(a - h) = sigmoid(a + h) sigmoid(h - a) (1 - exp(-2 h)),

        whose logarithm nothing cancels in; h -> 0 gives the density.
        """
        logits, means, scales = self._split(params)
        at = lattice.place(x, support)
        on, first, last = (flag.unsqueeze(-1) for flag in (at.lattice, at.first, at.last))
        a, h = residual(x.unsqueeze(-1), means) / scales, support.unit.unsqueeze(-1) / (2 * scales)
        upper = torch.where(last, 0.0, F.logsigmoid(a + h))
        lower = torch.where(first, 0.0, F.logsigmoid(h - a))
        # 1 where there is no cell, or an infinite gradient would leak as 0 * inf
        cell = lattice.log_width(2 * torch.where(on, h, 1.0))
        width = torch.where(on, torch.where(first | last, 0.0, cell), -scales.log())
        value = torch.logsumexp(logits.log_softmax(-1) + upper + lower + width, -1)
        return lattice.only_inside(value, at)

    def sample(
        self, params: Tensor, support: Support, generator: torch.Generator, temperature: float = 1.0, top_p: float = 1.0
    ) -> Tensor:
        """See Emission. temperature divides the logits and multiplies the scales. ConfigError where top_p < 1."""
        check_sampling(temperature, top_p, symbols=False)
        logits, means, scales = self._split(params.detach())
        if temperature == 0.0:
            pick = logits.argmax(-1, keepdim=True)
        else:
            p = ((logits - logits.amax(-1, keepdim=True)) / temperature).softmax(-1)
            pick = torch.multinomial(p.reshape(-1, self.components), 1, generator=generator)
            pick = pick.reshape(*p.shape[:-1], 1)
        mean, scale = (part.gather(-1, pick).squeeze(-1) for part in (means, scales))
        u = torch.rand(mean.shape, generator=generator, dtype=torch.float64, device=mean.device)
        noise = torch.logit(u, eps=1e-15).to(mean.dtype)
        return lattice.settle(mean + temperature * scale * noise, support)

    def quantile(self, params: Tensor, q: Tensor, support: Support) -> Tensor:
        """See Emission. By bisection in float64, between the least and the greatest of the components' quantiles."""
        logits, means, scales = (part.unsqueeze(-2) for part in self._split(params.detach().double()))
        weights, level = logits.softmax(-1), q.to(means)
        each = means + scales * torch.logit(level).unsqueeze(-1)
        low, high = each.amin(-1), each.amax(-1)
        for _ in range(_BISECTIONS):
            middle = (low + high) / 2
            enough = (weights * torch.sigmoid((middle.unsqueeze(-1) - means) / scales)).sum(-1) >= level
            low, high = torch.where(enough, low, middle), torch.where(enough, middle, high)
        return lattice.settle_quantile(high, support).to(params.dtype)

    def cdf(self, params: Tensor, x: Tensor, support: Support) -> Tensor:
        """See Emission."""
        logits, means, scales = self._split(params)
        upper = residual(x.unsqueeze(-1), means) + support.unit.unsqueeze(-1) / 2
        cdf = (logits.softmax(-1) * torch.sigmoid(upper / scales)).sum(-1)
        return lattice.edged_cdf(cdf.clamp(max=1.0), lattice.place(x, support))

    def mean(self, params: Tensor, support: Support) -> Tensor:
        """See Emission. Edges are allowed for; rounding to a lattice may move it by up to unit / 2, and is not."""
        logits, means, scales = self._split(params)
        low, high = support.low.unsqueeze(-1), support.high.unsqueeze(-1)
        # the mean excess of a logistic over an edge is scale softplus((mean - edge) / scale)
        gain = scales * (F.softplus((low - means) / scales) - F.softplus((means - high) / scales))
        clipped = torch.where(support.unit.unsqueeze(-1) > 0, means + gain, means)
        return (logits.softmax(-1) * clipped).sum(-1)

    def initial(self, x: Tensor, support: Support) -> Tensor:
        """See Emission. Location 0, equal weights, means at the quantiles of x, scales to match their spacing."""
        levels = (torch.arange(self.components, device=x.device, dtype=x.dtype) + 0.5) / self.components
        spread = torch.maximum(moments(x)[1], (0.5 * support.unit.max()).clamp(min=1e-3))
        scales = (spread / self.components**0.5).unsqueeze(-1).expand(-1, self.components)
        # a little apart even where every value is the same, or the components could never differ
        means = quantiles(x, levels) + scales * (levels - 0.5)
        logits = torch.zeros_like(means)
        return torch.cat([torch.zeros_like(means[:, :1]), logits, means, scales.log()], -1)

    def _split(self, params: Tensor) -> _Mixture:
        m = self.components
        logits, means, raw = (params[..., 1 + k * m : 1 + (k + 1) * m] for k in range(3))
        return _Mixture(logits, params[..., :1] + means, raw.clamp(max=20.0).exp() + LEAST_SCALE)
