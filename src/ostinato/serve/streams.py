"""The streams of one model in memory: they are the rows of an arena, and are stepped together.

A cycle asks which streams are ``missing``, takes them in (``bring``), and applies pushes (``step``). Nothing is told
until the store has the ``changes``; streams whose changes it does not have leave memory (``forget``).
"""

from __future__ import annotations

import logging
import time
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from typing import Any, final

import numpy as np
import torch
from msgspec import UNSET
from numpy.typing import NDArray

from ostinato.errors import DataError, OstinatoError
from ostinato.forecasting.table import ends
from ostinato.inference.alarm_rule import AlarmRule
from ostinato.inference.clock import Clock
from ostinato.inference.live.rows import Rows
from ostinato.model import SequenceModel
from ostinato.numbers import counted
from ostinato.serve.arena import Arena, Index
from ostinato.serve.forms import Batch, Form, NumberForm, TextForm
from ostinato.serve.held import Asked, Held, Work
from ostinato.serve.order import Given, Order, as_int, spelled_in
from ostinato.serve.schema import Event, Next, Push, Result, Told, finite, numbers
from ostinato.serve.snapshot import (
    ALARM,
    BLOCK,
    SKIPPED,
    UNMARKED,
    Layout,
    Snapshot,
    history_dtype,
    is_state_of,
    model_digest,
    record_dtype,
)
from ostinato.serve.store import Change, Record
from ostinato.serve.watch import BAND, Watch
from ostinato.shapes import State

