"""The map from unconstrained parameters to scales and back, and checks and statistics that all emissions share."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from ostinato.arguments import real
from ostinato.errors import ConfigError

#: The least scale, in units of model space, so that a density cannot grow without bound on repeated values.
FLOOR = 1e-4
#: Deviations beyond this many units of model space count as this many, so that float32 holds their square over FLOOR.
FARTHEST = 1e12
#: A temperature below this counts as 0: float32 holds no smaller number in full precision.
COLDEST = 1.1754943508222875e-38
#: The least degrees of freedom of Student's t distribution: above 2 the variance exists.
LEAST_DF = 2.05


def scale_of(raw: Tensor) -> Tensor:
    """Return the positive scale softplus(raw) + FLOOR; NaN stays NaN."""
    return F.softplus(raw) + FLOOR


def raw_scale(scale: Tensor) -> Tensor:
    """Return the inverse of ``scale_of`` for a scale above FLOOR."""
    return inverse_softplus(scale - FLOOR)


def inverse_softplus(y: Tensor, beta: float = 1.0) -> Tensor:
    """Return the z with softplus(z, beta) = y, for y > 0."""
    return y + torch.log(-torch.expm1(-beta * y)) / beta


def residual(x: Tensor, location: Tensor) -> Tensor:
    """Return x - location, clipped to +-FARTHEST so that an extreme value leaves every gradient finite."""
    return (x - location).clamp(-FARTHEST, FARTHEST)


def sampling_options(temperature: Any, top_p: Any, *, symbols: bool) -> tuple[float, float]:
    """Return the options of sampling, checked. A temperature that float32 takes for 0 is 0.

    Args:
        temperature: The temperature, at least 0.
        top_p: The probability of the set of symbols that are drawn from, above 0 and at most 1.
        symbols: Whether the values are symbols; top_p ranks symbols, so for numbers it must be 1.

    Raises:
        ConfigError: An option is not a number or out of range, or top_p is below 1 for numbers.
    """
    advice = "use 0 for the likeliest value, 1 for the distribution itself"
    temperature = real("temperature", temperature, least=0, fix=advice)
    top_p = real("top_p", top_p, above=0, most=1, fix="use a number between 0 and 1, for example 0.9")
    if top_p < 1.0 and not symbols:
        raise ConfigError(
            f"top_p chooses among symbols and must be 1 for numbers, got {top_p:g}",
            fix="remove top_p, or use temperature",
        )
    return (0.0 if temperature < COLDEST else temperature), top_p


def moments(x: Tensor) -> tuple[Tensor, Tensor]:
    """Return the mean and standard deviation of each channel, (D,) each, of x (N, D).

    NaN is left out; a channel without an observed value has mean 0 and standard deviation 1.
    """
    seen = ~torch.isnan(x)
    count = seen.sum(0)
    mean = torch.where(seen, x, 0).sum(0) / count.clamp(min=1)
    deviation = (torch.where(seen, x - mean, 0).square().sum(0) / count.clamp(min=1)).sqrt()
    return mean, torch.where(count > 0, deviation, 1.0)


def quantiles(x: Tensor, q: Tensor) -> Tensor:
    """Return the quantiles of each channel, (D, Q), of x (N, D) at the levels q (Q,).

    NaN is left out; the quantiles of a channel without an observed value are 0.
    """
    columns = []
    for column in x.unbind(-1):
        seen = column[~torch.isnan(column)].sort().values
        if not len(seen):
            columns.append(torch.zeros_like(q))
            continue
        # torch.quantile refuses more than 2^24 values
        place = q * (len(seen) - 1)
        below = place.floor().long()
        above = (below + 1).clamp(max=len(seen) - 1)
        columns.append(torch.lerp(seen[below], seen[above], (place - below).to(seen.dtype)))
    return torch.stack(columns)
