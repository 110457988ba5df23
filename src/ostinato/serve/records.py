"""The records of streams: what the store keeps of them, and what comes back from it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import final

import numpy as np

from ostinato.serve.arena import Arena
from ostinato.serve.held import Held, Work
from ostinato.serve.order import Order
from ostinato.serve.served import Served
from ostinato.serve.snapshot import BLOCK, Snapshot, is_state_of, record_dtype
from ostinato.serve.store import Change, Record

#: The number of records that are made at once, such that they stay in the cache of a core.
_TOGETHER = 128


@final
class Records:
    """The records of the streams of one model.

    Args:
        served: The model.
        arena: The rows of the streams.
        history: The number of events of each stream that are kept.
    """

    def __init__(self, served: Served, arena: Arena, history: int) -> None:
        self._served, self._arena, self._history = served, arena, history
        self._dtype = record_dtype(served.layout.width, served.event.itemsize)

    def is_own(self, record: Record) -> bool:
        """Return whether the state of a record belongs to this model, and to its rule of alarms."""
        return is_state_of(record.data, self._served.digest, self._served.layout.width)

    def read(self, unique_id: str, record: Record) -> tuple[Held, Snapshot]:
        """Return the stream of a record, and the record; a stream of another model is at its start.

        Raises:
            DataError: The record cannot be read.
        """
        snapshot = Snapshot.from_bytes(record.data)
        order = Order.from_bytes(snapshot.seq, snapshot.extra, self._served.clock)
        held = Held(unique_id, self._arena, record.version, order, new=False)
        if self.is_own(record):
            held.stand(snapshot.steps, snapshot.block, snapshot.tail)
            self._arena.data[held.row] = np.frombuffer(snapshot.row, dtype=np.uint8)
        else:
            self._arena.data[held.row] = self._served.start
        return held, snapshot

    def snapshot(self, held: Held) -> Snapshot:
        """Return a stream at rest."""
        form, order = self._served.form, held.order
        return Snapshot(
            self._served.digest[:16],
            order.seq,
            held.steps,
            held.block,
            self._arena.data[held.row].tobytes(),
            held.tail,
            order.to_bytes(form.spelled),
            symbols=form.symbols,
        )

    def changes(self, works: Sequence[Work]) -> list[Change]:
        """Return what the store must keep of these streams; their versions move on."""
        parts = [works[first : first + _TOGETHER] for first in range(0, len(works), _TOGETHER)]
        return [one for part in parts for one in self._changes(part)]

    def _changes(self, works: Sequence[Work]) -> list[Change]:
        """Return what the store must keep of a few streams, whose records are made as one array."""
        arena, form, size = self._arena, self._served.form, self._served.event.itemsize
        idx = [work.held.row for work in works]
        rows = np.zeros(len(works), dtype=self._dtype)
        rows["magic"], rows["model"] = np.void(form.symbols), np.void(self._served.digest[:16])
        for name in ("seq", "steps", "block"):
            rows[name] = getattr(arena, name)[idx]
        fill = arena.fill[idx]
        rows["width"], rows["tail"] = self._served.layout.width, fill * size
        rows["state"], rows["events"] = arena.data[idx], arena.tails[idx].reshape(len(works), -1)
        arena.version[idx] += 1
        raw, whole = rows.tobytes(), self._dtype.itemsize
        starts = np.arange(len(works)) * whole
        stops = starts + whole - (BLOCK - fill) * size
        keep = np.maximum(rows["block"] - self._history // BLOCK, 0)
        plain = [False] * len(works) if form.spelled else arena.plain[idx].tolist()
        columns = zip(
            works, starts.tolist(), stops.tolist(), arena.version[idx].tolist(), keep.tolist(), plain, strict=True
        )
        return [
            _change(
                work, Record(version, raw[a:b] if short else raw[a:b] + work.held.order.to_bytes(form.spelled)), old
            )
            for work, a, b, version, old, short in columns
        ]


def _change(work: Work, record: Record, keep: int) -> Change:
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
