"""Streams of another model: their histories are shown to this one, or they begin afresh."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ostinato.numbers import counted
from ostinato.serve.held import Held, Work
from ostinato.serve.order import Order, spelled_in
from ostinato.serve.served import Served
from ostinato.serve.snapshot import BLOCK, UNMARKED, Snapshot

_LOG = logging.getLogger("ostinato.serve")


def replays(
    served: Served,
    others: Sequence[tuple[Held, Snapshot]],
    blocks: Mapping[str, Sequence[tuple[int, bytes]]],
    *,
    most: int,
    replay: bool,
) -> list[Work]:
    """Bring streams of another model to this one, and return the events that lead each of them to its state.

    Args:
        served: This model.
        others: The streams, at their start, with their records.
        blocks: The full blocks of the history of each.
        most: The most events of each that are replayed.
        replay: Whether any are; otherwise all begin afresh.
    """
    works, lost = [], 0
    for held, snapshot in others:
        seen = _history(served, snapshot, [block for _, block in blocks.get(held.unique_id, ())])
        spelled = spelled_in(snapshot.extra)
        if seen is not None and (spelled or "") in {"", served.form.spelled}:
            held.stand(0, snapshot.block, snapshot.tail)
        else:
            held.wipe = True  # what follows has another form, and a history has one
        if seen is None:
            held.order = Order(snapshot.seq, held.order.clock)  # what waits has another form too
        if not replay:
            continue
        work = Work(held, [] if seen is None else served.form.replayed(seen["y"][-most:], spelled))
        if work.placed:
            works.append(work)
        elif seen is None or len(seen):
            lost += 1
    if lost:
        _LOG.warning(
            "%s afresh: the model, which reads %s, cannot read their history",
            counted(lost, "stream begins", "streams begin"),
            served.form.name,
        )
    return works


def _history(served: Served, snapshot: Snapshot, full: Sequence[bytes]) -> NDArray[Any] | None:
    """Return the history of a stream of another model as events; None if its symbols or its channels are others.

    Args:
        served: This model.
        snapshot: The record of the stream.
        full: The full blocks of its history.
    """
    size, tail = served.event.itemsize, snapshot.tail
    alike = len({snapshot.symbols, served.form.symbols} - {UNMARKED}) == 1
    if not alike or any(len(block) != BLOCK * size for block in full) or len(tail) % size:
        return None
    seen = np.frombuffer(b"".join(full) + tail, dtype=served.event)
    # one event of many channels may be as long as some of few, but its parts are not numbered as events are
    return seen if ((seen["seq"] > 0) & (seen["seq"] <= snapshot.seq)).all() else None
