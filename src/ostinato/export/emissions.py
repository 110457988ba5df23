"""The law of each emission in a graph, by its class."""

from __future__ import annotations

from functools import singledispatch

from ostinato.emissions.emission import Emission
from ostinato.emissions.logistic_mixture import LogisticMixture
from ostinato.emissions.negative_binomial import NegativeBinomial
from ostinato.emissions.normal import Normal
from ostinato.emissions.student_t import StudentT
from ostinato.emissions.zero_inflated import ZeroInflated
from ostinato.export.graph import Wire
from ostinato.export.laws.counts import CountLaw, InflatedLaw
from ostinato.export.laws.law import Lattice, Law
from ostinato.export.laws.mixture import MixtureLaw
from ostinato.export.laws.standard import NormalLaw, StudentLaw


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
