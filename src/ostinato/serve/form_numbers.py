"""Streams of numbers: an event is one step of all channels."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, final

import numpy as np
from msgspec import UNSET
from numpy.typing import NDArray

from ostinato.errors import DataError
from ostinato.inference.alarm_rule import Alarms, evidence_name
from ostinato.numbers import counted
from ostinato.serve.form import Batch, StreamForm, given
from ostinato.serve.order import Placed
from ostinato.serve.schema import EventResult, Next, Push, numbers
from ostinato.serve.snapshot import NUMBERS
from ostinato.shapes import Array, State

if TYPE_CHECKING:
    from ostinato.serve.held import Asked, Work


@final
class NumberForm(StreamForm):
    """Streams of numbers: an event is one step of all channels."""

    symbols, name, has_quantiles = NUMBERS, "numbers", True

    def read(self, asked: Sequence[Asked]) -> list[Sequence[Any]]:
        """Return the values of each push: floats, or lists of D floats."""
        flat = [given(one.push) for one in asked]
        if self._model.channels == 1:
            try:
                whole = np.array([y for row in flat for y in row if type(y) is not str], dtype=np.float64)
                if whole.shape == (sum(map(len, flat)),) and not self._model.encoding.impossible(whole[:, None]).any():
                    every = iter(whole.tolist())
                    return [[next(every) for _ in row] for row in flat]
            except (TypeError, ValueError):
                pass
        return [self._checked(one, row) for one, row in zip(asked, flat, strict=True)]

    def _checked(self, one: Asked, row: list[Any]) -> list[Any]:
        """Return the values of one push; sets the outcome if one cannot be used."""
        channels, out = self._model.channels, []
        for i, y in enumerate(row):
            cells = [None] * channels if y is None else y if isinstance(y, list) else [y]
            what, fix = "", ""
            if any(isinstance(v, str) or v is UNSET for v in cells):
                what, fix = "the stream takes numbers, got text", "send y: 1.5, or y: null where a value is missing"
            elif len(cells) != channels:
                what = f"the event has {counted(len(cells), 'value')}, expected {channels}"
                fix = "give one value for each channel, in the order of the training data"
            else:
                found = np.array(cells, dtype=np.float64)
                if self._model.encoding.impossible(found[None])[0]:
                    what, fix = f"the model cannot take the value {y}", self._model.encoding.possible
                out.append(found.tolist() if channels > 1 else float(found[0]))
            if what:
                one.outcome = DataError(what, where=f"event {i + 1} of the push", fix=fix)
                return []
        return out

    def steps(self, one: Placed) -> int:
        """Return 1, and the number of steps that were left out."""
        return 1 + one.skipped

    def step(self, works: Sequence[Work], state: State, last: Array, p: tuple[float, ...]) -> Batch:
        """Step the model (see ``StreamForm.step``)."""
        channels = self._model.channels
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
        return self._stepped([work.held.unique_id for work in works], values, lengths, state, last, p)

    def columns(self, values: Sequence[Any]) -> Array | None:
        """Return values of one step each as an array (see ``StreamForm.columns``)."""
        if str in set(map(type, values)):
            return None
        try:
            found = np.array(values, dtype=np.float64).reshape(len(values), -1)
        except (TypeError, ValueError):
            return None
        usable = found.shape[1] == self._model.channels and not self._model.encoding.impossible(found).any()
        return found if usable else None

    def step_each(self, ids: Sequence[str], values: Array, state: State, last: Array) -> Batch:
        """Step the model once for each stream (see ``StreamForm.step_each``)."""
        return self._stepped(ids, values, np.ones(len(ids), dtype=np.int64), state, last, ())

    def _stepped(
        self,
        ids: Sequence[str],
        values: Array,
        lengths: NDArray[np.int64],
        state: State,
        last: Array,
        p: tuple[float, ...],
    ) -> Batch:
        before = last[:, 0] if self._rows.carries_price else None
        found = self._rows.step(ids, values, lengths, state, before, p)
        if self._rows.carries_price:
            last = self._prices(values, lengths, last)
        return Batch(values, lengths, found, last)

    @staticmethod
    def _prices(values: Array, lengths: NDArray[np.int64], last: Array) -> Array:
        """Return the last prices and the last that are observed, (B, 2, D)."""
        out, stops = last.copy(), np.cumsum(lengths)
        out[:, 0] = values[stops - 1]
        for b, (n, stop) in enumerate(zip(lengths.tolist(), stops.tolist(), strict=True)):
            block = np.concatenate([last[b, 1:], values[stop - n : stop]])
            for d, column in enumerate(block.T):
                seen = column[np.isfinite(column)]
                out[b, 1, d] = seen[-1] if len(seen) else np.nan
        return out

    def result_of(self, one: Placed, batch: Batch, alarms: Alarms, at: int) -> EventResult:
        """Return the result of an event (see ``StreamForm.result_of``)."""
        at += one.skipped
        nats = float(batch.found.surprisal[at])
        return EventResult(
            one.seq,
            "applied",
            None if math.isnan(nats) else nats,
            numbers(batch.found.expected[at]),
            bool(alarms[at]),
            one.skipped,
            evidence=evidence_name(int(alarms[at])),
        )

    def finite_results(self, batch: Batch) -> tuple[list[float], list[list[float | None]]] | None:
        """Return surprisals and expected values as lists (see ``StreamForm.finite_results``)."""
        found = batch.found
        finite = bool(np.isfinite(found.surprisal).all() and np.isfinite(found.expected).all())
        return (found.surprisal.tolist(), found.expected.tolist()) if finite else None

    def replayed(self, values: Array, spelled: str | None) -> list[Placed]:
        """Return an event for each row of values."""
        if spelled:
            return []
        rows = values.tolist() if values.shape[1] > 1 else values[:, 0].tolist()
        return [] if self._model.encoding.impossible(values).any() else [Placed(0, None, y, -1, 0) for y in rows]

    def following(self, unique_id: str, state: State, last: Array, push: Push) -> Next | None:
        """Return the quantiles of the next value."""
        if not push.next:
            return None
        before = last[:, 0] if self._rows.carries_price else None
        return Next([numbers(q[0]) for q in self._rows.ahead([unique_id], state, before, push.next)])
