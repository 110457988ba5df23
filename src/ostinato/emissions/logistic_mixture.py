"""A mixture of logistic distributions, discretised where values lie on a lattice (Salimans et al. 2017, eq. 1-2)."""

from __future__ import annotations

from typing import ClassVar, NamedTuple, final

import torch
from torch import Tensor
from torch.nn import functional as F

from ostinato.emissions import draws, lattice
from ostinato.emissions.bounded import Located
from ostinato.emissions.constraints import moments, quantiles, residual, sampling_options
from ostinato.emissions.draws import Source
from ostinato.emissions.emission import Support
from ostinato.emissions.likeliest import likeliest
from ostinato.errors import ConfigError
from ostinato.numbers import counted

#: The least scale, in units of model space: a third of the spacing of full-range 16-bit sound.
LEAST_SCALE = 1e-5
_BISECTIONS = 60


class _Mixture(NamedTuple):
    """The logits, means and scales of the components, (..., D, M) each."""

    logits: Tensor
    means: Tensor
    scales: Tensor


@final
class LogisticMixture(Located):
    """A mixture of M logistic distributions, continuous or on a lattice.

    The P = 1 + 3 M parameters are a location that is added to every mean, M logits, M means, and M raw scales, with
    scale = exp(raw) + 1e-5.

    Args:
        components: The number of components, M.

    Raises:
        ConfigError: The number of components is less than 1.
    """

    name: ClassVar[str] = "logistic_mixture"

    def __init__(self, components: int = 10) -> None:
        if components < 1:
            raise ConfigError(
                f"a mixture must have at least 1 component, got {counted(components, 'component')}", fix="use 1 or more"
            )
        self.components = components
        self.parameters = 1 + 3 * components

    def log_prob(self, params: Tensor, x: Tensor, support: Support) -> Tensor:
        """Return the nats of x, (..., D); -inf outside the lattice.

        With a = (x - mean) / scale and h = unit / (2 scale), a cell has the mass

        sigmoid(a + h) - sigmoid(a - h) = sigmoid(a + h) sigmoid(h - a) (1 - exp(-2 h)),

        whose logarithm has no cancellation; h -> 0 gives the density.
        """
        logits, means, scales = self._split(params)
        at = lattice.place(x, support)
        on, first, last = (flag.unsqueeze(-1) for flag in (at.lattice, at.first, at.last))
        a, h = residual(x.unsqueeze(-1), means) / scales, support.unit.unsqueeze(-1) / (2 * scales)
        upper = torch.where(last, 0.0, F.logsigmoid(a + h))
        lower = torch.where(first, 0.0, F.logsigmoid(h - a))
        # 1 for continuous values, because an infinite gradient would become 0 * inf = NaN
        cell = lattice.log_width(2 * torch.where(on, h, 1.0))
        width = torch.where(on, torch.where(first | last, 0.0, cell), -scales.log())
        value = torch.logsumexp(logits.log_softmax(-1) + upper + lower + width, -1)
        return lattice.only_inside(value, at)

    def log_above(self, params: Tensor, a: Tensor) -> Tensor:
        """Return log P(X > a), (..., D)."""
        logits, means, scales = self._split(params)
        return torch.logsumexp(logits.log_softmax(-1) + F.logsigmoid(-residual(a.unsqueeze(-1), means) / scales), -1)

    def exceeded(self, params: Tensor, s: Tensor) -> Tensor:
        """Return the values that are exceeded with the probabilities s, (..., D, Q)."""
        m = self.components
        mirrored = torch.cat([-params[..., :1], params[..., 1 : 1 + m], -params[..., 1 + m : 1 + 2 * m]], -1)
        mirrored = torch.cat([mirrored, params[..., 1 + 2 * m :]], -1)
        return -self.quantile(mirrored, s, Support.real(params.dtype, params.device))

    def excess(self, params: Tensor, a: Tensor) -> Tensor:
        """Return E max(X - a, 0), (..., D)."""
        logits, means, scales = self._split(params)
        return (logits.softmax(-1) * scales * F.softplus((means - a.unsqueeze(-1)) / scales)).sum(-1)

    def sample(
        self, params: Tensor, support: Support, generator: Source, temperature: float = 1.0, top_p: float = 1.0
    ) -> Tensor:
        """Return one draw per channel, (..., D); the temperature divides the logits and multiplies the scales.

        With 0 it is the likeliest value of a lattice; of continuous values, the mean of a component at which the
        density of the mixture is greatest.
        """
        temperature, _ = sampling_options(temperature, top_p, symbols=False)
        logits, means, scales = self._split(params.detach())
        if temperature == 0.0 and bool((support.unit > 0).all()):
            return likeliest(self, params, self.ends(params), support)
        if temperature == 0.0:
            values = means.unbind(-1)
            nats = torch.stack([self.log_prob(params.detach(), value, support) for value in values], -1)
            pick = nats.argmax(-1, keepdim=True)
        else:
            p = ((logits - logits.amax(-1, keepdim=True)) / temperature).softmax(-1)
            pick = draws.choice(p, generator)
        mean, scale = (part.gather(-1, pick).squeeze(-1) for part in (means, scales))
        u = draws.uniform(mean, generator, torch.float64)
        noise = torch.logit(u, eps=1e-15).to(mean.dtype)
        return lattice.nearest(mean + temperature * scale * noise, support)

    def ends(self, params: Tensor) -> tuple[Tensor, Tensor]:
        """Return the least and the greatest mean of the components, (..., D) each."""
        means = self._split(params.detach()).means
        return means.amin(-1), means.amax(-1)

    def quantile(self, params: Tensor, q: Tensor, support: Support) -> Tensor:
        """Return the quantiles, (..., D, Q), by bisection between the extreme quantiles of the components."""
        logits, means, scales = (part.unsqueeze(-2) for part in self._split(params.detach().double()))
        weights, level = logits.softmax(-1), q.to(means)
        each = means + scales * torch.logit(level).unsqueeze(-1)
        low, high = each.amin(-1), each.amax(-1)
        for _ in range(_BISECTIONS):
            middle = (low + high) / 2
            enough = (weights * torch.sigmoid((middle.unsqueeze(-1) - means) / scales)).sum(-1) >= level
            low, high = torch.where(enough, low, middle), torch.where(enough, middle, high)
        return lattice.quantile(high, support).to(params.dtype)

    def cdf(self, params: Tensor, x: Tensor, support: Support) -> Tensor:
        """Return the probabilities P(X <= x), (..., D)."""
        logits, means, scales = self._split(params)
        upper = residual(x.unsqueeze(-1), means) + support.unit.unsqueeze(-1) / 2
        cdf = (logits.softmax(-1) * torch.sigmoid(upper / scales)).sum(-1)
        return lattice.edged_cdf(cdf.clamp(max=1.0), lattice.place(x, support))

    def mean(self, params: Tensor, support: Support) -> Tensor:
        """Return the means, (..., D), with the edges of a lattice but without its rounding, at most unit / 2."""
        logits, means, scales = self._split(params)
        low, high = support.low.unsqueeze(-1), support.high.unsqueeze(-1)
        # the mean excess of a logistic over an edge is scale softplus((mean - edge) / scale)
        gain = scales * (F.softplus((low - means) / scales) - F.softplus((means - high) / scales))
        clipped = torch.where(support.unit.unsqueeze(-1) > 0, means + gain, means)
        return (logits.softmax(-1) * clipped).sum(-1)

    def initial(self, x: Tensor, support: Support) -> Tensor:
        """Return location 0, equal weights, means at the quantiles of x, and scales to match their spacing, (D, P)."""
        levels = (torch.arange(self.components, device=x.device, dtype=x.dtype) + 0.5) / self.components
        deviation = torch.maximum(moments(x)[1], (0.5 * support.unit.max()).clamp(min=1e-3))
        scales = (deviation / self.components**0.5).unsqueeze(-1).expand(-1, self.components)
        # a little apart even if every value is the same, because equal components would stay equal in training
        means = quantiles(x, levels) + scales * (levels - 0.5)
        logits = torch.zeros_like(means)
        return torch.cat([torch.zeros_like(means[:, :1]), logits, means, scales.log()], -1)

    def _split(self, params: Tensor) -> _Mixture:
        """Return the components of params (..., D, P)."""
        m = self.components
        logits, means, raw = (params[..., 1 + k * m : 1 + (k + 1) * m] for k in range(3))
        return _Mixture(logits, params[..., :1] + means, raw.clamp(max=20.0).exp() + LEAST_SCALE)
