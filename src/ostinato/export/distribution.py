"""The distribution of one step of numbers in a graph: an emission, the prediction it is centred on, and its bound."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ostinato.emissions.constraints import FARTHEST
from ostinato.emissions.emission import Emission
from ostinato.export.emissions import law
from ostinato.export.graph import Wire, clip, concat, maximum, where
from ostinato.export.laws.law import Lattice, Law, Located
from ostinato.export.laws.standard import NormalLaw
from ostinato.shapes import Array


@dataclass(frozen=True)
class StepDistribution:
    """The distribution of the values (B, D) of one step in model space, as ``Conditional``.

    Attributes:
        emission: The family.
        params: Its parameters, (B, D, P), float64.
        loc: The predictions of the closed form, (B, D).
        scale: Their scales, (B, D).
        support: The support of the values.
        coupling: The matrix L (D, D) of the coupling; None for independent channels.
    """

    emission: Emission
    params: Wire
    loc: Wire
    scale: Wire
    support: Lattice
    coupling: Array | None

    @property
    def bounded(self) -> bool:
        """Whether continuous values have a lower bound."""
        return not self.support.discrete and bool(np.isfinite(self.support.low).any())

    @property
    def has_quantiles(self) -> bool:
        """Whether the quantiles of a step have a closed form, given the past alone."""
        return (
            self.coupling is None
            or not self.coupling.any()
            or (isinstance(self._law(), NormalLaw) and not self.bounded)
        )

    def log_prob(self, x: Wire, missing: Wire) -> Wire:
        """Return the nats of x (B, D), whose missing values are 0."""
        loc = self.loc
        if self.coupling is not None:
            e = where(missing, 0.0, clip((x - loc) / self.scale, -FARTHEST, FARTHEST))
            loc = loc + self.scale * (e @ np.ascontiguousarray(self.coupling.T))
        own = self._law(loc)
        nats = own.log_prob(x)
        if not self.bounded:
            return nats
        return nats - self._where_bounded(self._kept(own), x * 0.0)

    def mean(self) -> Wire:
        """Return the means given the past alone, (B, D)."""
        if self.coupling is None:
            return self._mean(self._law())
        D, L, e = len(self.coupling), self.coupling, self.loc * 0.0
        out: list[Wire] = []
        for d in range(D):
            # the mean of a channel is that given the means of the channels before it
            explained = clip(e, -FARTHEST, FARTHEST) @ np.ascontiguousarray(L.T)
            middle = self._mean(self._law(self.loc + self.scale * explained))
            out.append(middle.slice(d, d + 1))
            known = concat([*out, *([self.loc.slice(d + 1, D)] if d + 1 < D else [])])
            e = (known - self.loc) / self.scale
        return concat(out)

    def quantile(self, q: Array) -> Wire:
        """Return the quantiles given the past alone at the levels q (Q,), (B, D, Q)."""
        own = self._law()
        if self.coupling is not None and self.coupling.any():
            return self._coupled_quantile(q)
        if not self.bounded:
            return own.quantile(q)
        assert isinstance(own, Located)
        low = np.where(np.isfinite(self.support.low), self.support.low, 0.0)
        least = self.loc * 0.0 + low
        log_p = self._kept(own).expand() + np.log1p(-q)
        cut = maximum(own.exceeded(log_p, q, least), low[:, None])
        if np.isfinite(self.support.low).all():
            return cut
        return self._where_bounded(cut, own.quantile(q), axes=2)

    def _coupled_quantile(self, q: Array) -> Wire:
        """Return the quantiles of coupled normal channels, which are normal too."""
        assert self.coupling is not None
        own = self._law(self.loc * 0.0, self.loc * 0.0 + 1.0)
        assert isinstance(own, NormalLaw)
        together = np.linalg.inv(np.eye(len(self.coupling)) - self.coupling)
        middle = own.loc @ np.ascontiguousarray(together.T)
        deviation = (own.scale * own.scale @ np.ascontiguousarray(np.square(together.T))).sqrt()
        e = middle.expand() + deviation.expand() * own.standard(q)
        return self.loc.expand() + self.scale.expand() * e

    def _law(self, loc: Wire | None = None, scale: Wire | None = None) -> Law:
        return law(
            self.emission,
            self.params,
            self.support,
            self.loc if loc is None else loc,
            self.scale if scale is None else scale,
        )

    def _kept(self, own: Law) -> Wire:
        """Return log P(X > bound), (B, D)."""
        assert isinstance(own, Located)
        return own.log_above(self.loc * 0.0 + np.where(np.isfinite(self.support.low), self.support.low, 0.0))

    def _mean(self, own: Law) -> Wire:
        if not self.bounded:
            return own.mean()
        assert isinstance(own, Located)
        low = np.where(np.isfinite(self.support.low), self.support.low, 0.0)
        share = maximum(self._kept(own).exp(), 1e-300)
        return self._where_bounded(own.excess(self.loc * 0.0 + low) / share + low, own.mean())

    def _where_bounded(self, a: Wire, b: Wire, axes: int = 1) -> Wire:
        flags = np.isfinite(self.support.low)
        if flags.all():
            return a
        return where(a.graph.constant(flags.reshape(-1, *[1] * (axes - 1))), a, b)
