"""One stream in memory, a push on its way to it, and what a batch does to it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, final

import numpy as np

from ostinato.errors import OstinatoError
from ostinato.serve.arena import Arena
from ostinato.serve.order import Order, Placed
from ostinato.serve.schema import Push, Result


@final
class Held:
    """One stream in memory: its numbers are a row of the arena.

    Attributes:
        unique_id: Its id.
        row: Its row in the arena.
        new: Whether the store does not have it yet.
        wipe: Whether its blocks in the store are of no more use, and go with the next save.
    """

    __slots__ = ("_arena", "_order", "new", "row", "unique_id", "wipe")

    def __init__(self, unique_id: str, arena: Arena, version: int, order: Order, *, new: bool) -> None:
        self.unique_id, self._arena, self.row = unique_id, arena, arena.take()
        self.new, self.wipe = new, False
        arena.version[self.row] = version
        self.order = order

    @property
    def order(self) -> Order:
        """Where it is among its events; a copy, if it has neither times nor events that wait."""
        return Order(self.seq) if self._order is None else self._order

    @order.setter
    def order(self, order: Order) -> None:
        self._order = None if order.is_plain else order
        self._arena.seq[self.row], self._arena.plain[self.row] = order.seq, order.is_plain

    @property
    def seq(self) -> int:
        """The number of the last event that was taken in order."""
        return int(self._arena.seq[self.row])

    @property
    def version(self) -> int:
        """The version of its record in the store."""
        return int(self._arena.version[self.row])

    @property
    def steps(self) -> int:
        """The number of steps of the model."""
        return int(self._arena.steps[self.row])

    @property
    def block(self) -> int:
        """The number of the next block of the history."""
        return int(self._arena.block[self.row])

    @property
    def alarms(self) -> int:
        """The number of alarms since it is in memory."""
        return int(self._arena.alarms[self.row])

    @property
    def used(self) -> float:
        """When it was used last, in seconds."""
        return float(self._arena.used[self.row])

    @property
    def tail(self) -> bytes:
        """The events since the last full block."""
        return self._arena.tails[self.row, : self._arena.fill[self.row]].tobytes()

    def stand(self, steps: int, block: int, tail: bytes) -> None:
        """Set the number of steps, the number of the next block, and the events since the last one."""
        events = np.frombuffer(tail, dtype=np.uint8).reshape(-1, self._arena.tails.shape[2])
        self._arena.steps[self.row], self._arena.block[self.row] = steps, block
        self._arena.fill[self.row] = len(events)
        self._arena.tails[self.row, : len(events)] = events

    @property
    def is_empty(self) -> bool:
        """Whether the stream is new and has taken in nothing."""
        return self.new and not self.seq and (self._order is None or not self._order.waiting)


@dataclass(slots=True)
class Asked:
    """A push on its way.

    Attributes:
        unique_id: The stream.
        push: What was sent.
        token: Whose it is; None without tokens.
        outcome: The answer, or why it was refused; None until it is stepped.
        placed: The events that are applied.
        repeated: The places and numbers of the events that had been applied before.
    """

    unique_id: str
    push: Push
    token: Any = None
    outcome: Result | OstinatoError | None = None
    placed: Sequence[Placed] = ()
    repeated: Sequence[tuple[int, int]] = ()

    @property
    def is_change(self) -> bool:
        """Whether the push changed its stream: an event was applied, or waits."""
        return isinstance(self.outcome, Result) and len(self.repeated) < len(self.outcome.events)


@dataclass(slots=True)
class Work:
    """What is done to one stream in a batch.

    Attributes:
        held: The stream.
        placed: The events that are applied.
        owners: Who pushed each of them.
        blocks: The blocks of the history that are full now.
        p: The probabilities of the quantiles that are wanted.
        wipe: Whether the stream begins again, without its history.
    """

    held: Held
    placed: list[Placed] = field(default_factory=list)
    owners: list[Asked] = field(default_factory=list)
    blocks: Sequence[tuple[int, bytes]] = ()
    p: tuple[float, ...] = ()
    wipe: bool = False
