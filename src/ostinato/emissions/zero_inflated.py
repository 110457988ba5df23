"""Counts that are often 0: intermittent demand."""

from __future__ import annotations

from typing import ClassVar, Literal, final

import torch
from torch import Tensor
from torch.nn import functional as F

from ostinato.emissions.emission import Emission, Support
from ostinato.emissions.negative_binomial import NegativeBinomial

#: The share of zeros beyond the negative binomial's that a fit starts from lies within these.
LEAST, MOST = 0.01, 0.95


@final
class ZeroInflated(Emission):
    """params: those of the negative binomial, and the logit of s, the share of steps that are 0 whatever it says.

    P(0) = s + (1 - s) NB(0), P(c) = (1 - s) NB(c) (Lambert 1992, there with a Poisson).
    """

    name: ClassVar[str] = "zero_inflated"
    support: ClassVar[Literal["real", "counts", "symbols"]] = "counts"
    parameters = 3

    def __init__(self) -> None:
        self._counts = NegativeBinomial()

    def log_prob(self, params: Tensor, x: Tensor, support: Support) -> Tensor:
        """See Emission. ConfigError where values are continuous; -inf below 0."""
        other = F.logsigmoid(-params[..., 2]) + self._counts.log_prob(params[..., :2], x, support)
        zero = torch.round(x.double() / support.unit.double()) == 0
        # only where both are finite is their sum taken, so that no gradient is NaN elsewhere
        both = torch.logaddexp(F.logsigmoid(params[..., 2]), torch.where(zero, other, 0.0))
        return torch.where(zero, both, other)

    def sample(
        self, params: Tensor, support: Support, generator: torch.Generator, temperature: float = 1.0, top_p: float = 1.0
    ) -> Tensor:
        """See Emission. temperature divides the logit of s, and multiplies the counts' distance to their mean.

        ConfigError where top_p < 1.
        """
        counts = self._counts.sample(params[..., :2], support, generator, temperature, top_p)
        share = torch.sigmoid(params.detach()[..., 2] / max(temperature, 1e-9))
        zero = torch.rand(share.shape, generator=generator, dtype=share.dtype) < share
        return torch.where(zero, 0.0, counts)

    def quantile(self, params: Tensor, q: Tensor, support: Support) -> Tensor:
        """See Emission."""
        share = params.detach()[..., 2:].double().sigmoid()
        rest = ((q.double() - share) / (1 - share)).clamp(1e-12, 1 - 1e-12)
        # the negative binomial takes levels of each channel as well as one list of them
        return self._counts.quantile(params[..., :2], rest, support)

    def cdf(self, params: Tensor, x: Tensor, support: Support) -> Tensor:
        """See Emission."""
        share, below = params[..., 2].sigmoid(), self._counts.cdf(params[..., :2], x, support)
        zero = torch.round(x.double() / support.unit.double()) >= 0
        return torch.where(zero, share + (1 - share) * below, below)

    def mean(self, params: Tensor, support: Support) -> Tensor:
        """See Emission."""
        return torch.sigmoid(-params[..., 2]) * self._counts.mean(params[..., :2], support)

    def initial(self, x: Tensor, support: Support) -> Tensor:
        """See Emission. The zeros beyond those of a negative binomial that suits the other counts are left to s."""
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