Array = NDArray[np.float64]
_LOG = logging.getLogger("ostinato.serve")
#: No time in the history.
NO_TIME = np.iinfo(np.int64).min
#: What stands in an answer until the event is stepped.
_UNTOLD = Told(0, "applied")
#: The steps that the times of one push may leave out: each costs as much as an event, and all other streams wait.
LEFT_OUT = 1600
#: The records that are made at once: so many stay in the cache of a core.
_TOGETHER = 128


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
        self.late, self.history, self.replay, self.adapt = late, history, replay, adapt
        self.events = self.alarms = 0
        self.use(model, rule)

    def use(self, model: SequenceModel, rule: AlarmRule | None) -> None:
        """Go on with this model. All streams leave memory: the store must have them."""
        rows = Rows(model.likelihood("serve streams"), adapt=self.adapt)  # first, since it may refuse the model
        self.model, self.rule, self.rows = rows.model, rule, rows
        self.digest = model_digest(model)
        self.form: Form = NumberForm(self.rows) if model.description.traits.numeric else TextForm(self.rows)
        self.clock = Clock(model.description.source)
        state = self.rows.start(1)
        parts = [(f"state_{i}", s.numpy().dtype, tuple(s.shape[1:])) for i, s in enumerate(state)]
        self.alarm_width = 0 if rule is None else rule.width
        parts += [("last", np.dtype("<f8"), (2, model.channels if self.rows.carries_price else 0))]
        parts += [("alarm", np.dtype("<f8"), (self.alarm_width,))]
        self.layout = Layout(parts)
        last = np.full((1, 2, model.channels if self.rows.carries_price else 0), np.nan)
        memory = np.zeros((1, 0)) if rule is None else rule.start()[None]
        self._start = self.layout.pack([*(s.numpy() for s in state), last, memory])
        self.event = history_dtype(model.channels)
        self.arena = Arena(self.layout.width, self.event.itemsize)
        self.record = record_dtype(self.layout.width, self.event.itemsize)
        self.resident: dict[str, Held] = {}
        self.watch = Watch()

    # streams come and go

    def missing(self, ids: Iterable[str]) -> list[str]:
        """Return which of these streams are not in memory, each once."""
        resident = self.resident
        return list(dict.fromkeys([key for key in ids if key not in resident]))

    def bring(self, ids: Sequence[str], found: dict[str, Record], blocks: dict[str, list[tuple[int, bytes]]]) -> None:
        """Take streams into memory: those that the store has, and new ones.

        Args:
            ids: The streams.
            found: The records of those that the store has.
            blocks: The blocks of the history of those that are ``foreign``.
        """
        other: list[tuple[Held, Snapshot]] = []
        for key in ids:
            record = found.get(key)
            if record is None:
                held = Held(key, self.arena, time.time_ns() - 1, Order(), new=True)
                self.arena.data[held.row] = self._start[0]
            else:
                held = self._restored(key, record, other)
            self.resident[key] = held
        if other:
            self._convert(other, blocks)

    def _restored(self, key: str, record: Record, other: list[tuple[Held, Snapshot]]) -> Held:
        """Return the stream of a record; one of another model is added to ``other``."""
        snapshot = Snapshot.from_bytes(record.data)
        held = Held(
            key, self.arena, record.version, Order.from_bytes(snapshot.seq, snapshot.extra, self.clock), new=False
        )
        if is_state_of(record.data, self.digest, self.layout.width):
            held.stand(snapshot.steps, snapshot.block, snapshot.tail)
            self.arena.data[held.row] = np.frombuffer(snapshot.row, dtype=np.uint8)
        else:
            self.arena.data[held.row] = self._start[0]
            other.append((held, snapshot))
        return held

    def foreign(self, found: dict[str, Record]) -> list[str]:
        """Return the streams among these records whose state belongs to another model, or to another rule of alarms."""
        own = self.digest, self.layout.width
        return [key for key, record in found.items() if not is_state_of(record.data, *own)]

    def _convert(self, other: list[tuple[Held, Snapshot]], blocks: dict[str, list[tuple[int, bytes]]]) -> None:
        """Bring streams of another model to this one: their history is replayed, or they begin afresh."""
        works, lost = [], []
        for held, snapshot in other:
            seen = self._history(snapshot, [block for _, block in blocks.get(held.unique_id, [])])
            spelled = spelled_in(snapshot.extra)
            if seen is not None and (spelled or "") in {"", self.form.spelled}:
                held.stand(0, snapshot.block, snapshot.tail)
            else:
                held.wipe = True  # what follows has another form, and a history has one
            if seen is None:
                held.order = Order(snapshot.seq, held.order.clock)  # what waits has another form too
            if not self.replay:
                continue
            work = Work(held, [] if seen is None else self.form.replayed(seen["y"][-self.history :], spelled))
            if work.placed:
                works.append(work)
            elif seen is None or len(seen):
                lost.append(held.unique_id)
        if lost:
            _LOG.warning(
                "%s afresh: the model, which reads %s, cannot read their history",
                counted(len(lost), "stream begins", "streams begin"),
                self.form.name,
            )
        if works:
            self._advance(works, (), replay=True)

    def _history(self, snapshot: Snapshot, full: Sequence[bytes]) -> NDArray[Any] | None:
        """Return the history of a stream of another model as events; None if its symbols or its channels are others.

        Args:
            snapshot: The stream.
            full: The full blocks of its history.
        """
        size, tail = self.event.itemsize, snapshot.tail
        alike = len({snapshot.symbols, self.form.symbols} - {UNMARKED}) == 1
        if not alike or any(len(block) != BLOCK * size for block in full) or len(tail) % size:
            return None
        seen = np.frombuffer(b"".join(full) + tail, dtype=self.event)
        # one event of many channels may be as long as some of few, but its parts are not numbered as events are
        return seen if ((seen["seq"] > 0) & (seen["seq"] <= snapshot.seq)).all() else None

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

    def begin_again(self, held: Held) -> Work:
        """Bring a stream back to its start."""
        held.order = Order()
        held.stand(0, 0, b"")
        self.arena.alarms[held.row] = 0
        self.arena.data[held.row] = self._start[0]
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

    def snapshot(self, held: Held) -> Snapshot:
        """Return a stream at rest."""
        row, order = self.arena.data[held.row].tobytes(), held.order
        extra = order.to_bytes(self.form.spelled)
        return Snapshot(
            self.digest[:16], order.seq, held.steps, held.block, row, held.tail, extra, symbols=self.form.symbols
        )

    # pushes

    def step(self, asked: Sequence[Asked]) -> list[Work]:
        """Apply pushes, whose streams are all in memory, in their order; each gets its outcome.

        Returns:
            What was done to each stream that changed.
        """
        now = time.monotonic()
        done, rest = self._step_each(asked, now)
        works: dict[str, Work] = {}
        for one, rows in zip(rest, self.form.read(rest), strict=True):
            if one.outcome is None:
                self._place(one, rows, works, now)
        groups: dict[tuple[float, ...], list[Work]] = {}
        for work in works.values():
            if work.placed:
                groups.setdefault(work.p, []).append(work)
        for p, some in groups.items():
            self._advance(some, p)
        for one in rest:
            if isinstance(one.outcome, Result) and (one.repeated or one.push.next or one.push.top):
                held = self.resident[one.unique_id]
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
        values = self.form.columns([one.push.y for one in taken])
        if values is None:
            return [], asked
        idx = np.array([held.row for held in held_of], dtype=np.int64)
        batch, alarms = self._stepped(
            idx, lambda *given: self.form.step_each([one.unique_id for one in taken], values, *given)
        )
        works = self._take_each(taken, held_of, idx, batch, alarms, now)
        return works, [one for one in asked if one.outcome is None] if len(taken) < len(asked) else ()

    def _next_each(self, asked: Sequence[Asked]) -> tuple[Sequence[Asked], list[Held]]:
        """Return the pushes of one event that is surely the next of its stream, and the streams."""
        held_of = [self.resident[one.unique_id] for one in asked]
        rows = [held.row for held in held_of]
        idx = np.array(rows, dtype=np.int64)
        wanted = np.array([one.push.seq or 0 if one.push.is_plain else -1 for one in asked], dtype=np.int64)
        good = ((wanted == 0) | (wanted == self.arena.seq[idx] + 1)) & self.arena.plain[idx]
        if len(set(rows)) < len(rows):
            turns = Counter(rows)
            good &= [turns[row] == 1 for row in rows]
        if self.watch:
            good &= [one.unique_id not in self.watch for one in asked]
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
        arena, found, works = self.arena, batch.found, [Work(held, [], []) for held in held_of]
        seq, fill = arena.seq[idx] + 1, arena.fill[idx]
        events = self._events(batch, alarms)
        events["seq"] = seq
        arena.tails[idx, fill] = events.view(np.uint8).reshape(len(events), -1)
        full = np.flatnonzero(fill == BLOCK - 1)
        for i, number in zip(full.tolist(), arena.block[idx[full]].tolist(), strict=True):
            works[i].blocks = ((number, arena.tails[idx[i]].tobytes()),)
        arena.block[idx[full]] += 1
        arena.fill[idx], arena.seq[idx], arena.used[idx] = (fill + 1) % BLOCK, seq, now
        arena.steps[idx] += 1
        arena.alarms[idx] += alarms
        flags: list[bool | None] = [None] * len(taken) if self.rule is None else alarms.tolist()
        told = zip(taken, seq.tolist(), finite(found.surprisal), finite(found.expected), flags, strict=True)
        for one, number, nats, expected, flag in told:
            one.outcome = Result(one.unique_id, number, [Told(number, "applied", nats, expected, flag)])
        return works

    def _place(self, one: Asked, rows: Sequence[Any], works: dict[str, Work], now: float) -> None:
        """Take the events of a push in order, or refuse it as a whole."""
        held, push = self.resident[one.unique_id], one.push
        events: Sequence[Event | Push] = [push] if push.events is UNSET else push.events
        given = [Given(e.seq, e.ds, y, i) for i, (e, y) in enumerate(zip(events, rows, strict=True))]
        order = held.order.copy()
        try:
            taken = order.take(given, self.late, self.clock)
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
        self.arena.used[held.row] = now
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
        if levels or one.unique_id in self.watch:
            work.p = tuple(sorted({*work.p, *levels, *(BAND if one.unique_id in self.watch else ())}))

    def _again(self, held: Held, number: int) -> Told:
        """Return the answer to an event that had been applied before, if it is still remembered."""
        seen = np.frombuffer(held.tail, dtype=self.event)
        at = np.flatnonzero((seen["seq"] == number) & (seen["flags"] & SKIPPED == 0))
        if not len(at):
            return Told(number, "repeated")
        one = seen[at[0]]
        nats = float(one["surprisal"])
        alarm = None if self.rule is None else bool(one["flags"] & ALARM)
        return Told(number, "repeated", None if np.isnan(nats) else nats, numbers(one["expected"]), alarm)

    def _advance(self, works: list[Work], p: tuple[float, ...], *, replay: bool = False) -> None:
        """Step the model through the events of some streams, and write states, histories and answers."""
        idx = np.array([work.held.row for work in works], dtype=np.int64)
        batch, alarms = self._stepped(idx, lambda state, last: self.form.step(works, state, last, p))
        if replay:
            for work, n in zip(works, batch.lengths.tolist(), strict=True):
                self.arena.steps[work.held.row] += n
        else:
            self._tell(works, batch, alarms, p)
            self._remember(works, batch, alarms, p)

    def _stepped(
        self, idx: NDArray[np.int64], step: Callable[[State, Array], Batch]
    ) -> tuple[Batch, NDArray[np.bool_]]:
        """Step the streams of some rows, keep their states, and return what was found with the alarms (N,)."""
        state, last, memory = self.state_of(idx)
        batch = step(state, last)
        alarms, memory = self._judge(batch, memory)
        self.arena.data[idx] = self.layout.pack([*(s.numpy() for s in batch.found.state), batch.last, memory])
        return batch, alarms

    def state_of(self, idx: NDArray[np.int64]) -> tuple[State, Array, Array]:
        """Return the states (B, ...), the last prices (B, 2, D) and the memory of the alarms (B, W) of some rows."""
        *state, last, memory = self.layout.unpack(self.arena.data[idx])
        return tuple(torch.from_numpy(part) for part in state), last, memory

    def _judge(self, batch: Batch, memory: Array) -> tuple[NDArray[np.bool_], Array]:
        """Return the alarms of all steps (N,), and what the rule remembers."""
        surprisal, lengths = batch.found.surprisal, batch.lengths
        alarms = np.zeros(len(surprisal), dtype=bool)
        if self.rule is None:
            return alarms, memory
        starts, memory = np.cumsum(lengths) - lengths, memory.copy()
        for t in range(int(lengths.max())):
            rows = np.flatnonzero(lengths > t)
            at = starts[rows] + t
            alarms[at], memory[rows] = self.rule.step(
                surprisal[at], batch.values[at], batch.found.expected[at], memory[rows]
            )
        return alarms, memory

    def _tell(self, works: list[Work], batch: Batch, alarms: NDArray[np.bool_], p: tuple[float, ...]) -> None:
        """Answer those who pushed the events of a batch."""
        at, ruled, form = 0, self.rule is not None, self.form
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
        found, seen = batch.found, self._events(batch, alarms)
        every: list[int] = []
        at, single = 0, len(seen) == sum(len(work.placed) for work in works)  # no event has several steps
        for work in works:
            for one in work.placed:
                n = 1 if single else self.form.steps(one)
                every.extend([one.seq] * n)
                if one.skipped:
                    seen["flags"][at : at + one.skipped] = SKIPPED
                at += n
                if one.ds is not None:
                    seen["ds"][at - 1] = as_int(one.ds)
        seen["seq"] = every
        raw, at, size = seen.tobytes(), 0, self.event.itemsize
        for work, n in zip(works, batch.lengths.tolist(), strict=True):
            held = work.held
            tail, block = held.tail + raw[at * size : (at + n) * size], held.block
            if len(tail) >= BLOCK * size:
                cut = len(tail) // size // BLOCK
                blocks = [tail[i * BLOCK * size : (i + 1) * BLOCK * size] for i in range(cut)]
                numbered = list(enumerate(blocks, block))
                # older ones would be deleted at once
                work.blocks = [*work.blocks, *numbered[-(self.history // BLOCK) :]]
                tail, block = tail[cut * BLOCK * size :], block + cut
            held.stand(held.steps + n, block, tail)
            if held.unique_id in self.watch:
                self.watch.note(held.unique_id, seen[at : at + n], found.quantiles[:, at : at + n], p)
            at += n
        if self.rule is not None and alarms.any():
            for work, many in zip(
                works, np.add.reduceat(alarms, np.cumsum(batch.lengths) - batch.lengths), strict=True
            ):
                self.arena.alarms[work.held.row] += int(many)

    def _events(self, batch: Batch, alarms: NDArray[np.bool_]) -> NDArray[Any]:
        """Return the steps of a batch as events of the history, without numbers and times, (N,); they are counted."""
        seen = np.zeros(len(batch.values), dtype=self.event)
        seen["y"], seen["surprisal"], seen["expected"] = batch.values, batch.found.surprisal, batch.found.expected
        seen["flags"], seen["ds"] = alarms, NO_TIME
        self.events += len(seen)
        self.alarms += int(alarms.sum())
        return seen

    def following(self, held: Held, push: Push) -> Next | None:
        """Return the distribution of the next event of a stream, as a push asks for it."""
        state, last, _ = self.state_of(np.array([held.row]))
        return self.form.following(held.unique_id, state, last, push)

    # what the store keeps

    def changes(self, works: Sequence[Work]) -> list[Change]:
        """Return what the store must keep of these streams; their versions move on."""
        parts = [works[first : first + _TOGETHER] for first in range(0, len(works), _TOGETHER)]
        return [one for part in parts for one in self._changes(part)]

    def _changes(self, works: Sequence[Work]) -> list[Change]:
        """Return what the store must keep of a few streams, whose records are made as one array."""
        arena, form, size, idx = self.arena, self.form, self.event.itemsize, [work.held.row for work in works]
        rows = np.zeros(len(works), dtype=self.record)
        rows["magic"], rows["model"] = np.void(form.symbols), np.void(self.digest[:16])
        for name in ("seq", "steps", "block"):
            rows[name] = getattr(arena, name)[idx]
        fill = arena.fill[idx]
        rows["width"], rows["tail"] = self.layout.width, fill * size
        rows["state"], rows["events"] = arena.data[idx], arena.tails[idx].reshape(len(works), -1)
        arena.version[idx] += 1
        raw, whole = rows.tobytes(), self.record.itemsize
        starts = np.arange(len(works)) * whole
        stops = starts + whole - (BLOCK - fill) * size
        keep = np.maximum(rows["block"] - self.history // BLOCK, 0)
        plain = [False] * len(works) if form.spelled else arena.plain[idx].tolist()
        columns = zip(
            works, starts.tolist(), stops.tolist(), arena.version[idx].tolist(), keep.tolist(), plain, strict=True
        )
        return [
            change(work, Record(version, raw[a:b] if short else raw[a:b] + work.held.order.to_bytes(form.spelled)), old)
            for work, a, b, version, old, short in columns
        ]


def change(work: Work, record: Record, keep: int) -> Change:
    """Return what a store is sent of a stream, which is then neither new nor wiped any more.

    Args:
        work: What was done to it.
        record: Its record.
        keep: The number of the oldest block that is still wanted.
    """
    held = work.held
    found = Change(held.unique_id, record, held.new, tuple(work.blocks), keep, work.wipe or held.wipe)
    if held.new or held.wipe:
        held.new = held.wipe = False
    return found
