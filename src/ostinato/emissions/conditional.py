"""The distribution P(x_t | x_<t): an emission, its parameters, and the prediction that it is centred on."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from ostinato.emissions import bounded
from ostinato.emissions.bounded import Located
from ostinato.emissions.constraints import FARTHEST
from ostinato.emissions.coupling import Coupling, StepCoupling
from ostinato.emissions.draws import Source
from ostinato.emissions.emission import Emission, Support
from ostinato.emissions.likeliest import likeliest


@dataclass(frozen=True)
class Conditional:
    """The distribution of x (..., D), in model space.

    With loc and scale the emission describes the standardised innovation e = (x - loc) / scale. With a coupling it
    describes u = (I - L) e, so each channel is conditional on the channels before it at the same step; a missing
    channel (NaN) counts as its prediction loc.

    If the support of continuous values has a lower bound, the emission of each channel is cut off at it, given the
    channels before it (``emissions.bounded``).

    Attributes:
        emission: The family of distributions.
        params: The parameters of the emission, (..., D, P).
        loc: The predictions that the innovations are measured from, (..., D); None if the emission describes x itself.
        scale: The scales of the innovations, (..., D); None if the emission describes x itself.
        coupling: The dependence between the channels of one step, or None.
    """

    emission: Emission
    params: Tensor
    loc: Tensor | None = None
    scale: Tensor | None = None
    coupling: Coupling | StepCoupling | None = None

    def each(self, change: Callable[[Tensor], Tensor]) -> Conditional:
        """Return the distributions after a change of their leading axes: some of them, copies, or an axis more.

        Args:
            change: A function of a tensor (..., D, P), (..., D) or (..., D, D) that leaves what follows ``...`` alone.
        """
        shape = self.params.shape[:-1]
        return replace(
            self,
            params=change(self.params),
            loc=None if self.loc is None else change(self.loc.expand(shape)),
            scale=None if self.scale is None else change(self.scale.expand(shape)),
            coupling=None if self.coupling is None else self.coupling.each(change),
        )

    def channel(self, d: int, x: Tensor) -> Conditional:
        """Return the distribution of channel d alone, (..., 1), given the channels before it.

        Args:
            d: The channel.
            x: The values of the step, (..., D), of which those before channel d are used.
        """
        own, params = slice(d, d + 1), self.params[..., d : d + 1, :]
        if self.loc is None or self.scale is None:
            return replace(self, params=params)
        loc, scale = (part.expand(self.params.shape[:-1]) for part in (self.loc, self.scale))
        earlier = self._earlier(x, loc, scale)
        at = loc if earlier is None else loc + scale * earlier
        return Conditional(self.emission, params, at[..., own], scale[..., own])

    def log_prob(self, x: Tensor, support: Support) -> Tensor:
        """Return the nats of x; those of the observed channels sum to the nats of the step.

        Args:
            x: The values in model space, (..., D). NaN where a value is missing.
            support: The set in which the values lie.

        Returns:
            Nats, (..., D). They are finite for a missing value, where the caller leaves them out.
        """
        if self.loc is None or self.scale is None:
            return self.emission.log_prob(self.params, x.nan_to_num(0.0), support)
        loc, scale = self.loc, self.scale
        nats = self.emission.log_prob(
            self.params, self._innovations(x, loc, scale), self._inner(x, support, loc, scale)
        )
        nats = torch.where(support.unit > 0, nats, nats - scale.log())
        if not bounded.is_bounded(support):
            return nats
        kept = bounded.log_above(self.emission, self.params, self._bound(support, self._earlier(x, loc, scale)))
        return torch.where((support.unit == 0) & (x < support.low), -torch.inf, nats - kept)

    def sample(self, support: Support, generator: Source, temperature: float = 1.0, top_p: float = 1.0) -> Tensor:
        """Return one draw per channel, (..., D), in model space (see ``Emission.sample``).

        With temperature 0 each value on a lattice is the likeliest, given those of the channels before it; a continuous
        value is where the density is greatest.
        """
        if temperature == 0.0 and self._on_lattice(support):
            return self._likeliest(support)
        inner = support if self.loc is None else Support.real(self.params.dtype, self.params.device)
        u = self.emission.sample(self.params, inner, generator, temperature, top_p)
        if self.coupling is not None and self.loc is not None and bool((support.unit > 0).any()):
            return self._rounded_in_turn(u, support, generator, temperature)
        return self._values(self.innovations_of(u, support, generator, temperature), support)

    def _on_lattice(self, support: Support) -> bool:
        """Return whether all values lie on a lattice, and the emission describes their innovations."""
        return self.loc is not None and isinstance(self.emission, Located) and bool((support.unit > 0).all())

    def _likeliest(self, support: Support) -> Tensor:
        """Return the likeliest values of a lattice, (..., D), one channel after the other."""
        assert self.loc is not None
        assert self.scale is not None
        assert isinstance(self.emission, Located)
        loc, scale = (part.expand(self.params.shape[:-1]) for part in (self.loc, self.scale))
        if self.coupling is None:
            return likeliest(self.emission, self.params, self.emission.ends(self.params), support, loc, scale)
        x, L = torch.zeros_like(loc), self.coupling.matrix().to(loc.dtype)
        for d in range(x.shape[-1]):
            e = _standardised(x, loc, scale).clamp(-FARTHEST, FARTHEST)
            explained = (e[..., :d] * L[..., d, :d]).sum(-1, keepdim=True)
            own, part = self.params[..., d : d + 1, :], slice(d, d + 1)
            at = loc[..., part] + scale[..., part] * explained
            limits = (t.expand(x.shape)[..., part] for t in (support.unit, support.low, support.high))
            x[..., part] = likeliest(
                self.emission, own, self.emission.ends(own), Support(*limits), at, scale[..., part]
            )
        return x

    def innovations_of(self, u: Tensor, support: Support, generator: Source, temperature: float = 1.0) -> Tensor:
        """Return the coupled innovations e, (..., D), of independent draws u (..., D) of the emission.

        Those that lead to a value below its bound are drawn again.

        Args:
            u: Draws of the emission as if there were no bound.
            support: The set in which the values lie.
            generator: The source of randomness.
            temperature: The temperature of the draws.
        """
        if self.loc is None or not bounded.is_bounded(support):
            return self._coupled(u)
        low = self._bound(support)
        if self.coupling is None:
            return bounded.drawn_again(self.emission, self.params, u, low, generator, temperature)
        return self._in_turn(
            low,
            lambda d, a: bounded.drawn_again(
                self.emission, self.params[..., d, :], u[..., d], a, generator, temperature
            ),
        )

    def quantile(self, q: Tensor, support: Support, x: Tensor | None = None) -> Tensor:
        """Return the quantiles of each channel, conditional on the channels before it.

        With a coupling the quantile of a channel given the past alone has no closed form: estimate it from draws.

        Args:
            q: The levels, (Q,), between 0 and 1.
            support: The set in which the values lie.
            x: The values of the step, (..., D), that later channels are conditional on; None takes their means.

        Returns:
            Values in model space, (..., D, Q).
        """
        inner = support if self.loc is None else Support.real(self.params.dtype, self.params.device)
        if self.loc is not None and self.scale is not None and bounded.is_bounded(support):
            return self._bounded_quantile(q, support, x)
        out = self.emission.quantile(self.params, q, inner)
        if self.coupling is not None and self.loc is not None and self.scale is not None:
            e = self._means(support, self.loc, self.scale) if x is None else _standardised(x, self.loc, self.scale)
            out = out + self.coupling.earlier(e).unsqueeze(-1)
        return self._values(out, support, trailing=True)

    def cdf(self, x: Tensor, support: Support) -> Tensor:
        """Return P(X <= x), (..., D), of x (..., D) in model space, each channel given the channels before it in x.

        For continuous x drawn from the model they are independent and uniform, with any coupling (Rosenblatt 1952).
        """
        if self.loc is None or self.scale is None:
            return self.emission.cdf(self.params, x.nan_to_num(0.0), support)
        inner, u = self._inner(x, support, self.loc, self.scale), self._innovations(x, self.loc, self.scale)
        found = self.emission.cdf(self.params, u, inner)
        if not bounded.is_bounded(support):
            return found
        low = self._bound(support, self._earlier(x, self.loc, self.scale))
        cut = 1 - bounded.above(self.emission, self.params, u, low)
        return torch.where((support.unit == 0) & (support.low > -torch.inf), cut, found)

    def mean(self, support: Support) -> Tensor:
        """Return the means given the past alone, (..., D), within the edges of the support.

        With edges and a coupling, the mean of a channel is that given the means of the channels before it.
        """
        if self.loc is None or self.scale is None:
            return self.emission.mean(self.params, support)
        return self.loc + self.scale * self._means(support, self.loc, self.scale)

    def _innovations(self, x: Tensor, loc: Tensor, scale: Tensor) -> Tensor:
        """Return the innovations that the emission describes: u, or e without a coupling."""
        if self.coupling is None:
            return (x.nan_to_num(0.0) - loc) / scale
        e = _standardised(x, loc, scale)
        return e - self.coupling.earlier(e)

    def _inner(self, x: Tensor, support: Support, loc: Tensor, scale: Tensor) -> Support:
        """Return the support of what ``_innovations`` returns: its ends move with what earlier channels explain."""
        inner, earlier = _standard(support, loc, scale), self._earlier(x, loc, scale)
        return inner if earlier is None else Support(inner.unit, inner.low - earlier, inner.high - earlier)

    def _earlier(self, x: Tensor, loc: Tensor, scale: Tensor) -> Tensor | None:
        """Return the part of the innovations that earlier channels explain, (..., D); None without a coupling."""
        return None if self.coupling is None else self.coupling.earlier(_standardised(x, loc, scale))

    def _bound(self, support: Support, earlier: Tensor | None = None) -> Tensor:
        """Return the bounds of the innovations that the emission describes, (..., D); -inf on a lattice."""
        assert self.loc is not None
        assert self.scale is not None
        low = (torch.where(support.unit > 0, -torch.inf, support.low) - self.loc) / self.scale
        return low if earlier is None else low - earlier

    def _means(self, support: Support, loc: Tensor, scale: Tensor) -> Tensor:
        """Return the means of the innovations e, (..., D), each given the means of the channels before it."""
        if bounded.is_bounded(support):
            return self._bounded_means(support)
        inner = _standard(support, loc, scale)
        if self.coupling is None or loc.shape[-1] == 1 or not _has_edges(support):
            return self._coupled(self.emission.mean(self.params, inner))
        unit, least, most = (end.expand_as(loc).unbind(-1) for end in (inner.unit, inner.low, inner.high))

        def mean(d: int, moved: Tensor) -> Tensor:
            ends = (unit[d], least[d] + moved, most[d] + moved)
            own = Support(*(end.unsqueeze(-1) for end in ends))
            return self.emission.mean(self.params[..., d : d + 1, :], own).squeeze(-1)

        return self._in_turn(torch.zeros_like(loc), mean)

    def _in_turn(self, low: Tensor, innovation: Callable[[int, Tensor], Tensor]) -> Tensor:
        """Return coupled innovations e, (..., D), one channel after the other.

        Args:
            low: The bounds of e, (..., D).
            innovation: A function of a channel and the bounds of its u (...) that returns u (...).
        """
        assert self.coupling is not None
        L, e = self.coupling.matrix().to(low.dtype), torch.zeros_like(low)
        for d in range(low.shape[-1]):
            explained = (e.clamp(-FARTHEST, FARTHEST) * L[..., d, :]).sum(-1)
            own = innovation(d, low[..., d] - explained) + explained
            e = torch.cat([e[..., :d], own.unsqueeze(-1), e[..., d + 1 :]], -1)
        return e

    def _rounded_in_turn(self, u: Tensor, support: Support, generator: Source, temperature: float) -> Tensor:
        """Return values on a lattice, (..., D), of draws u (..., D) of the emission, one channel after the other.

        What a channel explains of the later ones is what its value on the lattice explains, as in ``log_prob``.
        """
        assert self.loc is not None
        assert self.scale is not None
        assert self.coupling is not None
        L, low = self.coupling.matrix().to(u.dtype), self._bound(support)
        e, x = torch.zeros_like(u), torch.zeros_like(u)
        for d in range(u.shape[-1]):
            explained = (e.clamp(-FARTHEST, FARTHEST) * L[..., d, :]).sum(-1)
            own = bounded.drawn_again(
                self.emission, self.params[..., d, :], u[..., d], low[..., d] - explained, generator, temperature
            )
            e[..., d] = own + explained
            x[..., d] = self._values(e, support)[..., d]
            e[..., d] = _standardised(x, self.loc, self.scale)[..., d]
        return x

    def _bounded_means(self, support: Support) -> Tensor:
        """Return the means of the innovations e, (..., D), with a bound."""
        low = self._bound(support)
        if self.coupling is None:
            return bounded.mean(self.emission, self.params, low)
        return self._in_turn(low, lambda d, a: bounded.mean(self.emission, self.params[..., d, :], a))

    def _bounded_quantile(self, q: Tensor, support: Support, x: Tensor | None) -> Tensor:
        """Return ``quantile`` with a bound, (..., D, Q)."""
        assert self.loc is not None
        assert self.scale is not None
        earlier: Tensor | None = None
        if self.coupling is not None:
            e = self._bounded_means(support) if x is None else _standardised(x, self.loc, self.scale)
            earlier = self.coupling.earlier(e)
        out = bounded.quantile(self.emission, self.params, q, self._bound(support, earlier))
        return self._values(out if earlier is None else out + earlier.unsqueeze(-1), support, trailing=True)

    def _coupled(self, u: Tensor) -> Tensor:
        """Return the coupled innovations e of the independent innovations u."""
        return u if self.coupling is None else self.coupling.together(u)

    def _values(self, e: Tensor, support: Support, *, trailing: bool = False) -> Tensor:
        """Return the values of innovations; on a lattice the nearest point, as its cells have the probabilities."""
        if self.loc is None or self.scale is None:
            return e
        loc, scale, unit, low, high = self.loc, self.scale, support.unit, support.low, support.high
        if trailing:
            loc, scale, unit, low, high = (t.unsqueeze(-1) for t in (loc, scale, unit, low, high))
        x = loc + scale * e
        cell = torch.where(unit > 0, unit, torch.ones_like(unit))
        return torch.where(unit > 0, (x / cell).round() * cell, x).clamp(low, high)


def _standardised(x: Tensor, loc: Tensor, scale: Tensor) -> Tensor:
    """Return the standardised innovations of x, 0 where x is missing."""
    e = (x.nan_to_num(0.0) - loc) / scale
    return torch.where(x.isnan(), torch.zeros_like(e), e)


def _standard(support: Support, loc: Tensor, scale: Tensor) -> Support:
    """Return the support of the standardised innovations."""
    return Support(support.unit / scale, (support.low - loc) / scale, (support.high - loc) / scale)


def _has_edges(support: Support) -> bool:
    """Return whether some values lie on a lattice that ends."""
    return bool(((support.unit > 0) & ((support.low > -torch.inf) | (support.high < torch.inf))).any())
