"""SequenceSet: the common form of all kinds of sequences, ragged and never padded."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ostinato.choices import unknown
from ostinato.data.calendar import Calendar
from ostinato.data.corpus import blocks, is_mapped, joined, told_of
from ostinato.data.covariates import Covariates
from ostinato.data.time_form import TimeForm
from ostinato.errors import DataError
from ostinato.kinds import KINDS, TRAITS, Kind, KindTraits
from ostinato.look import Shown
from ostinato.numbers import counted
from ostinato.shapes import Array

if TYPE_CHECKING:
    from matplotlib.figure import Figure


@dataclass(frozen=True, repr=False, eq=False)
class SequenceSet(Shown):
    """Sequences of one kind, joined end to end.

    Attributes:
        kind: The kind of the sequences: "series", "prices", "text" or "sound".
        values: The values, (N, D): float64 for series and prices (NaN where a value is missing), int32 for text
            (Unicode code points, or bytes) and for sound (samples as whole numbers). The points of a large text are a
            mapped file of whole numbers of 1, 2 or 4 bytes.
        offsets: The borders of the sequences, (B + 1,): sequence b is ``values[offsets[b]:offsets[b + 1]]``. A
            sequence may be empty.
        ids: The id of each sequence, B of them: the unique_id of Nixtla's tables.
        channels: The names of the D columns of values.
        times: The time of each step, (N,), datetime64[us] or int64: the ds of Nixtla's tables. Times with a zone are
            in UTC here. None without times.
        frequency: The step of the calendar that most rows have: a duration such as "1h" or "1mo", "1bd" (business
            days), "1h Mon-Fri 09:00-16:00" (hours of trade), "step" (whole numbers) or None.
        step: For sound, the spacing of the amplitudes that occur in each sequence, (B,): 256 for 8-bit sound in a
            16-bit file.
        terminated: Whether the end of a sequence is itself an event, as with one sequence in each line.
        count: Whether the values are counts: whole numbers from 0 up. Series only.
        meta: The options of the reading, as JSON: source, kind, asked (the kind that was given), the columns,
            sample_rate, bits, alphabet.
        covariates: The past, future and static covariates of series and prices, or None.
        notes: What the reader decided by itself, in words for the user.
        calendars: The calendar of each sequence, B of them, or None for a sequence without one. Empty if only the
            frequency is known.
        time_form: The form that the times came in, with their zone.
    """

    kind: Kind
    values: NDArray[Any]
    offsets: NDArray[np.int64]
    ids: tuple[str, ...]
    channels: tuple[str, ...] = ("y",)
    times: NDArray[Any] | None = None
    frequency: str | None = None
    step: Array | None = None
    terminated: bool = False
    count: bool = False
    meta: dict[str, Any] = field(default_factory=dict)
    covariates: Covariates | None = None
    notes: tuple[str, ...] = ()
    calendars: tuple[Calendar | None, ...] = ()
    time_form: TimeForm | None = None

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise unknown("kind", self.kind, KINDS, error=DataError)
        if self.values.ndim != 2 or self.values.shape[1] != len(self.channels):
            raise ValueError(f"values must have the shape (steps, {len(self.channels)}), got {self.values.shape}")
        if len(self.offsets) != len(self.ids) + 1 or self.offsets[-1] != len(self.values):
            raise ValueError(
                f"offsets must have {counted(len(self.ids) + 1, 'entry')} and end at {len(self.values)}, got "
                f"{self.offsets}"
            )

    def look(self) -> tuple[list[str], None]:
        """Return the facts about the data, one in each line."""
        from ostinato.data.describe import describe

        return describe(self), None

    def plot(self) -> Figure:
        """Return the picture of the first sequences as a figure of matplotlib, at most six panels.

        Series and prices are drawn over their times, sound over its seconds. Of a text the picture shows how often each
        symbol occurs. Of a line with many points, the least and the greatest value of each short piece are drawn.

        Raises:
            ConfigError: matplotlib is not installed.
        """
        from ostinato.data.picture import figure

        return figure(self)

    def __len__(self) -> int:
        """The number of sequences, B."""
        return len(self.ids)

    @property
    def traits(self) -> KindTraits:
        """The traits of the kind of the sequences."""
        return TRAITS[self.kind]

    @property
    def on_disk(self) -> bool:
        """Whether the values are text in a mapped file, because it may not fit in memory (``data/corpus.py``)."""
        return is_mapped(self.values) and not self.traits.numeric

    @property
    def lengths(self) -> NDArray[np.int64]:
        """The number of steps of each sequence, (B,)."""
        return np.diff(self.offsets)

    @property
    def digest(self) -> str:
        """The SHA-256 of the content in hexadecimal; it does not depend on the source of the data."""
        opening = opening_of(self.kind, self.ids, self.channels, count=self.count, terminated=self.terminated)
        if (told := told_of(self.values)) is not None and told.opening == opening:
            return told.digest
        if self.on_disk and "_digest" in self.__dict__:
            return str(self.__dict__["_digest"])
        sha = hashlib.sha256(opening.encode())
        for block in blocks(self.values) if self.on_disk else [self.values]:
            # points have 4 bytes in memory, and may have fewer on disk
            sha.update(_bytes_of(block.astype(np.int32) if self.on_disk else block))
        for part in (self.offsets, self.times, self.step):
            if part is not None and part.size:
                sha.update(_bytes_of(part))
        if self.covariates is not None:
            self.covariates.update(sha)
        if self.on_disk:
            object.__setattr__(self, "_digest", sha.hexdigest())  # the file does not change, and is long
        return sha.hexdigest()

    def __getitem__(self, b: int) -> NDArray[Any]:
        """Return the values of sequence b, (T, D)."""
        return self.values[self.offsets[b] : self.offsets[b + 1]]

    def __iter__(self) -> Iterator[NDArray[Any]]:
        return (self[b] for b in range(len(self)))

    def times_of(self, b: int) -> NDArray[Any] | None:
        """Return the times of sequence b, (T,); None if the sequences have no times.

        Args:
            b: The number of the sequence.
        """
        return None if self.times is None else self.times[self.offsets[b] : self.offsets[b + 1]]

    def take(self, rows: Sequence[int] | NDArray[np.int64]) -> SequenceSet:
        """Return the sequences with these numbers, in this order.

        Args:
            rows: The numbers of the sequences, from 0.
        """
        spans = [(int(self.offsets[b]), int(self.offsets[b + 1])) for b in rows]
        return self._spans(spans, tuple(self.ids[b] for b in rows), np.asarray(rows, dtype=np.int64))

    def cut(self, starts: NDArray[np.int64], stops: NDArray[np.int64]) -> SequenceSet:
        """Cut every sequence.

        Args:
            starts: The first step to keep of each sequence, (B,).
            stops: The step after the last one to keep of each sequence, (B,).

        Returns:
            The cut sequences.
        """
        spans = [(int(o + a), int(o + z)) for o, a, z in zip(self.offsets[:-1], starts, stops, strict=True)]
        return self._spans(spans, self.ids, np.arange(len(self)))

    def stretches(self, spans: Sequence[tuple[int, int, int]]) -> SequenceSet:
        """Return stretches of sequences as sequences, each with the id of its sequence.

        Args:
            spans: For each stretch the number of its sequence, its first step, and the step after its last.
        """
        at, rows = self.offsets, np.array([b for b, _, _ in spans], dtype=np.int64)
        within = [(int(at[b] + a), int(at[b] + z)) for b, a, z in spans]
        return self._spans(within, tuple(self.ids[b] for b in rows), rows)

    def append(self, rows: SequenceSet | Any) -> SequenceSet:
        """Return the series with new rows at their ends, so that a fitted model can continue from there.

        The columns of the rows must be those of the data. An id that is not in the data starts a new series. Steps
        that the times leave out are missing values, as if old and new rows had been read together.

        Args:
            rows: The new rows, as a SequenceSet or anything that ``read`` takes.

        Returns:
            A new SequenceSet; this one stays as it is.

        Raises:
            DataError: The data are text or sound, the rows have other channels or covariates, or their times do not
                come after the times of the data.
        """
        from ostinato.data.append import append_rows  # the module needs the reader, which needs this class

        return append_rows(self, rows)

    def _spans(self, spans: list[tuple[int, int]], ids: tuple[str, ...], rows: NDArray[np.int64]) -> SequenceSet:
        index: NDArray[np.int64] | slice = np.zeros(0, dtype=np.int64)
        if len(spans) == 1:
            index = slice(*spans[0])  # a view, so that one long text is not copied
        elif spans and not self.on_disk:
            index = np.concatenate([np.arange(a, z) for a, z in spans])
        values = self.values[index]
        if self.on_disk and len(spans) > 1:
            values = joined((self.values[a:z] for a, z in spans), sum(z - a for a, z in spans), self.values)
        return replace(
            self,
            values=values,
            offsets=np.cumsum([0, *(z - a for a, z in spans)], dtype=np.int64),
            ids=ids,
            times=None if self.times is None else self.times[index],
            step=None if self.step is None else self.step[rows],
            calendars=tuple(self.calendars[b] for b in rows.tolist()) if self.calendars else (),
            covariates=None if self.covariates is None else self.covariates.of(spans, rows.tolist(), self.offsets),
        )


def opening_of(
    kind: Kind, ids: Sequence[str], channels: Sequence[str] = ("y",), *, count: bool = False, terminated: bool = False
) -> str:
    """Return what the digest of sequences begins with: everything but their values, lengths and times.

    Args:
        kind: The kind of the sequences.
        ids: The id of each of them.
        channels: The names of their channels.
        count: Whether the values are counts.
        terminated: Whether the end of a sequence is an event.
    """
    return json.dumps([kind, count, terminated, list(ids), list(channels)])


def _bytes_of(part: NDArray[Any]) -> memoryview:
    """Return the bytes of an array, if possible without a copy."""
    return np.ascontiguousarray(part).reshape(-1).view(np.uint8).data
