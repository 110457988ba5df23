"""Pushes of one event each that is the next of its stream: all of them as one array.

Most pushes are of this kind. Here none of them costs an object of its own or a look at its order, so thousands are
stepped in the time that the general way takes for hundreds.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import final

import numpy as np

from ostinato.inference.alarm_rule import Alarms, evidence_name
from ostinato.serve.advance import Advance
from ostinato.serve.arena import Arena, Index
from ostinato.serve.form import Batch
from ostinato.serve.held import Asked, Held, Work
from ostinato.serve.remember import Remember
from ostinato.serve.schema import EventResult, Result, finite
from ostinato.serve.served import Served
from ostinato.serve.watch import Watch


@final
class Singles:
    """What applies pushes of one event each.

    Args:
        served: The model.
        arena: The rows of the streams.
        resident: The streams in memory.
        watch: The latest events of some streams, with their intervals.
        advance: What steps the model.
        remember: What keeps the histories.
    """

    def __init__(
        self,
        served: Served,
        arena: Arena,
        resident: dict[str, Held],
        watch: Watch,
        advance: Advance,
        remember: Remember,
    ) -> None:
        self._arena, self._resident, self._watch = arena, resident, watch
        self._form, self._ruled = served.form, served.rule is not None
        self._advance, self._remember = advance, remember

    def step(self, asked: Sequence[Asked], now: float) -> tuple[list[Work], Sequence[Asked]]:
        """Apply the pushes of this kind.

        Args:
            asked: Pushes of every kind, whose streams are in memory.
            now: When that is, in seconds.

        Returns:
            What was done to each of their streams, and the pushes that are left.
        """
        taken, held_of = self._taken(asked)
        if not taken:
            return [], asked
        values = self._form.columns([one.push.y for one in taken])
        if values is None:
            return [], asked
        idx = np.array([held.row for held in held_of], dtype=np.int64)
        batch, alarms = self._advance.each([one.unique_id for one in taken], idx, values)
        works = [Work(held, [], []) for held in held_of]
        self._answer(taken, self._remember.each(works, idx, batch, alarms, now), batch, alarms)
        return works, [one for one in asked if one.outcome is None] if len(taken) < len(asked) else ()

    def _taken(self, asked: Sequence[Asked]) -> tuple[Sequence[Asked], list[Held]]:
        """Return the pushes of one event that is surely the next of its stream, and the streams."""
        held_of = [self._resident[one.unique_id] for one in asked]
        rows = [held.row for held in held_of]
        idx = np.array(rows, dtype=np.int64)
        wanted = np.array([one.push.seq or 0 if one.push.is_plain else -1 for one in asked], dtype=np.int64)
        good = ((wanted == 0) | (wanted == self._arena.seq[idx] + 1)) & self._arena.plain[idx]
        if len(set(rows)) < len(rows):
            turns = Counter(rows)
            good &= [turns[row] == 1 for row in rows]
        if self._watch:
            good &= [one.unique_id not in self._watch for one in asked]
        good &= [one.outcome is None for one in asked]
        if good.all():
            return asked, held_of
        places = np.flatnonzero(good).tolist()
        return [asked[i] for i in places], [held_of[i] for i in places]

    def _answer(self, taken: Sequence[Asked], seq: Index, batch: Batch, alarms: Alarms) -> None:
        found = batch.found
        flags: list[bool | None] = (alarms > 0).tolist() if self._ruled else [None] * len(taken)
        given = zip(taken, seq.tolist(), finite(found.surprisal), finite(found.expected), flags, strict=True)
        for one, number, nats, expected, flag in given:
            one.outcome = Result(one.unique_id, number, [EventResult(number, "applied", nats, expected, flag)])
        for at in np.flatnonzero(alarms).tolist():
            result = taken[at].outcome
            assert isinstance(result, Result)
            result.events[0].evidence = evidence_name(int(alarms[at]))
