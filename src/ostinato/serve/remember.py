"""What is remembered of the events that were stepped: the history of each stream, and counts of all."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, final

import numpy as np
from numpy.typing import NDArray

from ostinato.inference.alarm_rule import Alarms
from ostinato.serve.arena import Arena, Index
from ostinato.serve.form import Batch
from ostinato.serve.held import Held, Work
from ostinato.serve.order import as_int
from ostinato.serve.schema import EventResult, numbers
from ostinato.serve.served import Served
from ostinato.serve.snapshot import BLOCK, SKIPPED, alarm_in, flags_of
from ostinato.serve.watch import Watch

#: No time in the history.
NO_TIME = np.iinfo(np.int64).min


@dataclass(slots=True)
class Counts:
    """The steps that were applied, and the alarms."""

    events: int = 0
    alarms: int = 0


@final
class Remember:
    """What keeps the histories of the streams in memory.

    Args:
        served: The model.
        arena: The rows of the streams.
        watch: The latest events of some streams, with their intervals.
        counts: What is counted.
        history: The number of events of each stream that are kept.
    """

    def __init__(self, served: Served, arena: Arena, watch: Watch, counts: Counts, history: int) -> None:
        self._arena, self._watch, self._counts, self._blocks = arena, watch, counts, history // BLOCK
        self._form, self._ruled, self._event = served.form, served.rule is not None, served.event

    def again(self, held: Held, number: int) -> EventResult:
        """Return the answer to an event that had been applied before, as far as it is still remembered."""
        seen = np.frombuffer(held.tail, dtype=self._event)
        at = np.flatnonzero((seen["seq"] == number) & (seen["flags"] & SKIPPED == 0))
        if not len(at):
            return EventResult(number, "repeated")
        one = seen[at[0]]
        nats = float(one["surprisal"])
        alarm, evidence = alarm_in(one["flags"]) if self._ruled else (None, None)
        known = None if np.isnan(nats) else nats
        return EventResult(number, "repeated", known, numbers(one["expected"]), alarm, evidence=evidence)

    def each(self, works: list[Work], idx: Index, batch: Batch, alarms: Alarms, now: float) -> Index:
        """Add one event to each of B streams, in the rows (B,), and return the numbers of these events (B,)."""
        arena = self._arena
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
        arena.alarms[idx] += alarms > 0
        return seq

    def along(self, works: Sequence[Work], batch: Batch, alarms: Alarms, p: tuple[float, ...]) -> None:
        """Add the events that were placed in some streams, whose quantiles in the batch are those at p."""
        seen = self._numbered(works, batch, alarms)
        raw, at, size = seen.tobytes(), 0, self._event.itemsize
        for work, n in zip(works, batch.lengths.tolist(), strict=True):
            held = work.held
            tail, block = held.tail + raw[at * size : (at + n) * size], held.block
            if len(tail) >= BLOCK * size:
                cut = len(tail) // size // BLOCK
                blocks = [tail[i * BLOCK * size : (i + 1) * BLOCK * size] for i in range(cut)]
                # older ones would be deleted at once
                work.blocks = [*work.blocks, *list(enumerate(blocks, block))[-self._blocks :]]
                tail, block = tail[cut * BLOCK * size :], block + cut
            held.stand(held.steps + n, block, tail)
            if held.unique_id in self._watch:
                self._watch.note(held.unique_id, seen[at : at + n], batch.found.quantiles[:, at : at + n], p)
            at += n
        if alarms.any():
            starts = np.cumsum(batch.lengths) - batch.lengths
            for work, many in zip(works, np.add.reduceat(alarms > 0, starts, dtype=np.int64).tolist(), strict=True):
                self._arena.alarms[work.held.row] += many

    def _numbered(self, works: Sequence[Work], batch: Batch, alarms: Alarms) -> NDArray[Any]:
        """Return the steps of a batch as events of the history with their numbers and times, (N,)."""
        seen = self._seen(batch, alarms)
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
        return seen

    def _seen(self, batch: Batch, alarms: Alarms) -> NDArray[Any]:
        """Count the steps of a batch, and return them as events of the history without numbers and times, (N,)."""
        seen = np.zeros(len(batch.values), dtype=self._event)
        seen["y"], seen["surprisal"], seen["expected"] = batch.values, batch.found.surprisal, batch.found.expected
        seen["flags"], seen["ds"] = flags_of(alarms), NO_TIME
        self._counts.events += len(seen)
        self._counts.alarms += int(np.count_nonzero(alarms))
        return seen
