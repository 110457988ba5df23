"""Random numbers for values on any device.

They are drawn on the device of the generator and then moved. All generators of the package are on the CPU, so that one
seed draws the same numbers wherever a model computes. Either one generator draws the numbers of all rows, or each row
has a generator of its own (``RowGenerators``), and then its numbers do not depend on the other rows.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias, final

import numpy as np
import torch
from torch import Tensor


@final
class RowGenerators:
    """A generator of its own for each of B rows, the leading axis of what is drawn.

    Args:
        each: The generators, B of them.
    """

    def __init__(self, each: list[torch.Generator]) -> None:
        self.each = each

    @staticmethod
    def of(seed: int, rows: int) -> RowGenerators:
        """Return the generators of B rows. That of row b follows from the seed and b alone.

        Args:
            seed: The seed, at least 0.
            rows: The number of rows, B.
        """
        words = [np.random.SeedSequence((seed, row)).generate_state(1, np.uint64)[0] for row in range(rows)]
        return RowGenerators([torch.Generator().manual_seed(int(word) >> 1) for word in words])


#: What random numbers are drawn from.
Source: TypeAlias = torch.Generator | RowGenerators


def in_numpy(generator: Source) -> np.random.Generator | list[np.random.Generator]:
    """Return generators of NumPy, with seeds that generators of torch draw: one, or one of each row."""
    if isinstance(generator, RowGenerators):
        return [np.random.default_rng(_seed(one)) for one in generator.each]
    return np.random.default_rng(_seed(generator))


def in_torch(rng: np.random.Generator | list[np.random.Generator]) -> Source:
    """Return generators of torch, with seeds that generators of NumPy draw: one, or one of each row."""
    if isinstance(rng, list):
        return RowGenerators([torch.Generator().manual_seed(int(one.integers(2**62))) for one in rng])
    return torch.Generator().manual_seed(int(rng.integers(2**62)))


def _seed(generator: torch.Generator) -> int:
    """Return a seed that a generator draws."""
    return int(torch.randint(2**62, (), generator=generator))


def normal(like: Tensor, generator: Source, dtype: torch.dtype | None = None) -> Tensor:
    """Return standard normal numbers of the shape and on the device of a tensor.

    Args:
        like: The tensor, (B, ...).
        generator: The source of randomness.
        dtype: The type of the numbers. None takes that of the tensor.
    """

    def draw(part: Tensor, one: torch.Generator) -> Tensor:
        return torch.randn(part.shape, generator=one, dtype=dtype or like.dtype)

    return _drawn(draw, like, generator).to(like.device)


def uniform(like: Tensor, generator: Source, dtype: torch.dtype | None = None) -> Tensor:
    """Return numbers uniform on [0, 1) of the shape and on the device of a tensor.

    Args:
        like: The tensor, (B, ...).
        generator: The source of randomness.
        dtype: The type of the numbers. None takes that of the tensor.
    """

    def draw(part: Tensor, one: torch.Generator) -> Tensor:
        return torch.rand(part.shape, generator=one, dtype=dtype or like.dtype)

    return _drawn(draw, like, generator).to(like.device)


def uniform_where(where: Tensor, generator: Source, dtype: torch.dtype) -> Tensor:
    """Return numbers uniform on [0, 1) for the true places of a tensor, in their order, (N,), on its device.

    A row without a true place draws nothing.

    Args:
        where: The tensor, bool, (B, ...).
        generator: The source of randomness.
        dtype: The type of the numbers.
    """
    if isinstance(generator, RowGenerators):
        counts = where.reshape(len(where), -1).sum(-1).tolist()
        parts = zip(counts, generator.each, strict=True)
        return torch.cat([torch.rand(n, generator=one, dtype=dtype) for n, one in parts]).to(where.device)
    return torch.rand(int(where.sum()), generator=generator, dtype=dtype).to(where.device)


def gamma(shape: Tensor, generator: Source) -> Tensor:
    """Return numbers of the gamma distributions with these shape parameters and scale 1, (B, ...)."""
    return _drawn(lambda part, one: torch._standard_gamma(part, generator=one), shape.cpu(), generator).to(shape.device)


def poisson(rate: Tensor, generator: Source) -> Tensor:
    """Return numbers of the Poisson distributions with these rates, (B, ...)."""
    return _drawn(lambda part, one: torch.poisson(part, generator=one), rate.cpu(), generator).to(rate.device)


def choice(p: Tensor, generator: Source) -> Tensor:
    """Return a place in each row, (..., 1), that is drawn with the probabilities p (..., K).

    The place of the greatest p / e wins, with e exponential and independent, as in torch.multinomial. Only the numbers
    e are moved, and no device has to wait.
    """

    def draw(part: Tensor, one: torch.Generator) -> Tensor:
        return torch.empty(part.shape, dtype=p.dtype).exponential_(1, generator=one)

    return (p / _drawn(draw, p, generator).to(p.device)).argmax(-1, keepdim=True)


def _drawn(draw: Callable[[Tensor, torch.Generator], Tensor], like: Tensor, generator: Source) -> Tensor:
    """Return what is drawn for a tensor (B, ...) by one generator, or row by row by those of the rows."""
    if isinstance(generator, RowGenerators):
        return torch.stack([draw(part, one) for part, one in zip(like, generator.each, strict=True)])
    return draw(like, generator)
