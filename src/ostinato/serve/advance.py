"""The step of the model: the states of some rows of the arena go in and come out, with what was found and alarms."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeAlias, final

import numpy as np
import torch

from ostinato.inference.alarm_rule import Alarms
from ostinato.serve.arena import Arena, Index
from ostinato.serve.form import Batch
from ostinato.serve.held import Held, Work
from ostinato.serve.schema import Next, Push
from ostinato.serve.served import Served
from ostinato.shapes import Array, State

#: What the model found of some steps, and the alarms of the N steps, (N,).
Stepped: TypeAlias = tuple[Batch, Alarms]


@final
class Advance:
    """What steps the model for the rows of an arena.

    Args:
        served: The model.
        arena: The rows of the streams.
    """

    def __init__(self, served: Served, arena: Arena) -> None:
        self._arena = arena
        self._form, self._rule, self._layout = served.form, served.rule, served.layout

    def along(self, works: Sequence[Work], p: tuple[float, ...]) -> Stepped:
        """Step some streams through the events that are placed in them, with the quantiles of each at p."""
        idx = np.array([work.held.row for work in works], dtype=np.int64)
        return self._stepped(idx, lambda state, last: self._form.step(works, state, last, p))

    def each(self, ids: Sequence[str], idx: Index, values: Array) -> Stepped:
        """Step each of B streams once, in the rows (B,), with values (B, D)."""
        return self._stepped(idx, lambda state, last: self._form.step_each(ids, values, state, last))

    def state_of(self, idx: Index) -> tuple[State, Array, Array]:
        """Return the states (B, ...), the last prices (B, 2, D) and the memory of the alarms (B, W) of some rows."""
        *state, last, memory = self._layout.unpack(self._arena.data[idx])
        return tuple(torch.from_numpy(part) for part in state), last, memory

    def following(self, held: Held, push: Push) -> Next | None:
        """Return the distribution of the next event of a stream, as a push asks for it."""
        state, last, _ = self.state_of(np.array([held.row]))
        return self._form.following(held.unique_id, state, last, push)

    def _stepped(self, idx: Index, step: Callable[[State, Array], Batch]) -> Stepped:
        state, last, memory = self.state_of(idx)
        batch = step(state, last)
        alarms, memory = self._judged(batch, memory)
        self._arena.data[idx] = self._layout.pack([*(s.numpy() for s in batch.found.state), batch.last, memory])
        return batch, alarms

    def _judged(self, batch: Batch, memory: Array) -> tuple[Alarms, Array]:
        """Return the alarms of all steps (N,), and what the rule remembers, (B, W)."""
        surprisal, lengths = batch.found.surprisal, batch.lengths
        alarms = np.zeros(len(surprisal), dtype=np.uint8)
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
