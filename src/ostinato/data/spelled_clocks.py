"""Times that programs and people of many countries spell in ways of their own, as words of the usual forms.

Of scripts and languages, these are digits of other scripts, marks of direction, the words for morning and afternoon of
Korean, Chinese and Japanese, "10:00 p.m.", "22:00 Uhr", "22h30" and "22.30". Of standards and programs, they are 24:00
(ISO 8601), a comma before the parts of a second, "1/31/2024, 10:00 PM" (browsers), [10/Oct/2000:13:55:36 -0700] (web
servers), offsets of whole hours (PostgreSQL), and stretches such as 2024-01-01/2024-01-07 (pandas, for weeks).
"""

from __future__ import annotations

from dataclasses import replace
from functools import reduce
from typing import NamedTuple

import numpy as np
import polars as pl
from numpy.typing import NDArray

from ostinato.data.remembered import remembered
from ostinato.data.signs import plain_signs
from ostinato.data.time_form import Stamps
from ostinato.data.zones import exists

_ZONE = r"(?:Z|[+-]\d\d:?\d\d)?"
_CLOCK = r"\d{1,2}:\d\d(?::\d\d(?:\.\d+)?)?"
_AM, _PM = "오전|上午|午前|AM", "오후|下午|午後|PM"
#: What is replaced, and by what, in this order.
_CHANGES = (
    (r"^(\d{4})\s?(?:년|年)\s?(\d{1,2})\s?(?:월|月)\s?(\d{1,2})\s?(?:일|日)", "${1}-${2}-${3}"),
    (r"^(\d{4})\.\s?(\d{1,2})\.\s?(\d{1,2})\.\s", "${1}-${2}-${3} "),
    (r"^(\d{4})\.(\d\d)\.(\d\d)[ T](\d)", "${1}-${2}-${3} ${4}"),
    (r"^(\d{4})\s?[./년年-]?\s?(\d)\s?[월月]$", "${1}-0${2}"),
    (r"^(\d{4})\s?[./년年-]\s?(\d\d)\s?[월月]$", "${1}-${2}"),
    (r"(午前|午後)\s*00?(:\d\d)", "${1}12${2}"),  # Japanese counts the hours from 0 to 11
    (rf"\s*(?:{_AM})\s*({_CLOCK})", " ${1} AM"),
    (rf"\s*(?:{_PM})\s*({_CLOCK})", " ${1} PM"),
    (r"(?i)(:\d\d)\s*a\.\s?m\.?$", "${1} AM"),
    (r"(?i)(:\d\d)\s*p\.\s?m\.?$", "${1} PM"),
    (rf"({_CLOCK})\s*(?:{_AM})$", "${1} AM"),
    (rf"({_CLOCK})\s*(?:{_PM})$", "${1} PM"),
    (rf"(\d),\s+({_CLOCK})", "${1} ${2}"),
    (r"(\d) @ (\d{1,2}:\d\d)", "${1} ${2}"),  # Kibana
    (r"(:\d\d)\s*Uhr$", "${1}"),
    (r"([ T]\d{1,2})\s?h\s?(\d\d)$", "${1}:${2}"),
    (r"^(\d{4})[:_](\d\d)[:_](\d\d)($|[ T])", "${1}-${2}-${3}${4}"),  # cameras write 2024:01:31
    (r"^(\d{8})_(\d{6})$", "${1}T${2}"),
    # servers of the web write [10/Oct/2000:13:55:36 -0700], the Common Log Format
    (
        r"^\[?(\d{1,2})/(\pL{3})/(\d{4}):(\d\d:\d\d(?::\d\d)?)(?: ([+-]\d{4}))?\]?$",
        "${1} ${2} ${3} ${4}${5}",
    ),
    (r"\[[A-Za-z_+-]+(?:/[A-Za-z0-9_+-]+)*\]$", ""),  # Java writes the zone behind its offset
    (r"(\d)\s*\([\p{L} -]+\)$", "${1}"),  # browsers write the name of the zone behind its offset
    (r"\s*(?:UTC|GMT)([+-]\d\d:?\d\d)$", "${1}"),
    (r"(\d\d:\d\d(?::\d\d(?:\.\d+)?)?)([+-]\d\d)$", "${1}${2}:00"),  # PostgreSQL writes offsets of whole hours
    (r"(:\d\d),(\d{1,9})$", "${1}.${2}"),
    (r"^(\d{4}-\d\d-\d\d)[ T](\d\d)$", "${1} ${2}:00"),
    (r"([-./]\d{1,4} )(\d{1,2})\.(\d\d)\.(\d\d)$", "${1}${2}:${3}:${4}"),
    (r"([-./]\d{1,4} )(\d{1,2})\.(\d\d)$", "${1}${2}:${3}"),
)
#: All changes in one query.
_CHANGED = reduce(lambda words, change: words.str.replace(*change), _CHANGES, pl.col(""))
#: A stretch between two days or hours, of which the first is read. A clock alone ends it only behind blanks, because
#: -05:00 behind another clock is an offset.
_POINT = rf"\d{{1,4}}[-./]\d{{1,2}}[-./]\d{{1,4}}(?:[ T]{_CLOCK}{_ZONE})?"
_STRETCH = (
    rf"^({_POINT})(?:\s*(?:/|-|\x{{2013}}|to)\s*{_POINT}|\s+(?:-|\x{{2013}}|to|bis|au|al|a)\s+(?:{_POINT}|{_CLOCK}))"
    r"(?:\s*\([A-Z/]+\))?$"
)
#: Midnight at the end of a day, the last second or minute before it, and the seconds from there to midnight.
_ENDS = (
    (rf"([ T])24:00:00(?:\.0+)?({_ZONE})$", "${1}23:59:59${2}", 1),
    (rf"([ T])24:00({_ZONE})$", "${1}23:59${2}", 60),
)


