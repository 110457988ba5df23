"""Sequences in model space, and the interface of encodings, which map raw values to model space and back."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar, TypeAlias, final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ostinato.data.number import LARGEST
from ostinato.data.sequences import SequenceSet
from ostinato.shapes import Array


@final
class Lazy:
    """What every step of long sequences has, (N, ...), computed for the steps that are asked for.

    Args:
        shape: The shape of all of it.
        dtype: The type of its elements.
        at: The function from a slice of the N steps, or places of some of them, to their values.
    """

    def __init__(self, shape: tuple[int, ...], dtype: torch.dtype, at: Callable[[Any], Tensor]) -> None:
        self.shape, self.dtype, self._at = torch.Size(shape), dtype, at

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, key: Any) -> Tensor:
        if isinstance(key, tuple):
            first, *rest = key
            return self._at(first)[(slice(None), *rest)]
        return self._at(key)


#: What every step has: held in memory, or computed where it is asked for.
Steps: TypeAlias = Tensor | Lazy


@dataclass(frozen=True)
class Encoded:
    """Sequences in model space, joined end to end.

    Attributes:
        values: The values of all steps, (N, D). Numbers are float32 with NaN for missing values; symbols are int64
            with -1 for missing values.
        offsets: The steps of sequence b are offsets[b] to offsets[b + 1] - 1, (B + 1,).
        unit: The lattice spacing of each sequence, (B, D); 0 for continuous values.
        low: The least possible value of each sequence, (B, D).
        high: The greatest possible value of each sequence, (B, D).
        log_measure: The nats to add to a log-probability in model space to get the log-probability in the units of
            the data, (N, D), float32.
        characters: The number of characters of a text that begin with each step, (N,), int64, of which the end of a
            sequence is one; None if the values are numbers.

    Of sequences on disk, what every step has is ``Lazy``.
    """

    values: Steps
    offsets: NDArray[np.int64]
    unit: Tensor
    low: Tensor
    high: Tensor
    log_measure: Steps
    characters: Steps | None = None

    @property
    def judged(self) -> Steps:
        """What each step counts for in a mean likelihood, (N,), int64: its characters in text, and otherwise 1."""
        observed, characters = self.observed, self.characters
        if isinstance(observed, Lazy):

            def judged(key: Any) -> Tensor:
                seen = observed[key].any(-1).long()
                return seen if characters is None else seen * characters[key]

            return Lazy(observed.shape[:1], torch.int64, judged)
        seen = observed.any(-1).long()
        return seen if characters is None else seen * characters[:]

    @property
    def lengths(self) -> NDArray[np.int64]:
        """The number of steps of each sequence, (B,)."""
        return np.diff(self.offsets)

    @property
    def observed(self) -> Steps:
        """Whether a value is observed, and so counts in the likelihood, (N, D)."""
        values = self.values
        if isinstance(values, Lazy):
            return Lazy(values.shape, torch.bool, lambda key: is_observed(values[key]))
        return is_observed(values)


def is_observed(values: Tensor) -> Tensor:
    """Return whether values in model space are observed: symbols are not negative, numbers are not NaN."""
    return values >= 0 if values.dtype == torch.int64 else ~torch.isnan(values)


class Encoding(ABC):
    """The map from raw values to model space and back. An encoding is fitted once and stored with the model."""

    name: ClassVar[str]

    @property
    def possible(self) -> str:
        """The advice for a user whose data hold a value that has no probability."""
        return "leave the value empty if it is missing"

    @property
    def vocabulary_size(self) -> int | None:
        """The number V of symbols; None if the values are numbers."""
        return None

    @property
    def end_symbol(self) -> int | None:
        """The symbol that ends a sequence; None if the end of a sequence is not an event."""
        return None

    @property
    def continuous(self) -> bool:
        """Whether values are real numbers instead of symbols or points of a lattice."""
        return False

    @property
    def most(self) -> float:
        """The greatest size of a raw value that the model can take."""
        return LARGEST

    @property
    def spacing(self) -> float | None:
        """The usual spacing of the values' lattice in raw units; None if each sequence has no spacing of its own."""
        return None

    def least(self) -> Array:
        """Return the least possible value of each channel, (D,) or (1,), if values are continuous; -inf for none."""
        return np.full(1, -np.inf)

    def greatest(self) -> Array:
        """Return the upper bound of the forecasts of each channel, (D,) or (1,); infinity without one."""
        return np.full(1, np.inf)

    @abstractmethod
    def encode(self, data: SequenceSet) -> Encoded:
        """Return all of data in model space."""

    @abstractmethod
    def decode(self, z: NDArray[Any], data: SequenceSet, row: int) -> NDArray[Any]:
        """Return the raw values of steps z (S, T, D) in model space that continue sequence ``row`` of data."""

    @abstractmethod
    def to_json(self) -> dict[str, Any]:
        """Return everything needed to build the encoding again, as JSON."""

    @abstractmethod
    def describe(self) -> str:
        """Return what the model takes as input, in words."""

    def impossible(self, values: NDArray[Any]) -> NDArray[np.bool_]:
        """Return which steps of raw values (N, D) have no probability, whatever precedes them, (N,)."""
        return np.zeros(len(values), dtype=bool)

    def accept(self, data: SequenceSet, sample_rate: int | None) -> SequenceSet:
        """Return data in the resolution of the model.

        Args:
            data: Sequences of the kind of the model.
            sample_rate: The samples per second of the training data; None if unknown, or if the data are not sound.

        Returns:
            The sequences, with sound of fewer bits scaled up to the bits of the model.

        Raises:
            ModelFileError: The sample rate or the number of bits does not suit the model.
        """
        return data

    def places_in(self, earlier: Encoding) -> list[int] | None:
        """Return the symbol of an earlier alphabet for each symbol of this one; None if the values are numbers."""
        return None

    def new_ids(self, data: SequenceSet) -> list[str]:
        """Return the ids of the new series, which lack a scale, if the encoding has one scale per series."""
        return []

    def with_own(self, data: SequenceSet) -> Encoding:
        """Return the encoding with a scale for each new series of data, if it has one scale per series."""
        return self

    def affine(self, unique_id: str) -> tuple[Array, Array] | None:
        """Return location and scale (D,) of a series, z = (y - location) / scale; None if values are not continuous."""
        return None

    def expected(self, z: Array, data: SequenceSet) -> Array:
        """Return the expected values z (T, D) of the last steps of the one sequence of data, in raw units."""
        return np.asarray(self.decode(z[None], data, 0)[0], dtype=np.float64)

    def expected_each(self, z: Array, data: SequenceSet, lengths: NDArray[np.int64]) -> Array:
        """Return the expected values z (N, D) of the last ``lengths`` (B,) steps of each sequence, in raw units."""
        stops = np.cumsum(lengths)
        parts = [
            self.expected(z[stop - n : stop], data.take([b]))
            for b, (n, stop) in enumerate(zip(lengths, stops, strict=True))
        ]
        return np.concatenate([np.zeros((0, z.shape[1])), *parts])

    def carried(self, z: Array, unique_id: str) -> Array:
        """Return what the earlier steps of paths z (S, T, D) add to the value of each step, in model space."""
        return np.zeros_like(z)

    def prompt(self, words: str, channels: int) -> NDArray[Any]:
        """Return the raw values (T, D) that a sample continues if no data are given."""
        return np.zeros((0, channels))

    def samples(self, z: NDArray[Any], start: SequenceSet, words: str) -> list[Any]:
        """Return n samples z (n, T, D) in model space that continue start: arrays (T, D), or for text strings."""
        return list(self.decode(z, start, 0))

    def lines(self, text: str) -> list[tuple[NDArray[Any], bool]]:
        """Return the raw values (T, 1) of each line of a text, and whether the end of the line is an event."""
        raise TypeError(f"the encoding {self.name!r} is for numbers, not for text")

    def vocabulary(self) -> list[int]:
        """Return the code point of each symbol, -1 for the end; empty if the values are numbers."""
        return []

    def symbol_table(self) -> dict[str, int]:
        """Return the symbol of each character of the alphabet; empty if the values are numbers."""
        return {}


def real_line(rows: int, channels: int) -> tuple[Tensor, Tensor, Tensor]:
    """Return unit, low and high (B, D) of continuous values."""
    zero = torch.zeros(rows, channels)
    return zero, zero - torch.inf, zero + torch.inf


def repeat_rows(per_sequence: Array, lengths: NDArray[np.int64]) -> Array:
    """Repeat the row of each sequence once for each of its steps: (B, D) -> (N, D)."""
    return np.repeat(per_sequence, lengths, axis=0)
