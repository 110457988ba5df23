"""Random numbers for values on any device.

They are drawn on the device of the generator and then moved. All generators of the package are on the CPU, so that one
seed draws the same numbers wherever a model computes. Either one generator draws the numbers of all rows, or each row
has a generator of its own (``RowGenerators``), and then its numbers do not depend on the other rows.
"""

from __future__ import annotations

import math
from typing import Any, Literal, TypeAlias, final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ostinato.shapes import Array

#: The numbers of a row that are drawn at a time, because a call for each row and step costs more than the numbers.
_BLOCK = 64


@final
class RowGenerators:
    """A generator of its own for each of B rows, the leading axis of what is drawn.

    Standard numbers are drawn in blocks, in step for all rows, and others as they are asked for: so what a row gets
    depends on its own generator and on its own calls alone. Two methods, ``random`` and ``standard_normal``, have the
    names and the arguments that they have in ``numpy.random.Generator``, so that either may draw in plain numbers.

    Args:
        each: The generators, B of them.
    """

    def __init__(self, each: list[np.random.Generator]) -> None:
        self.each = each
        self._blocks: dict[str, Array] = {}

    @staticmethod
    def of(seed: int, rows: int) -> RowGenerators:
        """Return the generators of B rows. That of row b follows from the seed and b alone.

        Args:
            seed: The seed, at least 0.
            rows: The number of rows, B.
        """
        return RowGenerators([np.random.default_rng((seed, row)) for row in range(rows)])

    def standard(self, kind: Literal["random", "standard_normal", "standard_exponential"], count: int) -> Array:
        """Return so many numbers of each row, (B, n).

        Args:
            kind: The method of ``numpy.random.Generator`` that draws them.
            count: The number n.
        """
        left = self._blocks.get(kind)
        if left is None or left.shape[1] < count:
            left = np.stack([getattr(one, kind)(max(count, _BLOCK)) for one in self.each])
        self._blocks[kind] = left[:, count:]
        return left[:, :count]

    def random(self, size: tuple[int, ...]) -> Array:
        """Return numbers uniform on [0, 1) of a shape (B, ...)."""
        return self.standard("random", math.prod(size[1:])).reshape(size)

    def standard_normal(self, size: tuple[int, ...], dtype: Any = np.float64) -> NDArray[Any]:
        """Return standard normal numbers of a shape (B, ...)."""
        return self.standard("standard_normal", math.prod(size[1:])).reshape(size).astype(dtype)


#: What random numbers are drawn from, and what they are drawn from in plain numbers.
Source: TypeAlias = torch.Generator | RowGenerators
PlainSource: TypeAlias = np.random.Generator | RowGenerators


def in_numpy(generator: Source) -> PlainSource:
    """Return a source of plain numbers: that of each row, or one with a seed that a generator of torch draws."""
    if isinstance(generator, RowGenerators):
        return generator
    return np.random.default_rng(int(torch.randint(2**62, (), generator=generator)))


def in_torch(rng: PlainSource) -> Source:
    """Return a source of tensors: that of each row, or one with a seed that a generator of NumPy draws."""
    if isinstance(rng, RowGenerators):
        return rng
    return torch.Generator().manual_seed(int(rng.integers(2**62)))


def normal(like: Tensor, generator: Source, dtype: torch.dtype | None = None) -> Tensor:
    """Return standard normal numbers of the shape and on the device of a tensor.

    Args:
        like: The tensor, (B, ...).
        generator: The source of randomness.
        dtype: The type of the numbers. None takes that of the tensor.
    """
    if isinstance(generator, RowGenerators):
        return _placed(generator.standard("standard_normal", like[0].numel()), like, dtype)
    return torch.randn(like.shape, generator=generator, dtype=dtype or like.dtype).to(like.device)


def uniform(like: Tensor, generator: Source, dtype: torch.dtype | None = None) -> Tensor:
    """Return numbers uniform on [0, 1) of the shape and on the device of a tensor.

    Args:
        like: The tensor, (B, ...).
        generator: The source of randomness.
        dtype: The type of the numbers. None takes that of the tensor.
    """
    if isinstance(generator, RowGenerators):
        return _placed(generator.standard("random", like[0].numel()), like, dtype)
    return torch.rand(like.shape, generator=generator, dtype=dtype or like.dtype).to(like.device)


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
        parts = [one.random(n) for n, one in zip(counts, generator.each, strict=True) if n]
        return torch.from_numpy(np.concatenate([np.empty(0), *parts])).to(where.device, dtype)
    return torch.rand(int(where.sum()), generator=generator, dtype=dtype).to(where.device)


def student_t(df: Tensor, generator: Source) -> Tensor:
    """Return numbers of Student's t distributions with these degrees of freedom, location 0 and scale 1, (B, ...).

    They are functions of two uniform numbers each, so that all rows are drawn in one call. These give the radius and
    the angle of a point in the plane whose coordinates have the distribution (Bailey 1994, Mathematics of Computation
    62).
    """
    df = df.double()
    u = uniform(df.unsqueeze(-1).expand(*df.shape, 2), generator)
    radius = (df * torch.expm1(-2 / df * torch.log1p(-u[..., 0]))).sqrt()
    return radius * torch.cos(2 * math.pi * u[..., 1])


def gamma(shape: Tensor, generator: Source) -> Tensor:
    """Return numbers of the gamma distributions with these shape parameters and scale 1, (B, ...)."""
    if isinstance(generator, RowGenerators):
        each = zip(shape.cpu().numpy(), generator.each, strict=True)
        return torch.from_numpy(np.stack([one.standard_gamma(part) for part, one in each])).to(shape)
    return torch._standard_gamma(shape.cpu(), generator=generator).to(shape.device)


def poisson(rate: Tensor, generator: Source) -> Tensor:
    """Return numbers of the Poisson distributions with these rates, (B, ...)."""
    if isinstance(generator, RowGenerators):
        each = zip(rate.cpu().numpy(), generator.each, strict=True)
        return torch.from_numpy(np.stack([one.poisson(part) for part, one in each])).to(rate)
    return torch.poisson(rate.cpu(), generator=generator).to(rate.device)


def choice(p: Tensor, generator: Source) -> Tensor:
    """Return a place in each row, (..., 1), that is drawn with the probabilities p (..., K).

    The place of the greatest p / e wins, with e exponential and independent, as in torch.multinomial. Only the numbers
    e are moved, and no device has to wait.
    """
    if isinstance(generator, RowGenerators):
        e = _placed(generator.standard("standard_exponential", p[0].numel()), p)
    else:
        e = torch.empty(p.shape, dtype=p.dtype).exponential_(1, generator=generator).to(p.device)
    return (p / e).argmax(-1, keepdim=True)


def _placed(numbers: Array, like: Tensor, dtype: torch.dtype | None = None) -> Tensor:
    """Return numbers (B, n) in the shape (B, ...), on the device and in the type of a tensor, or in another type."""
    return torch.from_numpy(numbers).reshape(like.shape).to(like.device, dtype or like.dtype)
