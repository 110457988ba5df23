"""The bodies of requests and answers. msgspec checks them strictly while it reads, and writes their JSON schema."""

from __future__ import annotations

from typing import Annotated, Any

import numpy as np
from msgspec import UNSET, Meta, Struct, UnsetType, field

#: A value: a number, null where it is missing, one number for each channel, or text.
Value = float | None | str | list[float | None]
SequenceNumber = Annotated[int, Meta(ge=1, le=2**53)]
Probability = Annotated[float, Meta(gt=0, lt=1)]
Level = Annotated[float, Meta(gt=0, lt=100)]
Name = Annotated[str, Meta(min_length=1, max_length=256)]
Time = str | int


class Event(Struct, forbid_unknown_fields=True, gc=False):
    """One event of a stream: its value, its time and its sequence number (the first event of a stream is 1)."""

    y: Value
    ds: Annotated[str, Meta(max_length=64)] | int | None = None
    seq: SequenceNumber | None = None


class Push(Struct, forbid_unknown_fields=True, gc=False):
    """Events of one stream: either one event (y, ds, seq) or a list of events, and what to answer besides."""

    y: Value | UnsetType = UNSET
    ds: Annotated[str, Meta(max_length=64)] | int | None = None
    seq: SequenceNumber | None = None
    events: Annotated[list[Event], Meta(min_length=1)] | UnsetType = UNSET
    level: Annotated[list[Level], Meta(max_length=16)] = []
    next: Annotated[list[Probability], Meta(max_length=64)] = []
    top: Annotated[int, Meta(ge=0, le=1000)] = 0

    @property
    def is_plain(self) -> bool:
        """Whether it is one event without a time, and nothing more is wanted."""
        return self.events is UNSET and self.ds is None and not (self.level or self.next or self.top)

    @property
    def count(self) -> int:
        """The number of its events."""
        return 1 if self.events is UNSET else len(self.events)


class NamedPush(Push, forbid_unknown_fields=True, kw_only=True, gc=False):
    """A push with the id of its stream, and a mark that the answer repeats."""

    unique_id: str
    ref: Annotated[str, Meta(max_length=64)] | int | None = None


class Pushes(Struct, forbid_unknown_fields=True):
    """Pushes of many streams."""

    pushes: list[NamedPush]


class EventResult(Struct, omit_defaults=True, gc=False):
    """What became of an event, and what the model says of it.

    Attributes:
        seq: The sequence number of the event.
        status: "applied"; "repeated" if it had been applied before; "held" if it waits for an event before it.
        surprisal: The surprisal in nats, given all events before it; null if the value is missing or not yet applied.
        expected: The value of each channel that was expected before it was observed.
        alarm: Whether there is an alarm; null without a rule of alarms.
        skipped: The number of steps before it that its time leaves out.
        intervals: The ends of the intervals of the value before it was observed, of each channel, such as "lo-95".
        evidence: What gave the alarm: the "surprisal" of this event; "surprisals" that are too great, or too small,
            for long; "errors" of one sign; "repeats" of a value; or the errors that follow a "move" of the level.
    """

    seq: int
    status: str
    surprisal: float | None = None
    expected: list[float | None] | str | None = None
    alarm: bool | None = None
    skipped: int = 0
    intervals: dict[str, list[float | None]] | None = None
    evidence: str | None = None


#: A symbol and its probability. A tuple would be exact, but its schema is one that few tools for OpenAPI read.
Likely = Annotated[list[str | float], Meta(min_length=2, max_length=2)]


class Next(Struct, omit_defaults=True):
    """The predictive distribution of the next event: its quantiles, one list of channels each, or its top symbols."""

    quantiles: list[list[float | None]] | None = None
    top: list[Likely] | None = None


class Result(Struct, omit_defaults=True, gc=False):
    """The answer to a push.

    Attributes:
        unique_id: The stream.
        seq: The number of the last event that the stream took in.
        events: One answer for each event of the push.
        released: Events that had been held and are applied now.
        next: The distribution of the next event, if it was asked for.
        ref: The mark of the push.
    """

    unique_id: str
    seq: int
    events: list[EventResult]
    released: list[EventResult] = []
    next: Next | None = None
    ref: str | int | None = None


class Problem(Struct, omit_defaults=True):
    """What is wrong with a request, where, and what to do."""

    what: str
    where: str | None = None
    fix: str | None = None
    expected_seq: int | None = None


class Failed(Struct, omit_defaults=True):
    """A push of a batch that was refused."""

    error: Problem
    unique_id: str | None = None
    ref: str | int | None = None


class Results(Struct):
    """The answers to pushes of many streams, in their order."""

    results: list[Result | Failed]


class ForecastAsked(Struct, forbid_unknown_fields=True):
    """A forecast from the present state of a stream."""

    horizon: Annotated[int, Meta(ge=1, le=1000)] = 12
    level: Annotated[list[Level], Meta(max_length=16)] = field(default_factory=lambda: [80.0, 95.0])
    n_paths: Annotated[int, Meta(ge=2, le=2000)] = 500
    seed: Annotated[int, Meta(ge=0, le=2**32 - 1)] = 0


class SampleAsked(Struct, forbid_unknown_fields=True):
    """Samples that continue a stream from its present state."""

    length: Annotated[int, Meta(ge=1, le=1000)] = 100
    n_samples: Annotated[int, Meta(ge=1, le=100)] = 1
    temperature: Annotated[float, Meta(ge=0, le=100)] = 1.0
    top_p: Annotated[float, Meta(gt=0, le=1)] = 1.0
    top_k: Annotated[int, Meta(ge=1)] | None = None
    min_p: Annotated[float, Meta(ge=0, le=1)] = 0.0
    stop: Annotated[list[Annotated[str, Meta(min_length=1, max_length=256)]], Meta(max_length=16)] = []
    seed: Annotated[int, Meta(ge=0, le=2**32 - 1)] = 0


class ForkAsked(Struct, forbid_unknown_fields=True):
    """The id of the new stream that goes on from the present state."""

    to: str


class SwapAsked(Struct, forbid_unknown_fields=True):
    """What becomes of the streams when the model file is read again: "replay" their history, or start "fresh"."""

    streams: Annotated[str, Meta(pattern="^(replay|fresh)$")]


def numbers(row: Any) -> list[float | None]:
    """Return a row of floats for JSON, which has no NaN: null instead."""
    return [v if v == v and abs(v) != float("inf") else None for v in row.tolist()]  # noqa: PLR0124


def finite(array: Any) -> list[Any]:
    """Return an array as lists for JSON, with null for what is not a number."""
    rows: list[Any] = array.tolist()
    if np.isfinite(array).all():
        return rows
    return [
        numbers(row) if array.ndim > 1 else (v if np.isfinite(v) else None) for row, v in zip(array, rows, strict=True)
    ]
