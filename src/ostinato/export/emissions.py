"""The emissions in a graph: the nats of a value, the mean and the quantiles, in float64.

ONNX has neither the quantiles of Student's t nor the incomplete beta function. ``tails`` integrates them.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from functools import singledispatch
from typing import final

import numpy as np
from scipy import special

from ostinato.emissions.constraints import FARTHEST, FLOOR, LEAST_DF
from ostinato.emissions.emission import Emission
from ostinato.emissions.logistic_mixture import LEAST_SCALE, LogisticMixture
from ostinato.emissions.negative_binomial import BETA, NegativeBinomial
from ostinato.emissions.normal import Normal
from ostinato.emissions.student_t import StudentT
from ostinato.emissions.zero_inflated import ZeroInflated
from ostinato.export import tails
from ostinato.export.graph import Wire, any_of, clip, concat, log_sigmoid, logsumexp, maximum, minimum, softplus, where
from ostinato.shapes import Array

_HALF_LOG_TWO_PI = 0.5 * math.log(2 * math.pi)
_LEGENDRE, _SHARES = np.polynomial.legendre.leggauss(8)
_BISECTIONS = 60


class Lattice:
    """The support of one series as constants: spacing, least and greatest value, (D,) each, in model space."""

    def __init__(self, unit: Array, low: Array, high: Array) -> None:
        self.unit, self.low, self.high = unit, low, high

    @property
    def discrete(self) -> bool:
        """Whether the values lie on a lattice."""
        return bool((self.unit > 0).all())

    def edges(self, x: Wire) -> tuple[Wire, Wire]:
        """Return whether x (B, D) is in the first cell, and whether it is in the last."""
        return x - 0.5 * self.unit < self.low, x + 0.5 * self.unit > self.high

    def settled(self, z: Wire) -> Wire:
        """Return the least value (B, D, Q) whose cell ends at or above z (B, D, Q)."""
        unit = self.unit[:, None]
        return minimum(maximum((z / unit - 0.5).ceil() * unit, self.low[:, None]), self.high[:, None])


class Law(ABC):
    """One family at the parameters of a step, (B, D, P), float64. Values are (B, D), levels (Q,) or (B, D, Q)."""

    @abstractmethod
    def log_prob(self, x: Wire) -> Wire:
        """Return the nats of x."""

    @abstractmethod
    def mean(self) -> Wire:
        """Return the mean."""

    @abstractmethod
    def quantile(self, q: Array) -> Wire:
        """Return the quantiles at the levels q (Q,), (B, D, Q)."""


class Located(Law):
    """A family of the real line, which can be cut off at a bound."""

    @abstractmethod
    def log_above(self, a: Wire) -> Wire:
        """Return log P(X > a)."""

    @abstractmethod
    def exceeded(self, log_p: Wire, q: Array, least: Wire) -> Wire:
        """Return the values that are exceeded with the probabilities exp(log_p), (B, D, Q).

        Args:
            log_p: log ((1 - q) P(X > least)), (B, D, Q).
            q: The levels, (Q,).
            least: The bound, (B, D).
        """

    @abstractmethod
    def excess(self, a: Wire) -> Wire:
        """Return E max(X - a, 0)."""


class _Standard(Located):
    """A location and a scale times a standard variable m, which is a function of a log-concave one."""

    loc: Wire
    scale: Wire
    density: tails.Density
    lattice: Lattice

    def _m(self, x: Wire) -> Wire:
        return clip(x - self.loc, -FARTHEST, FARTHEST) / self.scale

    def to_concave(self, m: Wire) -> Wire:
        """Return the log-concave variable of m."""
        return m

    def from_concave(self, x: Wire) -> Wire:
        """Return m of the log-concave variable."""
        return x

    @abstractmethod
    def standard(self, q: Array) -> Wire:
        """Return the quantiles of m, (B, D, Q) or what broadcasts to it."""

    def tail(self, m: Wire) -> tails.Tail:
        """Return the probabilities above and below m (B, D)."""
        return self.density.tail(self.to_concave(m))

    def log_above(self, a: Wire) -> Wire:
        """Return log P(X > a), (B, D)."""
        return self.tail(self._m(a)).log_above

    def quantile(self, q: Array) -> Wire:
        """Return the quantiles, (B, D, Q)."""
        return self.loc.expand() + self.scale.expand() * self.standard(q)

    def exceeded(self, log_p: Wire, q: Array, least: Wire) -> Wire:
        """Return the values that are exceeded with the probabilities exp(log_p), (B, D, Q)."""
        free = self.standard(q) + log_p * 0.0
        # the quantiles of one level at a time, so that a density with parameters (B, D, 1) takes them
        out = []
        for k in range(len(q)):
            start = maximum(self.to_concave(free.take(k, -1)), self.to_concave(self._m(least)))
            out.append(self.from_concave(self.density.exceeded(log_p.take(k, -1), start)).expand())
        return self.loc.expand() + self.scale.expand() * concat(out)


@final
class NormalLaw(_Standard):
    """The normal distribution, or its cells on a lattice."""

    def __init__(self, params: Wire, lattice: Lattice, loc: Wire, scale: Wire) -> None:
        self.loc, self.scale = loc + scale * params.take(0, -1), scale * (softplus(params.take(1, -1)) + FLOOR)
        self.lattice, self.density = lattice, tails.normal()

    def standard(self, q: Array) -> Wire:
        """Return the quantiles of the standard variable."""
        return self.loc.graph.constant(special.ndtri(q))

    def log_prob(self, x: Wire) -> Wire:
        """Return the nats of x, (B, D)."""
        m = self._m(x)
        if not self.lattice.discrete:
            return m * m * -0.5 - _HALF_LOG_TWO_PI - self.scale.log()
        h, t = 1.0 / self.scale * (0.5 * self.lattice.unit), m.abs()
        narrow = h * (1.0 + t) < 1.0
        step = where(narrow, h, 0.0).expand() * _LEGENDRE
        ratio = (-(where(narrow, t, 0.0).expand() * step) - 0.5 * step * step).exp()
        fine = ((ratio * _SHARES).sum(-1) * h).log() - 0.5 * t * t - _HALF_LOG_TWO_PI
        near, far = self.tail(t - h).log_above, self.tail(t + h).log_above
        coarse = near + (1.0 - where(narrow, 0.0, (far - near).exp())).log()
        first, last = self.lattice.edges(x)
        cell = where(narrow, fine, coarse)
        cell = where(first, self.tail(-m - h).log_above, cell)
        return where(last, where(first, m * 0.0, self.tail(m - h).log_above), cell)

    def mean(self) -> Wire:
        """Return the means, (B, D)."""
        if not self.lattice.discrete:
            return self.loc
        low, high = (
            0.0 if not np.isfinite(edge).all() else self._over(sign * (self.loc - edge))
            for edge, sign in ((self.lattice.low, 1.0), (self.lattice.high, -1.0))
        )
        mean: Wire = self.loc + low - high
        return mean

    def quantile(self, q: Array) -> Wire:
        """Return the quantiles, (B, D, Q)."""
        found = super().quantile(q)
        return self.lattice.settled(found) if self.lattice.discrete else found

    def excess(self, a: Wire) -> Wire:
        """Return E max(X - a, 0), (B, D)."""
        return self._over(a - self.loc)

    def _over(self, distance: Wire) -> Wire:
        d = minimum(distance / self.scale, 40.0)
        return self.scale * ((d * d * -0.5 - _HALF_LOG_TWO_PI).exp() - d * self.density.tail(d).above)


@final
class StudentLaw(_Standard):
    """Student's t distribution."""

    def __init__(self, params: Wire, lattice: Lattice, loc: Wire, scale: Wire) -> None:
        self.loc, self.scale = loc + scale * params.take(0, -1), scale * (softplus(params.take(1, -1)) + FLOOR)
        self.df = softplus(params.take(2, -1)) + LEAST_DF
        self.lattice = lattice
        self._at_0 = tails.log_gamma_ratio(self.df * 0.5) - 0.5 * (self.df * np.pi).log()
        self.density = tails.student(self.df.expand(), self._at_0.expand())

    def to_concave(self, m: Wire) -> Wire:
        """Return the log-concave variable of m."""
        root = self.df.sqrt()
        u = (m / root).abs()
        # asinh in float64, which onnxruntime has for float32 only
        x = root * (u + (u * u + 1.0).sqrt()).log()
        return where(m < 0.0, -x, x)

    def from_concave(self, x: Wire) -> Wire:
        """Return m of the log-concave variable."""
        root = self.df.sqrt()
        u = (x / root).abs()
        m = root * 0.5 * (u.exp() - (-u).exp())
        return where(x < 0.0, -m, m)

    def standard(self, q: Array) -> Wire:
        """Interpolate the quantiles as functions of 1 / df between Chebyshev points (Berrut and Trefethen 2004)."""
        points, end = 48, 1 / LEAST_DF
        angle = np.pi * np.arange(points) / (points - 1)
        v = end / 2 * (1 + np.cos(angle))
        weight = (-1.0) ** np.arange(points)
        weight[[0, -1]] /= 2
        with np.errstate(divide="ignore"):
            table = np.where(
                v[:, None] < 1e-12, special.ndtri(q), special.stdtrit(1 / np.maximum(v[:, None], 1e-12), q)
            )
        gap = (1.0 / self.df).expand() - v
        gap = where(gap.abs() < 1e-14, 1e-14, gap)
        share = 1.0 / gap * weight
        return (share @ table) / share.sum(-1, keep=True)

    def log_prob(self, x: Wire) -> Wire:
        """Return the nats of x, (B, D)."""
        m = self._m(x)
        return self._kernel(m) - self.scale.log()

    def _kernel(self, m: Wire) -> Wire:
        return self._at_0 - 0.5 * (self.df + 1.0) * (1.0 + m * m / self.df).log()

    def mean(self) -> Wire:
        """Return the means, (B, D)."""
        return self.loc

    def excess(self, a: Wire) -> Wire:
        """Return E max(X - a, 0), (B, D)."""
        m = (a - self.loc) / self.scale
        above = self.tail(m).above
        return self.scale * (self._kernel(m).exp() * (self.df + m * m) / (self.df - 1.0) - m * above)


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
        return self.lattice.settled(found) if self.lattice.discrete else found

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

        return low.graph.repeat(_BISECTIONS, [low, high], body)[1]  # type: ignore[arg-type]


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

        found = low.graph.repeat(_BISECTIONS, [low, high], body)[1]  # type: ignore[arg-type]
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


