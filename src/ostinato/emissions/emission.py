"""The contract of every emission: what distribution is asserted for x_t, given the memory's parameters for it."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import ClassVar, Literal

import torch
from torch import Tensor


@dataclass(frozen=True)
class Support:
    """Where the values of a sequence can lie, in model space; each tensor broadcasts against x (..., D).

    unit  spacing of the values; 0 where they are continuous (a density is asserted, not a probability)
    low   least value, or -inf
    high  greatest value, or +inf
    """

    unit: Tensor
    low: Tensor
    high: Tensor

    @staticmethod
    def real(dtype: torch.dtype = torch.float32) -> Support:
        """The real line."""
        zero = torch.zeros((), dtype=dtype)
        return Support(zero, zero - torch.inf, zero + torch.inf)


class Emission(ABC):
    """A family of distributions, as pure functions of unconstrained parameters (..., D, P).

    Everything is in model space; log_prob is in nats: a log density where support.unit is 0, else the log probability
    of the cell of width unit around x. For families with a location, params[..., 0] is it, in model space units, so
    that an autoregression's prediction may be added to it.
    """

    name: ClassVar[str]
    #: "real" (densities and lattices), "counts" (0, 1, 2, ... times unit), "symbols" (0 .. V - 1)
    support: ClassVar[Literal["real", "counts", "symbols"]]
    #: P, the number of parameters per channel
    parameters: int

    @abstractmethod
    def log_prob(self, params: Tensor, x: Tensor, support: Support) -> Tensor:
        """Params (..., D, P), x (..., D) -> nats (..., D)."""

    @abstractmethod
    def sample(
        self, params: Tensor, support: Support, generator: torch.Generator, temperature: float = 1.0, top_p: float = 1.0
    ) -> Tensor:
        """Params (..., D, P) -> x (..., D). temperature narrows (< 1) or widens; top_p keeps the likeliest symbols."""

    @abstractmethod
    def quantile(self, params: Tensor, q: Tensor, support: Support) -> Tensor:
        """Params (..., D, P), q (Q,) in (0, 1) -> (..., D, Q), non-decreasing in q."""

    @abstractmethod
    def cdf(self, params: Tensor, x: Tensor, support: Support) -> Tensor:
        """P(X <= x): params (..., D, P), x (..., D) -> (..., D) in [0, 1]. On a lattice P(X < x) is cdf(x - unit)."""

    @abstractmethod
    def mean(self, params: Tensor, support: Support) -> Tensor:
        """Params (..., D, P) -> (..., D); for symbols, the likeliest one."""

    @abstractmethod
    def initial(self, x: Tensor, support: Support) -> Tensor:
        """Parameters (D, P) that suit x (N, D), NaN left out, before anything is learned: where a fit starts."""