class Spelled(NamedTuple):
    """Words of usual forms, the seconds to add to their times, (N,), what was changed, in words, and their zone."""

    words: pl.Series
    later: NDArray[np.int64]
    notes: tuple[str, ...]
    zone: str | None = None

    def applied(self, found: Stamps) -> Stamps:
        """Return the times of the words with the seconds that they lack, in both readings if there are two."""
        other = None if found.other is None else self.applied(found.other)
        times = found.times + self.later * np.timedelta64(1_000_000, "us") if self.later.any() else found.times
        return replace(
            found, times=times, other=other, notes=(*found.notes, *self.notes) if other is None else found.notes
        )


@remembered
def in_usual_words(column: pl.Series) -> Spelled | None:
    """Return a column of words in usual forms; None if nothing in it has a spelling of its own.

    Args:
        column: The words, (N,).
    """
    words = plain_signs(column).str.strip_chars()
    words = words.to_frame("").select(_CHANGED.alias(column.name)).to_series()
    notes: list[str] = []
    stretches = words.str.contains(_STRETCH).fill_null(value=False)
    if stretches.any():
        notes.append(f"stretches such as {words.filter(stretches)[0]!r} are read as their first times")
        words = words.str.replace(_STRETCH, "${1}")
    later = np.zeros(len(words), dtype=np.int64)
    for pattern, by, seconds in _ENDS:
        ends = words.str.contains(pattern).fill_null(value=False)
        if ends.any():
            notes.append(f"times such as {words.filter(ends)[0]!r} are read as midnight at the end of their day")
            words, later = words.str.replace(pattern, by), later + seconds * ends.to_numpy()
    return (
        None if bool((words == column.str.strip_chars()).all()) else Spelled(words, later, tuple(notes), _zone(column))
    )


def _zone(column: pl.Series) -> str | None:
    """Return the zone that all words name behind their offset, as Java writes it; None if there is none."""
    named = column.str.extract(r"\[([A-Za-z_]+(?:/[A-Za-z0-9_+-]+)+)\]\s*$")
    if not len(named) or named.null_count() or named.n_unique() > 1 or not exists(str(named[0])):
        return None
    return str(named[0])
