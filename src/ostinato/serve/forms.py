"""What differs between streams of numbers and of text: how values are read, stepped and told."""

from __future__ import annotations

import hashlib
import math
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, final

import numpy as np
from msgspec import UNSET
from numpy.typing import NDArray

from ostinato.data.spelling import Spelling, fixed_spelling, spelling_of
from ostinato.errors import DataError, OstinatoError
from ostinato.inference.live.rows import Rows, Stepped
from ostinato.numbers import counted
from ostinato.serve.order import Placed
from ostinato.serve.schema import Next, Push, Told, numbers
from ostinato.serve.snapshot import NUMBERS, TEXT
from ostinato.shapes import State

if TYPE_CHECKING:
    from ostinato.serve.held import Asked, Work

Array = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Batch:
    """The steps of some streams, joined end to end.

    Attributes:
        values: The raw values, (N, D).
        lengths: The number of steps of each stream, (B,).
        found: What the model says of them, and the states after them.
        last: The last prices, and the last that are observed, (B, 2, D); (B, 2, 0) without prices.
    """

    values: Array
    lengths: NDArray[np.int64]
    found: Stepped
    last: Array


class Form(ABC):
    """How the values of a kind of stream are read, stepped and told.

    Args:
        rows: The steps of the model.

    Attributes:
        spelled: The spelling of the points in a history; empty for numbers.
        symbols: The mark of what a history holds.
        name: The same in words.
    """

    symbols: bytes
    name: str

    def __init__(self, rows: Rows) -> None:
        self._rows, self._model = rows, rows.model
        self.spelled = ""

    @abstractmethod
    def read(self, asked: Sequence[Asked]) -> list[Sequence[Any]]:
        """Return the values of each push; one whose values cannot be used gets its outcome."""

    @abstractmethod
    def steps(self, one: Placed) -> int:
        """Return the number of steps of an event, with those that its time leaves out before it."""

    @abstractmethod
    def step(self, works: Sequence[Work], state: State, last: Array, p: tuple[float, ...]) -> Batch:
        """Step the model through the events of some streams."""

    def columns(self, values: Sequence[Any]) -> Array | None:
        """Return values of one step each as an array (B, D); None if some cannot be used, or are no such steps."""
        return None

    def step_each(self, ids: Sequence[str], values: Array, state: State, last: Array) -> Batch:
        """Step the model once for each of B streams, with values (B, D) that ``columns`` made."""
        raise NotImplementedError

    @abstractmethod
    def told(self, one: Placed, batch: Batch, alarms: NDArray[np.bool_], at: int) -> Told:
        """Return what the model says of an event whose steps begin at a place of the batch."""

    def told_simply(self, batch: Batch) -> tuple[list[float], list[list[float | None]]] | None:
        """Return surprisals and expected values as lists, if each step is an event and all are finite; or None."""
        return None

    @abstractmethod
    def replayed(self, values: Array, spelled: str | None) -> list[Placed]:
        """Return the events that lead to the values (T, D) of a history; none if the model cannot read it.

        Args:
            values: The values.
            spelled: The spelling that they were written in, as ``spelled`` has it; None if they are numbers or
                unknown.
        """

    @abstractmethod
    def following(self, unique_id: str, state: State, last: Array, push: Push) -> Next | None:
        """Return the distribution of the next event, as a push asks for it."""


def _spelled(spelling: Spelling) -> str:
    """Return the name of a spelling; pieces have a digest too, since two models seldom have the same."""
    pieces: str = spelling.to_json().get("document", "")
    return f"{spelling.name}:{hashlib.sha256(pieces.encode()).hexdigest()[:16]}" if pieces else spelling.name


def given(push: Push) -> list[Any]:
    """Return the values of a push as they were sent."""
    return [push.y] if push.events is UNSET else [event.y for event in push.events]


@final
class NumberForm(Form):
    """Streams of numbers: an event is one step of all channels."""

    symbols, name = NUMBERS, "numbers"

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
                what, fix = "the stream is numbers, got text", "send y: 1.5, or y: null where a value is missing"
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
        """Step the model (see ``Form.step``)."""
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
        """Return values of one step each as an array (see ``Form.columns``)."""
        if str in set(map(type, values)):
            return None
        try:
            found = np.array(values, dtype=np.float64).reshape(len(values), -1)
        except (TypeError, ValueError):
            return None
        usable = found.shape[1] == self._model.channels and not self._model.encoding.impossible(found).any()
        return found if usable else None

    def step_each(self, ids: Sequence[str], values: Array, state: State, last: Array) -> Batch:
        """Step the model once for each stream (see ``Form.step_each``)."""
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

    def told(self, one: Placed, batch: Batch, alarms: NDArray[np.bool_], at: int) -> Told:
        """Return what the model says of an event (see ``Form.told``)."""
        at += one.skipped
        nats = float(batch.found.surprisal[at])
        return Told(
            one.seq,
            "applied",
            None if math.isnan(nats) else nats,
            numbers(batch.found.expected[at]),
            bool(alarms[at]),
            one.skipped,
        )

    def told_simply(self, batch: Batch) -> tuple[list[float], list[list[float | None]]] | None:
        """Return surprisals and expected values as lists (see ``Form.told_simply``)."""
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


