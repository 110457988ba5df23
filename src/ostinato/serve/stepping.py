"""The pushes of a batch: each is put in order or refused; then what is next is stepped together, and answered."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any, final

from msgspec import UNSET

from ostinato.errors import DataError, OstinatoError
from ostinato.forecasting.table import ends
from ostinato.inference.alarm_rule import Alarms, evidence_name
from ostinato.numbers import counted
from ostinato.serve.advance import Advance
from ostinato.serve.arena import Arena
from ostinato.serve.form import Batch
from ostinato.serve.held import Asked, Held, Work
from ostinato.serve.order import Given
from ostinato.serve.remember import Counts, Remember
from ostinato.serve.schema import Event, EventResult, Push, Result, numbers
from ostinato.serve.served import Served
from ostinato.serve.singles import Singles
from ostinato.serve.watch import BAND, Watch

#: What stands in an answer until the event is stepped.
_PENDING = EventResult(0, "applied")
#: The steps that the times of one push may leave out: each costs as much as an event, and all other streams wait.
LEFT_OUT = 1600


@final
class Stepping:
    """What applies pushes to the streams in memory.

    Args:
        served: The model.
        arena: The rows of the streams.
        resident: The streams in memory.
        watch: The latest events of some streams, with their intervals.
        counts: What is counted.
        late: The number of events or steps that may be missing while later ones wait for them.
        history: The number of events of each stream that are kept.

    Attributes:
        advance: What steps the model.
    """

    def __init__(
        self,
        served: Served,
        arena: Arena,
        resident: dict[str, Held],
        watch: Watch,
        counts: Counts,
        *,
        late: int,
        history: int,
    ) -> None:
        self._arena, self._resident, self._watch = arena, resident, watch
        self._form, self._ruled, self._clock, self._late = served.form, served.rule is not None, served.clock, late
        self.advance = Advance(served, arena)
        self._remember = Remember(served, arena, watch, counts, history)
        self._singles = Singles(served, arena, resident, watch, self.advance, self._remember)

    def step(self, asked: Sequence[Asked]) -> list[Work]:
        """Apply pushes, whose streams are all in memory, in their order; each gets its outcome.

        Returns:
            What was done to each stream that changed.
        """
        now = time.monotonic()
        done, rest = self._singles.step(asked, now)
        works: dict[str, Work] = {}
        for one, rows in zip(rest, self._form.read(rest), strict=True):
            if one.outcome is None:
                self._place(one, rows, works, now)
        groups: dict[tuple[float, ...], list[Work]] = {}
        for work in works.values():
            if work.placed:
                groups.setdefault(work.p, []).append(work)
        for p, some in groups.items():
            batch, alarms = self.advance.along(some, p)
            self._tell(some, batch, alarms, p)
            self._remember.along(some, batch, alarms, p)
        for one in rest:
            if isinstance(one.outcome, Result) and (one.repeated or one.push.next or one.push.top):
                held = self._resident[one.unique_id]
                for place, number in one.repeated:
                    one.outcome.events[place] = self._remember.again(held, number)
                one.outcome.next = self.advance.following(held, one.push)
        return [*done, *works.values()]

    def replay(self, works: Sequence[Work]) -> None:
        """Step the model through the events of histories, without answers and without counting them."""
        batch, _ = self.advance.along(works, ())
        for work, n in zip(works, batch.lengths.tolist(), strict=True):
            self._arena.steps[work.held.row] += n

    def _place(self, one: Asked, rows: Sequence[Any], works: dict[str, Work], now: float) -> None:
        """Take the events of a push in order, or refuse it as a whole."""
        held, push = self._resident[one.unique_id], one.push
        events: Sequence[Event | Push] = [push] if push.events is UNSET else push.events
        given = [Given(e.seq, e.ds, y, i) for i, (e, y) in enumerate(zip(events, rows, strict=True))]
        order = held.order.copy()
        try:
            self._form.check(push)
            taken = order.take(given, self._late, self._clock)
            levels = ends("", tuple(push.level)) if push.level else {}
        except OstinatoError as error:
            one.outcome = error
            return
        left_out = sum(found.skipped for found in taken.placed)
        if left_out > LEFT_OUT:
            one.outcome = DataError(
                f"the times of the push leave out {counted(left_out, 'step')}, and a push may leave out {LEFT_OUT:,}",
                fix="send the events in several pushes, or reset the stream after such a gap",
            )
            return
        results = [_PENDING] * len(events)
        one.repeated = taken.repeated
        for place, number in taken.held:
            results[place] = EventResult(number, "held")
        one.outcome, one.placed = Result(one.unique_id, order.seq, results), taken.placed
        self._arena.used[held.row] = now
        if not taken.placed and not taken.held:
            return  # nothing changed
        held.order = order
        self._work(one, held, works, tuple(levels.values()))

    def _work(self, one: Asked, held: Held, works: dict[str, Work], levels: tuple[float, ...]) -> None:
        """Add the events of a push to what is done to its stream."""
        work = works.get(one.unique_id)
        if work is None:
            work = works[one.unique_id] = Work(held)
        work.placed += one.placed
        work.owners += [one] * len(one.placed)
        band = BAND if self._form.has_quantiles and one.unique_id in self._watch else ()
        if levels or band:
            work.p = tuple(sorted({*work.p, *levels, *band}))

    def _tell(self, works: Sequence[Work], batch: Batch, alarms: Alarms, p: tuple[float, ...]) -> None:
        """Answer those who pushed the events of a batch."""
        at, form = 0, self._form
        clean = form.finite_results(batch)
        for work in works:
            for one, owner in zip(work.placed, work.owners, strict=True):
                result = owner.outcome
                assert isinstance(result, Result)
                if clean is None or one.skipped:
                    event, steps = form.result_of(one, batch, alarms, at), form.steps(one)
                    if not self._ruled:
                        event.alarm = event.evidence = None
                else:
                    nats, expected = clean
                    event, steps = EventResult(one.seq, "applied", nats[at], expected[at]), 1
                    if self._ruled:
                        event.alarm, event.evidence = bool(alarms[at]), evidence_name(int(alarms[at]))
                at += steps
                if owner.push.level:
                    wanted = ends("", tuple(owner.push.level)).items()
                    cut = batch.found.quantiles[:, at - 1]
                    event.intervals = {name.removeprefix("-"): numbers(cut[p.index(q)]) for name, q in wanted}
                if one.place < 0:
                    result.released = [*result.released, event]
                else:
                    result.events[one.place] = event
