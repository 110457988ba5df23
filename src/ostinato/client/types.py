"""What is pushed to a server, and what it answers."""

from __future__ import annotations

import datetime
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TypeAlias

from ostinato.errors import OstinatoError

#: A value: a number, None where it is missing, one number for each channel, or text.
Value: TypeAlias = float | str | Sequence[float | None] | None


class ServerError(OstinatoError):
    """The server refused a call, or could not be reached.

    Args:
        what: What is wrong.
        status: The status of HTTP; 0 without an answer.
        where: The place that the server named.
        fix: What to do.
        expected_seq: The sequence number that the stream takes next, if the one that was sent is not it.
        retry_after: The seconds after which the call may be repeated, if the server named them.
    """

    exit_code = 1

    def __init__(
        self,
        what: str,
        status: int = 0,
        *,
        where: str | None = None,
        fix: str | None = None,
        expected_seq: int | None = None,
        retry_after: float | None = None,
    ) -> None:
        super().__init__(what, where=where, fix=fix)
        self.status, self.expected_seq, self.retry_after = status, expected_seq, retry_after


@dataclass(frozen=True)
class EventResult:
    """What became of one event.

    Attributes:
        seq: The sequence number of the event.
        status: "applied"; "repeated" if it had been applied before; "held" if it waits for an event before it.
        surprisal: The surprisal in nats; None if the value is missing or not yet applied.
        expected: The value of each channel that was expected before it was observed, or the likeliest symbol.
        alarm: Whether there is an alarm; None if the server gives none.
        skipped: The number of steps before it that its time leaves out.
        intervals: The ends of the intervals of each channel by name, such as "lo-95".
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


@dataclass(frozen=True)
class Next:
    """The distribution of the next event: a list of channels for each quantile, or the likeliest symbols."""

    quantiles: list[list[float | None]] | None = None
    top: list[tuple[str, float]] | None = None


@dataclass(frozen=True)
class Pushed:
    """The answer to a push.

    Attributes:
        unique_id: The stream.
        seq: The number of the last event that the stream took in.
        events: What became of each event.
        released: Events that had waited and are applied now.
        next: The distribution of the next event, if it was asked for.
    """

    unique_id: str
    seq: int
    events: list[EventResult]
    released: list[EventResult] = field(default_factory=list)
    next: Next | None = None


@dataclass(frozen=True)
class Event:
    """One event to push: its value, its time and its sequence number (the first event of a stream is 1).

    A time may also be one of datetime, pandas or NumPy.
    """

    y: Value
    ds: str | int | datetime.date | None = None
    seq: int | None = None


@dataclass(frozen=True)
class Push:
    """Events for one stream, and what to answer besides.

    Attributes:
        unique_id: The stream.
        events: The events.
        level: The coverage of the intervals of each event in percent.
        next: The probabilities of the quantiles of the event after them.
        top: The number of symbols of the event after them.
    """

    unique_id: str
    events: Sequence[Event]
    level: Sequence[float] = ()
    next: Sequence[float] = ()
    top: int = 0
