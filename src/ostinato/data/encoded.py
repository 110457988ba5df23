"""What a model sees of a SequenceSet: the same steps in model space, and the way there."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ostinato.data.sequences import SequenceSet


@dataclass(frozen=True)
class Encoded:
    """Sequences in model space, ragged.

    values      (N, D): float32 with NaN for missing; symbols are int64 (N, 1) with -1 for missing
    offsets     (B + 1) int64
    unit, low, high  (B, D): the support of each sequence, see emissions.Support
    log_measure (N, D) float32: nats to add to a log_prob in model space to have the one in the data's own units
    """

    values: Tensor
    offsets: NDArray[np.int64]
    unit: Tensor
    low: Tensor
    high: Tensor
    log_measure: Tensor

    @property
    def lengths(self) -> NDArray[np.int64]:
        """(B): steps in each sequence."""
        return np.diff(self.offsets)

    @property
    def observed(self) -> Tensor:
        """(N, D) bool: what contributes to the likelihood."""
        return self.values >= 0 if self.values.dtype == torch.int64 else ~torch.isnan(self.values)


class Encoding(ABC):
    """From raw values to model space and back; fixed when it is fitted, and stored with the model."""

    name: ClassVar[str]

    @property
    def vocabulary_size(self) -> int | None:
        """The number V of symbols; None where the values are numbers."""
        return None

    @property
    def end_symbol(self) -> int | None:
        """The symbol that ends a sequence; None where the end of a sequence is no event."""
        return None

    @abstractmethod
    def encode(self, data: SequenceSet) -> Encoded:
        """All of data in model space."""

    @abstractmethod
    def decode(self, z: NDArray[Any], data: SequenceSet, row: int) -> NDArray[Any]:
        """Steps z (S, T, D) that follow on sequence ``row`` of data -> raw values (S, T, D)."""

    @abstractmethod
    def to_json(self) -> dict[str, Any]:
        """Everything needed to build it again, as JSON."""


def real_line(rows: int, channels: int) -> tuple[Tensor, Tensor, Tensor]:
    """unit, low and high (B, D) of continuous values."""
    zero = torch.zeros(rows, channels)
    return zero, zero - torch.inf, zero + torch.inf


def repeat_rows(per_sequence: NDArray[np.float64], lengths: NDArray[np.int64]) -> NDArray[np.float64]:
    """(B, D) -> (N, D): the same row for every step of a sequence."""
    return np.repeat(per_sequence, lengths, axis=0)
