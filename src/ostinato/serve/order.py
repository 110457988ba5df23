"""The order of the events of one stream: sequence numbers, times, and events that come late."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from operator import itemgetter
from typing import Any, NamedTuple, final

import numpy as np

from ostinato.errors import DataError
from ostinato.inference.clock import Clock


class OrderError(DataError):
    """An event does not come after those before it.

    Args:
        what: What is wrong.
        expected: The sequence number that the stream takes next.
        fix: What to do.
    """

    def __init__(self, what: str, *, expected: int, fix: str) -> None:
        super().__init__(what, fix=fix)
        self.expected = expected


class Given(NamedTuple):
    """An event as it came: its sequence number and its time, or None; its value, and its place in the push."""

    seq: int | None
    ds: Any
    y: Any
    place: int


class Placed(NamedTuple):
    """An event that is applied now.

    Attributes:
        seq: Its sequence number.
        ds: Its time, or None.
        y: Its value.
        place: Its place in the push; -1 for an event that had been held.
        skipped: The number of steps before it that its time leaves out.
    """

    seq: int
    ds: Any
    y: Any
    place: int
    skipped: int


@dataclass(slots=True)
class Taken:
    """What becomes of the events of a push: those that are applied, in order, and the others with their numbers."""

    placed: list[Placed]
    repeated: list[tuple[int, int]]
    held: list[tuple[int, int]]


@final
class Order:
    """Where a stream is: the number of its last event, its clock, and the events that wait for one before them.

    Attributes:
        seq: The number of the last event that was taken in order.
        clock: The clock; None without times.
        waiting: Events that came before their turn, sorted.
    """

    __slots__ = ("clock", "seq", "waiting")

    def __init__(self, seq: int = 0, clock: Clock | None = None, waiting: tuple[Given, ...] = ()) -> None:
        self.seq, self.clock, self.waiting = seq, clock, waiting

    @property
    def is_plain(self) -> bool:
        """Whether it is no more than a number: there is no clock, and no event waits."""
        return self.clock is None and not self.waiting

    def copy(self) -> Order:
        """Return an order that goes on from here."""
        return Order(self.seq, None if self.clock is None else self.clock.copy(), self.waiting)

    def take(self, events: Sequence[Given], late: int, clock: Clock) -> Taken:
        """Take events in; if one is refused, this order is of no more use (take from a copy).

        Args:
            events: The events as they came.
            late: The number of events or steps that may be missing while later ones wait for them. With 0, a gap in
                the sequence numbers is refused, and steps that the times leave out are missing values.
            clock: A clock that has seen nothing, for a stream whose first time this is.

        Raises:
            OrderError: A number leaves out more than ``late`` events, or a time is not after the last one.
            DataError: A time cannot be read.
        """
        taken = Taken([], [], [])
        for event in events:
            number = self.seq + 1 if event.seq is None else event.seq
            if number <= self.seq or any(one.seq == number for one in self.waiting):
                taken.repeated.append((event.place, number))
            elif number > self.seq + 1:
                self._hold(event, number, late, taken)
            else:
                self._accept(event._replace(seq=number), late, clock, taken)
                self._release(late, clock, taken)
        return taken

    def _hold(self, event: Given, number: int, late: int, taken: Taken) -> None:
        """Keep an event until those before it have come.

        Raises:
            OrderError: It leaves out too many.
        """
        if number - self.seq - 1 > late:
            timed = "" if self.clock is None else " with its time"
            raise OrderError(
                f"the sequence number {number:,} leaves out events after {self.seq:,}",
                expected=self.seq + 1,
                fix=f"send the events from {self.seq + 1:,} on; for an event that is lost send y: null{timed}",
            )
        self.waiting = (*self.waiting, event)
        taken.held.append((event.place, number))

    def _release(self, late: int, clock: Clock, taken: Taken) -> None:
        """Take in the events whose turn it is now."""
        while (found := next((one for one in self.waiting if one.seq == self.seq + 1), None)) is not None:
            self.waiting = tuple(one for one in self.waiting if one is not found)
            self._accept(found._replace(place=-1), late, clock, taken)

    def _accept(self, event: Given, late: int, clock: Clock, taken: Taken) -> None:
        """Take in the event of the next number, at its time."""
        assert event.seq is not None
        self.seq = event.seq
        if event.ds is None:
            self._check_untimed()
            taken.placed.append(Placed(event.seq, None, event.y, event.place, 0))
            return
        if self.clock is None:
            self.clock = clock.copy()
        self._in_time(event, late, self.clock, taken)

    def _check_untimed(self) -> None:
        try:
            if self.clock is not None:
                self.clock.check_untimed()
        except DataError as error:
            raise OrderError(error.what, expected=self.seq, fix=error.fix or "") from error

    def _in_time(self, event: Given, late: int, clock: Clock, taken: Taken) -> None:
        """Apply the events whose time has come: the next step, or later ones if the steps before are given up."""
        own = [one for one in self.waiting if one.seq is not None and one.seq <= self.seq]
        read = [(clock.read(one.ds), one) for one in (*own, event)]
        if len({np.asarray(time).dtype.kind for time, _ in read}) > 1:
            what = f"the time {str(event.ds)[:60]} is of another type than the times that wait"
            raise OrderError(what, expected=self.seq, fix="write all times of a stream as dates, or all as numbers")
        timed = sorted(read, key=itemgetter(0))
        if any(a == b for (a, _), (b, _) in pairwise(timed)):
            what, fix = f"the time {event.ds} occurs twice", "send one event for each time of a stream"
            raise OrderError(what, expected=self.seq, fix=fix)
        try:
            while timed and (clock.steps(timed[0][0]) == 1 or clock.steps(timed[-1][0]) - 1 > late):
                time, one = timed.pop(0)
                skipped = clock.steps(time) - 1
                clock.tick(time)
                assert one.seq is not None
                taken.placed.append(Placed(one.seq, time, one.y, one.place if one is event else -1, skipped))
        except DataError as error:
            raise OrderError(error.what, expected=self.seq, fix=error.fix or "") from error
        rest = [one for _, one in timed]
        if any(one is event for one in rest):
            taken.held.append((event.place, self.seq))
        self.waiting = (*(one for one in self.waiting if one not in own), *rest)

    def to_bytes(self, spelled: str = "") -> bytes:
        """Return clock and waiting events as JSON, with the spelling of the history; empty if there are none."""
        if self.clock is None and not self.waiting and not spelled:
            return b""
        kept: dict[str, Any] = {"waiting": self.waiting}
        if spelled:
            kept["spelled"] = spelled
        if self.clock is not None:
            kept["clock"] = self.clock.times()
        return json.dumps(kept, separators=(",", ":"), allow_nan=False).encode()

    @staticmethod
    def from_bytes(seq: int, extra: bytes, clock: Clock) -> Order:
        """Return the order that ``to_bytes`` wrote."""
        if not extra:
            return Order(seq)
        kept = json.loads(extra)
        found = None
        if "clock" in kept:
            found = clock.copy()
            found.set_times(kept["clock"])
        return Order(seq, found, tuple(Given(*one) for one in kept["waiting"]))


def spelled_in(extra: bytes) -> str | None:
    """Return the spelling of the history that ``to_bytes`` wrote; None for numbers and texts of earlier releases."""
    return json.loads(extra).get("spelled") if extra else None


def as_int(time: Any) -> int:
    """Return a time as a whole number for the history: microseconds since 1970, or the number itself."""
    return int(np.asarray(time).astype(np.int64))
