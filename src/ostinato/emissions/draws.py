"""Random numbers for values on any device.

They are drawn on the device of the generator and then moved. All generators of the package are on the CPU, so that one
seed draws the same numbers wherever a model computes.
"""

from __future__ import annotations

import torch
from torch import Tensor


def normal(like: Tensor, generator: torch.Generator, dtype: torch.dtype | None = None) -> Tensor:
    """Return standard normal numbers of the shape and on the device of a tensor.

    Args:
        like: The tensor.
        generator: The source of randomness.
        dtype: The type of the numbers. None takes that of the tensor.
    """
    return torch.randn(like.shape, generator=generator, dtype=dtype or like.dtype).to(like.device)


def uniform(like: Tensor, generator: torch.Generator, dtype: torch.dtype | None = None) -> Tensor:
    """Return numbers uniform on [0, 1) of the shape and on the device of a tensor.

    Args:
        like: The tensor.
        generator: The source of randomness.
        dtype: The type of the numbers. None takes that of the tensor.
    """
    return torch.rand(like.shape, generator=generator, dtype=dtype or like.dtype).to(like.device)


def gamma(shape: Tensor, generator: torch.Generator) -> Tensor:
    """Return numbers of the gamma distributions with these shape parameters and scale 1, (...)."""
    return torch._standard_gamma(shape.to(generator.device), generator=generator).to(shape.device)


def poisson(rate: Tensor, generator: torch.Generator) -> Tensor:
    """Return numbers of the Poisson distributions with these rates, (...)."""
    return torch.poisson(rate.to(generator.device), generator=generator).to(rate.device)


def choice(p: Tensor, generator: torch.Generator) -> Tensor:
    """Return a place in each row, (..., 1), that is drawn with the probabilities p (..., K).

    The place of the greatest p / e wins, with e exponential and independent, as in torch.multinomial. Only the numbers
    e are moved, and no device has to wait.
    """
    e = torch.empty(p.shape, dtype=p.dtype).exponential_(1, generator=generator)
    return (p / e.to(p.device)).argmax(-1, keepdim=True)
