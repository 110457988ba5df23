"""The mixture of logistic distributions."""

from __future__ import annotations

from typing import final

import numpy as np

from ostinato.emissions.constraints import FARTHEST
from ostinato.emissions.logistic_mixture import LEAST_SCALE
from ostinato.export.graph import Wire, clip, log_sigmoid, logsumexp, minimum, softplus, where
from ostinato.export.laws.law import BISECTIONS, Lattice, Located
from ostinato.shapes import Array


@final
class MixtureLaw(Located):
    """A mixture of logistic distributions, or its cells on a lattice."""

    def __init__(self, params: Wire, lattice: Lattice, loc: Wire, scale: Wire, components: int) -> None:
        M, base = components, params.slice(0, 1)
        self.logits, means, raw = (params.slice(1 + k * M, 1 + (k + 1) * M) for k in range(3))
        scale = scale.expand()
        self.means = loc.expand() + scale * (base + means)
        self.scales = scale * (minimum(raw, 20.0).exp() + LEAST_SCALE)
        self.logits = self.logits - logsumexp(self.logits).expand()
        self.lattice = lattice

    def log_prob(self, x: Wire) -> Wire:
        """Return the nats of x, (B, D)."""
        a = clip(x.expand() - self.means, -FARTHEST, FARTHEST) / self.scales
        if not self.lattice.discrete:
            return logsumexp(self.logits + log_sigmoid(a) + log_sigmoid(-a) - self.scales.log())
        h = 1.0 / self.scales * (0.5 * self.lattice.unit[:, None])
        first, last = (edge.expand() for edge in self.lattice.edges(x))
        upper, lower = where(last, 0.0, log_sigmoid(a + h)), where(first, 0.0, log_sigmoid(h - a))
        # 1 - exp(-y) of a small y by its series
        y = 2.0 * h
        width = where(y < 1e-4, y * (1.0 - y * (0.5 - y / 6.0)), 1.0 - (-y).exp()).log()
        return logsumexp(self.logits + upper + lower + where(first | last, 0.0, width))

    def mean(self) -> Wire:
        """Return the means, (B, D)."""
        means, edges = self.means, self.lattice
        if edges.discrete:
            for edge, sign in ((edges.low, 1.0), (edges.high, -1.0)):
                if np.isfinite(edge).all():
                    means = means + sign * self.scales * softplus(sign * (edge[:, None] - self.means) / self.scales)
        return (self.logits.exp() * means).sum(-1)

    def log_above(self, a: Wire) -> Wire:
        """Return log P(X > a), (B, D)."""
        return logsumexp(self.logits + log_sigmoid(-((a.expand() - self.means) / self.scales)))

    def excess(self, a: Wire) -> Wire:
        """Return E max(X - a, 0), (B, D)."""
        return (self.logits.exp() * self.scales * softplus((self.means - a.expand()) / self.scales)).sum(-1)

    def quantile(self, q: Array) -> Wire:
        """Return the quantiles, (B, D, Q)."""
        level = self.means.graph.constant(np.log1p(-q)) + self.means.slice(0, 1) * 0.0
        found = self._exceeded(level)
        return self.lattice.rounded(found) if self.lattice.discrete else found

    def exceeded(self, log_p: Wire, q: Array, least: Wire) -> Wire:
        """Return the values that are exceeded with the probabilities exp(log_p), (B, D, Q)."""
        return self._exceeded(log_p)

    def _exceeded(self, log_p: Wire) -> Wire:
        """Return the values exceeded with the log probabilities (B, D, Q), by bisection between the components."""
        logit = where(log_p > -1e-12, 1e-12, 1.0 - log_p.exp()).log() - log_p
        means, scales, weights = (w.expand(-2) for w in (self.means, self.scales, self.logits))
        each = means + scales * logit.expand()
        low = each.graph.op("ReduceMin", each, axes=[-1], keepdims=0)
        high = each.graph.op("ReduceMax", each, axes=[-1], keepdims=0)

        def body(held: list[Wire]) -> tuple[list[Wire], None]:
            low, high = held
            middle = (low + high) * 0.5
            above = logsumexp(weights + log_sigmoid((means - middle.expand()) / scales))
            more = above > log_p
            return [where(more, middle, low), where(more, high, middle)], None

        return low.graph.repeat(BISECTIONS, [low, high], body)[1]  # type: ignore[arg-type]
