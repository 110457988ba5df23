"""The contract of every emission: the distribution of x_t, given the parameters that the model computes for it."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import ClassVar, TypeAlias

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ostinato.emissions.draws import PlainSource, Source

Floats: TypeAlias = NDArray[np.float32]
#: A function of the parameters (P,) and a value that returns nats.
PlainDensity: TypeAlias = Callable[[Sequence[float], float], float]
#: A function of the parameters (..., P), a generator and a temperature that returns draws (...).
PlainDraws: TypeAlias = Callable[[Floats, PlainSource, float], Floats]


@dataclass(frozen=True)
class Support:
    """The set in which the values of a sequence lie, in model space; each tensor broadcasts against x (..., D).

    Attributes:
        unit: The spacing of the values; 0 for continuous values, whose log_prob is a density and not a probability.
        low: The least value, or -inf.
        high: The greatest value, or +inf.
    """

    unit: Tensor
    low: Tensor
    high: Tensor

    @staticmethod
    def real(dtype: torch.dtype = torch.float32, device: torch.device | None = None) -> Support:
        """Return the real line."""
        zero = torch.zeros((), dtype=dtype, device=device)
        return Support(zero, zero - torch.inf, zero + torch.inf)

    def to(self, device: torch.device) -> Support:
        """Return the support on a device."""
        return Support(self.unit.to(device), self.low.to(device), self.high.to(device))


class Emission(ABC):
    """A family of distributions, as pure functions of unconstrained parameters (..., D, P).

    All values are in model space. log_prob is in nats: a log density if support.unit is 0, otherwise the log
    probability of the cell of width unit around x. In families with a location, params[..., 0] is the location in units
    of model space, so that the prediction of an autoregression can be added to it.

    Attributes:
        name: The name of the family in options and model files.
        parameters: The number of parameters per channel, P.
        needs_counts: Whether the values must be counts: 0, 1, 2, ... times unit.
        symbolic: Whether the values are symbols 0 .. V - 1, which have no order, and the parameters are their logits.
    """

    name: ClassVar[str]
    parameters: int
    needs_counts: ClassVar[bool] = False
    symbolic: ClassVar[bool] = False

    @property
    def standardised(self) -> bool:
        """Whether the family describes the standardised error of the closed form instead of the value itself."""
        return not (self.needs_counts or self.symbolic)

    @property
    def plain_density(self) -> PlainDensity | None:
        """The log density of one continuous value in plain Python, without torch; None if the family has none."""
        return None

    @property
    def plain_draws(self) -> PlainDraws | None:
        """Draws of continuous values in NumPy, without torch; None if the family has none."""
        return None

    def shifted(self, params: Tensor, loc: Tensor) -> Tensor:
        """Return params (..., D, P) with the prediction loc (..., D) added to the location."""
        return torch.cat([params[..., :1] + loc[..., None], params[..., 1:]], -1)

    @abstractmethod
    def log_prob(self, params: Tensor, x: Tensor, support: Support) -> Tensor:
        """Return the log probability or log density of x.

        Args:
            params: The parameters, (..., D, P).
            x: The values, (..., D).
            support: The set in which the values lie.

        Returns:
            Nats, (..., D).
        """

    @abstractmethod
    def sample(
        self, params: Tensor, support: Support, generator: Source, temperature: float = 1.0, top_p: float = 1.0
    ) -> Tensor:
        """Return one draw per channel.

        Args:
            params: The parameters, (..., D, P).
            support: The set in which the values lie.
            generator: The source of random numbers.
            temperature: A number that narrows the distribution if it is below 1 and widens it if it is above 1. With 0
                the draw is the likeliest value of a lattice, the likeliest symbol, or for continuous values the place
                of greatest density, which for a mixture is looked for among the means of its components.
            top_p: The probability of the set of likeliest symbols that are drawn from; 1 for emissions without symbols.

        Returns:
            Values, (..., D).

        Raises:
            ConfigError: temperature or top_p is out of range, or top_p is below 1 and the values are not symbols.
        """

    @abstractmethod
    def quantile(self, params: Tensor, q: Tensor, support: Support) -> Tensor:
        """Return the quantiles at the levels q.

        Args:
            params: The parameters, (..., D, P).
            q: The levels, (Q,), between 0 and 1.
            support: The set in which the values lie.

        Returns:
            Values, (..., D, Q), non-decreasing in q.
        """

    @abstractmethod
    def cdf(self, params: Tensor, x: Tensor, support: Support) -> Tensor:
        """Return the probabilities P(X <= x); on a lattice P(X < x) is the cdf of x - unit.

        Args:
            params: The parameters, (..., D, P).
            x: The values, (..., D).
            support: The set in which the values lie.

        Returns:
            Probabilities, (..., D).
        """

    @abstractmethod
    def mean(self, params: Tensor, support: Support) -> Tensor:
        """Return the means, (..., D), of params (..., D, P); for symbols the likeliest symbol."""

    @abstractmethod
    def initial(self, x: Tensor, support: Support) -> Tensor:
        """Return the parameters that training starts from.

        Args:
            x: The values, (N, D). NaN where a value is missing.
            support: The set in which the values lie.

        Returns:
            Parameters that suit x, (D, P).
        """
