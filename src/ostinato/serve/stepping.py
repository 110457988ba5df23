"""The steps of the streams in memory: pushes are put in order, stepped together, told and remembered."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, final

import numpy as np
import torch
from msgspec import UNSET
from numpy.typing import NDArray

from ostinato.errors import DataError, OstinatoError
from ostinato.forecasting.table import ends
from ostinato.numbers import counted
from ostinato.serve.arena import Arena, Index
from ostinato.serve.forms import Batch
from ostinato.serve.held import Asked, Held, Work
from ostinato.serve.order import Given, as_int
from ostinato.serve.schema import Event, Next, Push, Result, Told, finite, numbers
from ostinato.serve.served import Served
from ostinato.serve.snapshot import ALARM, BLOCK, SKIPPED
from ostinato.serve.watch import BAND, Watch
from ostinato.shapes import State

Array = NDArray[np.float64]
#: No time in the history.
NO_TIME = np.iinfo(np.int64).min
#: What stands in an answer until the event is stepped.
_UNTOLD = Told(0, "applied")
#: The steps that the times of one push may leave out: each costs as much as an event, and all other streams wait.
LEFT_OUT = 1600


@dataclass(slots=True)
class Counts:
    """The steps that were applied, and the alarms."""

    events: int = 0
    alarms: int = 0


@final
class Stepping:
    """What applies pushes to the streams in memory.

    Args:
        served: The model.
        arena: The rows of the streams.
        resident: The streams in memory.
        watch: The latest events of those that somebody looks at.
        counts: What is counted.
        late: The number of events or steps that may be missing while later ones wait for them.
        history: The number of events of each stream that are kept.
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
        self._arena, self._resident, self._watch, self._counts = arena, resident, watch, counts
        self._form, self._rule, self._clock = served.form, served.rule, served.clock
        self._layout, self._event = served.layout, served.event
        self._late, self._history = late, history

    def step(self, asked: Sequence[Asked]) -> list[Work]:
        """Apply pushes, whose streams are all in memory, in their order; each gets its outcome.

        Returns:
            What was done to each stream that changed.
        """
        now = time.monotonic()
        done, rest = self._step_each(asked, now)
        works: dict[str, Work] = {}
        for one, rows in zip(rest, self._form.read(rest), strict=True):
            if one.outcome is None:
                self._place(one, rows, works, now)
        groups: dict[tuple[float, ...], list[Work]] = {}
        for work in works.values():
            if work.placed:
                groups.setdefault(work.p, []).append(work)
        for p, some in groups.items():
            batch, alarms = self._advance(some, p)
            self._tell(some, batch, alarms, p)
            self._remember(some, batch, alarms, p)
        for one in rest:
            if isinstance(one.outcome, Result) and (one.repeated or one.push.next or one.push.top):
                held = self._resident[one.unique_id]
                for place, number in one.repeated:
                    one.outcome.events[place] = self._again(held, number)
                one.outcome.next = self.following(held, one.push)
        return [*done, *works.values()]

    def _step_each(self, asked: Sequence[Asked], now: float) -> tuple[list[Work], Sequence[Asked]]:
        """Apply the pushes of one event that is the next of its stream, all as one array.

        Returns:
            What was done to each of their streams, and the pushes that are left.
        """
        taken, held_of = self._next_each(asked)
        if not taken:
            return [], asked
        values = self._form.columns([one.push.y for one in taken])
        if values is None:
            return [], asked
        idx = np.array([held.row for held in held_of], dtype=np.int64)
        batch, alarms = self._stepped(
            idx, lambda *given: self._form.step_each([one.unique_id for one in taken], values, *given)
        )
        works = self._take_each(taken, held_of, idx, batch, alarms, now)
        return works, [one for one in asked if one.outcome is None] if len(taken) < len(asked) else ()

    def _next_each(self, asked: Sequence[Asked]) -> tuple[Sequence[Asked], list[Held]]:
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

    def _take_each(
        self,
        taken: Sequence[Asked],
        held_of: list[Held],
        idx: Index,
        batch: Batch,
        alarms: NDArray[np.bool_],
        now: float,
    ) -> list[Work]:
        """Answer pushes of one event each, and add it to the histories of their streams, in the rows ``idx``."""
        arena, found, works = self._arena, batch.found, [Work(held, [], []) for held in held_of]
        seq, fill = arena.seq[idx] + 1, arena.fill[idx]
        events = self._seen(batch, alarms)
        events["seq"] = seq
        arena.tails[idx, fill] = events.view(np.uint8).reshape(len(events), -1)
        full = np.flatnonzero(fill == BLOCK - 1)
        for i, number in zip(full.tolist(), arena.block[idx[full]].tolist(), strict=True):
            works[i].blocks = ((number, arena.tails[idx[i]].tobytes()),)
        arena.block[idx[full]] += 1
        arena.fill[idx], arena.seq[idx], arena.used[idx] = (fill + 1) % BLOCK, seq, now
        arena.steps[idx] += 1
        arena.alarms[idx] += alarms
        flags: list[bool | None] = [None] * len(taken) if self._rule is None else alarms.tolist()
        told = zip(taken, seq.tolist(), finite(found.surprisal), finite(found.expected), flags, strict=True)
        for one, number, nats, expected, flag in told:
            one.outcome = Result(one.unique_id, number, [Told(number, "applied", nats, expected, flag)])
        return works

    def _place(self, one: Asked, rows: Sequence[Any], works: dict[str, Work], now: float) -> None:
        """Take the events of a push in order, or refuse it as a whole."""
        held, push = self._resident[one.unique_id], one.push
        events: Sequence[Event | Push] = [push] if push.events is UNSET else push.events
        given = [Given(e.seq, e.ds, y, i) for i, (e, y) in enumerate(zip(events, rows, strict=True))]
        order = held.order.copy()
        try:
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
        told = [_UNTOLD] * len(events)
        one.repeated = taken.repeated
        for place, number in taken.held:
            told[place] = Told(number, "held")
        one.outcome, one.placed = Result(one.unique_id, order.seq, told), taken.placed
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
        if levels or one.unique_id in self._watch:
            work.p = tuple(sorted({*work.p, *levels, *(BAND if one.unique_id in self._watch else ())}))

    def _again(self, held: Held, number: int) -> Told:
        """Return the answer to an event that had been applied before, if it is still remembered."""
        seen = np.frombuffer(held.tail, dtype=self._event)
        at = np.flatnonzero((seen["seq"] == number) & (seen["flags"] & SKIPPED == 0))
        if not len(at):
            return Told(number, "repeated")
        one = seen[at[0]]
        nats = float(one["surprisal"])
        alarm = None if self._rule is None else bool(one["flags"] & ALARM)
        return Told(number, "repeated", None if np.isnan(nats) else nats, numbers(one["expected"]), alarm)

    def replay(self, works: list[Work]) -> None:
        """Step the model through the events of histories, of which nobody is told."""
        batch, _ = self._advance(works, ())
        for work, n in zip(works, batch.lengths.tolist(), strict=True):
            self._arena.steps[work.held.row] += n

    def _advance(self, works: list[Work], p: tuple[float, ...]) -> tuple[Batch, NDArray[np.bool_]]:
        """Step the model through the events of some streams."""
        idx = np.array([work.held.row for work in works], dtype=np.int64)
        return self._stepped(idx, lambda state, last: self._form.step(works, state, last, p))

    def _stepped(
        self, idx: NDArray[np.int64], step: Callable[[State, Array], Batch]
    ) -> tuple[Batch, NDArray[np.bool_]]:
        """Step the streams of some rows, keep their states, and return what was found with the alarms (N,)."""
        state, last, memory = self.state_of(idx)
        batch = step(state, last)
        alarms, memory = self._judge(batch, memory)
        self._arena.data[idx] = self._layout.pack([*(s.numpy() for s in batch.found.state), batch.last, memory])
        return batch, alarms

    def state_of(self, idx: NDArray[np.int64]) -> tuple[State, Array, Array]:
        """Return the states (B, ...), the last prices (B, 2, D) and the memory of the alarms (B, W) of some rows."""
        *state, last, memory = self._layout.unpack(self._arena.data[idx])
        return tuple(torch.from_numpy(part) for part in state), last, memory

    def _judge(self, batch: Batch, memory: Array) -> tuple[NDArray[np.bool_], Array]:
        """Return the alarms of all steps (N,), and what the rule remembers."""
        surprisal, lengths = batch.found.surprisal, batch.lengths
        alarms = np.zeros(len(surprisal), dtype=bool)
        if self._rule is None:
            return alarms, memory
        starts, memory = np.cumsum(lengths) - lengths, memory.copy()
        for t in range(int(lengths.max())):
            rows = np.flatnonzero(lengths > t)
            at = starts[rows] + t
            alarms[at], memory[rows] = self._rule.step(
                surprisal[at], batch.values[at], batch.found.expected[at], memory[rows]
            )
        return alarms, memory

    def _tell(self, works: list[Work], batch: Batch, alarms: NDArray[np.bool_], p: tuple[float, ...]) -> None:
        """Answer those who pushed the events of a batch."""
        at, ruled, form = 0, self._rule is not None, self._form
        clean = form.told_simply(batch)
        for work in works:
            for one, owner in zip(work.placed, work.owners, strict=True):
                result = owner.outcome
                assert isinstance(result, Result)
                if clean is None or one.skipped:
                    told, steps = form.told(one, batch, alarms, at), form.steps(one)
                    if not ruled:
                        told.alarm = None
                else:
                    nats, expected = clean
                    told, steps = Told(one.seq, "applied", nats[at], expected[at]), 1
                    if ruled:
                        told.alarm = bool(alarms[at])
                at += steps
                if owner.push.level:
                    wanted = ends("", tuple(owner.push.level)).items()
                    cut = batch.found.quantiles[:, at - 1]
                    told.intervals = {name.removeprefix("-"): numbers(cut[p.index(q)]) for name, q in wanted}
                if one.place < 0:
                    result.released = [*result.released, told]
                else:
                    result.events[one.place] = told

    def _remember(self, works: list[Work], batch: Batch, alarms: NDArray[np.bool_], p: tuple[float, ...]) -> None:
        """Add the events of a batch to the histories of their streams."""
        found, seen = batch.found, self._seen(batch, alarms)
        every: list[int] = []
        at, single = 0, len(seen) == sum(len(work.placed) for work in works)  # no event has several steps
        for work in works:
            for one in work.placed:
                n = 1 if single else self._form.steps(one)
                every.extend([one.seq] * n)
                if one.skipped:
                    seen["flags"][at : at + one.skipped] = SKIPPED
                at += n
                if one.ds is not None:
                    seen["ds"][at - 1] = as_int(one.ds)
        seen["seq"] = every
        raw, at, size = seen.tobytes(), 0, self._event.itemsize
        for work, n in zip(works, batch.lengths.tolist(), strict=True):
            held = work.held
            tail, block = held.tail + raw[at * size : (at + n) * size], held.block
            if len(tail) >= BLOCK * size:
                cut = len(tail) // size // BLOCK
                blocks = [tail[i * BLOCK * size : (i + 1) * BLOCK * size] for i in range(cut)]
                numbered = list(enumerate(blocks, block))
                # older ones would be deleted at once
                work.blocks = [*work.blocks, *numbered[-(self._history // BLOCK) :]]
                tail, block = tail[cut * BLOCK * size :], block + cut
            held.stand(held.steps + n, block, tail)
            if held.unique_id in self._watch:
                self._watch.note(held.unique_id, seen[at : at + n], found.quantiles[:, at : at + n], p)
            at += n
        if self._rule is not None and alarms.any():
            for work, many in zip(
                works, np.add.reduceat(alarms, np.cumsum(batch.lengths) - batch.lengths), strict=True
            ):
                self._arena.alarms[work.held.row] += int(many)

    def _seen(self, batch: Batch, alarms: NDArray[np.bool_]) -> NDArray[Any]:
        """Return the steps of a batch as events of the history, without numbers and times, (N,); they are counted."""
        seen = np.zeros(len(batch.values), dtype=self._event)
        seen["y"], seen["surprisal"], seen["expected"] = batch.values, batch.found.surprisal, batch.found.expected
        seen["flags"], seen["ds"] = alarms, NO_TIME
        self._counts.events += len(seen)
        self._counts.alarms += int(alarms.sum())
        return seen

    def following(self, held: Held, push: Push) -> Next | None:
        """Return the distribution of the next event of a stream, as a push asks for it."""
        state, last, _ = self.state_of(np.array([held.row]))
        return self._form.following(held.unique_id, state, last, push)
