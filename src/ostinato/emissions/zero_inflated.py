"""The zero-inflated negative binomial distribution, for counts that are often 0, as intermittent demand is."""

from __future__ import annotations

from typing import ClassVar, final

import torch
from torch import Tensor
from torch.nn import functional as F

from ostinato.emissions import draws
from ostinato.emissions.constraints import COLDEST
from ostinato.emissions.draws import Source
from ostinato.emissions.emission import Emission, Support
from ostinato.emissions.negative_binomial import NegativeBinomial

#: The bounds of the share of extra zeros that training starts from.
LEAST, MOST = 0.01, 0.95


@final
class ZeroInflated(Emission):
    """A negative binomial distribution with a share s of extra zeros.

    P(0) = s + (1 - s) NB(0), P(c) = (1 - s) NB(c) (Lambert 1992, there with a Poisson). The parameters are those of the
    negative binomial and the logit of s.
    """

    name: ClassVar[str] = "zero_inflated"
    needs_counts: ClassVar[bool] = True
    parameters = 3

    def __init__(self) -> None:
        self._counts = NegativeBinomial()

    def log_prob(self, params: Tensor, x: Tensor, support: Support) -> Tensor:
        """Return the nats of x, (..., D); -inf below 0.

        Raises:
            ConfigError: The values are not counts.
        """
        other = F.logsigmoid(-params[..., 2]) + self._counts.log_prob(params[..., :2], x, support)
        zero = torch.round(x.double() / support.unit.double()) == 0
        # the other values get 0, so that no gradient is NaN
        both = torch.logaddexp(F.logsigmoid(params[..., 2]), torch.where(zero, other, 0.0))
        return torch.where(zero, both, other)

    def sample(
        self, params: Tensor, support: Support, generator: Source, temperature: float = 1.0, top_p: float = 1.0
    ) -> Tensor:
        """Return one draw per channel, (..., D).

        The temperature divides the logit of s, and multiplies the distance of the counts to their mean;
        0 gives the likeliest count.
        """
        counts = self._counts.sample(params[..., :2], support, generator, temperature, top_p)
        if temperature < COLDEST:
            of_zero = self.log_prob(params.detach(), torch.zeros_like(counts), support)
            return torch.where(of_zero >= self.log_prob(params.detach(), counts, support), 0.0, counts)
        share = torch.sigmoid(params.detach()[..., 2] / temperature)
        zero = draws.uniform(share, generator) < share
        return torch.where(zero, 0.0, counts)

    def quantile(self, params: Tensor, q: Tensor, support: Support) -> Tensor:
        """Return the quantiles, (..., D, Q)."""
        share = params.detach()[..., 2:].double().sigmoid()
        rest = ((q.double() - share) / (1 - share)).clamp(1e-12, 1 - 1e-12)
        # the negative binomial also takes levels that differ by channel, (..., D, Q)
        return self._counts.quantile(params[..., :2], rest, support)

    def cdf(self, params: Tensor, x: Tensor, support: Support) -> Tensor:
        """Return the probabilities P(X <= x), (..., D)."""
        share, below = params[..., 2].sigmoid(), self._counts.cdf(params[..., :2], x, support)
        zero = torch.round(x.double() / support.unit.double()) >= 0
        return torch.where(zero, share + (1 - share) * below, below)

    def mean(self, params: Tensor, support: Support) -> Tensor:
        """Return the means, (..., D)."""
        return torch.sigmoid(-params[..., 2]) * self._counts.mean(params[..., :2], support)

    def initial(self, x: Tensor, support: Support) -> Tensor:
        """Return parameters in which s explains the zeros that a negative binomial of the other counts does not."""
        columns = []
        for column in x.unbind(-1):
            seen = column[~torch.isnan(column)].sort().values[:, None]
            usual = self._counts.initial(seen[seen > 0][:, None], support)
            none = torch.exp(self._counts.log_prob(usual, torch.zeros_like(usual[:, 0]), support))
            zeros = (seen == 0).to(none.dtype).mean() if len(seen) else none.new_zeros(())
            share = ((zeros - none) / (1 - none)).clamp(LEAST, MOST)
            left = seen[int(float(share) * len(seen)) :]
            columns.append(torch.cat([self._counts.initial(left, support), torch.logit(share)[:, None]], dim=1))
        return torch.cat(columns)
