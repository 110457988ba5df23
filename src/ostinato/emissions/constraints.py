"""From unconstrained parameters to scales and back, and what every emission checks or does in the same way."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

from ostinato.errors import ConfigError

#: Least scale, in model space units: a density may not grow without bound on repeated values.
FLOOR = 1e-4
#: Deviations beyond this many model space units count as this many, so that float32 holds their square over FLOOR.
FARTHEST = 1e12


def scale_of(raw: Tensor) -> Tensor:
    """softplus(raw) + FLOOR, positive; NaN stays NaN."""
    return F.softplus(raw) + FLOOR


def raw_scale(scale: Tensor) -> Tensor:
    """The inverse of scale_of, for scale > FLOOR."""
    return inverse_softplus(scale - FLOOR)


def inverse_softplus(y: Tensor, beta: float = 1.0) -> Tensor:
    """The z with softplus(z, beta) = y, for y > 0."""
    return y + torch.log(-torch.expm1(-beta * y)) / beta


def residual(x: Tensor, location: Tensor) -> Tensor:
    """X - location, held within +-FARTHEST: an absurd value costs much but leaves every gradient finite."""
    return (x - location).clamp(-FARTHEST, FARTHEST)


def check_sampling(temperature: float, top_p: float, *, symbols: bool) -> None:
    """ConfigError where temperature or top_p cannot be used; top_p ranks symbols, so it is refused elsewhere."""
    if not 0.0 <= temperature < float("inf"):
        raise ConfigError(f"temperature {temperature} cannot be used", fix="a number from 0 (the likeliest) upwards")
    if not 0.0 < top_p <= 1.0:
        raise ConfigError(f"top_p {top_p} cannot be used", fix="a number above 0 and at most 1")
    if top_p < 1.0 and not symbols:
        raise ConfigError("top_p keeps the likeliest symbols, and this emission has none", fix="use temperature")


def moments(x: Tensor) -> tuple[Tensor, Tensor]:
    """Mean and standard deviation (D,) of x (N, D), NaN left out; 0 and 1 where nothing is observed."""
    seen = ~torch.isnan(x)
    count = seen.sum(0)
    mean = torch.where(seen, x, 0).sum(0) / count.clamp(min=1)
    spread = (torch.where(seen, x - mean, 0).square().sum(0) / count.clamp(min=1)).sqrt()
    return mean, torch.where(count > 0, spread, 1.0)


def quantiles(x: Tensor, q: Tensor) -> Tensor:
    """Quantiles (D, Q) of x (N, D), NaN left out; 0 where nothing is observed."""
    columns = []
    for column in x.unbind(-1):
        seen = column[~torch.isnan(column)].sort().values
        if not len(seen):
            columns.append(torch.zeros_like(q))
            continue
        # by hand: torch.quantile refuses more than 2^24 values
        place = q * (len(seen) - 1)
        below = place.floor().long()
        above = (below + 1).clamp(max=len(seen) - 1)
        columns.append(torch.lerp(seen[below], seen[above], (place - below).to(seen.dtype)))
    return torch.stack(columns)
