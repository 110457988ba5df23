"""The streams of one model in memory: their states as the rows of one array, stepped together. No web, and no waiting.

A cycle is ``missing`` (which streams the store must be asked for), ``bring`` (take them in), ``step`` (apply pushes) and
then ``saved`` or ``forget``: until a step is saved nothing is answered, and what could not be saved is forgotten.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, final

import numpy as np
import torch
from msgspec import UNSET
from numpy.typing import NDArray

from ostinato.errors import ConfigError, DataError, OstinatoError
from ostinato.forecasting.table import ends
from ostinato.inference.alarm_rule import AlarmRule
from ostinato.inference.clock import Clock
from ostinato.inference.live.rows import Rows, Stepped
from ostinato.model import SequenceModel
from ostinato.serve.arena import Arena
from ostinato.serve.order import Given, Order, Placed, as_int
from ostinato.serve.schema import Event, Push, Result, Told, numbers
from ostinato.serve.snapshot import ALARM, BLOCK, SKIPPED, Layout, Snapshot, history_dtype, model_digest
from ostinato.serve.store import Change, Record
from ostinato.serve.watch import BAND, Watch

Array = NDArray[np.float64]
#: No time in the history.
NO_TIME = np.iinfo(np.int64).min
#: The longest id in bytes of UTF-8.
LONGEST_ID = 256


@final
class Held:
    """One stream in memory.

    Attributes:
        unique_id: Its id.
        row: Its row in the arena.
        version: The version of its record in the store.
        new: Whether the store does not have it yet.
        order: Where it is among its events.
        steps: The number of steps of the model.
        block: The number of the next block of the history.
        tail: The events since the last full block.
        used: When it was used last, in seconds.
        alarms: The number of alarms since it is in memory.
    """

    __slots__ = ("alarms", "block", "new", "order", "row", "steps", "tail", "unique_id", "used", "version")

    def __init__(self, unique_id: str, row: int, version: int, order: Order, *, new: bool) -> None:
        self.unique_id, self.row, self.version, self.order, self.new = unique_id, row, version, order, new
        self.steps = self.block = self.alarms = 0
        self.tail, self.used = b"", 0.0


@dataclass(slots=True)
class Asked:
    """A push on its way.

    Attributes:
        unique_id: The stream.
        push: What was sent.
        outcome: The answer, or why it was refused; None until it is stepped.
        placed: The events that are applied.
        repeated: The places and numbers of the events that had been applied before.
    """

    unique_id: str
    push: Push
    outcome: Result | OstinatoError | None = None
    placed: list[Placed] = field(default_factory=list)
    repeated: list[tuple[int, int]] = field(default_factory=list)


@dataclass(slots=True)
class Work:
    """The steps of one stream in a batch: the places in the batch, and who asked for each."""

    held: Held
    placed: list[Placed] = field(default_factory=list)
    owners: list[Asked | None] = field(default_factory=list)
    blocks: list[tuple[int, bytes]] = field(default_factory=list)
    p: tuple[float, ...] = ()


def check_id(unique_id: str) -> str:
    """Return the id of a stream.

    Raises:
        DataError: It is empty, too long, or has control characters.
    """
    try:
        size = len(unique_id.encode())
    except UnicodeEncodeError as error:
        raise DataError("the id of the stream is no valid Unicode", fix="send UTF-8") from error
    if not 1 <= size <= LONGEST_ID:
        raise DataError(
            f"the id of the stream has {size:,} bytes, expected 1 to {LONGEST_ID}", fix="give the stream a shorter name"
        )
    if not unique_id.isprintable():
        raise DataError("the id of the stream has control characters", fix="use letters, digits and signs")
    return unique_id


@final
class Streams:
    """The streams of one model.

    Args:
        model: The model.
        rule: What gives an alarm; None for no alarms.
        late: The number of events or steps that may be missing while later ones wait for them.
        history: The number of events of each stream that are kept to be replayed into a new model.
        replay: Whether a stream of another model has its history replayed; otherwise it begins afresh.
    """

    def __init__(
        self,
        model: SequenceModel,
        rule: AlarmRule | None = None,
        *,
        late: int = 0,
        history: int = 512,
        replay: bool = True,
    ) -> None:
        self.late, self.history, self.replay = late, history, replay
        self.resident: dict[str, Held] = {}
        self.watch = Watch()
        self.events = self.alarms = 0
        self.use(model, rule)

    def use(self, model: SequenceModel, rule: AlarmRule | None) -> None:
        """Go on with this model. All streams leave memory: the store must have them."""
        self.model, self.rule, self.rows = model.likelihood("serve streams").eval(), rule, Rows(model)
        self.digest = model_digest(model)
        self.numeric = model.description.traits.numeric
        self.clock = Clock(model.description.source)
        state = self.rows.start(1)
        self._tensors = len(state)
        parts = [(f"state_{i}", s.numpy().dtype, tuple(s.shape[1:])) for i, s in enumerate(state)]
        self.alarm_width = 0 if rule is None else rule.width
        parts += [("last", np.dtype("<f8"), (model.channels,) if self.rows.carries_price else (0,))]
        parts += [("alarm", np.dtype("<f8"), (self.alarm_width,))]
        self.layout = Layout(parts)
        last = np.full((1, model.channels if self.rows.carries_price else 0), np.nan)
        memory = np.zeros((1, 0)) if rule is None else rule.start()[None]
        self._start = self.layout.pack([*(s.numpy() for s in state), last, memory])
        self.arena = Arena(self.layout.width)
        self._event = history_dtype(model.channels)
        self.resident = {}

    # streams come and go

    def missing(self, ids: Iterable[str]) -> list[str]:
        """Return which of these streams are not in memory, each once."""
        return list(dict.fromkeys(key for key in ids if key not in self.resident))

    def bring(self, ids: Sequence[str], found: dict[str, Record], blocks: dict[str, list[tuple[int, bytes]]]) -> None:
        """Take streams into memory: those that the store has, and new ones.

        Args:
            ids: The streams.
            found: The records of those that the store has.
            blocks: The blocks of the history of those that belong to another model, if they are to be replayed.
        """
        other: list[tuple[Held, Snapshot]] = []
        for key in ids:
            record = found.get(key)
            if record is None:
                held = Held(key, self.arena.take(), time.time_ns() - 1, Order(), new=True)
                self.arena.data[held.row] = self._start[0]
            else:
                held = self._restored(key, record, other)
            self.resident[key] = held
        if other:
            self._convert(other, blocks)

    def _restored(self, key: str, record: Record, other: list[tuple[Held, Snapshot]]) -> Held:
        """Return the stream of a record; one of another model is added to ``other``."""
        snapshot = Snapshot.from_bytes(record.data)
        order = Order.from_bytes(snapshot.seq, snapshot.extra, self.clock)
        held = Held(key, self.arena.take(), record.version, order, new=False)
        held.steps, held.block, held.tail = snapshot.steps, snapshot.block, snapshot.tail
        row = np.frombuffer(snapshot.row, dtype=np.uint8)
        if snapshot.model != self.digest[:16] or len(row) != self.layout.width:
            self.arena.data[held.row] = self._start[0]
            other.append((held, snapshot))
        else:
            self.arena.data[held.row] = row
        return held

    def foreign(self, found: dict[str, Record]) -> list[str]:
        """Return the streams among these records whose state belongs to another model."""
        return [key for key, record in found.items() if record.data[4:20] != self.digest[:16]]

    def _convert(self, other: list[tuple[Held, Snapshot]], blocks: dict[str, list[tuple[int, bytes]]]) -> None:
        """Bring streams of another model to this one: their history is replayed, or they begin afresh."""
        works, channels = [], self.model.channels
        for held, snapshot in other:
            held.steps = 0
            raw = b"".join(block for _, block in blocks.get(held.unique_id, [])) + snapshot.tail
            if not self.replay or len(raw) % self._event.itemsize:
                continue  # the events of a model with other channels say nothing to this one
            seen = np.frombuffer(raw, dtype=self._event)[-self.history :]
            if len(seen) and not self.model.encoding.impossible(seen["y"]).any():
                work = Work(held)
                work.placed = [
                    Placed(0, None, y if channels > 1 or self.numeric else chr(int(y[0])), -1, 0) for y in seen["y"]
                ]
                works.append(work)
        for work in works:
            work.owners = [None] * len(work.placed)
        if works:
            self._advance(works, ())

    def forget(self, ids: Iterable[str]) -> None:
        """Let streams leave memory, without a word to the store."""
        for key in ids:
            held = self.resident.pop(key, None)
            if held is not None:
                self.arena.give(held.row)

    def forget_empty(self, ids: Iterable[str]) -> None:
        """Let streams leave memory that have taken in nothing: all that was sent to them was refused."""
        for key in ids:
            held = self.resident.get(key)
            if held is not None and held.new and not held.order.seq and not held.order.waiting:
                self.forget([key])

    def idle(self, most: int) -> list[str]:
        """Return the streams that have been idle for longest, so that ``most`` remain in memory."""
        over = len(self.resident) - most
        if over <= 0:
            return []
        # a tenth more than needed, so that this is rare
        ranked = sorted(self.resident.values(), key=lambda held: held.used)
        return [held.unique_id for held in ranked[: over + most // 10]]

    # pushes

    def step(self, asked: Sequence[Asked]) -> list[Work]:
        """Apply pushes, whose streams are all in memory, in their order; each gets its outcome.

        Returns:
            What was done to each stream that changed.
        """
        values, now = self._values(asked), time.monotonic()
        works: dict[str, Work] = {}
        for one, rows in zip(asked, values, strict=True):
            if one.outcome is None:
                self._place(one, rows, works, now)
        done = list(works.values())
        groups: dict[tuple[float, ...], list[Work]] = {}
        for work in done:
            if work.placed:
                groups.setdefault(work.p, []).append(work)
        for p, some in groups.items():
            self._advance(some, p)
        for one in asked:
            if isinstance(one.outcome, Result):
                for place, number in one.repeated:
                    one.outcome.events[place] = self._again(self.resident[one.unique_id], number)
        return done

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
        told: list[Told] = [Told(0, "applied")] * len(events)
        one.repeated = taken.repeated
        for place, number in taken.held:
            told[place] = Told(number, "held")
        one.outcome, one.placed = Result(one.unique_id, order.seq, told), taken.placed
        held.used = now
        if not taken.placed and not taken.held:
            return  # nothing changed
        held.order = order
        work = works.get(one.unique_id)
        if work is None:
            work = works[one.unique_id] = Work(held)
        work.placed += taken.placed
        work.owners += [one] * len(taken.placed)
        if levels or one.unique_id in self.watch:
            work.p = tuple(sorted({*work.p, *levels.values(), *(BAND if one.unique_id in self.watch else ())}))

    def _again(self, held: Held, number: int) -> Told:
        """Return the answer to an event that had been applied before, if it is still remembered."""
        seen = np.frombuffer(held.tail, dtype=self._event)
        at = np.flatnonzero((seen["seq"] == number) & (seen["flags"] & SKIPPED == 0))
        if not len(at):
            return Told(number, "repeated")
        one = seen[at[0]]
        nats = float(one["surprisal"])
        alarm = None if self.rule is None else bool(one["flags"] & ALARM)
        return Told(number, "repeated", None if np.isnan(nats) else nats, numbers(one["expected"]), alarm)

    def _values(self, asked: Sequence[Asked]) -> list[Sequence[Any]]:
        """Return the values of each push, (T, D) each, or text; those that cannot be used are refused."""
        if not self.numeric:
            return [self._texts(one) for one in asked]
        flat = [[one.push.y] if one.push.events is UNSET else [e.y for e in one.push.events] for one in asked]
        if self.model.channels == 1:
            try:
                whole = np.array([y for row in flat for y in row if type(y) is not str], dtype=np.float64)
                if len(whole) == sum(map(len, flat)) and not self.model.encoding.impossible(whole[:, None]).any():
                    cuts = np.cumsum([len(row) for row in flat])[:-1]
                    return [part.tolist() for part in np.split(whole, cuts)] if len(flat) > 1 else [whole.tolist()]
            except (TypeError, ValueError):
                pass
        return [self._checked(one, row) for one, row in zip(asked, flat, strict=True)]

    def _checked(self, one: Asked, row: list[Any]) -> list[Any]:
        """Return the values of one push; sets the outcome if one cannot be used."""
        D, out = self.model.channels, []
        for i, y in enumerate(row):
            cells = y if isinstance(y, list) else [y]
            where = f"event {i + 1} of the push"
            if any(isinstance(v, str) or v is UNSET for v in cells):
                one.outcome = DataError(
                    "the stream is numbers, got text or nothing", where=where, fix="send y: 1.5, or y: null"
                )
                return []
            if y is None:
                cells = [None] * D
            if len(cells) != D:
                one.outcome = DataError(
                    f"the event has {len(cells)} values, expected {D}",
                    where=where,
                    fix="give one value for each channel, in the order of the training data",
                )
                return []
            found = np.array(cells, dtype=np.float64)
            if self.model.encoding.impossible(found[None])[0]:
                one.outcome = DataError(
                    f"the model cannot take the value {y}", where=where, fix=self.model.encoding.possible
                )
                return []
            out.append(found.tolist() if D > 1 else float(found[0]))
        return out

    def _texts(self, one: Asked) -> list[Any]:
        """Return the texts of one push; sets the outcome if one cannot be used."""
        row = [one.push.y] if one.push.events is UNSET else [e.y for e in one.push.events]
        for y in row:
            if not isinstance(y, str) or not y:
                one.outcome = DataError("the stream is text, got none", fix='send y: "text"')
                return []
            try:
                self.model.encoding.lines(y)
            except OstinatoError as error:
                one.outcome = error
                return []
        return row

    def _advance(self, works: list[Work], p: tuple[float, ...]) -> None:
        """Step the model through the events of some streams, and write states, histories and answers."""
        step = self._step_numbers if self.numeric else self._step_text
        idx = np.array([work.held.row for work in works], dtype=np.int64)
        parts = self.layout.unpack(self.arena.data[idx])
        state = tuple(torch.from_numpy(part) for part in parts[: self._tensors])
        step(works, p, idx, state, parts[-2], parts[-1])

    def _step_numbers(
        self, works: list[Work], p: tuple[float, ...], idx: NDArray[np.int64], state: Any, last: Array, memory: Array
    ) -> None:
        channels = self.model.channels
        cells: list[Any] = []
        lengths = np.empty(len(works), dtype=np.int64)
        none: Any = float("nan") if channels == 1 else [float("nan")] * channels
        for b, work in enumerate(works):
            before = len(cells)
            for one in work.placed:
                if one.skipped:
                    cells.extend([none] * one.skipped)
                cells.append(one.y)
            lengths[b] = len(cells) - before
        values = np.array(cells, dtype=np.float64).reshape(-1, channels)
        found = self.rows.step([work.held.unique_id for work in works], values, lengths, state, last, p)
        alarms, memory = self._judge(found.surprisal, lengths, memory)
        if self.rows.carries_price:
            last = values[np.cumsum(lengths) - 1]
        self.arena.data[idx] = self.layout.pack([*(s.numpy() for s in found.state), last, memory])
        self._write(works, values, lengths, found, alarms, p)

    def _judge(self, surprisal: Array, lengths: NDArray[np.int64], memory: Array) -> tuple[NDArray[np.bool_], Array]:
        """Return the alarms of all steps (N,), and what the rule remembers."""
        alarms = np.zeros(len(surprisal), dtype=bool)
        if self.rule is None:
            return alarms, memory
        starts, memory = np.cumsum(lengths) - lengths, memory.copy()
        for t in range(int(lengths.max())):
            rows = np.flatnonzero(lengths > t)
            alarms[starts[rows] + t], memory[rows] = self.rule.step(surprisal[starts[rows] + t], memory[rows])
        return alarms, memory

    def _write(
        self,
        works: list[Work],
        values: Array,
        lengths: NDArray[np.int64],
        found: Stepped,
        alarms: NDArray[np.bool_],
        p: tuple[float, ...],
    ) -> None:
        """Write histories, and the answers of those who asked."""
        seen = np.zeros(len(values), dtype=self._event)
        seen["y"], seen["surprisal"], seen["expected"] = values, found.surprisal, found.expected
        seen["flags"] = alarms
        seen["ds"] = NO_TIME
        nats, expected = found.surprisal.tolist(), found.expected
        clean = bool(np.isfinite(found.surprisal).all() and np.isfinite(expected).all())
        means = expected.tolist() if clean else [numbers(row) for row in expected]
        flags, size, at = alarms.tolist(), self._event.itemsize, 0
        ruled = self.rule is not None
        numbers_of, times, missed = [], [], []
        for work in works:
            for one, owner in zip(work.placed, work.owners, strict=True):
                if one.skipped:
                    missed.append((at, one.skipped))
                    numbers_of.extend([one.seq] * one.skipped)
                    at += one.skipped
                numbers_of.append(one.seq)
                if one.ds is not None:
                    times.append((at, as_int(one.ds)))
                if owner is not None and isinstance(owner.outcome, Result):
                    told = Told(
                        one.seq,
                        "applied",
                        nats[at] if clean or nats[at] == nats[at] else None,  # noqa: PLR0124
                        means[at],
                        flags[at] if ruled else None,
                        one.skipped,
                        self._intervals(owner, found, p, at) if p else None,
                    )
                    if one.place < 0:
                        owner.outcome.released = [*owner.outcome.released, told]
                    else:
                        owner.outcome.events[one.place] = told
                at += 1
        seen["seq"] = numbers_of
        for place, time_ in times:
            seen["ds"][place] = time_
        for place, many in missed:
            seen["flags"][place : place + many] = SKIPPED
        raw, at = seen.tobytes(), 0
        self.events += len(values)
        self.alarms += int(alarms.sum())
        for b, work in enumerate(works):
            held, n = work.held, int(lengths[b])
            held.steps += n
            if work.owners[0] is None and work.placed[0].seq == 0:
                at += n  # a replay: the history has these already
                continue
            held.tail += raw[at * size : (at + n) * size]
            while len(held.tail) >= BLOCK * size:
                work.blocks.append((held.block, held.tail[: BLOCK * size]))
                held.tail, held.block = held.tail[BLOCK * size :], held.block + 1
            if held.unique_id in self.watch:
                self.watch.note(held.unique_id, seen[at : at + n], found.quantiles[:, at : at + n], p)
            at += n

    def _intervals(
        self, owner: Asked, found: Stepped, p: tuple[float, ...], at: int
    ) -> dict[str, list[float | None]] | None:
        """Return the ends of the intervals that a push asked for."""
        if not owner.push.level:
            return None
        wanted = ends("", tuple(owner.push.level))
        return {name.removeprefix("-"): numbers(found.quantiles[p.index(q), at]) for name, q in wanted.items()}

    # what the store keeps

    def changes(self, works: Sequence[Work]) -> list[Change]:
        """Return what the store must keep of these streams; their versions move on."""
        raw = self.arena.data[[work.held.row for work in works]].tobytes()
        width, model, out = self.layout.width, self.digest[:16], []
        for b, work in enumerate(works):
            held = work.held
            held.version += 1
            row = raw[b * width : (b + 1) * width]
            snapshot = Snapshot(model, held.order.seq, held.steps, held.block, row, held.tail, held.order.to_bytes())
            keep = held.block - self.history // BLOCK
            out.append(
                Change(
                    held.unique_id,
                    Record(held.version, snapshot.to_bytes()),
                    held.new,
                    tuple(work.blocks),
                    max(keep, 0),
                )
            )
            held.new = False
        return out