@singledispatch
def law(emission: Emission, params: Wire, lattice: Lattice, loc: Wire, scale: Wire) -> Law:
    """Return the distribution of the values of a step in model space.

    Args:
        emission: The family.
        params: Its parameters, (B, D, P).
        lattice: The support of the values.
        loc: The predictions of the closed form, (B, D).
        scale: Their scales, (B, D).

    Raises:
        NotImplementedError: The emission has no graph.
    """
    raise NotImplementedError(f"the graph of {type(emission).__name__} is not written")


@law.register
def _(emission: Normal, params: Wire, lattice: Lattice, loc: Wire, scale: Wire) -> Law:
    return NormalLaw(params, lattice, loc, scale)


@law.register
def _(emission: StudentT, params: Wire, lattice: Lattice, loc: Wire, scale: Wire) -> Law:
    return StudentLaw(params, lattice, loc, scale)


@law.register
def _(emission: LogisticMixture, params: Wire, lattice: Lattice, loc: Wire, scale: Wire) -> Law:
    return MixtureLaw(params, lattice, loc, scale, emission.components)


@law.register
def _(emission: NegativeBinomial, params: Wire, lattice: Lattice, loc: Wire, scale: Wire) -> Law:
    return CountLaw(params, lattice, loc)


@law.register
def _(emission: ZeroInflated, params: Wire, lattice: Lattice, loc: Wire, scale: Wire) -> Law:
    return InflatedLaw(params, lattice, loc)
