"""What a graph needs of a distribution, and the lattice of its values."""

from __future__ import annotations

from abc import ABC, abstractmethod

from ostinato.export.graph import Wire, maximum, minimum
from ostinato.shapes import Array

#: The steps of a search by bisection, which leave the interval at 1e-18 of its width.
BISECTIONS = 60


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

    def rounded(self, z: Wire) -> Wire:
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