@final
class TextForm(Form):
    """Streams of text: an event is one or more characters, and its surprisal is that of all together."""

    symbols, name = TEXT, "text"

    def __init__(self, rows: Rows) -> None:
        super().__init__(rows)
        self._spelling = spelling_of(self._model.description.source)
        self.spelled = _spelled(self._spelling)

    def read(self, asked: Sequence[Asked]) -> list[Sequence[Any]]:
        """Return the texts of each push."""
        return [self._checked(one) for one in asked]

    def _checked(self, one: Asked) -> list[Any]:
        """Return the texts of one push; sets the outcome if one cannot be used."""
        row = given(one.push)
        for i, y in enumerate(row):
            try:
                if not isinstance(y, str) or not y:
                    raise DataError("the stream is text, got none", fix='send y: "text"')
                self._model.encoding.lines(y)
            except OstinatoError as error:
                one.outcome = DataError(error.what, where=f"event {i + 1} of the push", fix=error.fix)
                return []
        return row

    def steps(self, one: Placed) -> int:
        """Return the number of characters, with the ends of lines if they are events."""
        return sum(len(points) + ends for points, ends in self._model.encoding.lines(one.y))

    def step(self, works: Sequence[Work], state: State, last: Array, p: tuple[float, ...]) -> Batch:
        """Step the model line by line, the lines of all streams together (see ``Form.step``)."""
        lines = [[line for one in work.placed for line in self._model.encoding.lines(one.y)] for work in works]
        lines = [[(points, ends) for points, ends in some if len(points) or ends] for some in lines]
        state = tuple(s.clone() for s in state)
        parts: list[list[tuple[Array, Array, Array]]] = [[] for _ in works]
        for turn in range(max(map(len, lines))):
            for ends in (False, True):
                rows = [b for b, some in enumerate(lines) if len(some) > turn and some[turn][1] == ends]
                if not rows:
                    continue
                points = [lines[b][turn][0] for b in rows]
                lengths = np.array([len(one) for one in points], dtype=np.int64)
                found = self._rows.step(
                    [works[b].held.unique_id for b in rows],
                    np.concatenate(points),
                    lengths,
                    tuple(s[rows] for s in state),
                    ends=ends,
                )
                after = found.state  # a line that ended is a sequence; what an adaptive model has learned stays
                if ends:
                    after = self._model.next_sequence(after)
                for whole, part in zip(state, after, strict=True):
                    whole[rows] = part
                at = 0
                for b, one in zip(rows, points, strict=True):
                    n = len(one) + ends
                    y = np.concatenate([one[:, 0].astype(np.float64), [-1.0] * ends])[:, None]
                    parts[b].append((y, found.surprisal[at : at + n], found.expected[at : at + n]))
                    at += n
        joined = [part for some in parts for part in some]
        values, surprisal, expected = (np.concatenate([part[i] for part in joined]) for i in range(3))
        counts = np.array([sum(len(y) for y, _, _ in some) for some in parts], dtype=np.int64)
        return Batch(values, counts, Stepped(surprisal, expected, np.zeros((0, len(values), 1)), state), last)

    def told(self, one: Placed, batch: Batch, alarms: NDArray[np.bool_], at: int) -> Told:
        """Return what the model says of a text (see ``Form.told``)."""
        span = slice(at, at + self.steps(one))
        points = batch.found.expected[span, 0].tolist()
        expected = "".join("\n" if point < 0 else self._spelling.text([int(point)]) for point in points)
        return Told(one.seq, "applied", float(batch.found.surprisal[span].sum()), expected, bool(alarms[span].any()))

    def replayed(self, values: Array, spelled: str | None) -> list[Placed]:
        """Return one event that holds the whole text."""
        spelling = self._spelling
        if spelled is not None and spelled != self.spelled:
            found = fixed_spelling(spelled)
            if found is None:
                return []
            spelling = found
        # earlier releases wrote no mark, but a value that is no symbol is a number
        if not (np.isfinite(values) & (values == np.rint(values)) & (values >= -1) & (values < 2**31)).all():
            return []
        # the end of a line is -1, and before that it was 10, which is a newline of characters and bytes
        points = values[:, 0].astype(np.int64)
        lines = np.split(points, np.flatnonzero(points < 0))
        text = "\n".join(spelling.text(line[line >= 0].tolist()) for line in lines)
        return [Placed(0, None, text, -1, 0)] if text else []

    def following(self, unique_id: str, state: State, last: Array, push: Push) -> Next | None:
        """Return the likeliest next characters; the end of a line is a newline."""
        if not push.top:
            return None
        points, word = self._model.encoding.vocabulary(), self._spelling.text
        found = self._rows.likeliest(state, push.top)[0]
        return Next(top=[["\n" if points[s] < 0 else word([points[s]]), p] for s, p in found])
