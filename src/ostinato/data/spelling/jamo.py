"""The spelling of Korean by jamo, the letters of a syllable."""

from __future__ import annotations

from typing import Any, Final, final

import numpy as np
from numpy.typing import NDArray

from ostinato.data.spelling.base import END, Points, Reader, Spelling

#: The Hangul syllables, and the numbers of initial consonants, vowels and final consonants (Unicode 15, section 3.12).
_FIRST, _LAST, _VOWELS, _FINALS = 0xAC00, 0xD7A3, 21, 28
#: The points of jamo in syllables lie beyond Unicode, so that jamo that stand alone in a text keep their own.
_INITIAL, _VOWEL, _FINAL = 0x110000, 0x110013, 0x110028
#: The conjoining jamo that show the initial consonants, the vowels and the final consonants to a person.
_SHOWN: Final = (*range(0x1100, 0x1113), *range(0x1161, 0x1176), *range(0x11A8, 0x11C3))


@final
class Jamo(Spelling):
    """A Hangul syllable is its consonants and its vowel; every other character is its code point.

    Jamo of syllables have points of their own, beyond Unicode, so that a syllable and the same jamo one after the
    other, as in text that was decomposed (NFD), stay apart.
    """

    name, plural = "jamo", "characters and jamo"

    @property
    def always(self) -> Points:
        """The jamo, so that every Hangul syllable is known."""
        return np.arange(_INITIAL, END, dtype=np.int32)

    @property
    def possible(self) -> int:
        """The characters that are not Hangul syllables."""
        return super().possible - (_LAST - _FIRST + 1)

    def points(self, text: str) -> Points:
        """Return the points of a text (see ``Spelling.points``)."""
        raw = np.frombuffer(text.encode("utf-32-le"), dtype=np.int32)
        syllable = (raw >= _FIRST) & (raw <= _LAST)
        index = np.where(syllable, raw - _FIRST, 0)
        initial = np.where(syllable, _INITIAL + index // (_VOWELS * _FINALS), raw)
        vowel = _VOWEL + index // _FINALS % _VOWELS
        final_ = _FINAL - 1 + index % _FINALS
        there = np.stack([np.ones_like(syllable), syllable, syllable & (index % _FINALS > 0)], axis=1)
        return np.stack([initial, vowel, final_], axis=1)[there].astype(np.int32)

    def text(self, points: Any) -> str:
        """Return the text of points; a jamo of a syllable that is cut off becomes a conjoining jamo."""
        reader = self.reader()
        return "".join([*(reader.feed(int(p)) for p in points), reader.close()])

    def characters(self, points: NDArray[Any]) -> NDArray[np.int64]:
        """Return 1 for each point but the vowel and the last consonant of a syllable."""
        points = np.asarray(points)
        return ((points < _VOWEL) | (points >= END)).astype(np.int64)

    def parts(self, points: NDArray[Any]) -> NDArray[np.int64]:
        """Return what each point is, (N,): 1 to 3 for the first consonant, the vowel and the last one; 0 for others."""
        points = np.asarray(points)
        inside = (points >= _INITIAL) & (points < END)
        return np.where(inside, np.searchsorted([_VOWEL, _FINAL], points, side="right") + 1, 0)

    def reader(self) -> Reader:
        """Return what composes syllables."""
        return _Composer()

    def letter(self, point: int) -> int:
        """Return the number of a letter; each jamo is one."""
        return point + 1 if point >= _INITIAL else super().letter(point)


@final
class _Composer:
    """Syllables from their jamo: complete when the next one begins."""

    def __init__(self) -> None:
        self._held: list[int] = []

    def feed(self, point: int) -> str:
        held = self._held
        if (_VOWEL <= point < _FINAL and len(held) == 1) or (_FINAL <= point < END and len(held) == 2):
            held.append(point)
            return self._take([]) if len(held) == 3 else ""
        if _INITIAL <= point < _VOWEL:
            return self._take([point])
        return self._take([]) + (chr(_SHOWN[point - _INITIAL]) if point >= _INITIAL else chr(point))

    def close(self) -> str:
        return self._take([])

    def _take(self, after: list[int]) -> str:
        """Return the syllable that is held, and hold other jamo."""
        held, self._held = self._held, after
        if len(held) < 2:
            return "".join(chr(_SHOWN[p - _INITIAL]) for p in held)
        last = held[2] - _FINAL + 1 if len(held) == 3 else 0
        return chr(_FIRST + ((held[0] - _INITIAL) * _VOWELS + held[1] - _VOWEL) * _FINALS + last)
