"""The normal distribution and Student's t: a location and a scale times a standard variable.

ONNX has neither the quantiles of Student's t nor the incomplete beta function. ``tails`` integrates them.
"""

from __future__ import annotations

import math
from abc import abstractmethod
from typing import final

import numpy as np
from scipy import special

from ostinato.emissions.constraints import FARTHEST, FLOOR, LEAST_DF
from ostinato.export import tails
from ostinato.export.graph import Wire, clip, concat, maximum, minimum, softplus, where
from ostinato.export.laws.law import Lattice, Located
from ostinato.shapes import Array

_HALF_LOG_TWO_PI = 0.5 * math.log(2 * math.pi)
_LEGENDRE, _SHARES = np.polynomial.legendre.leggauss(8)


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
        return self.lattice.rounded(found) if self.lattice.discrete else found

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
