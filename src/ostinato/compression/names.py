"""The names of files in few bits: a name is coded by what the names before it have at the same place.

A name is cut into words, numbers and single other characters. Each part is one that an earlier name has at its place,
or a new one. A number may also be that of the name before plus 1 or more (``figures``). A new word is spelled by what
follows each byte in the new ones before it and in common words (``letters``). A model may remember names, which are
learned before the first one is coded. If the names are sorted, what comes before the last name is left out.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain

import numpy as np

from ostinato.compression.chooser import Chooser, Listener
from ostinato.compression.figures import Digits, Steps, greater, is_counted, step_between
from ostinato.compression.letters import DIGITS, LETTERS, STOP, Letters
from ostinato.shapes import Array

_PARTS = re.compile(rb"[0-9]+|[A-Za-z\x80-\xff]+|[^0-9A-Za-z\x80-\xff]")
#: What a part may be before the earlier ones are listed: nothing (the name ends), a new part of a class, the number
#: after the last one, or one that is greater still (not before version 5).
_END, _WORD, _NUMBER, _OTHER, _NEXT, _MORE = range(6)
#: The context of the first part of a name, and that of a dot, if dots and other signs differ; else a class.
_START, _DOT = 0, 4
_WORDS = sorted(LETTERS)
_FIGURES = sorted(DIGITS)
_SIGNS = [b for b in range(128) if b not in LETTERS and b not in DIGITS]
#: The most that the choices of a place together weigh after the names that a model remembers.
_REMEMBERED = 6.0


@dataclass(frozen=True)
class Habits:
    """The initial probabilities of names.

    Attributes:
        first: The weights of the kinds of a part at a place that no earlier name reached, by the class before it, (4
            or 5, 5 or 6): a fifth row if dots and other signs differ, and a sixth column for greater numbers.
        again: The weight of a part that occurred once at its place, by the class before it and its own, (4 or 5, 4).
        gains: What is added to the weight of a choice that was made: an end, a new part of each of the three classes,
            a next number, a greater one (if told by steps), and a repeated part, (6 or 7,).
        plain: The initial probability of each byte of a new part (see ``Letters``).
        seed_words: Words with the byte before them (see ``Letters``).
        empty: Whether a new part has a probability of being empty, although no part is.
    """

    first: Sequence[Sequence[float]]
    again: Sequence[Sequence[float]]
    gains: Sequence[float]
    plain: Array
    seed_words: Sequence[tuple[bytes, bytes]]
    empty: bool = False

    @property
    def dots(self) -> bool:
        """Whether dots and other signs have separate weights."""
        return len(self.first) > _DOT

    @property
    def kinds(self) -> int:
        """The choices of a place before the earlier parts: 6 if greater numbers are told by their steps, else 5."""
        return len(self.first[0])


def _plain() -> Array:
    """Return the initial weight of each byte after each sort of byte, (5, 257)."""
    plain = np.full((5, 257), 0.05)
    small, capital, other = slice(97, 123), slice(65, 91), slice(128, 256)
    plain[0, 32:127] = 2.0
    plain[0, small], plain[0, capital], plain[0, other] = 16.0, 4.0, 0.25
    for sign, weight in zip(b"_-. ", (60.0, 40.0, 60.0, 40.0), strict=True):
        plain[0, sign] = weight
    plain[1, small], plain[1, capital], plain[1, STOP] = 16.0, 1.0, 80.0
    plain[2, small], plain[2, capital], plain[2, STOP] = 8.0, 8.0, 60.0
    plain[4, small], plain[4, capital], plain[4, other], plain[4, STOP] = 0.5, 0.5, 2.0, 25.0
    plain[[0, 3], 48:58], plain[3, STOP] = 10.0, 60.0
    return plain


#: Common words of English and of the names of files, and common first names: they show which letters follow which.
_COMMON = (
    b"the of and to in is for on with at by from new old final copy draft test train valid data file text book part "
    b"page chapter section volume letter note story speech voice sound audio track song music record recording session "
    b"sample channel left right mono stereo noise clean speaker male female one two three four five six seven eight "
    b"nine ten zero first second third last day night morning answer call number city house world water people year "
    b"john mary james anna peter maria robert michael david paul mark thomas martin simon laura sarah elena "
    b"Chapter Part Track Recording Audio Test IMG DSC REC README"
)
#: Ends that many names have.
_ENDS = b"txt wav txt wav csv md log TXT WAV"
HABITS = Habits(
    first=(
        (0.02, 0.6, 0.35, 0.03, 0.4, 0.4),
        (0.3, 0.0, 0.25, 0.7, 0.4, 0.4),
        (0.1, 0.2, 0.0, 0.7, 0.4, 0.4),
        (0.02, 0.6, 0.4, 0.03, 0.4, 0.4),
        (0.01, 0.85, 0.15, 0.01, 0.2, 0.1),
    ),
    again=((0.0, 0.6, 0.3, 3.0),) * 4 + ((0.0, 4.0, 0.3, 3.0),),
    gains=(2.0, 0.5, 0.5, 0.5, 1.0, 1.0, 1.0),
    plain=_plain(),
    seed_words=[(b"", word) for word in _COMMON.split()] + [(b".", word) for word in _ENDS.split()],
)


class Names:
    """Names that are coded one after the other, of files whose names are not in UTF-8 too.

    Args:
        coder: An encoder or a decoder.
        habits: What names are like before any was seen.
        remembered: Names that the model remembers.

    Attributes:
        ordered: Whether each name is greater than the one before it, as bytes. It is set before the first name.
    """

    def __init__(self, coder: Chooser, habits: Habits = HABITS, remembered: Sequence[str] = ()) -> None:
        self._habits, self.ordered = habits, False
        self._places: dict[tuple[int, int], _Place] = {}
        self._letters = Letters(habits.plain, habits.seed_words)
        self._last: list[bytes] | None = None
        self._coder: Chooser = Listener()
        for name in remembered:
            self.name(name)
        for place in self._places.values():
            place.fade()
        self._coder, self._last = coder, None

    def name(self, value: str | None) -> str:
        """Code a name and return it; the decoder is given None."""
        parts = None if value is None else _PARTS.findall(as_bytes(value))
        found: list[bytes] = []
        while (part := self._part(found, None if parts is None else parts[len(found) :])) is not None:
            found.append(part)
        self._last = found
        return b"".join(found).decode(errors="surrogateescape")

    def _part(self, before: list[bytes], left: list[bytes] | None) -> bytes | None:
        """Code the part after some, or the end of the name (None)."""
        last, habits = before[-1] if before else b"", self._habits
        kind = _DOT if last == b"." and habits.dots else _class(last)
        place = self._places.setdefault((len(before), kind), _Place(kind, habits))
        index = None if left is None else place.index(left[0] if left else None)
        index = self._coder.choice(place.weights(self._least(before)), index)
        given = left[0] if left else None
        if index == _END:
            part = None
        elif index >= habits.kinds:
            part = place.known[index - habits.kinds]
        elif index == _NEXT:
            part = greater(place.last, 1)
        elif index == _MORE:
            step = None if given is None else step_between(place.last, given)
            part = greater(place.last, place.steps.code(self._coder, step))
        elif index == _NUMBER and habits.kinds > _MORE:
            part = place.digits.code(self._coder, given)
        else:
            # a dot predicts the letters after it, and other signs hardly do
            part = self._new(index, last[-1:] if kind == _DOT or not habits.dots else b"", given)
        place.learn(index, part)
        return part

    def _least(self, before: list[bytes]) -> bytes | None:
        """Return the least part that keeps the order of sorted names, which also rules out the end of the name here.

        It is None where any part, or the end, keeps the order.
        """
        last, at = self._last, len(before)
        return last[at] if self.ordered and last and len(last) > at and last[:at] == before else None

    def _new(self, kind: int, last: bytes, part: bytes | None) -> bytes:
        """Code a part that its place has not had, after the last byte of the one before it."""
        letters = _SIGNS if kind == _OTHER else _WORDS if kind == _WORD else _FIGURES
        found, spelled = b"", None if part is None else chain(part, [STOP])
        while True:
            ends = kind != _OTHER and (found or self._habits.empty)
            allowed = [*letters, STOP] if ends else letters
            weights = self._letters.weights(last + found)[allowed]
            symbol = allowed[self._coder.choice(weights, None if spelled is None else allowed.index(next(spelled)))]
            self._letters.learn(last + found, symbol)
            if symbol == STOP:
                return found
            found += bytes([symbol])
            if kind == _OTHER:
                return found


class _Place:
    """What names have had at one place.

    Args:
        after: What stands before it: the class of a part, or a dot.
        habits: What names are like before any was seen.
    """

    def __init__(self, after: int, habits: Habits) -> None:
        self.known: list[bytes] = []
        self.last, self.digits, self.steps = b"", Digits(), Steps()
        self._counts: list[float] = list(habits.first[after])
        self._again, self._gains, self._kinds = habits.again[after], habits.gains, habits.kinds

    def weights(self, least: bytes | None) -> Array:
        """Return the weights of the choices: the first five or six, and the parts of earlier names.

        Args:
            least: The least part that may stand here; None if any part, or the end of the name, may.
        """
        weights = np.array(self._counts)
        if not is_counted(self.last):
            weights[_NEXT : self._kinds] = 0
        if least is not None:
            weights[_END] = 0
            for i, part in enumerate(self.known):
                # a part that only begins like the least one is kept: the next part may put the name in order
                if part < least and not least.startswith(part):
                    weights[self._kinds + i] = 0
        return weights

    def index(self, part: bytes | None) -> int:
        """Return the choice that is a part."""
        if part is None:
            return _END
        step = step_between(self.last, part)
        if step == 1:
            return _NEXT
        if part in self.known:
            return self._kinds + self.known.index(part)
        return _MORE if step and self._kinds > _MORE else _class(part)

    def learn(self, index: int, part: bytes | None) -> None:
        """Take in the choice that was made, and the part."""
        self._counts[index] += self._gains[min(index, self._kinds)]
        if part is None:
            return
        if part not in self.known:
            self.known.append(part)
            self._counts.append(self._again[_class(part)])
        self.last = part

    def fade(self) -> None:
        """Scale the weights down, so that the names that are compressed soon count for more."""
        share = min(1.0, _REMEMBERED / sum(self._counts))
        self._counts = [share * count for count in self._counts]


def as_bytes(name: str) -> bytes:
    """Return a name as bytes, which need not be UTF-8."""
    return name.encode(errors="surrogateescape")


def _class(part: bytes) -> int:
    """Return the class of a part, and 0 for none."""
    return _START if not part else _NUMBER if part[0] in DIGITS else _WORD if part[0] in LETTERS else _OTHER
