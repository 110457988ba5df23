"""Streams of text: an event is one or more characters, and its surprisal is that of all together."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, final

import numpy as np
from msgspec import UNSET

from ostinato.data.spelling import Spelling, fixed_spelling, spelling_of
from ostinato.errors import DataError, OstinatoError
from ostinato.inference.alarm_rule import Alarms, evidence_name
from ostinato.inference.live.rows import Rows, Stepped
from ostinato.serve.form import Batch, StreamForm, given
from ostinato.serve.order import Placed
from ostinato.serve.schema import EventResult, Next, Push
from ostinato.serve.snapshot import TEXT
from ostinato.shapes import Array, State

if TYPE_CHECKING:
    from ostinato.serve.held import Asked, Work


@final
class TextForm(StreamForm):
    """Streams of text: an event is one or more characters, and its surprisal is that of all together."""

    symbols, name, has_quantiles = TEXT, "text", False

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
                    raise DataError(f"the stream takes text, got {_kind(y)}", fix='send y: "text"')
                self._model.encoding.lines(y)
            except OstinatoError as error:
                one.outcome = DataError(error.what, where=f"event {i + 1} of the push", fix=error.fix)
                return []
        return row

    def steps(self, one: Placed) -> int:
        """Return the number of characters, with the ends of lines if they are events."""
        return sum(len(points) + ends for points, ends in self._model.encoding.lines(one.y))

    def step(self, works: Sequence[Work], state: State, last: Array, p: tuple[float, ...]) -> Batch:
        """Step the model line by line, the lines of all streams together (see ``StreamForm.step``)."""
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

    def result_of(self, one: Placed, batch: Batch, alarms: Alarms, at: int) -> EventResult:
        """Return the result of a text (see ``StreamForm.result_of``)."""
        span = slice(at, at + self.steps(one))
        expected = "".join(map(self._text, batch.found.expected[span, 0].tolist()))
        which = next((k for k in alarms[span].tolist() if k), 0)
        return EventResult(
            one.seq,
            "applied",
            float(batch.found.surprisal[span].sum()),
            expected,
            which > 0,
            evidence=evidence_name(which),
        )

    def shown(self, event: dict[str, Any]) -> dict[str, Any]:
        """Return an event of a history with the text of its value, and of what was expected."""
        text, expected = (None if point is None else self._text(point) for (point,) in (event["y"], event["expected"]))
        return event | {"text": text, "expected_text": expected}

    def _text(self, point: float) -> str:
        """Return the text of a point; the end of a line is a newline."""
        return "\n" if point < 0 else self._spelling.text([int(point)])

    def replayed(self, values: Array, spelled: str | None) -> list[Placed]:
        """Return one event that holds the whole text."""
        spelling = self._spelling
        if spelled is not None and spelled != self.spelled:
            found = fixed_spelling(spelled)
            if found is None:
                return []
            spelling = found
        # earlier releases wrote no mark, but a value that is not a symbol is a number
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
        points = self._model.encoding.vocabulary()
        return Next(top=[[self._text(points[s]), p] for s, p in self._rows.likeliest(state, push.top)[0]])


def _spelled(spelling: Spelling) -> str:
    """Return the name of a spelling; pieces have a digest too, since two models seldom have the same."""
    pieces: str = spelling.to_json().get("document", "")
    return f"{spelling.name}:{hashlib.sha256(pieces.encode()).hexdigest()[:16]}" if pieces else spelling.name


def _kind(y: Any) -> str:
    """Return what was sent in the place of a text, in words."""
    return "none" if y is None or y is UNSET else "no characters" if y == "" else f"the value {y}"[:60]
