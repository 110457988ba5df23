"""The negative binomial distribution of counts, and that with a share of extra zeros."""

from __future__ import annotations

from typing import final

import numpy as np

from ostinato.emissions.constraints import FARTHEST, FLOOR
from ostinato.emissions.negative_binomial import BETA
from ostinato.export import tails
from ostinato.export.graph import Wire, any_of, clip, concat, log_sigmoid, logsumexp, maximum, softplus, where
from ostinato.export.laws.law import BISECTIONS, Lattice, Law
from ostinato.shapes import Array


@final
class CountLaw(Law):
    """The negative binomial distribution of counts."""

    def __init__(self, params: Wire, lattice: Lattice, loc: Wire) -> None:
        self.unit, self.location = lattice.unit, params.take(0, -1) + loc
        raw = BETA * clip(self.location, -FARTHEST, FARTHEST)
        log_mean = where(raw < -30.0, raw, softplus(maximum(raw, -30.0)).log()) - np.log(BETA) - np.log(self.unit)
        self.n = 1.0 / (softplus(params.take(1, -1)) + FLOOR)
        self.log_mean, self.logit = log_mean, log_mean - self.n.log()

    def log_prob(self, x: Wire) -> Wire:
        """Return the nats of x, (B, D)."""
        n, c = self.n, clip((x / self.unit).round(), 0.0, 1e15)
        huge = c > 1e10
        near = where(huge, 1.0, c)
        by_gamma = tails.log_gamma(near + n) - tails.log_gamma(near + 1.0)
        choose = where(huge, (n - 1.0) * (c + n * 0.5).log(), by_gamma) - tails.log_gamma(n)
        return choose + n * log_sigmoid(-self.logit) + c * log_sigmoid(self.logit)

    def mean(self) -> Wire:
        """Return the means, (B, D)."""
        return softplus(self.location * BETA) / BETA

    def quantile(self, q: Array) -> Wire:
        """Return the quantiles, (B, D, Q)."""
        return self.quantile_at(self.n.expand() * 0.0 + q)

    def quantile_at(self, q: Wire) -> Wire:
        """Return the least counts times the unit whose cdf reaches q (B, D, Q)."""
        n, mean, edge = self.n.expand(), self.log_mean.exp().expand(), -self.logit.expand()
        deviation = (mean + mean * mean / n).sqrt()
        # a quantile is within sqrt(q / (1 - q)) standard deviations of the mean (Cantelli)
        low = (mean - deviation * ((1.0 - q) / q).sqrt()).floor() - 2.0
        high = (mean + deviation * (q / (1.0 - q)).sqrt()).ceil() + 1.0
        low = maximum(low, -1.0)

        def body(held: list[Wire]) -> tuple[list[Wire], Wire]:
            low, high = held
            middle = ((low + high) * 0.5).floor()
            c = maximum(middle, 0.0)
            norm = tails.log_gamma(n + c + 1.0) - tails.log_gamma(n) - tails.log_gamma(c + 1.0)
            law = tails.beta(n.expand(), c.expand(), norm.expand())
            # P(X <= c) = P(p < sigmoid(edge)) of a beta variable p
            enough = law.tail(edge + c * 0.0).below >= q
            low, high = where(enough, low, middle), where(enough, middle, high)
            return [low, high], any_of(high - low > 1.0)

        found = low.graph.repeat(BISECTIONS, [low, high], body)[1]  # type: ignore[arg-type]
        return maximum(found, 0.0) * self.unit[:, None]


@final
class InflatedLaw(Law):
    """A negative binomial distribution with a share of extra zeros."""

    def __init__(self, params: Wire, lattice: Lattice, loc: Wire) -> None:
        self.counts, self.raw, self.unit = CountLaw(params, lattice, loc), params.take(2, -1), lattice.unit

    def log_prob(self, x: Wire) -> Wire:
        """Return the nats of x, (B, D)."""
        other = log_sigmoid(-self.raw) + self.counts.log_prob(x)
        both = logsumexp(concat([log_sigmoid(self.raw).expand(), other.expand()]))
        return where((x / self.unit).round().equals(0.0), both, other)

    def mean(self) -> Wire:
        """Return the means, (B, D)."""
        return (-self.raw).sigmoid() * self.counts.mean()

    def quantile(self, q: Array) -> Wire:
        """Return the quantiles, (B, D, Q)."""
        share = self.raw.sigmoid().expand()
        return self.counts.quantile_at(clip((q - share) / (1.0 - share), 1e-12, 1 - 1e-12))
