"""The streams of one model in memory: they are the rows of an arena, and are stepped together.

A cycle asks which streams are ``missing``, takes them in (``bring``), and applies pushes (``step``). Nothing is told
until the store has the ``changes``; streams whose changes it does not have leave memory (``forget``).
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping, Sequence
from typing import final

import numpy as np

from ostinato.inference.alarm_rule import AlarmRule
from ostinato.model import SequenceModel
from ostinato.serve.arena import Arena
from ostinato.serve.held import Asked, Held, Work
from ostinato.serve.histories import replays
from ostinato.serve.order import Order
from ostinato.serve.records import Records
from ostinato.serve.remember import Counts
from ostinato.serve.schema import Next, Push
from ostinato.serve.served import Served
from ostinato.serve.snapshot import Snapshot
from ostinato.serve.stepping import Stepping
from ostinato.serve.store import Change, Record
from ostinato.serve.watch import Watch
from ostinato.shapes import Array, State


@final
class Streams:
    """The streams of one model.

    Args:
        model: The model.
        rule: What gives an alarm; None for no alarms.
        late: The number of events or steps that may be missing while later ones wait for them.
        history: The number of events of each stream that are kept to be replayed into a new model.
        replay: Whether a stream of another model has its history replayed; otherwise it begins afresh.
        adapt: Whether a new stream of an adaptive model goes on learning, for itself alone; None lets it.

    Attributes:
        served: The model as it is used now.
        arena: The rows of the streams.
        resident: The streams that are in memory.
        watch: The latest events of some streams, with their intervals.
        counts: What all models since the start have seen.
    """

    def __init__(
        self,
        model: SequenceModel,
        rule: AlarmRule | None = None,
        *,
        late: int = 0,
        history: int = 512,
        replay: bool = True,
        adapt: bool | None = None,
    ) -> None:
        self._late, self._history, self.replay, self._adapt = late, history, replay, adapt
        self.counts = Counts()
        self.use(model, rule)

    def use(self, model: SequenceModel, rule: AlarmRule | None) -> None:
        """Go on with this model. All streams leave memory: the store must have them.

        Raises:
            ConfigError: The model cannot be served, and the one before goes on.
        """
        self.served = Served(model, rule, adapt=self._adapt)
        self.arena = Arena(self.served.layout.width, self.served.event.itemsize)
        self.resident: dict[str, Held] = {}
        self.watch = Watch()
        self._records = Records(self.served, self.arena, self._history)
        self._stepping = Stepping(
            self.served, self.arena, self.resident, self.watch, self.counts, late=self._late, history=self._history
        )

    def missing(self, ids: Iterable[str]) -> list[str]:
        """Return which of these streams are not in memory, each once."""
        resident = self.resident
        return list(dict.fromkeys([key for key in ids if key not in resident]))

    def foreign(self, found: Mapping[str, Record]) -> list[str]:
        """Return the streams among these records whose state belongs to another model, or to another rule of alarms."""
        return [key for key, record in found.items() if not self._records.is_own(record)]

    def bring(
        self, ids: Sequence[str], found: Mapping[str, Record], blocks: Mapping[str, Sequence[tuple[int, bytes]]]
    ) -> None:
        """Take streams into memory: those that the store has, and new ones.

        Args:
            ids: The streams.
            found: The records of those that the store has.
            blocks: The blocks of the history of those that are ``foreign``.
        """
        others: list[tuple[Held, Snapshot]] = []
        for key in ids:
            record = found.get(key)
            if record is None:
                held = Held(key, self.arena, time.time_ns() - 1, Order(), new=True)
                self.arena.data[held.row] = self.served.start
            else:
                held, snapshot = self._records.read(key, record)
                if not self._records.is_own(record):
                    others.append((held, snapshot))
            self.resident[key] = held
        if others and (works := replays(self.served, others, blocks, most=self._history, replay=self.replay)):
            self._stepping.replay(works)

    def forget(self, ids: Iterable[str]) -> None:
        """Let streams leave memory, without a word to the store. What was shown of them may never have been saved."""
        for key in ids:
            held = self.resident.pop(key, None)
            if held is not None:
                self.arena.give(held.row)
            self.watch.drop(key)

    def forget_empty(self, ids: Iterable[str]) -> None:
        """Let streams leave memory that have taken in nothing: all that was sent to them was refused."""
        for key in ids:
            held = self.resident.get(key)
            if held is not None and held.is_empty:
                self.forget([key])

    def idle(self, most: int) -> list[str]:
        """Return the streams that have been idle for longest, so that ``most`` remain in memory."""
        over = len(self.resident) - most
        if over <= 0:
            return []
        # a tenth more than needed, so that this is rare
        ranked = sorted(self.resident.values(), key=lambda held: self.arena.used[held.row])
        return [held.unique_id for held in ranked[: over + most // 10]]

    def idle_for(self, seconds: float) -> list[str]:
        """Return the streams in memory whose last event is more than ``seconds`` ago."""
        before = time.monotonic() - seconds
        return [key for key, held in self.resident.items() if self.arena.used[held.row] < before]

    def begin_again(self, held: Held) -> Work:
        """Bring a stream back to its start."""
        held.order = Order()
        held.stand(0, 0, b"")
        self.arena.alarms[held.row] = 0
        self.arena.data[held.row] = self.served.start
        self.watch.drop(held.unique_id)
        return Work(held, wipe=True)

    def fork(self, held: Held, unique_id: str, blocks: list[tuple[int, bytes]]) -> Work:
        """Return a new stream that goes on from where another is.

        Args:
            held: The other stream.
            unique_id: The id of the new one.
            blocks: The blocks of the history of the other.
        """
        other = Held(unique_id, self.arena, time.time_ns() - 1, held.order.copy(), new=True)
        other.stand(held.steps, held.block, held.tail)
        self.arena.used[other.row] = time.monotonic()
        self.arena.data[other.row] = self.arena.data[held.row]
        self.resident[unique_id] = other
        return Work(other, blocks=list(blocks))

    def step(self, asked: Sequence[Asked]) -> list[Work]:
        """Apply pushes, whose streams are all in memory, in their order; each gets its outcome.

        Returns:
            What was done to each stream that changed.
        """
        return self._stepping.step(asked)

    def following(self, held: Held, push: Push) -> Next | None:
        """Return the distribution of the next event of a stream, as a push asks for it."""
        return self._stepping.advance.following(held, push)

    def state_of(self, held: Held) -> tuple[State, Array]:
        """Return the state of a stream (1, ...) and its last prices (1, 2, D), which later pushes do not change."""
        state, last, _ = self._stepping.advance.state_of(np.array([held.row]))
        return state, last

    def snapshot(self, held: Held) -> Snapshot:
        """Return a stream at rest."""
        return self._records.snapshot(held)

    def changes(self, works: Sequence[Work]) -> list[Change]:
        """Return what the store must keep of these streams; their versions move on."""
        return self._records.changes(works)
