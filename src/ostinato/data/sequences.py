"""SequenceSet: the one form in which every kind of sequence is held, ragged and never padded."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ostinato.data.covariates import Covariates
from ostinato.errors import DataError
from ostinato.kinds import KINDS, TRAITS, Kind, KindTraits


@dataclass(frozen=True)
class SequenceSet:
    """Sequences of one kind, joined end to end.

    values     (N, D): float64 for series and prices (NaN is missing), int32 for text (Unicode code points, or bytes)
               and for sound (samples as the file's integers)
    offsets    (B + 1): sequence b is values[offsets[b]:offsets[b + 1]]; a sequence may be empty
    ids        (B): unique_id of each sequence
    channels   (D): names of the columns of values
    times      (N): ds of each step, datetime64[us] or int64; None where steps have no time
    frequency  a polars duration such as "1h", "1mo", "1bd" (business days), "step" (integer ds) or None
    step       (B): sound only: the spacing of the amplitudes that really occur (256 for 8-bit sound stored as 16-bit)
    terminated True where the end of a sequence is itself an event (one sequence a line)
    count      True where the values are non-negative whole numbers (series only)
    meta       how it was read, as JSON: source, kind, asked (the kind asked for), columns, sample_rate, bits, alphabet
    covariates what is known beside the values of series and prices: of the past, of the steps ahead, static
    notes      what the reader did that the user should know, in words
    """

    kind: Kind
    values: NDArray[Any]
    offsets: NDArray[np.int64]
    ids: tuple[str, ...]
    channels: tuple[str, ...] = ("y",)
    times: NDArray[Any] | None = None
    frequency: str | None = None
    step: NDArray[np.float64] | None = None
    terminated: bool = False
    count: bool = False
    meta: dict[str, Any] = field(default_factory=dict)
    covariates: Covariates | None = None
    notes: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise DataError(f"there is no kind of data called {self.kind!r}", fix=f"one of {', '.join(KINDS)}")
        if self.values.ndim != 2 or self.values.shape[1] != len(self.channels):
            raise ValueError(f"values {self.values.shape} do not have {len(self.channels)} channels")
        if len(self.offsets) != len(self.ids) + 1 or self.offsets[-1] != len(self.values):
            raise ValueError("offsets do not cut the values into one piece an id")

    def __len__(self) -> int:
        """The number of sequences, B."""
        return len(self.ids)

    @property
    def traits(self) -> KindTraits:
        """What differs by the kind of the data."""
        return TRAITS[self.kind]

    @property
    def lengths(self) -> NDArray[np.int64]:
        """(B): steps in each sequence."""
        return np.diff(self.offsets)

    @property
    def digest(self) -> str:
        """SHA-256 of what the sequences are, whatever file or frame they were read from: in hexadecimal."""
        words = [self.kind, self.count, self.terminated, self.ids, self.channels]
        sha = hashlib.sha256(json.dumps(words).encode())
        for part in (self.values, self.offsets, self.times, self.step):
            sha.update(b"" if part is None else part.tobytes())
        if self.covariates is not None:
            self.covariates.update(sha)
        return sha.hexdigest()

    def __getitem__(self, b: int) -> NDArray[Any]:
        """(T, D): the values of sequence b."""
        return self.values[self.offsets[b] : self.offsets[b + 1]]

    def __iter__(self) -> Iterator[NDArray[Any]]:
        return (self[b] for b in range(len(self)))

    def times_of(self, b: int) -> NDArray[Any] | None:
        """(T): the ds of sequence b."""
        return None if self.times is None else self.times[self.offsets[b] : self.offsets[b + 1]]

    def take(self, rows: Sequence[int] | NDArray[np.int64]) -> SequenceSet:
        """The sequences of these rows, in this order."""
        spans = [(int(self.offsets[b]), int(self.offsets[b + 1])) for b in rows]
        return self._spans(spans, tuple(self.ids[b] for b in rows), np.asarray(rows, dtype=np.int64))

    def cut(self, starts: NDArray[np.int64], stops: NDArray[np.int64]) -> SequenceSet:
        """The steps starts[b] to stops[b] (exclusive) of every sequence."""
        spans = [(int(o + a), int(o + z)) for o, a, z in zip(self.offsets[:-1], starts, stops, strict=True)]
        return self._spans(spans, self.ids, np.arange(len(self)))

    def _spans(self, spans: list[tuple[int, int]], ids: tuple[str, ...], rows: NDArray[np.int64]) -> SequenceSet:
        index = np.concatenate([np.arange(a, z) for a, z in spans]) if spans else np.zeros(0, dtype=np.int64)
        return replace(
            self,
            values=self.values[index],
            offsets=np.cumsum([0, *(z - a for a, z in spans)], dtype=np.int64),
            ids=ids,
            times=None if self.times is None else self.times[index],
            step=None if self.step is None else self.step[rows],
            covariates=None if self.covariates is None else self.covariates.of(spans, rows.tolist(), self.offsets),
        )
